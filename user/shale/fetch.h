/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A single question to a daemon.
 */
#ifndef SHALE_CLI_FETCH_H
#define SHALE_CLI_FETCH_H

#include <jansson.h>

#include "dockapi/dockapi.h"
#include "shale/filters.h"
#include "shale/shale.h"

/* Connects, performs the call and takes its answer; filters may be NULL. */
int fetch_call(const struct cli *cli, struct dockapi_call *call, json_t **ret_json,
	       struct shale_err *err);
int fetch_get(const struct cli *cli, const char *path, const struct filters *filters,
	      json_t **ret_json, struct shale_err *err);
int fetch_post(const struct cli *cli, const char *path, const struct filters *filters,
	       json_t **ret_json, struct shale_err *err);

/* Asks on standard output; anything but "y" is no. */
bool fetch_is_confirmed(const char *warning);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --filter KEY=VALUE, several times, as docker's API takes them: {"KEY":{"VALUE":true}}.
 */
#ifndef SHALE_CLI_FILTERS_H
#define SHALE_CLI_FILTERS_H

#include <jansson.h>

#include "dockapi/dockapi.h"
#include "shale/shale.h"

struct filters {
	json_t *map; /* NULL: none */
};

#define __cleanup_filters __attribute__((cleanup(filters_release)))

/* Takes what --filter says; the exit status when it makes no sense, otherwise 0. */
int filters_option(const struct cli *cli, const char *text, struct filters *filters);
int filters_add(struct filters *filters, const char *key, const char *value,
		struct shale_err *err);
/* Into a call's query, unless there are none. */
int filters_query(const struct filters *filters, struct dockapi_call *call, struct shale_err *err);
void filters_release(struct filters *filters);

#endif

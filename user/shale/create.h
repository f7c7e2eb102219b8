/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers made by a daemon, from images that are pulled where they are not there.
 */
#ifndef SHALE_CLI_CREATE_H
#define SHALE_CLI_CREATE_H

#include "shale/connection.h"
#include "shale/create_opts.h"

#define CREATE_MAX_ID 64

/* The new one's ID. Warnings, and what the pull says, go to stderr. */
int create_container(struct connection *connection, const struct create_opts *opts, char ret_id[CREATE_MAX_ID + 1],
		     struct shale_err *err);

#endif

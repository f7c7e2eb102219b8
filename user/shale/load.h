/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What import and load have in common: a tar that is sent to a daemon, its progress, and the images it brought; or the
 * same done here.
 */
#ifndef SHALE_CLI_LOAD_H
#define SHALE_CLI_LOAD_H

#include "shale/connection.h"
#include "shale/shale.h"

enum load_says {
	LOAD_NAMES, /* progress on a terminal, and "Loaded image: NAME" */
	LOAD_IDS,   /* no progress, and IDs */
	LOAD_QUIET, /* no progress, and names */
};

/* By the engine, in this process. Returns the exit status. */
int load_run(const struct cli *cli, const struct shale_import_opts *import, enum load_says says);

/* Sends a file, "-" for standard input, with a call that has its path and query, and shows what is answered. */
int load_send(struct connection *connection, struct dockapi_call *call, const char *source,
	      enum load_says says, struct shale_err *err);

#endif

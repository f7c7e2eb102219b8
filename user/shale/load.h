/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What import and load have in common: an import with its progress, which a signal cancels, and the
 * images it brought.
 */
#ifndef SHALE_CLI_LOAD_H
#define SHALE_CLI_LOAD_H

#include "shale/shale.h"

enum load_says {
	LOAD_NAMES, /* progress on a terminal, and "Loaded image: NAME" */
	LOAD_IDS,   /* no progress, and IDs */
	LOAD_QUIET, /* no progress, and names */
};

/* Returns the exit status. */
int load_run(const struct cli *cli, const struct shale_import_opts *import, enum load_says says);

#endif

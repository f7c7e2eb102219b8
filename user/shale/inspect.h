/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Verbs that inspect things: all about each as one JSON array, or by a template a line for each. As with docker, those
 * that are there are printed also if another is not.
 */
#ifndef SHALE_CLI_INSPECT_H
#define SHALE_CLI_INSPECT_H

#include "shale/shale.h"

/* Paths of the API to look in, one after the other; %s is the name. The last is NULL. */
struct inspect {
	const char *const *paths;
	const char *what; /* "which image is to be inspected?" */
	bool any_object;  /* what is nowhere is no object, not no image */
};

/* The whole verb: returns the exit status. */
int inspect_run(struct cli *cli, int argc, char **argv, const struct inspect *inspect);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon's progress: on a terminal a line for each layer, redrawn in place; elsewhere a line for each step a layer has
 * taken, and no bars. In docker's words, which are the daemon's.
 */
#ifndef SHALE_CLI_PROGRESS_H
#define SHALE_CLI_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Layers with a line of their own; those beyond are not shown on a terminal. */
#define PROGRESS_MAX_LINES 64
/* Characters of what names one. */
#define PROGRESS_MAX_ID 64

struct progress {
	FILE *out;
	bool is_tty;
	size_t count;
	char ids[PROGRESS_MAX_LINES][PROGRESS_MAX_ID + 1];
};

void progress_init(struct progress *progress, FILE *out);
/* One message of a stream. */
void progress_show(struct progress *progress, const json_t *message);

#endif

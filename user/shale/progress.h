/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A verb's progress on a terminal: one line a layer, redrawn in place. Off a terminal nothing.
 */
#ifndef SHALE_CLI_PROGRESS_H
#define SHALE_CLI_PROGRESS_H

#include <shale.h>
#include <stdio.h>
#include <time.h>

/* Layers with a line of their own; those beyond are not shown. */
#define PROGRESS_MAX_LINES 64

struct progress_line {
	char id[13];
	bool is_drawn;
	enum shale_event_kind kind; /* last drawn */
	struct timespec drawn;
};

struct progress {
	FILE *out;
	bool is_tty;
	size_t count;
	struct progress_line lines[PROGRESS_MAX_LINES];
};

void progress_init(struct progress *progress, FILE *out);
void progress_show(struct progress *progress, const struct shale_event *event);

#endif

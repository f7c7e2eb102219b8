/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * docker's log files: one JSON object a line, {"log":"...\n","stream":"stdout","time":"..."}. A line of output
 * that is longer than JSONLOG_MAX_LINE, and what stands behind the last line end, are in several of them.
 */
#ifndef SHALE_CONTAINER_JSONLOG_H
#define SHALE_CONTAINER_JSONLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* docker's. */
#define JSONLOG_MAX_LINE 16384

/* A stream whose lines are being collected. */
struct jsonlog {
	const char *stream; /* "stdout", "stderr" */
	size_t len;
	char line[JSONLOG_MAX_LINE];
};

/* Appends what has come to a whole line or more to `out` as the file has it. */
int jsonlog_add(struct jsonlog *log, const char *data, size_t len, struct buf *out);
/* The rest, which has no end of line. */
int jsonlog_flush(struct jsonlog *log, struct buf *out);

/* A line of the file understood; text and time are freed with it. False: it is no such line. */
struct jsonlog_entry {
	char *text;
	size_t len;
	char time[64];
	int stream; /* 1, 2 */
};
bool jsonlog_parse(const char *line, size_t len, struct jsonlog_entry *ret_entry);
void jsonlog_entry_release(struct jsonlog_entry *entry);

#endif

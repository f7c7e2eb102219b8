/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * log.h - what the recorder (device.h) has written, as a list. The format is described in the kernel's
 * Documentation/admin-guide/device-mapper/log-writes.rst: a superblock, then for each write a sector that
 * describes it and its data. The order is what makes it useful: a write stands in the log where the disk
 * could no longer lose it, that is, before the flush that followed its completion, or at its own completion
 * if it went around the disk's cache (FUA).
 */
#ifndef SELFTESTS_CRASH_LOG_H
#define SELFTESTS_CRASH_LOG_H

#include "device.h"

#include <stdbool.h>

struct entry {
	size_t offset, size;	   /* in the data disk, in bytes; size 0: no data */
	const unsigned char *data; /* NULL: the range was discarded */
	bool is_flush, is_fua;
	int mark; /* what recorder_mark() was given, or -1 */
};

struct log {
	struct entry *entry;
	size_t count;
	unsigned char *copy; /* of the log disk, as far as it is used */
};

/* The log stays as it is when the disk is used again. */
void log_read(struct log *log, const struct disk *disk);
void log_free(struct log *log);

/* Does the write what it did to the disk, or to BYTES, which are like it. */
void entry_apply(const struct entry *entry, unsigned char *bytes);

#endif /* SELFTESTS_CRASH_LOG_H */

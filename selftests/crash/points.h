/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * points.h - the moments at which the machine may stop: states of a disk that a record says are possible.
 */
#ifndef SELFTESTS_CRASH_POINTS_H
#define SELFTESTS_CRASH_POINTS_H

#include "log.h"

#include <stdint.h>

/*
 * Writes up to END are on the disk. With a seed it is the end of an epoch, the time between two flushes, and
 * of what was in the disk's cache since BEGIN only some blocks have made it, in any order.
 */
struct point {
	size_t begin, end;
	size_t last; /* nothing changes on the disk up to here */
	uint64_t seed; /* 0: all writes */
};

struct points {
	struct point *point;
	size_t count;
};

/* All of them, in the order of their ENDs; SUBSETS for each epoch. */
void points_find(struct points *points, const struct log *log, unsigned int subsets, uint64_t seed);
/* Leaves out all but COUNT. */
void points_choose(struct points *points, size_t count, uint64_t seed);
void points_free(struct points *points);

/* Writes to BYTES, which have all before BEGIN, what has made it to the disk of [BEGIN, END). */
void point_apply(const struct point *point, const struct log *log, unsigned char *bytes);

#endif /* SELFTESTS_CRASH_POINTS_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * points.c - finds states of the disk in a record; see points.h, and log.h for what its order means.
 *
 * Any beginning of the log is a state: nothing in it depends on what comes later. Within an epoch the log
 * says more than is true: a disk may write its cache in any order. So at the end of an epoch, just before its
 * flush is acknowledged, all that went around the cache is there, and of the rest any blocks.
 */
#include "points.h"

#include "chance.h"
#include "stamp.h"

#include <stdlib.h>
#include <string.h>

#define STYLES 4

static void point_add(struct points *points, struct point point)
{
	points->point = realloc(points->point, (points->count + 1) * sizeof(point));
	points->point[points->count++] = point;
}

static size_t epoch_end(const struct log *log, size_t begin)
{
	while (begin < log->count && !log->entry[begin].is_flush)
		begin++;
	return begin;
}

/* Blocks that the cache may lose. */
static size_t count_losable(const struct log *log, size_t begin, size_t end)
{
	size_t count = 0;

	for (size_t i = begin; i < end; i++)
		if (!log->entry[i].is_fua)
			count += (log->entry[i].size + BLOCK - 1) / BLOCK;
	return count;
}

static void subsets_add(struct points *points, const struct log *log, size_t begin, size_t end,
			unsigned int subsets, uint64_t *random)
{
	size_t losable = count_losable(log, begin, end);

	/* Of one block there are two subsets, and both are beginnings. */
	if (losable < 2)
		return;
	if (subsets > losable)
		subsets = losable;
	for (unsigned int i = 0; i < subsets; i++)
		point_add(points, (struct point){begin, end, end, random_next(random) | 1});
}

static void beginnings_add(struct points *points, const struct log *log, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++) {
		size_t last = i + 1;

		if (!log->entry[i].size)
			continue;
		while (last < log->count && !log->entry[last].size)
			last++;
		point_add(points, (struct point){i + 1, i + 1, last, 0});
	}
}

void points_find(struct points *points, const struct log *log, unsigned int subsets, uint64_t seed)
{
	*points = (struct points){NULL};
	for (size_t begin = 0; begin < log->count;) {
		size_t flush = epoch_end(log, begin);
		size_t end = flush < log->count ? flush + 1 : flush;

		subsets_add(points, log, begin, flush, subsets, &seed);
		beginnings_add(points, log, begin, end);
		begin = end;
	}
}

/* Keeps each with the chance that exactly COUNT are left in the end. */
void points_choose(struct points *points, size_t count, uint64_t seed)
{
	size_t kept = 0, all = points->count;

	for (size_t i = 0; i < all && count < all; i++) {
		if (random_next(&seed) % (all - i) < count - kept)
			points->point[kept++] = points->point[i];
	}
	if (count < all)
		points->count = kept;
}

void points_free(struct points *points)
{
	free(points->point);
	*points = (struct points){NULL};
}

/* Few, half or most of the blocks, or all but very few. */
static bool is_lost(uint64_t seed, uint64_t *random)
{
	static const unsigned int lost_of_64[STYLES] = {56, 32, 12, 3};

	return random_next(random) % 64 < lost_of_64[seed / 2 % STYLES];
}

static void blocks_apply(const struct entry *entry, uint64_t seed, uint64_t *random, unsigned char *bytes)
{
	for (size_t at = 0; at < entry->size;) {
		size_t part = BLOCK - (entry->offset + at) % BLOCK;
		struct entry block = *entry;

		if (part > entry->size - at)
			part = entry->size - at;
		block.offset += at;
		block.size = part;
		block.data = entry->data ? entry->data + at : NULL;
		if (!is_lost(seed, random))
			entry_apply(&block, bytes);
		at += part;
	}
}

void point_apply(const struct point *point, const struct log *log, unsigned char *bytes)
{
	uint64_t random = point->seed;

	for (size_t i = point->begin; i < point->end; i++) {
		const struct entry *entry = &log->entry[i];

		if (entry->is_fua || !point->seed)
			entry_apply(entry, bytes);
		else
			blocks_apply(entry, point->seed, &random, bytes);
	}
}

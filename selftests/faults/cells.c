// SPDX-License-Identifier: GPL-2.0-only
/*
 * cells.c - the model of a file in memory; see cells.h. Nothing here touches a file.
 */
#include "cells.h"

#include "calls.h"

#include <stdio.h>
#include <string.h>

static void set_add(struct set *s, unsigned int member)
{
	s->bits[member / 64] |= 1ULL << member % 64;
}

static void set_only(struct set *s, unsigned int member)
{
	*s = (struct set){0};
	set_add(s, member);
}

static bool set_has(const struct set *s, unsigned int member)
{
	return s->bits[member / 64] >> member % 64 & 1;
}

static bool set_is_single(const struct set *s)
{
	int count = 0;

	for (int i = 0; i < 4; i++)
		count += __builtin_popcountll(s->bits[i]);
	return count == 1;
}

static void set_join(struct set *s, const struct set *other)
{
	for (int i = 0; i < 4; i++)
		s->bits[i] |= other->bits[i];
}

static void set_happened(struct set *s, unsigned int member, bool is_certain)
{
	if (is_certain)
		set_only(s, member);
	else
		set_add(s, member);
}

void cells_init(struct cells *c, int number, unsigned int size)
{
	*c = (struct cells){.number = number};
	for (unsigned int i = 0; i < CELLS; i++)
		set_only(&c->now[i], i < size ? 0 : ZEROS);
	set_only(&c->size_now, size);
	cells_synced(c);
}

unsigned int cells_size(const struct cells *c)
{
	unsigned int size = CELLS;

	while (size && !set_has(&c->size_now, size))
		size--;
	return size;
}

static unsigned int smallest(const struct set *sizes)
{
	unsigned int size = 0;

	while (size < CELLS && !set_has(sizes, size))
		size++;
	return size;
}

/* What failed in the middle, or was on its way to the disk, may have come so far. */
static void sizes_add(struct set *sizes, unsigned int at, unsigned int end)
{
	unsigned int low = smallest(sizes);

	for (unsigned int i = (at > low ? at : low) + 1; i <= end; i++)
		set_add(sizes, i);
}

void cells_written(struct cells *c, unsigned int at, unsigned int count, unsigned int generation, bool is_certain)
{
	unsigned int end = at + count, largest = cells_size(c);

	for (unsigned int i = at; i < end; i++) {
		set_happened(&c->now[i], generation, is_certain);
		set_add(&c->disk[i], generation);
	}
	/* Holes are made within the size. */
	if (generation == ZEROS)
		return;
	sizes_add(&c->size_disk, at, end);
	if (!is_certain)
		sizes_add(&c->size_now, at, end);
	else if (end > largest)
		set_only(&c->size_now, end);
	else if (end > smallest(&c->size_now))
		set_add(&c->size_now, end);
}

void cells_truncated(struct cells *c, unsigned int size, bool is_certain)
{
	for (unsigned int i = size; i < CELLS; i++) {
		set_happened(&c->now[i], ZEROS, is_certain);
		set_add(&c->disk[i], ZEROS);
	}
	set_happened(&c->size_now, size, is_certain);
	set_add(&c->size_disk, size);
}

void cells_synced(struct cells *c)
{
	memcpy(c->disk, c->now, sizeof(c->disk));
	c->size_disk = c->size_now;
}

void cells_doubt(struct cells *c)
{
	for (unsigned int i = 0; i < CELLS; i++)
		set_join(&c->now[i], &c->disk[i]);
	set_join(&c->size_now, &c->size_disk);
}

/* Behind the SIZE bytes of WHY. */
static bool wrong(char *why, int size, const struct set *set)
{
	for (unsigned int i = 0; i <= ZEROS && size < REASON_SIZE; i++)
		if (set_has(set, i))
			size += snprintf(why + size, REASON_SIZE - size, i == ZEROS ? " a hole" : " %u", i);
	return false;
}

static unsigned int generation_of(const struct cells *c, size_t at, uint64_t word)
{
	unsigned int generation = word >> 40 & 0xff;
	uint64_t want;

	if (!word)
		return ZEROS;
	stamp_fill((unsigned char *)&want, c->number, generation, at, WORD);
	return want == word ? generation : FOREIGN;
}

/*
 * Is something of this block not on the disk, as far as anybody was told, or a hole? That may be part of an unwritten extent, of
 * which all is taken for written when a write to another part fails.
 */
static bool is_at_risk(const struct cells *c, unsigned int block)
{
	for (unsigned int i = block * BLOCK_CELLS; i < (block + 1) * BLOCK_CELLS; i++)
		if (!set_is_single(&c->disk[i]) || set_has(&c->disk[i], ZEROS))
			return true;
	return false;
}

void cells_failing(struct cells *c)
{
	for (unsigned int block = 0; c->is_leaky && block < CELLS / BLOCK_CELLS; block++)
		c->has_leaked[block] |= is_at_risk(c, block);
}

static bool may_leak(const struct cells *c, size_t at)
{
	return c->has_leaked[at / BLOCK];
}

bool cells_are(const struct cells *c, enum cells_view view, const unsigned char *bytes, size_t size, char *why)
{
	const struct set *cell = view == CELLS_NOW ? c->now : c->disk;
	const struct set *sizes = view == CELLS_NOW ? &c->size_now : &c->size_disk;
	uint64_t word;
	unsigned int generation;

	if (size % CELL || size / CELL > CELLS || !set_has(sizes, size / CELL))
		return wrong(why, snprintf(why, REASON_SIZE, "it has %zu bytes, and not cells", size), sizes);
	for (size_t at = 0; at < size; at += WORD) {
		memcpy(&word, bytes + at, WORD);
		generation = generation_of(c, at, word);
		if (!set_has(&cell[at / CELL], generation) && !may_leak(c, at))
			return wrong(why, snprintf(why, REASON_SIZE, "at %zu is %s, and not of step", at,
						   stamp_describe(word)), &cell[at / CELL]);
	}
	return true;
}

bool cells_are_own(const struct cells *c, const unsigned char *bytes, size_t size, char *why)
{
	uint64_t word;

	for (size_t at = 0; at < size; at += WORD) {
		memcpy(&word, bytes + at, WORD);
		if (generation_of(c, at, word) != FOREIGN || may_leak(c, at))
			continue;
		snprintf(why, REASON_SIZE, "at %zu is %s", at, stamp_describe(word));
		return false;
	}
	return true;
}

void cells_settle(struct cells *c, const unsigned char *bytes, size_t size)
{
	uint64_t word;

	for (unsigned int i = 0; i < CELLS; i++)
		c->now[i] = (struct set){0};
	for (size_t at = 0; at < size; at += WORD) {
		memcpy(&word, bytes + at, WORD);
		set_add(&c->now[at / CELL], generation_of(c, at, word));
	}
	for (unsigned int i = size / CELL; i < CELLS; i++)
		set_only(&c->now[i], ZEROS);
	set_only(&c->size_now, size / CELL);
	cells_synced(c);
	/* What leaks behind the end is seen once the file grows. */
	memset(c->has_leaked, 0, size / BLOCK * sizeof(c->has_leaked[0]));
}

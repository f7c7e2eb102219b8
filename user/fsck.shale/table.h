/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of pairs of numbers, each with a text that may be NULL. The numbers come from a layer, and whoever
 * wrote it cannot choose them so that looking them up becomes slow.
 */
#ifndef FSCK_SHALE_TABLE_H
#define FSCK_SHALE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
	uint64_t a, b;
	char *text;
	bool is_used;
	bool is_dropped;
};

struct table {
	struct table_slot *slots;
	size_t count, cap; /* a power of two, or 0 */
	uint64_t seed;
};

void table_release(struct table *table);
/* 1: added; 0: it is there, as *ret_old; -1: no memory. TEXT is copied, at most TABLE_TEXT_MAX bytes of it. */
int table_add(struct table *table, uint64_t a, uint64_t b, const char *text,
	      const struct table_slot **ret_old);
bool table_has(const struct table *table, uint64_t a, uint64_t b);
/* A pair that was added is not there any more. */
void table_drop(struct table *table, uint64_t a, uint64_t b);

/* Longer paths are told apart by their first bytes well enough. */
#define TABLE_TEXT_MAX 4096

#endif

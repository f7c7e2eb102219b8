// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of table.h: open addressing over a hash with a random seed. Called by partial.c and leftover.c.
 */
#include "fsck.shale/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void table_release(struct table *table)
{
	for (size_t i = 0; i < table->cap; i++)
		free(table->slots[i].text);
	free(table->slots);
	*table = (struct table){ 0 };
}

/* Each step is a bijection, so that the seed is spread over all bits. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ value >> 32) * 0xd6e8feb86659fd93;
	value = (value ^ value >> 32) * 0xd6e8feb86659fd93;
	return value ^ value >> 32;
}

/* Where the pair is, or where it would be. */
static struct table_slot *slot_of(const struct table *table, uint64_t a, uint64_t b)
{
	size_t at = mix(mix(a ^ table->seed) ^ b);
	struct table_slot *slot;

	do
		slot = &table->slots[at++ & (table->cap - 1)];
	while (slot->is_used && (slot->a != a || slot->b != b));
	return slot;
}

static int table_grow(struct table *table)
{
	struct table grown = { .cap = table->cap ? table->cap * 2 : 64, .seed = table->seed };

	if (table->count * 2 < table->cap)
		return 0;
	if (!table->cap && getrandom(&grown.seed, sizeof(grown.seed), 0) < 0)
		return -1;
	grown.slots = calloc(grown.cap, sizeof(*grown.slots));
	if (!grown.slots)
		return -1;
	for (size_t i = 0; i < table->cap; i++)
		if (table->slots[i].is_used)
			*slot_of(&grown, table->slots[i].a, table->slots[i].b) = table->slots[i];
	grown.count = table->count;
	free(table->slots);
	*table = grown;
	return 0;
}

int table_add(struct table *table, uint64_t a, uint64_t b, const char *text,
	      const struct table_slot **ret_old)
{
	struct table_slot *slot;
	char *copy = NULL;

	if (table_grow(table))
		return -1;
	slot = slot_of(table, a, b);
	if (slot->is_used) {
		if (ret_old)
			*ret_old = slot;
		return 0;
	}
	if (text && !(copy = strndup(text, TABLE_TEXT_MAX)))
		return -1;
	*slot = (struct table_slot){ .a = a, .b = b, .text = copy, .is_used = true };
	table->count++;
	return 1;
}

bool table_has(const struct table *table, uint64_t a, uint64_t b)
{
	const struct table_slot *slot = table->cap ? slot_of(table, a, b) : NULL;

	return slot && slot->is_used && !slot->is_dropped;
}

void table_drop(struct table *table, uint64_t a, uint64_t b)
{
	slot_of(table, a, b)->is_dropped = true;
}

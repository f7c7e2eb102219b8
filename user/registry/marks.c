// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of digests; see marks.h. An open hash table at most half full. Has a lock of its own: pushes add
 * to the set of a collection that runs beside them.
 */
#include "registry/marks.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024

struct mark {
	uint64_t high;
	uint64_t low;
};

struct marks {
	pthread_mutex_t lock;
	struct mark *table; /* under the lock, as all below */
	size_t size;
	size_t count;
};

static struct mark mark_of(const struct sum *sum)
{
	const char *hex = sum_hex(sum);
	char part[17];
	struct mark mark;

	snprintf(part, sizeof(part), "%.16s", hex);
	mark.high = strtoull(part, NULL, 16);
	snprintf(part, sizeof(part), "%.16s", hex + 16);
	/* The empty slot is all zeroes; a digest that is, is not likely to be seen. */
	mark.low = strtoull(part, NULL, 16) | !mark.high;
	return mark;
}

struct marks *marks_new(void)
{
	struct marks *marks = calloc(1, sizeof(*marks));

	if (!marks)
		return NULL;
	marks->table = calloc(FIRST_SIZE, sizeof(*marks->table));
	if (!marks->table) {
		free(marks);
		return NULL;
	}
	marks->size = FIRST_SIZE;
	pthread_mutex_init(&marks->lock, NULL);
	return marks;
}

void marks_free(struct marks *marks)
{
	if (!marks)
		return;
	pthread_mutex_destroy(&marks->lock);
	free(marks->table);
	free(marks);
}

static struct mark *slot_of(struct mark *table, size_t size, struct mark mark)
{
	size_t at = mark.high % size;

	while ((table[at].high || table[at].low) &&
	       (table[at].high != mark.high || table[at].low != mark.low))
		at = (at + 1) % size;
	return &table[at];
}

static int grow_locked(struct marks *marks)
{
	size_t size = 2 * marks->size;
	struct mark *table = calloc(size, sizeof(*table));

	if (!table)
		return -1;
	for (size_t i = 0; i < marks->size; i++)
		if (marks->table[i].high || marks->table[i].low)
			*slot_of(table, size, marks->table[i]) = marks->table[i];
	free(marks->table);
	marks->table = table;
	marks->size = size;
	return 0;
}

static int add_locked(struct marks *marks, struct mark mark, struct shale_err *err)
{
	struct mark *slot;

	if (2 * marks->count >= marks->size && grow_locked(marks) < 0)
		return shale_err_set(err, ENOMEM, "no memory to remember what is in use");
	slot = slot_of(marks->table, marks->size, mark);
	marks->count += !slot->high && !slot->low;
	*slot = mark;
	return 0;
}

int marks_add(struct marks *marks, const struct sum *sum, struct shale_err *err)
{
	int ret;

	pthread_mutex_lock(&marks->lock);
	ret = add_locked(marks, mark_of(sum), err);
	pthread_mutex_unlock(&marks->lock);
	return ret;
}

bool marks_has(struct marks *marks, const struct sum *sum)
{
	const struct mark *slot;
	bool has;

	pthread_mutex_lock(&marks->lock);
	slot = slot_of(marks->table, marks->size, mark_of(sum));
	has = slot->high || slot->low;
	pthread_mutex_unlock(&marks->lock);
	return has;
}

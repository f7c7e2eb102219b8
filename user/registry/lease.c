// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leases; see lease.h. A hash table of digests with the time their lease ends, which grows when more
 * than half of it is held, and forgets what has ended when it does. Taken by the handlers of blobs and
 * uploads, asked by the collector.
 */
#include "registry/lease.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define FIRST_SIZE 256

/* The first bytes of a digest; that two blobs share them keeps one of them for a day too long. */
struct lease {
	uint64_t key; /* 0: free */
	int64_t end;
	uint64_t epoch; /* in which others were told; 0: they were not */
};

struct leases {
	pthread_mutex_t lock;
	struct lease *table; /* under the lock, as all below */
	size_t size;
	size_t count;
	int64_t blind_until; /* a table that could not grow has forgotten something */
};

static uint64_t key_of(const struct sum *sum)
{
	char hex[17];
	uint64_t key;

	snprintf(hex, sizeof(hex), "%.16s", sum_hex(sum));
	key = strtoull(hex, NULL, 16);
	return key ? key : 1;
}

struct leases *leases_new(void)
{
	struct leases *leases = calloc(1, sizeof(*leases));

	if (!leases)
		return NULL;
	leases->table = calloc(FIRST_SIZE, sizeof(*leases->table));
	if (!leases->table) {
		free(leases);
		return NULL;
	}
	leases->size = FIRST_SIZE;
	pthread_mutex_init(&leases->lock, NULL);
	return leases;
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	pthread_mutex_destroy(&leases->lock);
	free(leases->table);
	free(leases);
}

static struct lease *slot_of(struct lease *table, size_t size, uint64_t key)
{
	size_t at = key % size;

	while (table[at].key && table[at].key != key)
		at = (at + 1) % size;
	return &table[at];
}

static bool grow_locked(struct leases *leases, int64_t at)
{
	size_t size = 2 * leases->size;
	struct lease *table = calloc(size, sizeof(*table));

	if (!table)
		return false;
	leases->count = 0;
	for (size_t i = 0; i < leases->size; i++) {
		const struct lease *lease = &leases->table[i];

		if (!lease->key || lease->end <= at)
			continue;
		*slot_of(table, size, lease->key) = *lease;
		leases->count++;
	}
	free(leases->table);
	leases->table = table;
	leases->size = size;
	return true;
}

/* NULL: there is no room for it. */
static struct lease *take_locked(struct leases *leases, const struct sum *sum)
{
	int64_t at = clock_seconds();
	struct lease *lease;

	if (2 * leases->count >= leases->size && !grow_locked(leases, at)) {
		leases->blind_until = at + LEASE_SECONDS;
		return NULL;
	}
	lease = slot_of(leases->table, leases->size, key_of(sum));
	leases->count += !lease->key;
	lease->key = key_of(sum);
	lease->end = at + LEASE_SECONDS;
	return lease;
}

void lease_take(struct leases *leases, const struct sum *sum)
{
	pthread_mutex_lock(&leases->lock);
	take_locked(leases, sum);
	pthread_mutex_unlock(&leases->lock);
}

void lease_note_told(struct leases *leases, const struct sum *sum, uint64_t epoch)
{
	struct lease *lease;

	pthread_mutex_lock(&leases->lock);
	lease = take_locked(leases, sum);
	if (lease)
		lease->epoch = epoch;
	pthread_mutex_unlock(&leases->lock);
}

bool lease_is_told(struct leases *leases, const struct sum *sum, uint64_t epoch)
{
	bool is_told;

	pthread_mutex_lock(&leases->lock);
	is_told = slot_of(leases->table, leases->size, key_of(sum))->epoch == epoch;
	pthread_mutex_unlock(&leases->lock);
	return is_told;
}

bool lease_is_held(struct leases *leases, const struct sum *sum)
{
	int64_t at = clock_seconds();
	bool is_held;

	pthread_mutex_lock(&leases->lock);
	is_held = leases->blind_until > at ||
		  slot_of(leases->table, leases->size, key_of(sum))->end > at;
	pthread_mutex_unlock(&leases->lock);
	return is_held;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cache of manifests; see doc.h. A table of slots, each of which holds the last manifest that fell
 * into it: no list to keep, and what is asked for often is back at once. Called by repo.c.
 */
#include "registry/doc.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/name.h"

#define SLOTS 1024

struct slot {
	char *repo;
	struct sum sum;
	struct doc *doc;
};

struct doc_cache {
	pthread_mutex_t lock;
	size_t max_each;
	struct slot slots[SLOTS]; /* under the lock */
};

struct doc *doc_new(const char *type, struct buf *bytes)
{
	struct doc *doc = calloc(1, sizeof(*doc));

	if (!doc)
		return NULL;
	doc->refs = 1;
	snprintf(doc->type, sizeof(doc->type), "%s", type);
	doc->bytes = *bytes;
	*bytes = (struct buf)BUF_INIT;
	return doc;
}

void doc_put(struct doc *doc)
{
	if (!doc || atomic_fetch_sub(&doc->refs, 1) > 1)
		return;
	buf_release(&doc->bytes);
	free(doc);
}

void doc_putp(struct doc **doc)
{
	doc_put(*doc);
}

struct doc_cache *doc_cache_new(size_t bytes)
{
	struct doc_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	pthread_mutex_init(&cache->lock, NULL);
	cache->max_each = bytes / SLOTS;
	return cache;
}

static void slot_clear(struct slot *slot)
{
	doc_put(slot->doc);
	free(slot->repo);
	*slot = (struct slot){ 0 };
}

void doc_cache_free(struct doc_cache *cache)
{
	if (!cache)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		slot_clear(&cache->slots[i]);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static struct slot *slot_find(struct doc_cache *cache, const char *repo, const struct sum *sum)
{
	size_t hash = 5381;

	for (const char *at = repo; *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	for (const char *at = sum_hex(sum); *at; at++)
		hash = hash * 33 + (unsigned char)*at;
	return &cache->slots[hash % SLOTS];
}

static bool slot_is(const struct slot *slot, const char *repo, const struct sum *sum)
{
	return slot->doc && sum_is_equal(&slot->sum, sum) && !strcmp(slot->repo, repo);
}

struct doc *doc_cache_get(struct doc_cache *cache, const char *repo, const struct sum *sum)
{
	struct slot *slot = slot_find(cache, repo, sum);
	struct doc *doc = NULL;

	pthread_mutex_lock(&cache->lock);
	if (slot_is(slot, repo, sum)) {
		doc = slot->doc;
		atomic_fetch_add(&doc->refs, 1);
	}
	pthread_mutex_unlock(&cache->lock);
	return doc;
}

void doc_cache_add(struct doc_cache *cache, const char *repo, const struct sum *sum,
		   struct doc *doc)
{
	struct slot *slot = slot_find(cache, repo, sum);
	char *name = doc->bytes.len <= cache->max_each ? strdup(repo) : NULL;

	if (!name)
		return;
	pthread_mutex_lock(&cache->lock);
	slot_clear(slot);
	atomic_fetch_add(&doc->refs, 1);
	*slot = (struct slot){ name, *sum, doc };
	pthread_mutex_unlock(&cache->lock);
}

void doc_cache_drop(struct doc_cache *cache, const char *repo, const struct sum *sum)
{
	struct slot *slot = slot_find(cache, repo, sum);

	pthread_mutex_lock(&cache->lock);
	if (slot_is(slot, repo, sum))
		slot_clear(slot);
	pthread_mutex_unlock(&cache->lock);
}

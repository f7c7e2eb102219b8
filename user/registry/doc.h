/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Manifests as they are sent, kept in memory for a while: bytes and type, which never change for a
 * repository and a digest. A bounded cache; what is in it says nothing about what is still there.
 */
#ifndef SHALE_REGISTRY_DOC_H
#define SHALE_REGISTRY_DOC_H

#include <stdatomic.h>

#include "base/buf.h"
#include "registry/manifest.h"

struct doc {
	atomic_uint refs;
	char type[MANIFEST_MAX_TYPE + 1];
	struct buf bytes;
};

struct doc_cache;

struct doc *doc_new(const char *type, struct buf *bytes);
void doc_put(struct doc *doc);
void doc_putp(struct doc **doc);
#define __cleanup_doc __attribute__((cleanup(doc_putp)))

/* bytes: what all of them may take together. */
struct doc_cache *doc_cache_new(size_t bytes);
void doc_cache_free(struct doc_cache *cache);
/* A reference, or NULL. */
struct doc *doc_cache_get(struct doc_cache *cache, const char *repo, const struct sum *sum);
void doc_cache_add(struct doc_cache *cache, const char *repo, const struct sum *sum,
		   struct doc *doc);
void doc_cache_drop(struct doc_cache *cache, const char *repo, const struct sum *sum);

#endif

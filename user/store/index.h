/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * index.json of the store: which manifests are images here, and under which names. It is the one
 * source of names; an entry without one is an image whose name went to another. Writing it is the
 * last step of an import and the first of a removal, under the store's exclusive lock.
 */
#ifndef SHALE_STORE_INDEX_H
#define SHALE_STORE_INDEX_H

#include "store/json.h"
#include "store/ref.h"
#include "store/store.h"

/* Images in one store or one archive. */
#define INDEX_MAX_ENTRIES 16384

struct index {
	json_t *root;
	json_t *manifests; /* borrowed from root */
};

#define __cleanup_index __attribute__((cleanup(index_release)))

/* Strings are borrowed from the index. */
struct index_entry {
	struct digest digest;
	uint64_t size;
	const char *media_type;
	const char *name;	/* org.opencontainers.image.ref.name or NULL */
	const char *image_name; /* io.containerd.image.name or NULL */
	const char *os;		/* of its platform, or NULL */
	const char *architecture;
	const char *variant;
};

/* @what names the document in messages. */
int index_parse(const void *data, size_t len, const char *what, struct index *ret_index,
		struct shale_err *err);
int index_load(const struct store *store, struct index *ret_index, struct shale_err *err);
int index_save(const struct store *store, const struct index *index, struct shale_err *err);
void index_release(struct index *index);

size_t index_count(const struct index *index);
int index_get(const struct index *index, size_t i, struct index_entry *ret_entry,
	      struct shale_err *err);

/* Enter a manifest under a name, taking the name from whoever has it; NULL: without one. */
int index_set(struct index *index, const struct ref *ref, const struct index_entry *entry,
	      struct shale_err *err);
void index_remove(struct index *index, size_t i);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store's table of images: which manifests are images here, and under which names. An entry
 * without one is an image whose name went to another. The database has it (catalog.h), and index.json
 * shows it to other tools; saving it is the last step of an import and the first of a removal, under
 * the store's exclusive lock.
 *
 * Another tool may write index.json too: what it adds is seen at once and becomes a row with the next
 * verb that changes the store. An entry it takes away comes back.
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
/* One without entries. */
int index_create(struct index *ret_index, struct shale_err *err);
void index_release(struct index *index);

int index_load(const struct store *store, struct index *ret_index, struct shale_err *err);
/*
 * Once this has returned 0 the database has it. That index.json could not follow is no failure: the
 * next session sees it and writes it again.
 */
int index_save(const struct store *store, const struct index *index, struct shale_err *err);
/* The same, with more to be done in its transaction, once the references are as in the index. */
typedef int (*index_step_fn)(void *arg, struct db *db, struct shale_err *err);
int index_save_with(const struct store *store, const struct index *index, index_step_fn step,
		    void *arg, struct shale_err *err);

/* How index.json stands to the rows. */
enum index_file {
	INDEX_FILE_CURRENT,
	INDEX_FILE_STALE,   /* shale wrote it, and was stopped before it wrote the next one */
	INDEX_FILE_FOREIGN, /* another tool has changed it */
	INDEX_FILE_BROKEN,  /* it is not an index */
	INDEX_FILE_MISSING,
};
int index_file_state(const struct store *store, enum index_file *ret_state,
		     struct shale_err *err);
/* Enters what other tools have added, and writes index.json unless it is current. */
int index_settle_locked(const struct store *store, struct shale_err *err);
/* The file alone, as it is; ENOENT when there is none. */
int index_load_file(const struct store *store, struct index *ret_index, struct shale_err *err);

size_t index_count(const struct index *index);
int index_get(const struct index *index, size_t i, struct index_entry *ret_entry,
	      struct shale_err *err);

/* Enter a manifest under a name, taking the name from whoever has it; NULL: without one. */
int index_set(struct index *index, const struct ref *ref, const struct index_entry *entry,
	      struct shale_err *err);
/* Takes a descriptor of another tool as it is; one that cannot be read is passed over. */
int index_adopt(struct index *index, json_t *json, struct shale_err *err);
void index_remove(struct index *index, size_t i);

#endif

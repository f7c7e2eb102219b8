/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image that a verb was given by name or ID: the store it is in, the lock under which it was
 * looked up, and what the verbs then ask of it: its config, its names, its size.
 */
#ifndef SHALE_ENGINE_FOUND_H
#define SHALE_ENGINE_FOUND_H

#include "store/image.h"
#include "store/store.h"

/* Of a name as people write it, with its tag. */
#define FOUND_NAME (REF_MAX_NAME + REF_MAX_TAG + 2)

struct found {
	struct store store;
	int lock; /* until found_release() */
	struct index index;
	size_t entry; /* in the index */
	bool by_id;
	struct image image;
};

#define FOUND_NONE                                                                                 \
	{                                                                                          \
		.store = STORE_CLOSED, .lock = -1                                                  \
	}
#define __cleanup_found __attribute__((cleanup(found_release)))

/* HOW is LOCK_SH or LOCK_EX. ENOENT also if there is no store. */
int found_open(const struct shale_opts *opts, const char *name, int how, struct found *ret_found,
	       struct shale_err *err);
void found_release(struct found *found);

/* The config, as a document. */
int found_config(const struct store *store, const struct image *image, json_t **ret_config,
		 struct shale_err *err);
/* An array of "debian:12": all names, with tags, of the image with this manifest. */
json_t *found_names(const struct index *index, const struct digest *manifest);
/* Adds a text that was made for it to an array, unless it is there. */
int found_add(json_t *list, json_t *text);
/* Adds "debian@sha256:..." of an entry, if it has a name. */
int found_add_digest(json_t *list, const struct index_entry *entry);
/* An array of "debian@sha256:...": one for each repository it has a name in. */
json_t *found_digests(const struct index *index, const struct digest *manifest);
/* "debian:12" of an entry of the index; false: it has no name with a tag. */
bool found_name(const struct index_entry *entry, char ret_name[FOUND_NAME]);
/* Bytes of file content in all layers; those of their blobs where the layers are not unpacked. */
uint64_t found_size(const struct store *store, const struct image *image);

#endif

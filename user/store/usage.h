/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the store takes on the disk, and how much of it nobody uses. An image is in use while its
 * topmost layer is mounted, or a writable layer was made for it; a writable layer while it is mounted.
 */
#ifndef SHALE_STORE_USAGE_H
#define SHALE_STORE_USAGE_H

#include <time.h>

#include "store/container.h"

struct usage_sum {
	uint64_t total;
	uint64_t active;
	uint64_t size;
	uint64_t reclaimable; /* of the size */
};

struct usage {
	struct usage_sum images; /* file content of their layers, and of whole trees of them */
	struct usage_sum blobs;
	struct usage_sum containers;
};

/*
 * Looks at what is mounted and keeps it, with the images in use, in tables of the connection's own. To
 * be called again in each transaction, before what follows.
 */
int usage_begin(const struct store *store, struct db *db, struct shale_err *err);

int usage_sum_up(const struct store *store, struct db *db, struct usage *ret_usage,
		 struct shale_err *err);

struct usage_image {
	struct digest image;
	uint64_t shared; /* content of layers other images have too */
	uint64_t unique;
	uint64_t containers;
	bool is_active;
};
typedef int (*usage_image_fn)(void *arg, const struct usage_image *image, struct shale_err *err);
int usage_each_image(struct db *db, usage_image_fn each, void *arg, struct shale_err *err);

/*
 * Images not in use that were created before a time: those without a name, or all. ID is the config's
 * digest, or again the manifest's if that could not be read.
 */
typedef int (*usage_unused_fn)(void *arg, const struct digest *image, const struct digest *id,
			       struct shale_err *err);
int usage_each_unused(struct db *db, bool is_all, time_t before, usage_unused_fn each, void *arg,
		      struct shale_err *err);

/* Bytes of file content in a writable layer, and whether it is mounted. */
int usage_of_container(const struct store *store, const char *id, uint64_t *ret_size,
		       struct shale_err *err);
int usage_is_mounted(const struct store *store, const char *id, bool *ret_mounted,
		     struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An image: a manifest and its config, OCI's or docker's, understood as a list of layers. Parsing
 * here is pure; which image a name stands for is found by image_find().
 */
#ifndef SHALE_STORE_IMAGE_H
#define SHALE_STORE_IMAGE_H

#include <sys/types.h>

#include "store/index.h"

/* As many as one mount can have. */
#define IMAGE_MAX_LAYERS 4096
/* Entries of its history: each layer's, and steps that made none. */
#define IMAGE_MAX_HISTORY 65536

struct image_layer {
	struct digest blob;
	struct digest diff_id;
	uint64_t size; /* of the blob */
};

struct image {
	struct digest manifest;
	struct digest config; /* the image's ID */
	uint64_t config_size;
	size_t layer_count;
	struct image_layer *layers; /* base first */
	time_t created;		    /* 0: the config does not say */
	char *os;
	char *architecture;
};

#define __cleanup_image __attribute__((cleanup(image_release)))
void image_release(struct image *image);

enum image_kind { IMAGE_UNKNOWN, IMAGE_MANIFEST, IMAGE_INDEX };
/* What a descriptor's media type says the blob is. */
enum image_kind image_kind(const char *media_type);

/* Fills everything but manifest, diff ids and what comes from the config. */
int image_parse_manifest(const void *data, size_t len, struct image *ret_image,
			 struct shale_err *err);
/* Adds the rest to an image whose manifest was parsed. */
int image_parse_config(const void *data, size_t len, struct image *image, struct shale_err *err);

/* RFC 3339, "2024-05-06T07:08:09.123Z", in seconds since the epoch; 0 when it is not one. */
time_t image_time(const char *text);

/* Read both from the store. */
int image_load(const struct store *store, const struct digest *manifest, struct image *ret_image,
	       struct shale_err *err);

/*
 * The index entry that a name, an ID, or at least IMAGE_MIN_ID digits of one stand for. ENOENT when
 * there is none, ENOTUNIQ when an ID is short for several. *ret_by_id: it was not a name.
 */
#define IMAGE_MIN_ID 4
int image_find(const struct store *store, const struct index *index, const char *name,
	       size_t *ret_entry, bool *ret_by_id, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which images of the store others were made from. Nothing records it; it shows in the images: one
 * whose layers and history are the beginning of another's is its parent.
 */
#ifndef SHALE_ENGINE_PARENTS_H
#define SHALE_ENGINE_PARENTS_H

#include "engine/found.h"

struct parents {
	const struct index *index;
	size_t count;
	struct parent {
		struct image image;
		json_t *history; /* an array, or NULL */
	} * items;
};

#define __cleanup_parents __attribute__((cleanup(parents_release)))

/* Reads all images; one that cannot be read is nobody's parent. The caller holds the lock. */
int parents_load(const struct store *store, const struct index *index, struct parents *ret_parents,
		 struct shale_err *err);
void parents_release(struct parents *parents);

/* The image with exactly the first so many layers and entries of history of this one, or NULL. */
const struct image *parents_find(const struct parents *parents, const struct image *image,
				 const json_t *history, size_t layers, size_t entries);

/* The image it was made from by its last step, or NULL. */
const struct image *parents_find_last(const struct parents *parents, const struct image *image,
				      const json_t *history);

#endif

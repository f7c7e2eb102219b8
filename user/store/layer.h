/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of layers: which are in the store, held by which storage driver, and how large. A layer is in
 * the store when it has its row; a directory without one is what a crash has left, whatever is in it.
 * All calls are made within the caller's transaction.
 */
#ifndef SHALE_STORE_LAYER_H
#define SHALE_STORE_LAYER_H

#include <sys/types.h>

#include "store/db.h"

/* Layers that are plain directories in overlayfs's format, layers/sha256/HEX/diff. */
#define LAYER_DRIVER "shale"

struct layer_row {
	struct digest diff_id;
	struct digest chain;
	uint64_t content; /* bytes of file content */
	time_t entered;
	const char *driver; /* valid within the callback */
};

/* Enters a plain directory, or corrects what is known of it. */
int layer_enter(struct db *db, const struct digest *diff_id, uint64_t content,
		struct shale_err *err);
/* What other drivers hold: chain is of the layer and all it stands on. */
int layer_enter_driver(struct db *db, const struct layer_row *row, struct shale_err *err);
int layer_leave(struct db *db, const struct digest *diff_id, struct shale_err *err);

int layer_is_entered(struct db *db, const struct digest *diff_id, bool *ret_entered,
		     struct shale_err *err);
/* ENOENT: it is not in the store. */
int layer_get_content(struct db *db, const struct digest *diff_id, uint64_t *ret_content,
		      struct shale_err *err);

typedef int (*layer_fn)(void *arg, const struct layer_row *row, struct shale_err *err);
int layer_each(struct db *db, layer_fn each, void *arg, struct shale_err *err);

#endif

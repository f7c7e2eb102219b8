/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows of images and references, which are the truth about what is in the store. index.json shows
 * them to other tools (index.c). All calls are made within the caller's transaction.
 */
#ifndef SHALE_STORE_CATALOG_H
#define SHALE_STORE_CATALOG_H

#include "store/db.h"
#include "store/index.h"

/* The references, as an index. */
int catalog_read(struct db *db, struct index *ret_index, struct shale_err *err);
/*
 * Makes the references be those of an index. What its images need is read from their manifests; an
 * image whose manifest cannot be read is entered all the same.
 */
int catalog_write(const struct store *store, struct db *db, const struct index *index,
		  struct shale_err *err);
/*
 * Tries again to read the manifests of images that could not be read. Fails when one still cannot:
 * nothing may be collected while it is unknown what is needed.
 */
int catalog_complete(const struct store *store, struct db *db, struct shale_err *err);

/* Every digest that images need: manifests, configs, layers' blobs and diff ids. */
typedef int (*catalog_fn)(void *arg, const struct digest *digest, struct shale_err *err);
int catalog_each_needed(struct db *db, catalog_fn each, void *arg, struct shale_err *err);
/* The diff ids that images other than one need. */
int catalog_each_layer_of_others(struct db *db, const struct digest *image, catalog_fn each,
				 void *arg, struct shale_err *err);

/* Digests of files as settings: what index.json held and holds. A missing one is all zeroes. */
int catalog_get_mark(struct db *db, const char *name, struct digest *ret_mark,
		     struct shale_err *err);
int catalog_set_mark(struct db *db, const char *name, const struct digest *mark,
		     struct shale_err *err);

#endif

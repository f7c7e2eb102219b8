/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whole trees of images, for the storage drivers that need one, in trees/DRIVER/HEX: see driver/whole.h, which makes
 * them. Here is who has to go through them, and to know which layers each is made of.
 */
#ifndef SHALE_STORE_TREES_H
#define SHALE_STORE_TREES_H

#include "store/made.h"

#define TREES_ROOM "trees"

struct tree {
	int dirfd; /* of trees/DRIVER */
	const char *driver;
	const char *name;	 /* the chain id's hex digits */
	const struct made *made; /* NULL: it cannot be read, and nobody can use the tree */
};

/* -1 from each() ends it; strings live until it returns, which may rename the tree. */
typedef int (*tree_fn)(void *arg, const struct tree *tree);
/* -1 and errno. */
int trees_each(const struct store *store, tree_fn each, void *arg);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goes through whole trees; see trees.h. Called by the collector and by who adds up.
 */
#include "store/trees.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/fs.h"

struct trees_walk {
	const struct store *store;
	const char *driver;
	tree_fn each;
	void *arg;
};

static int walk_tree(void *arg, int dirfd, const char *name)
{
	const struct trees_walk *walk = arg;
	__cleanup_made struct made made = { .count = 0 };
	struct tree tree = { .dirfd = dirfd, .driver = walk->driver, .name = name };
	__cleanup_buf struct buf dir = BUF_INIT;

	if (buf_addf(&dir, TREES_ROOM "/%s/%s", walk->driver, name) < 0)
		return -1;
	if (made_load(walk->store, buf_str(&dir), &made, NULL) == 0)
		tree.made = &made;
	return walk->each(walk->arg, &tree);
}

static int walk_driver(void *arg, int dirfd, const char *name)
{
	struct trees_walk *walk = arg;

	walk->driver = name;
	return fs_each_name(dirfd, name, walk_tree, walk);
}

int trees_each(const struct store *store, tree_fn each, void *arg)
{
	struct trees_walk walk = { store, NULL, each, arg };

	return fs_each_name(store->dirfd, TREES_ROOM, walk_driver, &walk);
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stack.h - MODEL: the objects of lower layers behind one inode, and the number that an inode shows.
 * Pure: stack.c needs no filesystem and is tested on the host.
 */
#ifndef _SHALE_STACK_H
#define _SHALE_STACK_H

#include <linux/types.h>

struct dentry;
struct shale_layer;

/* An object in one layer. */
struct shale_path {
	const struct shale_layer *layer;
	struct dentry *dentry;
};

/* Top first. Immutable once it is an inode's; holds a reference to each dentry. For a regular file only
 * path[0] (metadata) and path[nr - 1] (data) matter. */
struct shale_stack {
	unsigned int nr;
	struct shale_path path[];
};

/* Who an inode is, for ever: where it was first found. Gives st_ino and the inode hash. */
struct shale_key {
	u64 ino;
	u32 fsid;
};

struct shale_stack *shale_stack_alloc(unsigned int nr);
void shale_stack_put(struct shale_stack *stack);  /* the dentries; NULL is fine */
void shale_stack_free(struct shale_stack *stack); /* puts them first; NULL is fine */
u64 shale_key_to_ino(const struct shale_key *key, unsigned int fsid_bits);
bool shale_key_equal(const struct shale_key *a, const struct shale_key *b);

#endif /* _SHALE_STACK_H */

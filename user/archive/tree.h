/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer's directory while a tar is written into it. Takes cleaned paths (name.h), resolves their
 * directories below the root and through no symlink, and gives what a later layer needs: whiteouts
 * and opaque directories in overlayfs's format. Last entry wins, as in tar; what a whiteout or a
 * replaced file hid stays hidden.
 *
 * The same is used for a whole tree to which layers are applied one after the other, which then has
 * no whiteouts: what one hides is removed.
 *
 * Attributes are attr.c's; those of directories wait until tree_finish(), since writing into a
 * directory changes them.
 */
#ifndef SHALE_ARCHIVE_TREE_H
#define SHALE_ARCHIVE_TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "archive/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* Memory for directories whose attributes wait; a layer of a million directories fits. */
#define TREE_MAX_PENDING (256u << 20)

struct tree_pending;

/* Told of a directory which the tar uses and does not list, the root ("") among them; -1 stops. */
typedef int (*tree_implied_fn)(void *arg, const char *path);

struct tree {
	int root_fd;
	const char *xattr_prefix; /* "trusted." or "user." */
	bool is_root;		  /* owners, devices and all xattrs can be set */
	bool is_flat;		  /* of whole trees: what is hidden goes, and nothing marks it */
	bool is_kept;		  /* a directory stays one, and nothing else becomes one */
	bool has_root;		  /* its attributes were given */
	struct buf parent;	  /* the directory that parent_fd has open */
	int parent_fd;
	struct tree_pending *pending;
	size_t pending_count;
	size_t pending_cap;
	size_t pending_bytes;
	size_t max_pending;
};

/* root_fd stays the caller's. */
void tree_init(struct tree *tree, int root_fd, const char *xattr_prefix, bool is_root);
void tree_release(struct tree *tree);

/* Open for writing, for the caller to fill and then to pass to attr_apply_fd(). @mode: which it will get. */
int tree_add_file(struct tree *tree, const char *path, mode_t mode, int *ret_fd,
		  struct shale_err *err);
int tree_add_dir(struct tree *tree, const char *path, const struct attr *attr,
		 struct shale_err *err);
int tree_add_symlink(struct tree *tree, const char *path, const char *target,
		     const struct attr *attr, struct shale_err *err);
/* A device or a fifo, by attr->mode. */
int tree_add_node(struct tree *tree, const char *path, dev_t dev, const struct attr *attr,
		  struct shale_err *err);
int tree_add_link(struct tree *tree, const char *path, const char *target, struct shale_err *err);
int tree_add_whiteout(struct tree *tree, const char *path, struct shale_err *err);
int tree_add_opaque(struct tree *tree, const char *path, struct shale_err *err);

/*
 * Gives directories their attributes and marks the root as one with overlayfs's whiteouts. @implied
 * may be NULL.
 */
int tree_finish(struct tree *tree, tree_implied_fn implied, void *arg, struct shale_err *err);

#endif

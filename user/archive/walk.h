/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What both ways of finding changes walk with: the sorted names of a directory, the path so far,
 * and the files with several names that were met.
 */
#ifndef SHALE_ARCHIVE_WALK_H
#define SHALE_ARCHIVE_WALK_H

#include "archive/changes.h"
#include "base/buf.h"

/* Names in one directory: a directory of a million files is known, one of more is a mistake. */
#define WALK_MAX_NAMES (16u << 20)

struct walk_names {
	size_t count;
	char **items; /* sorted by bytes */
	char *memory;
};

#define __cleanup_walk_names __attribute__((cleanup(walk_names_release)))

/* Of the directory PATH below a root; "" is the root itself. */
int walk_names_read(int root_fd, const char *path, struct walk_names *ret_names,
		    struct shale_err *err);
void walk_names_release(struct walk_names *names);

struct walk_link;

struct walk {
	change_fn fn;
	void *arg;
	struct shale_err *err;
	struct buf path;
	void *links;	    /* a tree of struct walk_link */
	bool is_incomplete; /* some file has more names than were told of */
};

void walk_init(struct walk *walk, change_fn fn, void *arg, struct shale_err *err);
void walk_release(struct walk *walk);

/* Goes down by a name: what the path was before, for walk_up(). -1 with err. */
ssize_t walk_down(struct walk *walk, const char *name);
void walk_up(struct walk *walk, size_t before);

/* Opens what the path says, without following it, O_PATH; -1 with err. */
int walk_open(struct walk *walk, int root_fd, struct stat *ret_st);

/*
 * Tells of an entry. IDENTITY is whose device, inode and link count say which file it is; fills
 * change->link.
 */
int walk_tell(struct walk *walk, struct change *change, const struct stat *identity);
int walk_tell_kind(struct walk *walk, enum change_kind kind);

/*
 * Tells of the names that files which were met have besides: the tree is searched for them only if
 * link counts say that there are any.
 */
int walk_tell_links(struct walk *walk, int tree_fd);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walks a tree of any depth, through no symlink and onto no other mount, and shows each entry once, its
 * directory before it. Memory is taken for the path of the entry and little more for each level of it.
 */
#ifndef FSCK_SHALE_WALK_H
#define FSCK_SHALE_WALK_H

#include <stdbool.h>

#include "base/err.h"

struct walk_entry {
	int dirfd;
	const char *name; /* in dirfd */
	const char *path; /* from the root of the walk: "/a/b"; the root itself is "/" */
	bool is_dir;
};

enum walk_next {
	WALK_ON,   /* into the entry if it is a directory */
	WALK_PAST, /* not into it */
	WALK_END,
};

struct walk_calls {
	enum walk_next (*entry)(void *arg, const struct walk_entry *entry);
	/* A directory, or the rest of it, cannot be read. The walk goes on after it. */
	void (*failed)(void *arg, const char *path, const struct shale_err *err);
	void *arg;
};

/* Of the directory fd; the directory itself is not shown. -1: the walk could not go on. */
int walk(int fd, const struct walk_calls *calls, struct shale_err *err);

#endif

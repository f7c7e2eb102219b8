/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is a directory a layer of a mount right now? Asks all mount namespaces that this process can see, and
 * goes by the options of their mounts, of overlayfs as well. What cannot be told counts as in use.
 */
#ifndef SHALE_STORE_INUSE_H
#define SHALE_STORE_INUSE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

enum inuse {
	INUSE_NOT,
	INUSE_LOWER,
	INUSE_UPPER, /* or as its work directory */
};

struct inuse_dir {
	dev_t dev;
	ino_t ino;
	char *path; /* absolute, without links */
};

#define __cleanup_inuse_dir __attribute__((cleanup(inuse_dir_release)))

int inuse_dir_get(int fd, struct inuse_dir *ret_dir, struct shale_err *err);
void inuse_dir_release(struct inuse_dir *dir);

/* The strongest use there is; *ret_target, of it, is where it is mounted, to be freed. */
int inuse_find(const struct inuse_dir *dir, enum inuse *ret_use, char **ret_target,
	       struct shale_err *err);

/* The use that one line of mountinfo tells of, as a process with the root directory ROOT sees it. */
enum inuse inuse_of_line(const struct inuse_dir *dir, const char *line, const char *root);
/* Does PATH, as it was given at a mount, lead to the directory? */
bool inuse_is_named(const struct inuse_dir *dir, const char *path, const char *root);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An archive unpacked into a tree that belongs to others, as docker cp does: a container's root, in
 * which processes of the container's may be at work. What a layer's tar is made into is untar's.
 *
 * Tars are taken, plain or packed with gzip, bzip2, xz or zstd. Owner, mode, times, xattrs and ACLs
 * are the archive's. ".." and absolute names are refused, and every link is followed inside the
 * tree alone. What was unpacked before an entry that is refused stays.
 */
#ifndef SHALE_ARCHIVE_UNPACK_H
#define SHALE_ARCHIVE_UNPACK_H

#include <stdbool.h>

#include "base/err.h"

struct unpack_opts {
	int root;	   /* the tree's root directory */
	const char *path;  /* in it, the directory that is unpacked into */
	const char *where; /* what the tree is called in errors */
	int fd;		   /* the archive */
	bool keeps_kinds;  /* a directory may not become something else, nor something else a
			      directory */
};

/* EINVAL for what cannot be unpacked, and if the path is no directory; ENOENT if there is no such
 * path. */
int unpack_inside(const struct unpack_opts *opts, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A layer's tar, plain, written into a directory as a layer that shale (and overlayfs) can mount.
 * Where the bytes come from, what digest they have and how many there may be is the caller's.
 *
 * What becomes of an entry:
 *	.wh.NAME		a whiteout (char device 0:0), whether or not NAME exists below
 *	.wh..wh..opq		trusted.overlay.opaque=y on the directory
 *	.wh..wh.*		AUFS's bookkeeping: left out
 *	xattrs *.overlay.*, *.shale.*	private to a union: left out
 *	/NAME			NAME
 * and what is refused: "..", a way through a symlink or a file, a hard link to what the layer does
 * not have, ".shale" at the root, a char device 0:0, sockets and unknown types, and whatever does
 * not fit into Linux's own limits.
 */
#ifndef SHALE_ARCHIVE_UNTAR_H
#define SHALE_ARCHIVE_UNTAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Entries of one layer; the biggest images known have a few million files. */
#define UNTAR_MAX_ENTRIES 20000000

/* The next piece of the tar, valid until the next call: its length, 0 at the end, -1 with err. */
typedef ssize_t (*untar_read_fn)(void *arg, const void **ret_data, struct shale_err *err);

struct untar_opts {
	int root_fd;		  /* the layer's directory, empty */
	const char *xattr_prefix; /* "trusted.", or "user." without privilege */
	bool is_root;		  /* owners and devices can be made */
	untar_read_fn read;
	void *arg;
	/* May be NULL; is told, after everything else, each directory the tar does not list. */
	int (*implied)(void *arg, const char *path);
	void *implied_arg;
	/*
	 * It is no layer, but files for a directory of somebody's: names are taken as they are, no directory becomes something
	 * else nor anything else a directory, and what comes from a stranger gets no xattrs and no setuid.
	 */
	bool is_plain;
	/* Changes an entry's cleaned path, and what a hard link leads to; NULL: none is. */
	int (*rename)(void *arg, struct buf *path, struct shale_err *err);
	void *rename_arg;
	uint64_t max_entries; /* 0: UNTAR_MAX_ENTRIES */
	size_t max_pending;   /* 0: TREE_MAX_PENDING */
};

struct untar_stats {
	uint64_t entries;
	uint64_t bytes; /* of file content, holes included */
};

int untar(const struct untar_opts *opts, struct untar_stats *ret_stats, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What changed in a tree, as a list in a fixed order: a directory before what is in it, and names
 * in it by their bytes. Two ways to know it: an upper, which has what changed and nothing else, and
 * the comparison of two whole trees for storage that has no upper.
 *
 * What an upper says is understood in the formats of overlayfs, of AUFS and of the module:
 * whiteouts and opaque directories of both families, files whose bytes are in lower layers in part,
 * directories that were renamed, and hard links of which only one name is in the upper. Of the last
 * three the merged tree (the "view") has the rest.
 */
#ifndef SHALE_ARCHIVE_CHANGES_H
#define SHALE_ARCHIVE_CHANGES_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/err.h"

enum change_kind {
	CHANGE_ENTRY,	 /* is there now, new or changed */
	CHANGE_WHITEOUT, /* is gone */
	CHANGE_OPAQUE,	 /* nothing of the layers below shows in this directory, which came just
			    before */
};

/* Valid until the callback returns. */
struct change {
	enum change_kind kind;
	const char *path; /* "" is the root, and comes only if it changed */
	/* Of an entry: */
	int fd; /* O_PATH, for its attributes */
	struct stat st;
	int data_root;	  /* a regular file's bytes are those of PATH below this directory */
	const char *link; /* an earlier path of the same file, or NULL */
};

/* -1 with err ends the walk. */
typedef int (*change_fn)(void *arg, const struct change *change, struct shale_err *err);

struct changes_upper {
	int upper_fd;
	int view_fd; /* -1: there is none, and what needs one is an error */
	/* What there is without the upper; -1: unknown, then the root did not change, and all that hides is told. */
	int base_fd;
	const char *xattr_prefix; /* "trusted." or "user.": where the upper's private xattrs are */
	bool has_aufs;		  /* .wh.NAME in the upper is a whiteout */
};

int changes_of_upper(const struct changes_upper *upper, change_fn fn, void *arg,
		     struct shale_err *err);

struct changes_trees {
	int base_fd;
	int tree_fd;
	/* What was not touched since then, by its ctime, is as it was. Zero: everything is
	 * compared. */
	struct timespec since;
};

/* Never tells of opaque directories. Compares contents where times leave a doubt. */
int changes_between(const struct changes_trees *trees, change_fn fn, void *arg,
		    struct shale_err *err);

/* Tells of everything in a directory, but not of itself: what it has beside an empty one. */
int changes_all(int tree_fd, change_fn fn, void *arg, struct shale_err *err);

#endif

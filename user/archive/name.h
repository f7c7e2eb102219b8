/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The names in a layer's tar: cleaned into a path below the layer's root, and told apart from
 * whiteouts. Pure text; nothing here looks at a filesystem.
 */
#ifndef SHALE_ARCHIVE_NAME_H
#define SHALE_ARCHIVE_NAME_H

#include "base/buf.h"
#include "base/err.h"

/* What Linux allows in one call: a path and its terminating NUL, and one component. */
#define NAME_MAX_PATH	   4095
#define NAME_MAX_COMPONENT 255

enum name_kind {
	NAME_PLAIN,
	NAME_WHITEOUT, /* the path is the one which is deleted */
	NAME_OPAQUE,   /* the path is the directory that is opaque */
	NAME_IGNORED,  /* AUFS's own bookkeeping */
};

/*
 * "./a//b/" and "/a/b" become "a/b"; the root becomes "". A "..", a name that is reserved, one that
 * is too long: -1 with err.
 */
int name_clean(const char *text, struct buf *path, struct shale_err *err);

/* name_clean() which also understands and strips ".wh.". */
int name_parse(const char *text, struct buf *path, enum name_kind *ret_kind,
	       struct shale_err *err);

/* Where the last component starts. */
const char *name_base(const char *path);

#endif

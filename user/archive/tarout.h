/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes a tar whose bytes depend on nothing but its entries: a layer is called by the digest of
 *its tar, so neither a library's version nor the locale may have a say in it. The form is POSIX's
 *pax, where an entry gets a pax header only for what the plain one cannot hold:
 *
 *	path linkpath	longer than 100 bytes
 *	mtime		before 1970, after 2242, or with nanoseconds
 *	uid gid size	too large for octal digits
 *	SCHILY.xattr.*	extended attributes, ACLs and file capabilities among them, by name
 *	GNU.sparse.*	holes, in format 1.0
 *
 * Names are bytes; where they are not UTF-8, the pax header says hdrcharset=BINARY.
 */
#ifndef SHALE_ARCHIVE_TAROUT_H
#define SHALE_ARCHIVE_TAROUT_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "archive/attr.h"
#include "base/buf.h"
#include "base/err.h"

typedef int (*tarout_write_fn)(void *arg, const void *data, size_t len, struct shale_err *err);

struct tarout {
	tarout_write_fn write;
	void *arg;
	struct buf pax;	  /* records of the entry */
	uint64_t pending; /* bytes of data the entry still has to get */
	unsigned int padding;
};

/* Data between holes. */
struct tarout_run {
	uint64_t offset;
	uint64_t length;
};

struct tarout_entry {
	const char *path;   /* a directory's without a slash at its end */
	const char *target; /* of a symlink, or the path that a hard link has already */
	bool is_hardlink;
	const struct attr *attr; /* with the type; xattrs are sorted */
	dev_t device;
	uint64_t size;
	/* NULL: no holes. What follows as data is then that of the runs. */
	const struct tarout_run *runs;
	size_t run_count;
};

#define __cleanup_tarout __attribute__((cleanup(tarout_release)))

void tarout_init(struct tarout *tarout, tarout_write_fn write, void *arg);
void tarout_release(struct tarout *tarout);

int tarout_add(struct tarout *tarout, const struct tarout_entry *entry, struct shale_err *err);
/* The entry's data, in pieces, all of it before the next entry. */
int tarout_data(struct tarout *tarout, const void *data, size_t len, struct shale_err *err);
int tarout_finish(struct tarout *tarout, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Owner, mode, times and xattrs (ACLs and file capabilities among them) of one tar entry or of a file,
 * and how they get onto a file. Without privilege owners, trusted.* and security.* are left out: everything
 * then belongs to the caller.
 */
#ifndef SHALE_ARCHIVE_ATTR_H
#define SHALE_ARCHIVE_ATTR_H

#include <archive_entry.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

#define ATTR_ACL_ACCESS	 "system.posix_acl_access"
#define ATTR_ACL_DEFAULT "system.posix_acl_default"

/* Of one file. The kernel's own limits (64 KiB each, 64 KiB of names) come on top. */
#define ATTR_MAX_XATTRS 1024

struct attr_xattr {
	char *name;
	void *value;
	size_t len;
};

struct attr {
	mode_t mode; /* with the type */
	uid_t uid;
	gid_t gid;
	struct timespec times[2]; /* for utimensat: access, modification */
	size_t xattr_count;
	struct attr_xattr *xattrs;
};

#define __cleanup_attr __attribute__((cleanup(attr_release)))
void attr_release(struct attr *attr);

/* Refuses what Linux cannot hold; leaves out xattrs that are shale's or overlayfs's own. */
int attr_from_entry(struct archive_entry *entry, struct attr *ret_attr, struct shale_err *err);

/* Forgets its xattrs. */
void attr_drop_own(struct attr *attr);

/* Whether a name is private to the union and never comes from, or goes into, a tar. */
bool attr_is_private_xattr(const char *name);

/*
 * Of a file that is there: FD may be O_PATH, ST is what stat says of it. Xattrs are sorted by name; left out
 * are those of a union, and those which belong to the filesystem or the machine that it is on.
 */
int attr_from_fd(int fd, const struct stat *st, struct attr *ret_attr, struct shale_err *err);
/* Removes the xattrs that attr_from_fd() would find on an open file or directory. */
int attr_drop_xattrs(int fd, struct shale_err *err);
/* Owner, mode and xattrs, not times: 1 if they are the same, 0 if not, -1 with err. */
int attr_is_same(int fd_a, const struct stat *a, int fd_b, const struct stat *b,
		 struct shale_err *err);

/* An open file or directory. */
int attr_apply_fd(const struct attr *attr, int fd, bool is_root, struct shale_err *err);
/* A symlink, a device or a fifo, which is named and not opened. */
int attr_apply_at(const struct attr *attr, int dirfd, const char *name, bool is_root,
		  struct shale_err *err);

#endif

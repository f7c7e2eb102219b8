// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of tar entries; see attr.h. The order they are set in matters: chown clears setuid bits
 * and file capabilities, an access ACL rewrites the mode's group bits, and everything touches the
 * times. Called by tree.c and untar.c.
 */
#include "archive/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/acl.h"
#include "archive/libarchive.h"
#include "base/cleanup.h"

/* (uid_t)-1 means "leave as it is" to chown. */
#define ATTR_MAX_ID 4294967294LL

static const char *const private_prefixes[] = {
	"trusted.overlay.", "user.overlay.", "trusted.shale.", "user.shale.", NULL,
};

static const char *const privileged_prefixes[] = { "trusted.", "security.", NULL };

static bool has_prefix_of(const char *name, const char *const *prefixes)
{
	for (; *prefixes; prefixes++)
		if (!strncmp(name, *prefixes, strlen(*prefixes)))
			return true;
	return false;
}

bool attr_is_private_xattr(const char *name)
{
	return has_prefix_of(name, private_prefixes);
}

void attr_drop_own(struct attr *attr)
{
	for (size_t i = 0; i < attr->xattr_count; i++) {
		free(attr->xattrs[i].name);
		free(attr->xattrs[i].value);
	}
	free(attr->xattrs);
	attr->xattrs = NULL;
	attr->xattr_count = 0;
}

void attr_release(struct attr *attr)
{
	attr_drop_own(attr);
	*attr = (struct attr){ 0 };
}

/* Owns nothing on failure: copies the name, takes the value only when it returns 0. */
static int add_xattr(struct attr *attr, const char *name, void *value, size_t len)
{
	struct attr_xattr *xattrs;
	char *copy;

	xattrs = reallocarray(attr->xattrs, attr->xattr_count + 1, sizeof(*xattrs));
	if (!xattrs)
		return -1;
	attr->xattrs = xattrs;
	copy = strdup(name);
	if (!copy)
		return -1;
	xattrs[attr->xattr_count++] = (struct attr_xattr){ copy, value, len };
	return 0;
}

static int copy_xattr(struct attr *attr, const char *name, const void *value, size_t len)
{
	/* malloc(0) may be NULL. */
	__cleanup_free void *copy = malloc(len + 1);

	if (!copy)
		return -1;
	if (len)
		memcpy(copy, value, len);
	if (add_xattr(attr, name, copy, len) < 0)
		return -1;
	copy = NULL;
	return 0;
}

static int read_xattrs(struct archive_entry *entry, struct attr *attr, struct shale_err *err)
{
	const char *name;
	const void *value;
	size_t len;

	if (libarchive.entry_xattr_reset(entry) > ATTR_MAX_XATTRS)
		return shale_err_set(err, E2BIG, "more than %d extended attributes",
				     ATTR_MAX_XATTRS);
	while (libarchive.entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		if (!name || !*name)
			return shale_err_set(err, EINVAL, "an extended attribute without a name");
		if (strlen(name) > XATTR_NAME_MAX || len > XATTR_SIZE_MAX)
			return shale_err_set(err, ERANGE, "extended attribute %.64s is too long",
					     name);
		if (!attr_is_private_xattr(name) && copy_xattr(attr, name, value, len) < 0)
			return shale_err_errno(err, "extended attribute %s", name);
	}
	return 0;
}

static int read_acl(struct archive_entry *entry, int type, const char *name, struct attr *attr,
		    struct shale_err *err)
{
	__cleanup_free void *value = NULL;
	size_t len = 0;

	if (acl_from_entry(entry, type, &value, &len, err) < 0)
		return -1;
	if (!len)
		return 0;
	if (add_xattr(attr, name, value, len) < 0)
		return shale_err_errno(err, "access control list");
	value = NULL;
	return 0;
}

static int read_ids(struct archive_entry *entry, struct attr *attr, struct shale_err *err)
{
	int64_t uid = libarchive.entry_uid(entry);
	int64_t gid = libarchive.entry_gid(entry);

	if (uid < 0 || uid > ATTR_MAX_ID)
		return shale_err_set(err, EINVAL, "user id %lld is not in range", (long long)uid);
	if (gid < 0 || gid > ATTR_MAX_ID)
		return shale_err_set(err, EINVAL, "group id %lld is not in range", (long long)gid);
	attr->uid = uid;
	attr->gid = gid;
	return 0;
}

/*
 * Out of range nanoseconds would make utimensat fail; libarchive does not check them. Of "-1.75" it makes -1 and
 * 0.75 seconds, where a struct timespec has -2 and 0.25. Of "-0.75" nothing is left to tell it from 0.75.
 */
static struct timespec make_time(time_t seconds, long nanoseconds)
{
	if (nanoseconds < 0 || nanoseconds > 999999999)
		nanoseconds = 0;
	if (seconds < 0 && nanoseconds)
		return (struct timespec){ seconds - 1, 1000000000 - nanoseconds };
	return (struct timespec){ seconds, nanoseconds };
}

static void read_times(struct archive_entry *entry, struct attr *attr)
{
	attr->times[1] = make_time(libarchive.entry_mtime(entry), libarchive.entry_mtime_nsec(entry));
	attr->times[0] = attr->times[1];
	if (libarchive.entry_atime_is_set(entry))
		attr->times[0] =
			make_time(libarchive.entry_atime(entry), libarchive.entry_atime_nsec(entry));
}

int attr_from_entry(struct archive_entry *entry, struct attr *ret_attr, struct shale_err *err)
{
	__cleanup_attr struct attr attr = { 0 };

	attr.mode = libarchive.entry_mode(entry);
	read_times(entry, &attr);
	if (read_ids(entry, &attr, err) < 0 || read_xattrs(entry, &attr, err) < 0 ||
	    read_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, ATTR_ACL_ACCESS, &attr, err) < 0 ||
	    read_acl(entry, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, ATTR_ACL_DEFAULT, &attr, err) < 0)
		return -1;
	*ret_attr = attr;
	attr = (struct attr){ 0 };
	return 0;
}

static int set_xattrs(const struct attr *attr, const char *path, bool is_root,
		      struct shale_err *err)
{
	for (size_t i = 0; i < attr->xattr_count; i++) {
		const struct attr_xattr *xattr = &attr->xattrs[i];

		if (!is_root && has_prefix_of(xattr->name, privileged_prefixes))
			continue;
		if (lsetxattr(path, xattr->name, xattr->value, xattr->len, 0) < 0)
			return shale_err_errno(err, "setting extended attribute %s", xattr->name);
	}
	return 0;
}

int attr_apply_fd(const struct attr *attr, int fd, bool is_root, struct shale_err *err)
{
	struct stat st;

	/* To look costs a tenth of a change, and most files of most images have both already. */
	if (fstat(fd, &st) < 0)
		return shale_err_errno(err, "looking at it");
	if (is_root && (st.st_uid != attr->uid || st.st_gid != attr->gid)) {
		if (fchown(fd, attr->uid, attr->gid) < 0)
			return shale_err_errno(err, "setting the owner to %u:%u", attr->uid,
					       attr->gid);
		/* Which may have taken bits of the mode away. */
		st.st_mode = ~attr->mode;
	}
	if (((st.st_mode ^ attr->mode) & 07777) && fchmod(fd, attr->mode & 07777) < 0)
		return shale_err_errno(err, "setting the mode");
	for (size_t i = 0; i < attr->xattr_count; i++) {
		const struct attr_xattr *xattr = &attr->xattrs[i];

		if (!is_root && has_prefix_of(xattr->name, privileged_prefixes))
			continue;
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->len, 0) < 0)
			return shale_err_errno(err, "setting extended attribute %s", xattr->name);
	}
	if (futimens(fd, attr->times) < 0)
		return shale_err_errno(err, "setting the times");
	return 0;
}

int attr_apply_at(const struct attr *attr, int dirfd, const char *name, bool is_root,
		  struct shale_err *err)
{
	char path[64 + NAME_MAX];

	if (is_root && fchownat(dirfd, name, attr->uid, attr->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return shale_err_errno(err, "setting the owner to %u:%u", attr->uid, attr->gid);
	if (!S_ISLNK(attr->mode) && fchmodat(dirfd, name, attr->mode & 07777, 0) < 0)
		return shale_err_errno(err, "setting the mode");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (set_xattrs(attr, path, is_root, err) < 0)
		return -1;
	if (utimensat(dirfd, name, attr->times, AT_SYMLINK_NOFOLLOW) < 0)
		return shale_err_errno(err, "setting the times");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of files that are there; see attr.h. Called by difftar.c and by those who look for
 * changes.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "archive/attr.h"
#include "base/cleanup.h"

/* Labels and properties of one machine's filesystem: on another they would mean something else. */
static const char *const local_xattrs[] = { "security.selinux", "security.evm", "system.nfs4_acl" };
static const char *const local_prefixes[] = { "btrfs." };

static bool is_kept(const char *name)
{
	for (size_t i = 0; i < sizeof(local_xattrs) / sizeof(*local_xattrs); i++)
		if (!strcmp(name, local_xattrs[i]))
			return false;
	for (size_t i = 0; i < sizeof(local_prefixes) / sizeof(*local_prefixes); i++)
		if (!strncmp(name, local_prefixes[i], strlen(local_prefixes[i])))
			return false;
	return !attr_is_private_xattr(name);
}

/* The way to an O_PATH descriptor's xattrs; of a symlink it is the symlink's own. */
struct way {
	char text[64];
};

static struct way way_to(int fd)
{
	struct way way;

	snprintf(way.text, sizeof(way.text), "/proc/self/fd/%d", fd);
	return way;
}

static int read_value(const struct way *way, const char *name, struct attr_xattr *ret_xattr)
{
	__cleanup_free char *value = NULL;
	ssize_t len = getxattr(way->text, name, NULL, 0);

	if (len < 0)
		return -1;
	value = malloc(len + 1);
	if (!value)
		return -1;
	/* Longer than a moment ago is ERANGE. */
	len = getxattr(way->text, name, value, len);
	if (len < 0)
		return -1;
	*ret_xattr = (struct attr_xattr){ strdup(name), value, len };
	if (!ret_xattr->name)
		return -1;
	value = NULL;
	return 0;
}

static int compare_xattrs(const void *a, const void *b)
{
	return strcmp(((const struct attr_xattr *)a)->name, ((const struct attr_xattr *)b)->name);
}

static int read_list(const struct way *way, const char *names, size_t len, struct attr *attr)
{
	size_t count = 0;

	for (size_t at = 0; at < len; at += strlen(names + at) + 1)
		count += is_kept(names + at);
	if (!count)
		return 0;
	attr->xattrs = calloc(count, sizeof(*attr->xattrs));
	if (!attr->xattrs)
		return -1;
	for (size_t at = 0; at < len && attr->xattr_count < count; at += strlen(names + at) + 1) {
		if (!is_kept(names + at))
			continue;
		if (read_value(way, names + at, &attr->xattrs[attr->xattr_count]) < 0)
			return -1;
		attr->xattr_count++;
	}
	qsort(attr->xattrs, attr->xattr_count, sizeof(*attr->xattrs), compare_xattrs);
	return 0;
}

static int read_xattrs(int fd, struct attr *attr)
{
	__cleanup_free char *names = NULL;
	struct way way = way_to(fd);
	ssize_t len = listxattr(way.text, NULL, 0);

	/* Most files have none. */
	if (len == 0 || (len < 0 && errno == EOPNOTSUPP))
		return 0;
	names = malloc(XATTR_LIST_MAX);
	if (!names)
		return -1;
	len = listxattr(way.text, names, XATTR_LIST_MAX);
	return len < 0 ? -1 : read_list(&way, names, len, attr);
}

int attr_from_fd(int fd, const struct stat *st, struct attr *ret_attr, struct shale_err *err)
{
	__cleanup_attr struct attr attr = {
		.mode = st->st_mode,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.times = { st->st_atim, st->st_mtim },
	};

	if (read_xattrs(fd, &attr) < 0)
		return shale_err_errno(err, "reading extended attributes");
	*ret_attr = attr;
	attr = (struct attr){ 0 };
	return 0;
}

static bool has_same_xattrs(const struct attr *a, const struct attr *b)
{
	if (a->xattr_count != b->xattr_count)
		return false;
	for (size_t i = 0; i < a->xattr_count; i++)
		if (strcmp(a->xattrs[i].name, b->xattrs[i].name) ||
		    a->xattrs[i].len != b->xattrs[i].len ||
		    memcmp(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].len))
			return false;
	return true;
}

int attr_is_same(int fd_a, const struct stat *a, int fd_b, const struct stat *b,
		 struct shale_err *err)
{
	__cleanup_attr struct attr left = { 0 };
	__cleanup_attr struct attr right = { 0 };

	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return 0;
	if (attr_from_fd(fd_a, a, &left, err) < 0 || attr_from_fd(fd_b, b, &right, err) < 0)
		return -1;
	return has_same_xattrs(&left, &right);
}

int attr_drop_xattrs(int fd, struct shale_err *err)
{
	__cleanup_attr struct attr attr = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return shale_err_errno(err, "removing extended attributes");
	if (attr_from_fd(fd, &st, &attr, err) < 0)
		return -1;
	for (size_t i = 0; i < attr.xattr_count; i++)
		if (fremovexattr(fd, attr.xattrs[i].name) < 0)
			return shale_err_errno(err, "removing extended attribute %s",
					       attr.xattrs[i].name);
	return 0;
}

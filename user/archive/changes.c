// SPDX-License-Identifier: GPL-2.0-only
/*
 * The changes that an upper has; see changes.h. Called by the storage drivers that have one.
 */
#include "archive/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/shale.h>
#include <linux/shale_disk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/attr.h"
#include "archive/walk.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define AUFS_PRIVATE_PREFIX ".wh..wh."

struct upper {
	const struct changes_upper *opts;
	struct walk walk;
};

/* Of an O_PATH descriptor, which fgetxattr() does not take. */
static ssize_t private_xattr(const struct upper *upper, int fd, const char *name, char *value,
			     size_t len)
{
	char path[64], full[128];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(full, sizeof(full), "%s%s", upper->opts->xattr_prefix, name);
	return getxattr(path, full, value, len);
}

static bool has_private(const struct upper *upper, int fd, const char *name)
{
	return private_xattr(upper, fd, name, NULL, 0) >= 0;
}

static bool has_value(const struct upper *upper, int fd, const char *name, char wanted)
{
	char value;

	return private_xattr(upper, fd, name, &value, 1) == 1 && value == wanted;
}

/* Which file it is, the merged tree knows best: there a name of the upper and one of a lower may be
 * one. */
static int find_identity(struct upper *upper, const struct stat *st, struct stat *ret_identity)
{
	__cleanup_fd int fd = -1;

	*ret_identity = *st;
	if (upper->opts->view_fd < 0 || S_ISDIR(st->st_mode))
		return 0;
	fd = walk_open(&upper->walk, upper->opts->view_fd, ret_identity);
	return fd < 0 ? -1 : 0;
}

/* The bytes of a file of which the upper has only some, or none. */
static int find_data(struct upper *upper, struct change *change)
{
	change->data_root = upper->opts->upper_fd;
	if (!S_ISREG(change->st.st_mode) ||
	    (!has_private(upper, change->fd, SHALE_XATTR_MAP) &&
	     !has_private(upper, change->fd, OVERLAY_XATTR_METACOPY)))
		return 0;
	if (upper->opts->view_fd < 0)
		return shale_err_set(
			upper->walk.err, EINVAL,
			"%.300s: some of its bytes are in a lower layer, and nothing is mounted",
			buf_str(&upper->walk.path));
	change->data_root = upper->opts->view_fd;
	return 0;
}

static bool is_whiteout(const struct upper *upper, int fd, const struct stat *st, bool is_marked)
{
	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0))
		return true;
	return is_marked && S_ISREG(st->st_mode) && !st->st_size &&
	       has_private(upper, fd, OVERLAY_XATTR_WHITEOUT);
}

static int tell_view_dir(struct upper *upper);

/* In the merged tree of a directory that was renamed everything is new where it is now. */
static int tell_view(struct upper *upper)
{
	struct change change = { .kind = CHANGE_ENTRY, .data_root = upper->opts->view_fd };
	__cleanup_fd int fd = walk_open(&upper->walk, upper->opts->view_fd, &change.st);

	if (fd < 0)
		return -1;
	if (S_ISSOCK(change.st.st_mode))
		return 0;
	change.fd = fd;
	if (walk_tell(&upper->walk, &change, &change.st) < 0)
		return -1;
	return S_ISDIR(change.st.st_mode) ? tell_view_dir(upper) : 0;
}

static int tell_view_dir(struct upper *upper)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	ssize_t before;

	if (walk_names_read(upper->opts->view_fd, buf_str(&upper->walk.path), &names,
			    upper->walk.err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		before = walk_down(&upper->walk, names.items[i]);
		if (before < 0 || tell_view(upper) < 0)
			return -1;
		walk_up(&upper->walk, before);
	}
	return 0;
}

static int tell_dir(struct upper *upper, bool is_marked);

static bool has_aufs_opaque(const struct upper *upper)
{
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_fd int fd = -1;

	if (!upper->opts->has_aufs ||
	    buf_addf(&path, "%s/" AUFS_WHITEOUT_OPAQUE, buf_str(&upper->walk.path)) < 0)
		return false;
	fd = fs_open_beneath(upper->opts->upper_fd, buf_str(&path), O_PATH | O_NOFOLLOW, 0);
	return fd >= 0;
}

/* Unions say that a new directory is opaque, too; where there was none below, it hides nothing. */
static bool hides_something(const struct upper *upper)
{
	__cleanup_fd int fd = -1;

	if (upper->opts->base_fd < 0)
		return true;
	fd = fs_open_beneath(upper->opts->base_fd, buf_str(&upper->walk.path), O_PATH | O_DIRECTORY, 0);
	return fd >= 0;
}

/* A redirect that leads to where the directory is says that it came back; no directory above it was moved. */
static bool is_moved_here(const struct upper *upper, int fd)
{
	const char *path = buf_str(&upper->walk.path), *slash = strrchr(path, '/');
	char redirect[PATH_MAX];
	ssize_t len = private_xattr(upper, fd, OVERLAY_XATTR_REDIRECT, redirect, sizeof(redirect) - 1);

	if (len < 0)
		return errno != ENODATA && errno != EOPNOTSUPP;
	redirect[len] = '\0';
	if (*redirect == '/')
		return strcmp(redirect + 1, path);
	return strcmp(redirect, slash ? slash + 1 : path);
}

/* What is in a directory that was told of. */
static int tell_inside(struct upper *upper, int fd)
{
	bool is_moved = is_moved_here(upper, fd);
	bool is_opaque = has_value(upper, fd, OVERLAY_XATTR_OPAQUE, 'y') || has_aufs_opaque(upper);

	/* What was there under the new name before must not show in what came. */
	if ((is_opaque || is_moved) && hides_something(upper) &&
	    walk_tell_kind(&upper->walk, CHANGE_OPAQUE) < 0)
		return -1;
	if (!is_moved || is_opaque)
		return tell_dir(upper, has_value(upper, fd, OVERLAY_XATTR_OPAQUE, 'x'));
	if (upper->opts->view_fd < 0)
		return shale_err_set(upper->walk.err, EINVAL,
				     "%.300s: the directory was renamed, and nothing is mounted",
				     buf_str(&upper->walk.path));
	return tell_view_dir(upper);
}

static int tell_entry(struct upper *upper, bool is_marked)
{
	struct change change = { .kind = CHANGE_ENTRY };
	__cleanup_fd int fd = walk_open(&upper->walk, upper->opts->upper_fd, &change.st);
	struct stat identity;

	if (fd < 0)
		return -1;
	if (is_whiteout(upper, fd, &change.st, is_marked))
		return walk_tell_kind(&upper->walk, CHANGE_WHITEOUT);
	/* A tar has no sockets, and one without its process is of no use. */
	if (S_ISSOCK(change.st.st_mode))
		return 0;
	change.fd = fd;
	if (find_data(upper, &change) < 0 || find_identity(upper, &change.st, &identity) < 0 ||
	    walk_tell(&upper->walk, &change, &identity) < 0)
		return -1;
	return S_ISDIR(change.st.st_mode) ? tell_inside(upper, fd) : 0;
}

static int tell_aufs(struct upper *upper, const char *name)
{
	ssize_t before;
	int ret;

	if (!strncmp(name, AUFS_PRIVATE_PREFIX, strlen(AUFS_PRIVATE_PREFIX)))
		return 0;
	before = walk_down(&upper->walk, name + strlen(AUFS_WHITEOUT_PREFIX));
	if (before < 0)
		return -1;
	ret = walk_tell_kind(&upper->walk, CHANGE_WHITEOUT);
	walk_up(&upper->walk, before);
	return ret;
}

static int tell_name(struct upper *upper, const char *name, bool is_marked)
{
	ssize_t before;
	int ret;

	if (!upper->walk.path.len && !strcmp(name, SHALE_PRIVATE_DIR))
		return 0;
	if (upper->opts->has_aufs &&
	    !strncmp(name, AUFS_WHITEOUT_PREFIX, strlen(AUFS_WHITEOUT_PREFIX)))
		return tell_aufs(upper, name);
	before = walk_down(&upper->walk, name);
	if (before < 0)
		return -1;
	ret = tell_entry(upper, is_marked);
	walk_up(&upper->walk, before);
	return ret;
}

static const char *bare_name(const char *name)
{
	size_t len = strlen(AUFS_WHITEOUT_PREFIX);

	return strncmp(name, AUFS_WHITEOUT_PREFIX, len) ? name : name + len;
}

static int compare_bare(const void *a, const void *b)
{
	return strcmp(bare_name(*(const char *const *)a), bare_name(*(const char *const *)b));
}

/* MARKED: overlayfs says that there may be whiteouts which are files. */
static int tell_dir(struct upper *upper, bool is_marked)
{
	__cleanup_walk_names struct walk_names names = { 0 };

	if (walk_names_read(upper->opts->upper_fd, buf_str(&upper->walk.path), &names,
			    upper->walk.err) < 0)
		return -1;
	/* The order must not depend on how the upper writes whiteouts. */
	if (upper->opts->has_aufs)
		qsort(names.items, names.count, sizeof(*names.items), compare_bare);
	for (size_t i = 0; i < names.count; i++)
		if (tell_name(upper, names.items[i], is_marked) < 0)
			return -1;
	return 0;
}

/* Every upper has a root, and its times change with what is in it: those alone are no change. */
static int tell_root(struct upper *upper)
{
	struct change change = { .kind = CHANGE_ENTRY, .data_root = upper->opts->upper_fd };
	__cleanup_fd int fd = -1;
	struct stat base;
	int same;

	if (upper->opts->base_fd < 0)
		return 0;
	fd = walk_open(&upper->walk, upper->opts->upper_fd, &change.st);
	if (fd < 0)
		return -1;
	if (fstat(upper->opts->base_fd, &base) < 0)
		return shale_err_errno(upper->walk.err, "the root below");
	same = attr_is_same(upper->opts->base_fd, &base, fd, &change.st, upper->walk.err);
	if (same)
		return same < 0 ? -1 : 0;
	change.fd = fd;
	return walk_tell(&upper->walk, &change, &change.st);
}

static int tell_all(struct upper *upper)
{
	__cleanup_fd int root =
		fs_open_beneath(upper->opts->upper_fd, ".", O_PATH | O_DIRECTORY, 0);

	if (root < 0)
		return shale_err_errno(upper->walk.err, "opening the upper layer");
	if (tell_root(upper) < 0 ||
	    tell_dir(upper, has_value(upper, root, OVERLAY_XATTR_OPAQUE, 'x')) < 0)
		return -1;
	if (upper->opts->view_fd < 0)
		return 0;
	return walk_tell_links(&upper->walk, upper->opts->view_fd);
}

int changes_of_upper(const struct changes_upper *opts, change_fn fn, void *arg,
		     struct shale_err *err)
{
	struct upper upper = { .opts = opts };
	int ret;

	walk_init(&upper.walk, fn, arg, err);
	ret = tell_all(&upper);
	walk_release(&upper.walk);
	return ret;
}

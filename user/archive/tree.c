// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a layer's tree; see tree.h. Every name is resolved from the root with openat2() and no
 * symlink is followed anywhere, so whatever order a hostile tar comes in, nothing outside can be
 * reached. The last directory stays open, since a tar lists a directory's files together.
 */
#include "archive/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/shale_disk.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "archive/name.h"
#include "archive/walk.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* An implied directory is one a tar uses without listing it. */
static const struct attr implied_attr = { .mode = S_IFDIR | 0755 };

struct tree_pending {
	char *path;
	size_t order;
	bool is_implied;
	struct attr attr;
};

void tree_init(struct tree *tree, int root_fd, const char *xattr_prefix, bool is_root)
{
	*tree = (struct tree){
		.root_fd = root_fd,
		.xattr_prefix = xattr_prefix,
		.is_root = is_root,
		.parent = BUF_INIT,
		.parent_fd = -1,
		.max_pending = TREE_MAX_PENDING,
	};
}

void tree_release(struct tree *tree)
{
	for (size_t i = 0; i < tree->pending_count; i++) {
		free(tree->pending[i].path);
		attr_release(&tree->pending[i].attr);
	}
	free(tree->pending);
	buf_release(&tree->parent);
	fd_closep(&tree->parent_fd);
}

/* Copies attr: the caller keeps its own. */
static int copy_attr(const struct attr *from, struct attr *to, size_t *bytes)
{
	*to = *from;
	to->xattr_count = 0;
	to->xattrs = calloc(from->xattr_count + 1, sizeof(*to->xattrs));
	if (!to->xattrs)
		return -1;
	for (size_t i = 0; i < from->xattr_count; i++) {
		struct attr_xattr *xattr = &to->xattrs[to->xattr_count++];

		xattr->name = strdup(from->xattrs[i].name);
		xattr->value = malloc(from->xattrs[i].len + 1);
		if (!xattr->name || !xattr->value)
			return -1;
		xattr->len = from->xattrs[i].len;
		memcpy(xattr->value, from->xattrs[i].value, xattr->len);
		*bytes += sizeof(*xattr) + strlen(xattr->name) + xattr->len;
	}
	return 0;
}

static int add_pending(struct tree *tree, const char *path, const struct attr *attr,
		       struct shale_err *err)
{
	struct tree_pending *pending = tree->pending;
	size_t count = tree->pending_count;

	tree->pending_bytes += sizeof(*pending) + strlen(path) + 1;
	if (tree->pending_bytes > tree->max_pending)
		return shale_err_set(err, E2BIG, "the layer has too many directories");
	if (count == tree->pending_cap) {
		pending = reallocarray(pending, count * 2 + 64, sizeof(*pending));
		if (!pending)
			return shale_err_errno(err, "remembering a directory");
		tree->pending = pending;
		tree->pending_cap = count * 2 + 64;
	}
	pending[count] = (struct tree_pending){
		.path = strdup(path),
		.order = count,
		.is_implied = attr == &implied_attr,
	};
	tree->pending_count++;
	if (!pending[count].path ||
	    copy_attr(attr, &pending[count].attr, &tree->pending_bytes) < 0)
		return shale_err_errno(err, "remembering a directory");
	return 0;
}

static void forget_parent(struct tree *tree)
{
	fd_closep(&tree->parent_fd);
	tree->parent_fd = -1;
	buf_clear(&tree->parent);
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

static int set_opaque(const struct tree *tree, int fd, struct shale_err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", tree->xattr_prefix, OVERLAY_XATTR_OPAQUE);
	if (fsetxattr(fd, name, "y", 1, 0) < 0)
		return shale_err_errno(err, "setting %s", name);
	return 0;
}

static int make_dir(struct tree *tree, int dirfd, const char *name, bool opaque,
		    struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (mkdirat(dirfd, name, 0700) < 0)
		return shale_err_errno(err, "making a directory");
	if (!opaque || tree->is_flat)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "opening a directory");
	return set_opaque(tree, fd, err);
}

/* A directory over anything else: what that hid in the layers below must stay hidden. */
static int replace_by_dir(struct tree *tree, int dirfd, const char *name, struct shale_err *err)
{
	if (unlinkat(dirfd, name, 0) < 0)
		return shale_err_errno(err, "replacing an entry");
	return make_dir(tree, dirfd, name, true, err);
}

static int open_step(int dirfd, const char *name)
{
	return fs_open_beneath(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* One component of the way to an entry, made if it is missing. */
static int enter_parent(struct tree *tree, int dirfd, const char *name, const char *path,
			int *ret_fd, struct shale_err *err)
{
	struct stat st;
	int fd = open_step(dirfd, name);

	if (fd < 0 && errno == ENOENT) {
		if (make_dir(tree, dirfd, name, false, err) < 0 ||
		    add_pending(tree, path, &implied_attr, err) < 0)
			return -1;
		fd = open_step(dirfd, name);
	} else if (fd < 0 && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISLNK(st.st_mode))
			return shale_err_set(err, ELOOP, "its way leads through the symlink %.200s",
					     path);
		if (!is_whiteout(&st))
			return shale_err_set(err, ENOTDIR, "%.200s is not a directory", path);
		if (replace_by_dir(tree, dirfd, name, err) < 0 ||
		    add_pending(tree, path, &implied_attr, err) < 0)
			return -1;
		fd = open_step(dirfd, name);
	}
	if (fd < 0)
		return shale_err_errno(err, "opening %.200s", path);
	*ret_fd = fd;
	return 0;
}

static int walk_parents(struct tree *tree, const char *path, size_t len, int *ret_fd,
			struct shale_err *err)
{
	__cleanup_fd int fd = fcntl(tree->root_fd, F_DUPFD_CLOEXEC, 3);
	char way[NAME_MAX_PATH + 1];
	size_t end;
	int next = -1;

	if (fd < 0)
		return shale_err_errno(err, "opening the layer");
	for (size_t at = 0; at < len; at = end + 1) {
		end = at + strcspn(path + at, "/");
		memcpy(way, path, end);
		way[end] = '\0';
		if (enter_parent(tree, fd, way + at, way, &next, err) < 0)
			return -1;
		close(fd);
		fd = next;
	}
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Opens the directory of an entry and points at its last component. */
static int open_parent(struct tree *tree, const char *path, const char **ret_name,
		       struct shale_err *err)
{
	const char *name = name_base(path);
	size_t len = name > path ? name - path - 1 : 0;
	int fd = -1;

	*ret_name = name;
	if (tree->parent_fd >= 0 && tree->parent.len == len &&
	    !memcmp(buf_str(&tree->parent), path, len))
		return 0;
	forget_parent(tree);
	if (walk_parents(tree, path, len, &fd, err) < 0)
		return -1;
	if (buf_add(&tree->parent, path, len) < 0) {
		close(fd);
		return shale_err_errno(err, "opening a directory");
	}
	tree->parent_fd = fd;
	return 0;
}

/* Makes room for something that is not a directory. */
static int clear_name(struct tree *tree, const char *name, struct shale_err *err)
{
	if (unlinkat(tree->parent_fd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return shale_err_errno(err, "replacing an entry");
	if (tree->is_kept)
		return errno == EISDIR ? shale_err_set(err, EISDIR, "cannot overwrite a directory with what is none") :
					 shale_err_errno(err, "replacing an entry");
	if (fs_remove_tree(tree->parent_fd, name) < 0)
		return shale_err_errno(err, "replacing a directory");
	return 0;
}

static int fail_root(struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "the layer's root is not a directory");
}

/* Where a new entry goes: its directory open as parent_fd, nothing under its name. */
static int open_slot(struct tree *tree, const char *path, const char **ret_name,
		     struct shale_err *err)
{
	if (!*path)
		return fail_root(err);
	if (open_parent(tree, path, ret_name, err) < 0)
		return -1;
	return clear_name(tree, *ret_name, err);
}

/* Most files stay ours and need no other mode than this; until it is known whose it is nobody else may write it. */
static int create_file(const struct tree *tree, const char *name, mode_t mode)
{
	return openat(tree->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		      0600 | (mode & 0755));
}

int tree_add_file(struct tree *tree, const char *path, mode_t mode, int *ret_fd,
		  struct shale_err *err)
{
	const char *name;
	int fd;

	if (!*path)
		return fail_root(err);
	if (open_parent(tree, path, &name, err) < 0)
		return -1;
	/* There is hardly ever something in its place, and looking costs as much as making it. */
	fd = create_file(tree, name, mode);
	if (fd < 0 && errno == EEXIST) {
		if (clear_name(tree, name, err) < 0)
			return -1;
		fd = create_file(tree, name, mode);
	}
	if (fd < 0)
		return shale_err_errno(err, "making a file");
	*ret_fd = fd;
	return 0;
}

int tree_add_dir(struct tree *tree, const char *path, const struct attr *attr,
		 struct shale_err *err)
{
	const char *name;
	struct stat st;

	if (*path) {
		if (open_parent(tree, path, &name, err) < 0)
			return -1;
		if (fstatat(tree->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return shale_err_errno(err, "making a directory");
			if (make_dir(tree, tree->parent_fd, name, false, err) < 0)
				return -1;
		} else if (!S_ISDIR(st.st_mode) && tree->is_kept) {
			return shale_err_set(err, ENOTDIR, "cannot overwrite what is no directory with a directory");
		} else if (!S_ISDIR(st.st_mode) &&
			   replace_by_dir(tree, tree->parent_fd, name, err) < 0) {
			return -1;
		}
	}
	tree->has_root |= !*path;
	return add_pending(tree, path, attr, err);
}

int tree_add_symlink(struct tree *tree, const char *path, const char *target,
		     const struct attr *attr, struct shale_err *err)
{
	const char *name;

	if (open_slot(tree, path, &name, err) < 0)
		return -1;
	if (symlinkat(target, tree->parent_fd, name) < 0)
		return shale_err_errno(err, "making a symlink");
	return attr_apply_at(attr, tree->parent_fd, name, tree->is_root, err);
}

int tree_add_node(struct tree *tree, const char *path, dev_t dev, const struct attr *attr,
		  struct shale_err *err)
{
	const char *name;

	if (S_ISCHR(attr->mode) && dev == makedev(0, 0))
		return shale_err_set(err, EINVAL, "a character device 0:0 would be a whiteout");
	if (open_slot(tree, path, &name, err) < 0)
		return -1;
	if (mknodat(tree->parent_fd, name, (attr->mode & S_IFMT) | 0600, dev) < 0) {
		if (errno == EPERM)
			return shale_err_set(err, EPERM, "making a device needs root");
		return shale_err_errno(err, "making a device");
	}
	return attr_apply_at(attr, tree->parent_fd, name, tree->is_root, err);
}

/* The target must be in this layer already; what is in a lower one has another inode. */
static int open_link_target(struct tree *tree, const char *target, int *ret_fd,
			    struct shale_err *err)
{
	__cleanup_fd int fd = fs_open_beneath(tree->root_fd, target, O_PATH | O_NOFOLLOW, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return shale_err_set(err, ENOENT, "hard link to %.200s, which is not in the layer",
				     target);
	if (fd < 0 && errno == ELOOP) {
		/* O_NOFOLLOW admits a symlink as the target, NO_SYMLINKS refuses one on the way. */
		return shale_err_set(err, ELOOP, "hard link to %.200s leads through a symlink",
				     target);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "hard link to %.200s", target);
	if (S_ISDIR(st.st_mode) || is_whiteout(&st))
		return shale_err_set(err, EINVAL, "hard link to %.200s, which is not a file",
				     target);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int tree_add_link(struct tree *tree, const char *path, const char *target, struct shale_err *err)
{
	__cleanup_fd int fd = -1;
	const char *name;
	char source[64];

	if (!strcmp(path, target))
		return shale_err_set(err, EINVAL, "hard link to itself");
	if (open_link_target(tree, target, &fd, err) < 0)
		return -1;
	if (open_slot(tree, path, &name, err) < 0)
		return -1;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, source, tree->parent_fd, name, AT_SYMLINK_FOLLOW) < 0)
		return shale_err_errno(err, "hard link to %.200s", target);
	return 0;
}

/*
 * Does something that is not a directory stand in the way to PATH? Then nothing of the layers below
 * shows there any more, and what PATH would hide is hidden: umoci writes whiteouts for the contents
 * of a directory that the layer replaces by a symlink.
 */
static bool is_cut_off(const struct tree *tree, const char *path)
{
	__cleanup_free char *way = strdup(path);
	__cleanup_fd int fd = -1;

	if (!way)
		return false;
	fd = fs_open_beneath(tree->root_fd, dirname(way), O_PATH | O_DIRECTORY, 0);
	return fd < 0 && (errno == ELOOP || errno == ENOTDIR);
}

/* In a whole tree what is gone is gone; where there is no way to it, it was not there. */
static int remove_flat(const struct tree *tree, const char *path, struct shale_err *err)
{
	__cleanup_free char *way = strdup(path);
	__cleanup_fd int fd = -1;

	if (!way)
		return shale_err_errno(err, "removing");
	fd = fs_open_beneath(tree->root_fd, dirname(way), O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ?
			       0 :
			       shale_err_errno(err, "removing");
	return fs_remove_tree(fd, name_base(path)) < 0 ? shale_err_errno(err, "removing") : 0;
}

static int empty_flat(struct tree *tree, const char *path, struct shale_err *err)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	__cleanup_fd int fd = -1;

	if (walk_names_read(tree->root_fd, path, &names, err) < 0)
		return -1;
	fd = fs_open_beneath(tree->root_fd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return shale_err_errno(err, "emptying a directory");
	for (size_t i = 0; i < names.count; i++)
		if (fs_remove_tree(fd, names.items[i]) < 0)
			return shale_err_errno(err, "emptying a directory");
	return 0;
}

/*
 * A whiteout speaks of the layers below, whatever its place in the tar: over a file of this layer it
 * says nothing, over a directory of this layer it says that nothing below shows through.
 */
int tree_add_whiteout(struct tree *tree, const char *path, struct shale_err *err)
{
	const char *name;
	struct stat st;

	if (tree->is_flat) {
		forget_parent(tree);
		return remove_flat(tree, path, err);
	}
	if (is_cut_off(tree, path))
		return 0;
	if (open_parent(tree, path, &name, err) < 0)
		return -1;
	if (fstatat(tree->parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? tree_add_opaque(tree, path, err) : 0;
	if (errno != ENOENT)
		return shale_err_errno(err, "looking for a deleted file");
	if (mknodat(tree->parent_fd, name, S_IFCHR, makedev(0, 0)) < 0)
		return shale_err_errno(err, "making a whiteout");
	return 0;
}

int tree_add_opaque(struct tree *tree, const char *path, struct shale_err *err)
{
	__cleanup_fd int fd = -1;
	int way = -1;

	if (tree->is_flat) {
		forget_parent(tree);
		return empty_flat(tree, path, err);
	}
	if (walk_parents(tree, path, strlen(path), &way, err) < 0)
		return -1;
	fd = openat(way, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(way);
	if (fd < 0)
		return shale_err_errno(err, "opening a directory");
	return set_opaque(tree, fd, err);
}

/* Below before above, since a parent's mode may bar the way; last entry of a path first. */
static int compare_pending(const void *a, const void *b)
{
	const struct tree_pending *left = a;
	const struct tree_pending *right = b;
	int by_path = strcmp(right->path, left->path);

	if (by_path)
		return by_path;
	return left->order < right->order ? 1 : -1;
}

static int finish_dir(struct tree *tree, const struct tree_pending *pending,
		      struct shale_err *err)
{
	const char *path = *pending->path ? pending->path : ".";
	__cleanup_fd int fd = fs_open_beneath(tree->root_fd, path, O_RDONLY | O_DIRECTORY, 0);

	/* It was replaced by something else later in the tar. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
		return 0;
	if (fd < 0)
		return shale_err_errno(err, "opening a directory");
	/* It may have been there before, with others. */
	if (tree->is_flat && !tree->is_kept && attr_drop_xattrs(fd, err) < 0)
		return -1;
	return attr_apply_fd(&pending->attr, fd, tree->is_root, err);
}

static int mark_root(const struct tree *tree, struct shale_err *err)
{
	char name[64];

	snprintf(name, sizeof(name), "%s%s", tree->xattr_prefix, SHALE_XATTR_WHITEOUT);
	if (fsetxattr(tree->root_fd, name, "overlay", strlen("overlay"), 0) < 0)
		return shale_err_errno(err, "setting %s on the layer", name);
	return 0;
}

int tree_finish(struct tree *tree, tree_implied_fn implied, void *arg, struct shale_err *err)
{
	const char *last = NULL;

	if (!tree->is_flat && mark_root(tree, err) < 0)
		return -1;
	if (!tree->has_root && implied && implied(arg, "") < 0)
		return shale_err_errno(err, "remembering a directory");
	if (tree->pending_count)
		qsort(tree->pending, tree->pending_count, sizeof(*tree->pending), compare_pending);
	for (size_t i = 0; i < tree->pending_count; i++) {
		const struct tree_pending *pending = &tree->pending[i];

		if (last && !strcmp(last, pending->path))
			continue;
		last = pending->path;
		if (finish_dir(tree, pending, err) < 0)
			return shale_err_wrap(err, "%s", *last ? last : "/");
		if (pending->is_implied && implied && implied(arg, last) < 0)
			return shale_err_errno(err, "remembering a directory");
	}
	return 0;
}

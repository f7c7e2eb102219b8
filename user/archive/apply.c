// SPDX-License-Identifier: GPL-2.0-only
/*
 * Applies layers; see apply.h. Where the filesystem can share blocks, files are clones. Called by the storage
 * drivers that keep whole trees, and for volumes.
 */
#include "archive/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/attr.h"
#include "archive/changes.h"
#include "archive/name.h"
#include "archive/tree.h"
#include "base/cleanup.h"
#include "base/fs.h"

/* Of a file that is copied by hand. */
#define PIECE 65536

struct apply {
	struct tree tree;
	bool is_root;
};

static ssize_t copy_piece(int from, int to, loff_t *start, loff_t *out, off_t end)
{
	char piece[PIECE];
	size_t want = end - *start < PIECE ? end - *start : PIECE;
	ssize_t got = pread(from, piece, want, *start);
	ssize_t put = got > 0 ? pwrite(to, piece, got, *out) : got;

	if (put > 0) {
		*start += put;
		*out += put;
	}
	return put;
}

/* In the kernel where that can be. */
static int copy_range(int from, int to, off_t start, off_t end)
{
	off_t out = start;
	ssize_t put;

	while (start < end) {
		put = copy_file_range(from, &start, to, &out, end - start, 0);
		if (put < 0 && errno == EINTR)
			continue;
		/* The kernel may not, from one filesystem to another. */
		if (put < 0 && (errno == EXDEV || errno == EOPNOTSUPP || errno == EINVAL))
			put = copy_piece(from, to, &start, &out, end);
		if (put <= 0) {
			errno = put ? errno : EBUSY;
			return -1;
		}
	}
	return 0;
}

/* Holes stay holes. */
static int copy_content(int from, int to, off_t size)
{
	off_t data, hole;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	for (off_t at = 0; at < size; at = hole) {
		data = lseek(from, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0 || copy_range(from, to, data, hole > size ? size : hole) < 0)
			return -1;
	}
	return ftruncate(to, size);
}

static int add_file(struct apply *apply, const struct change *change, const struct attr *attr,
		    struct shale_err *err)
{
	__cleanup_fd int from = fs_open_beneath(change->data_root, change->path, O_RDONLY, 0);
	__cleanup_fd int to = -1;

	if (from < 0)
		return shale_err_errno(err, "opening it");
	if (tree_add_file(&apply->tree, change->path, attr->mode, &to, err) < 0)
		return -1;
	if (copy_content(from, to, change->st.st_size) < 0)
		return shale_err_errno(err, "copying it");
	return attr_apply_fd(attr, to, apply->is_root, err);
}

static int add_symlink(struct apply *apply, const struct change *change, const struct attr *attr,
		       struct shale_err *err)
{
	char target[NAME_MAX_PATH + 1];
	ssize_t len = readlinkat(change->fd, "", target, sizeof(target));

	if (len < 0 || len == sizeof(target))
		return shale_err_errno(err, "reading it");
	target[len] = '\0';
	return tree_add_symlink(&apply->tree, change->path, target, attr, err);
}

static int add_entry(struct apply *apply, const struct change *change, struct shale_err *err)
{
	__cleanup_attr struct attr attr = { 0 };

	if (change->link)
		return tree_add_link(&apply->tree, change->path, change->link, err);
	if (attr_from_fd(change->fd, &change->st, &attr, err) < 0)
		return -1;
	switch (attr.mode & S_IFMT) {
	case S_IFREG:
		return add_file(apply, change, &attr, err);
	case S_IFDIR:
		return tree_add_dir(&apply->tree, change->path, &attr, err);
	case S_IFLNK:
		return add_symlink(apply, change, &attr, err);
	default:
		return tree_add_node(&apply->tree, change->path, change->st.st_rdev, &attr, err);
	}
}

static int apply_change(void *arg, const struct change *change, struct shale_err *err)
{
	struct apply *apply = arg;
	int ret;

	if (change->kind == CHANGE_WHITEOUT)
		ret = tree_add_whiteout(&apply->tree, change->path, err);
	else if (change->kind == CHANGE_OPAQUE)
		ret = tree_add_opaque(&apply->tree, change->path, err);
	else
		ret = add_entry(apply, change, err);
	return ret < 0 ? shale_err_wrap(err, "'%.300s'", change->path) : 0;
}

/* The root of the topmost layer is the union's. */
static int apply_root(struct apply *apply, int layer_fd, struct shale_err *err)
{
	__cleanup_attr struct attr attr = { 0 };
	struct stat st;

	if (fstat(layer_fd, &st) < 0)
		return shale_err_errno(err, "opening a layer");
	if (attr_from_fd(layer_fd, &st, &attr, err) < 0)
		return -1;
	return tree_add_dir(&apply->tree, "", &attr, err);
}

int apply_layer(int layer_fd, const char *prefix, int tree_fd, struct shale_err *err)
{
	struct apply apply = { .is_root = geteuid() == 0 };
	struct changes_upper upper = {
		.upper_fd = layer_fd,
		.view_fd = -1,
		.base_fd = -1,
		.xattr_prefix = prefix,
	};
	int ret;

	tree_init(&apply.tree, tree_fd, prefix, apply.is_root);
	apply.tree.is_flat = true;
	ret = apply_root(&apply, layer_fd, err);
	if (!ret)
		ret = changes_of_upper(&upper, apply_change, &apply, err);
	if (!ret)
		ret = tree_finish(&apply.tree, NULL, NULL, err);
	tree_release(&apply.tree);
	return ret;
}

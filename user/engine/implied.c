// SPDX-License-Identifier: GPL-2.0-only
/*
 * Implied directories; see implied.h. What one covers depends on the image, while a layer is kept
 * once for all images: the first image that is committed decides. Another one with the same layer on
 * other directories of the same name would see the first one's owner, mode and time there, nothing else.
 *
 * Unpacking a layer needs none of this: its tree is published with the list of its implied directories beside it,
 * so that it is unpacked once, whoever else needs it. They get their attributes from each session that is about
 * to commit an image, as long as no other one has: until then the layer has no row, and nobody can mount it.
 * Called by import.c and check_repair.c.
 */
#include "engine/implied.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/shale_disk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive/attr.h"
#include "archive/tree.h"
#include "base/fs.h"
#include "store/layer.h"

/* In the session while it is new there, else in the store. */
static int open_in_layer(const struct session *session, const struct digest *diff_id,
			 const char *name, int flags)
{
	struct digest_text text = digest_text(diff_id);
	char path[DIGEST_HEX + sizeof("/" BLOB_IMPLIED)];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", digest_hex(&text), name);
	fd = fs_open_beneath(session->layers_fd, path, flags, 0);
	if (fd < 0 && errno == ENOENT)
		fd = fs_open_beneath(session->store->layers_fd, path, flags, 0);
	return fd;
}

static bool is_opaque(int fd, const char *prefix)
{
	char name[64];
	char value;

	snprintf(name, sizeof(name), "%s%s", prefix, OVERLAY_XATTR_OPAQUE);
	return fgetxattr(fd, name, &value, 1) == 1 && value == 'y';
}

enum found { FOUND_DIR, FOUND_NOTHING, FOUND_END };

/*
 * Looks for a directory in one layer: there, or not and maybe further down, or hidden here, by an
 * opaque directory on the way or by something that is no directory.
 */
static enum found look(int layer, const char *path, const char *prefix, int *ret_fd)
{
	__cleanup_fd int fd = openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	__cleanup_free char *copy = strdup(path);
	bool opaque = false;
	char *save = NULL;
	int next;

	if (fd < 0 || !copy)
		return FOUND_END;
	for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (next < 0)
			return errno == ENOENT && !opaque ? FOUND_NOTHING : FOUND_END;
		close(fd);
		fd = next;
		opaque |= is_opaque(fd, prefix);
	}
	*ret_fd = steal_fd(&fd);
	return opaque ? FOUND_END : FOUND_DIR;
}

static int copy_xattr(int from, int to, const char *name)
{
	__cleanup_free void *value = malloc(XATTR_SIZE_MAX);
	ssize_t len;

	if (!value)
		return -1;
	len = fgetxattr(from, name, value, XATTR_SIZE_MAX);
	return len < 0 ? -1 : fsetxattr(to, name, value, len, 0);
}

static int copy_xattrs(int from, int to)
{
	__cleanup_free char *names = malloc(XATTR_LIST_MAX);
	ssize_t len;

	if (!names)
		return -1;
	len = flistxattr(from, names, XATTR_LIST_MAX);
	for (ssize_t at = 0; at < len; at += strlen(names + at) + 1)
		if (!attr_is_private_xattr(names + at) && copy_xattr(from, to, names + at) < 0)
			return -1;
	return len < 0 ? -1 : 0;
}

static int copy_attributes(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -1;
	if (geteuid() == 0 && fchown(to, st.st_uid, st.st_gid) < 0)
		return -1;
	if (fchmod(to, st.st_mode & 07777) < 0 || copy_xattrs(from, to) < 0)
		return -1;
	return futimens(to, (struct timespec[]){ st.st_mtim, st.st_mtim });
}

struct settling {
	const struct session *session;
	const struct image *image;
	const char *prefix;
};

/* Layers are opened one at a time: there may be more of them than descriptors. */
static enum found look_in(const struct settling *settling, size_t layer, const char *path,
			  int *ret_fd)
{
	__cleanup_fd int fd = -1;

	fd = open_in_layer(settling->session, &settling->image->layers[layer].diff_id, "diff",
			   O_PATH | O_DIRECTORY);
	return fd < 0 ? FOUND_END : look(fd, path, settling->prefix, ret_fd);
}

static int settle_one(const struct settling *settling, size_t at, const char *path,
		      struct shale_err *err)
{
	__cleanup_fd int from = -1;
	__cleanup_fd int to = -1;

	if (look_in(settling, at, path, &to) != FOUND_DIR)
		return 0;
	while (at--) {
		if (look_in(settling, at, path, &from) == FOUND_NOTHING)
			continue;
		/* Another image may have given it some. */
		if (from >= 0 && (attr_drop_xattrs(to, err) < 0 || copy_attributes(from, to) < 0))
			return shale_err_errno(err, "directory %.300s", *path ? path : "/");
		return 0;
	}
	return 0;
}

/* The paths, each with its NUL; nothing if the tar has listed all. */
static int read_list(const struct session *session, const struct digest *diff_id, struct buf *list,
		     struct shale_err *err)
{
	__cleanup_fd int fd = open_in_layer(session, diff_id, BLOB_IMPLIED, O_RDONLY);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "opening the list of implied directories");
	if (st.st_size > TREE_MAX_PENDING)
		return shale_err_set(err, EFBIG, "its list of implied directories has %lld bytes",
				     (long long)st.st_size);
	if (buf_reserve(list, st.st_size) < 0 || fs_read_full(fd, list->data, st.st_size) < 0)
		return shale_err_errno(err, "reading the list of implied directories");
	list->len = st.st_size;
	list->data[list->len] = '\0';
	return 0;
}

int implied_settle(struct session *session, const struct image *image, size_t at,
		   const char *prefix, struct shale_err *err)
{
	struct settling settling = { session, image, prefix };
	__cleanup_buf struct buf list = BUF_INIT;
	const char *path, *end;

	if (read_list(session, &image->layers[at].diff_id, &list, err) < 0)
		return -1;
	end = buf_str(&list) + list.len;
	for (path = list.data; path && path < end; path += strlen(path) + 1)
		if (settle_one(&settling, at, path, err) < 0)
			return -1;
	return 0;
}

static int is_entered(const struct session *session, const struct digest *diff_id,
		      bool *ret_entered, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, session->store->db, TXN_READ, err) < 0)
		return -1;
	return layer_is_entered(txn.db, diff_id, ret_entered, err);
}

static bool is_earlier(const struct image *image, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (digest_is_equal(&image->layers[i].diff_id, &image->layers[at].diff_id))
			return true;
	return false;
}

int implied_settle_image(struct session *session, const struct image *image, const char *prefix,
			 struct shale_err *err)
{
	bool entered = false;

	for (size_t i = 0; i < image->layer_count; i++) {
		if (is_entered(session, &image->layers[i].diff_id, &entered, err) < 0)
			return -1;
		if (!entered && !is_earlier(image, i) &&
		    implied_settle(session, image, i, prefix, err) < 0)
			return -1;
	}
	return 0;
}

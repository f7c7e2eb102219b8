// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the store's directory, making its skeleton when asked, and answers where blobs and layers
 * are; see store.h. What moves into the store is session.c's, what leaves it gc.c's.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/json.h"

#define OCI_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

/* Layers hold setuid files of other systems: only root may walk into them. */
static const struct {
	const char *path;
	mode_t mode;
} skeleton[] = {
	{ "blobs", 0755 },	   { "blobs/sha256", 0755 }, { "layers", 0700 },
	{ "layers/sha256", 0755 }, { "tmp", 0700 },
};

static int make_parents(const char *root)
{
	char path[PATH_MAX];
	char *slash;

	if (strlen(root) >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(path, root, strlen(root) + 1);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	if (mkdir(path, 0711) < 0 && errno != EEXIST)
		return -1;
	return 0;
}

static int make_skeleton(struct store *store, struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	for (size_t i = 0; i < sizeof(skeleton) / sizeof(*skeleton); i++)
		if (fs_mkdir(store->dirfd, skeleton[i].path, skeleton[i].mode) < 0)
			return shale_err_errno(err, "%s/%s", store->path, skeleton[i].path);
	if (faccessat(store->dirfd, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	lock = store_lock(store, LOCK_EX, err);
	if (lock < 0)
		return -1;
	return fs_replace_file(store->dirfd, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT), err);
}

static int open_room(const struct store *store, const char *path, int *ret_fd,
		     struct shale_err *err)
{
	*ret_fd = fs_open_beneath(store->dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (*ret_fd < 0)
		return shale_err_errno(err, "%s/%s", store->path, path);
	return 0;
}

int store_open(const char *root, bool create, struct store *ret_store, struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;

	if (create && make_parents(root) < 0)
		return shale_err_errno(err, "cannot make the store %s", root);
	store.dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store.dirfd < 0)
		return shale_err_errno(err, "cannot open the store %s", root);
	store.path = realpath(root, NULL);
	if (!store.path)
		return shale_err_errno(err, "cannot open the store %s", root);
	if (create && make_skeleton(&store, err) < 0)
		return shale_err_wrap(err, "cannot make the store");
	if (open_room(&store, "blobs/sha256", &store.blobs_fd, err) < 0 ||
	    open_room(&store, "layers/sha256", &store.layers_fd, err) < 0 ||
	    open_room(&store, "tmp", &store.tmp_fd, err) < 0)
		return shale_err_wrap(err, "not a shale store");
	*ret_store = store;
	store = (struct store)STORE_CLOSED;
	return 0;
}

void store_close(struct store *store)
{
	fd_closep(&store->dirfd);
	fd_closep(&store->blobs_fd);
	fd_closep(&store->layers_fd);
	fd_closep(&store->tmp_fd);
	free(store->path);
	*store = (struct store)STORE_CLOSED;
}

int store_lock(const struct store *store, int how, struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	fd = openat(store->dirfd, "lock", O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return shale_err_errno(err, "%s/lock", store->path);
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return shale_err_errno(err, "locking %s", store->path);
	return steal_fd(&fd);
}

int store_sync_names(const struct store *store, struct shale_err *err)
{
	if (fsync(store->blobs_fd) < 0 || fsync(store->layers_fd) < 0)
		return shale_err_errno(err, "syncing %s", store->path);
	return 0;
}

bool store_has_blob(const struct store *store, const struct digest *digest)
{
	struct digest_text text = digest_text(digest);

	return !faccessat(store->blobs_fd, digest_hex(&text), F_OK, AT_SYMLINK_NOFOLLOW);
}

bool store_has_layer(const struct store *store, const struct digest *diff_id)
{
	struct digest_text text = digest_text(diff_id);

	return !faccessat(store->layers_fd, digest_hex(&text), F_OK, AT_SYMLINK_NOFOLLOW);
}

char *store_layer_path(const struct store *store, const struct digest *diff_id)
{
	__cleanup_buf struct buf path = BUF_INIT;
	struct digest_text text = digest_text(diff_id);

	if (buf_addf(&path, "%s/layers/sha256/%s/diff", store->path, digest_hex(&text)) < 0)
		return NULL;
	return buf_steal(&path);
}

#define SIZE_FILE_MAX 32

int store_layer_size(const struct store *store, const struct digest *diff_id, uint64_t *ret_size,
		     struct shale_err *err)
{
	struct digest_text text = digest_text(diff_id);
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_buf struct buf size = BUF_INIT;

	if (buf_addf(&path, "%s/size", digest_hex(&text)) < 0)
		return shale_err_errno(err, "layer %s", text.text);
	if (fs_read_file(store->layers_fd, buf_str(&path), SIZE_FILE_MAX, &size, err) < 0)
		return shale_err_wrap(err, "layer");
	*ret_size = strtoull(buf_str(&size), NULL, 10);
	return 0;
}

int store_read_blob(const struct store *store, const struct digest *digest, struct buf *buf,
		    struct shale_err *err)
{
	struct digest_text text = digest_text(digest);
	size_t start = buf->len;
	struct digest found;

	if (fs_read_file(store->blobs_fd, digest_hex(&text), JSON_MAX_BYTES, buf, err) < 0)
		return shale_err_wrap(err, "blob");
	if (digest_of(buf->data + start, buf->len - start, &found, err) < 0)
		return -1;
	if (digest_is_equal(&found, digest))
		return 0;
	return shale_err_set(err, EIO, "blob %s in %s is corrupt", text.text, store->path);
}

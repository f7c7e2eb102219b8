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
#include "store/db.h"
#include "store/json.h"
#include "store/layer.h"
#include "store/rebuild.h"
#include "store/schema.h"

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

static int open_files(const char *root, bool create, struct store *ret_store,
		      struct shale_err *err)
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

static int fill_locked(struct store *store, bool is_forgiving, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	int64_t version = 0;

	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 ||
	    schema_version(txn.db, &version, err) < 0)
		return -1;
	/* Another process can have been faster. */
	if (schema_is_current(version))
		return 0;
	if (schema_migrate(txn.db, version, err) < 0 ||
	    (!version && rebuild_rows(store, txn.db, is_forgiving, err) < 0) ||
	    txn_commit(&txn, err) < 0)
		return -1;
	if (fs_sync_dir(store->dirfd) < 0)
		return shale_err_errno(err, "syncing %s", store->path);
	return 0;
}

static int get_version(struct store *store, int64_t *ret_version, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	return schema_version(txn.db, ret_version, err);
}

static int open_file(struct store *store, struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;
	struct shale_err why = { 0 };

	if (buf_addf(&path, "%s/" STORE_DB, store->path) < 0)
		return shale_err_errno(err, "opening %s", store->path);
	if (db_open(buf_str(&path), &store->db, &why) == 0)
		return 0;
	/* A store from before there were databases, on a filesystem that nobody can write to. */
	if (why.code == EROFS)
		return db_open_memory(&store->db, err);
	return shale_err_set(err, why.code, "%s", why.msg);
}

static int open_db(struct store *store, struct shale_err *err)
{
	__cleanup_fd int lock = -1;
	int64_t version = 0;

	if (open_file(store, err) < 0 || get_version(store, &version, err) < 0)
		return -1;
	if (schema_is_current(version))
		return 0;
	lock = store_lock(store, LOCK_EX, err);
	return lock < 0 ? -1 : fill_locked(store, false, err);
}

int store_open(const char *root, bool create, struct store *ret_store, struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;

	if (open_files(root, create, &store, err) < 0)
		return -1;
	if (open_db(&store, err) < 0)
		return shale_err_wrap(err, "cannot open the store %s", root);
	*ret_store = store;
	store = (struct store)STORE_CLOSED;
	return 0;
}

int store_open_files(const char *root, struct store *ret_store, struct shale_err *err)
{
	return open_files(root, false, ret_store, err);
}

int store_replace_db_locked(struct store *store, struct shale_err *err)
{
	db_close(store->db);
	store->db = NULL;
	/* Its log belongs to it: without it a new file would be filled with the old one's pages. */
	if (renameat(store->dirfd, STORE_DB, store->dirfd, STORE_DB_DAMAGED) < 0 && errno != ENOENT)
		return shale_err_errno(err, "putting the database of %s aside", store->path);
	if ((unlinkat(store->dirfd, STORE_DB "-wal", 0) < 0 && errno != ENOENT) ||
	    (unlinkat(store->dirfd, STORE_DB "-shm", 0) < 0 && errno != ENOENT))
		return shale_err_errno(err, "putting the database of %s aside", store->path);
	return open_file(store, err) < 0 ? -1 : fill_locked(store, true, err);
}

void store_close(struct store *store)
{
	db_close(store->db);
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
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	return layer_get_content(txn.db, diff_id, ret_size, err);
}

int store_read_layer_size(const struct store *store, const struct digest *diff_id,
			  uint64_t *ret_size, struct shale_err *err)
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

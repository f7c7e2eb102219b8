// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions; see session.h. A directory appears in tmp/ and is locked under the store's shared lock,
 * and stale ones are looked for under the exclusive one, so that a session which is being born is
 * never taken for a dead one.
 */
#include "store/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/gc.h"
#include "store/layer.h"
#include "store/lease.h"

static int make_room(const struct session *session, const char *name, int *ret_fd)
{
	if (mkdirat(session->fd, name, 0700) < 0)
		return -1;
	*ret_fd = openat(session->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? -1 : 0;
}

static int make_dir_locked(struct session *session)
{
	unsigned long long random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -1;
	snprintf(session->name, sizeof(session->name), "%d.%016llx", getpid(), random);
	if (mkdirat(session->store->tmp_fd, session->name, 0700) < 0)
		return -1;
	session->fd = openat(session->store->tmp_fd, session->name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (session->fd < 0 || flock(session->fd, LOCK_EX | LOCK_NB) < 0)
		return -1;
	if (make_room(session, "blobs", &session->blobs_fd) < 0 ||
	    make_room(session, "layers", &session->layers_fd) < 0)
		return -1;
	return make_room(session, "trash", &session->trash_fd);
}

static int make_dir(struct session *session, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_SH, err);

	if (lock < 0)
		return -1;
	if (make_dir_locked(session) < 0)
		return shale_err_errno(err, "cannot work in %s/tmp", session->store->path);
	return 0;
}

/* Takes over a session whose owner is gone: its directory goes into our trash. */
static int bury_if_dead_locked(struct session *session, const char *name, bool *ret_found)
{
	__cleanup_fd int fd = -1;

	if (name[0] == '.' || !strcmp(name, session->name))
		return 0;
	fd = openat(session->store->tmp_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -1;
	if (renameat(session->store->tmp_fd, name, session->trash_fd, name) < 0)
		return -1;
	*ret_found = true;
	return 0;
}

struct burial {
	struct session *session;
	bool found;
};

static int bury_name(void *arg, int dirfd, const char *name)
{
	struct burial *burial = arg;

	(void)dirfd;
	return bury_if_dead_locked(burial->session, name, &burial->found);
}

/*
 * The dead session's directory moves into ours before its orphans are collected: if we are killed
 * too, ours is the evidence that there may be some.
 */
static int recover(struct session *session, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_EX, err);
	struct burial burial = { session, false };

	if (lock < 0 || lease_bury_dead_locked(session->store, err) < 0)
		return -1;
	if (fs_each_name(session->store->tmp_fd, ".", bury_name, &burial) < 0)
		return shale_err_errno(err, "cleaning up %s/tmp", session->store->path);
	if (index_settle_locked(session->store, err) < 0)
		return -1;
	if (!burial.found)
		return 0;
	unlinkat(session->store->dirfd, "index.json.new", 0);
	unlinkat(session->store->dirfd, "oci-layout.new", 0);
	return gc_collect_locked(session, NULL, NULL, err);
}

int session_begin(struct store *store, struct session *ret_session, struct shale_err *err)
{
	__cleanup_session struct session session = SESSION_NONE;

	session.store = store;
	if (make_dir(&session, err) < 0)
		return -1;
	if (recover(&session, err) < 0)
		return shale_err_wrap(err, "cleaning up after an interrupted run");
	*ret_session = session;
	session = (struct session)SESSION_NONE;
	return 0;
}

/* What nobody came to need. A failure here leaves garbage and our directory, which is its evidence. */
static int withdraw(struct session *session)
{
	__cleanup_fd int lock = -1;

	if (!atomic_load(&session->owes_collection))
		return lease_drop_all(session, NULL);
	lock = store_lock(session->store, LOCK_EX, NULL);
	if (lock < 0 || lease_drop_all(session, NULL) < 0)
		return -1;
	return gc_collect_locked(session, NULL, NULL, NULL);
}

void session_end(struct session *session)
{
	int saved = errno;

	if (session->fd < 0)
		return;
	/* A failure here leaves a dead session, which the next one removes. */
	if (withdraw(session) == 0)
		fs_remove_tree(session->store->tmp_fd, session->name);
	fd_closep(&session->blobs_fd);
	fd_closep(&session->layers_fd);
	fd_closep(&session->trash_fd);
	fd_closep(&session->fd);
	*session = (struct session)SESSION_NONE;
	errno = saved;
}

bool session_is_alive(const struct store *store, const char *name)
{
	__cleanup_fd int fd = fs_open_entry(store->tmp_fd, name, O_RDONLY | O_DIRECTORY);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int session_lease_blob(struct session *session, const struct digest *digest, bool *ret_present,
		       struct shale_err *err)
{
	return lease_take(session, LEASE_BLOB, digest, ret_present, err);
}

int session_lease_layer(struct session *session, const struct digest *diff_id, bool *ret_present,
			struct shale_err *err)
{
	return lease_take(session, LEASE_LAYER, diff_id, ret_present, err);
}

int session_sync(struct session *session, struct shale_err *err)
{
	/* One syncfs costs less than an fsync for each of a layer's thousands of files. */
	if (syncfs(session->fd) < 0)
		return shale_err_errno(err, "syncing %s", session->store->path);
	return 0;
}

/* Into the trash, and from there with the session: it may be large. */
static int discard(const struct session *session, int from_fd, const char *name)
{
	char grave[DIGEST_HEX + sizeof("stray-")];

	snprintf(grave, sizeof(grave), "stray-%.*s", DIGEST_HEX, name);
	return renameat(from_fd, name, session->trash_fd, grave);
}

/*
 * A directory of the same name that is not in the store, having no row, is what a crash left: it gives
 * way. One that is has the same content as ours, which then goes.
 */
static int move_layer(struct session *session, const char *name)
{
	const struct store *store = session->store;
	struct digest digest;
	bool present = false;

	if (renameat(session->layers_fd, name, store->layers_fd, name) == 0)
		return 0;
	if ((errno != ENOTEMPTY && errno != EEXIST) || !digest_parse_hex(name, &digest))
		return -1;
	if (lease_layer_is_present(session->store, &digest, &present, NULL) < 0) {
		errno = EIO;
		return -1;
	}
	if (!present && renameat2(session->layers_fd, name, store->layers_fd, name,
				  RENAME_EXCHANGE) < 0)
		return -1;
	return discard(session, session->layers_fd, name);
}

/* The same digest is the same bytes, so that it does not matter which of two stays. */
static int move_blob(struct session *session, const char *name)
{
	return renameat(session->blobs_fd, name, session->store->blobs_fd, name);
}

static int publish(struct session *session, enum lease_kind kind, const struct digest *digest,
		   int (*move)(struct session *session, const char *name), struct shale_err *err)
{
	struct digest_text text = digest_text(digest);

	atomic_store(&session->owes_collection, true);
	if (move(session, digest_hex(&text)) < 0)
		return shale_err_errno(err, "moving %s into %s", text.text, session->store->path);
	return lease_settle(session, kind, digest, true, err);
}

int session_publish_blob(struct session *session, const struct digest *digest,
			 struct shale_err *err)
{
	return publish(session, LEASE_BLOB, digest, move_blob, err);
}

int session_publish_layer(struct session *session, const struct digest *diff_id,
			  struct shale_err *err)
{
	return publish(session, LEASE_LAYER, diff_id, move_layer, err);
}

struct committing {
	struct session *session;
	struct shale_err *err;
};

static int publish_blob_name(void *arg, int dirfd, const char *name)
{
	const struct committing *committing = arg;
	struct digest digest;

	(void)dirfd;
	return digest_parse_hex(name, &digest) ?
		       session_publish_blob(committing->session, &digest, committing->err) : 0;
}

static int publish_layer_name(void *arg, int dirfd, const char *name)
{
	const struct committing *committing = arg;
	struct digest digest;

	(void)dirfd;
	return digest_parse_hex(name, &digest) ?
		       session_publish_layer(committing->session, &digest, committing->err) : 0;
}

/* Loose layers first, then their rows: a table must not change under its reader. */
struct loose {
	struct digest *items;
	size_t count;
};

static void loose_release(struct loose *loose)
{
	free(loose->items);
}

static int add_loose(void *arg, const struct digest *digest, struct shale_err *err)
{
	struct loose *loose = arg;
	struct digest *items = reallocarray(loose->items, loose->count + 1, sizeof(*items));

	if (!items)
		return shale_err_errno(err, "entering layers");
	loose->items = items;
	items[loose->count++] = *digest;
	return 0;
}

/* Not waiting for the disk: the references that follow do, and without them nobody needs these. */
static int enter_layers(struct session *session, struct shale_err *err)
{
	__cleanup(loose_release) struct loose loose = { 0 };
	__cleanup_txn struct txn txn = TXN_NONE;
	uint64_t content = 0;

	if (txn_begin(&txn, session->store->db, TXN_VOLATILE, err) < 0 ||
	    lease_each_loose_layer(session, add_loose, &loose, err) < 0)
		return -1;
	for (size_t i = 0; i < loose.count; i++)
		if (store_read_layer_size(session->store, &loose.items[i], &content, err) < 0 ||
		    layer_enter(txn.db, &loose.items[i], content, err) < 0)
			return -1;
	return txn_commit(&txn, err);
}

static int move_rest(struct session *session, struct shale_err *err)
{
	struct shale_err why = { 0 };
	struct committing committing = { session, &why };

	if (fs_each_name(session->fd, "blobs", publish_blob_name, &committing) == 0 &&
	    fs_each_name(session->fd, "layers", publish_layer_name, &committing) == 0)
		return 0;
	if (why.code)
		return shale_err_set(err, why.code, "%s", why.msg);
	return shale_err_errno(err, "moving into %s", session->store->path);
}

int session_commit_locked(struct session *session, struct shale_err *err)
{
	if (move_rest(session, err) < 0 || store_sync_names(session->store, err) < 0 ||
	    enter_layers(session, err) < 0)
		return -1;
	atomic_store(&session->owes_collection, false);
	return 0;
}

void session_revert_locked(struct session *session)
{
	/* Our own leases would keep it. */
	if (lease_drop_all(session, NULL) == 0 && gc_collect_locked(session, NULL, NULL, NULL) == 0)
		atomic_store(&session->owes_collection, false);
}

int session_replace_blob_locked(struct session *session, const struct digest *digest,
				struct shale_err *err)
{
	struct digest_text text = digest_text(digest);

	if (move_blob(session, digest_hex(&text)) < 0)
		return shale_err_errno(err, "moving %s into %s", text.text, session->store->path);
	return store_sync_names(session->store, err);
}

static int move_over(struct session *session, const char *name)
{
	const struct store *store = session->store;

	if (renameat(session->layers_fd, name, store->layers_fd, name) == 0)
		return 0;
	if ((errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) ||
	    renameat2(session->layers_fd, name, store->layers_fd, name, RENAME_EXCHANGE) < 0)
		return -1;
	return discard(session, session->layers_fd, name);
}

int session_replace_layer_locked(struct session *session, const struct digest *diff_id,
				 struct shale_err *err)
{
	struct digest_text text = digest_text(diff_id);
	__cleanup_txn struct txn txn = TXN_NONE;
	uint64_t content = 0;

	if (move_over(session, digest_hex(&text)) < 0)
		return shale_err_errno(err, "moving %s into %s", text.text, session->store->path);
	if (store_sync_names(session->store, err) < 0 ||
	    store_read_layer_size(session->store, diff_id, &content, err) < 0 ||
	    txn_begin(&txn, session->store->db, TXN_WRITE, err) < 0 ||
	    layer_enter(txn.db, diff_id, content, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

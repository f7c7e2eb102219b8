// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions; see session.h. A directory appears in tmp/ and is locked under the store's shared lock,
 * and stale ones are looked for under the exclusive one, so that a session which is being born is
 * never taken for a dead one.
 */
#include "store/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/gc.h"

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
	    make_room(session, "layers", &session->layers_fd) < 0 ||
	    make_room(session, "leases", &session->leases_fd) < 0)
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

static int bury_dead_locked(struct session *session, bool *ret_found)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(session->store->tmp_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir)))
		if (bury_if_dead_locked(session, entry->d_name, ret_found) < 0)
			return -1;
	return errno ? -1 : 0;
}

/*
 * The dead session's directory moves into ours before its orphans are collected: if we are killed
 * too, ours is the evidence that there may be some.
 */
static int recover(struct session *session, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_EX, err);
	bool found = false;

	if (lock < 0)
		return -1;
	if (bury_dead_locked(session, &found) < 0)
		return shale_err_errno(err, "cleaning up %s/tmp", session->store->path);
	if (!found)
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

void session_end(struct session *session)
{
	int saved = errno;

	if (session->fd < 0)
		return;
	/* A failure here leaves a dead session, which the next one removes. */
	fs_remove_tree(session->store->tmp_fd, session->name);
	fd_closep(&session->blobs_fd);
	fd_closep(&session->layers_fd);
	fd_closep(&session->leases_fd);
	fd_closep(&session->trash_fd);
	fd_closep(&session->fd);
	*session = (struct session)SESSION_NONE;
	errno = saved;
}

static int lease(struct session *session, const struct digest *digest, int room_fd,
		 bool *ret_present, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(session->store, LOCK_SH, err);
	struct digest_text text = digest_text(digest);
	__cleanup_fd int fd = -1;

	if (lock < 0)
		return -1;
	fd = openat(session->leases_fd, digest_hex(&text), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return shale_err_errno(err, "leasing %s", text.text);
	*ret_present = !faccessat(room_fd, digest_hex(&text), F_OK, AT_SYMLINK_NOFOLLOW);
	return 0;
}

int session_lease_blob(struct session *session, const struct digest *digest, bool *ret_present,
		       struct shale_err *err)
{
	return lease(session, digest, session->store->blobs_fd, ret_present, err);
}

int session_lease_layer(struct session *session, const struct digest *diff_id, bool *ret_present,
			struct shale_err *err)
{
	return lease(session, diff_id, session->store->layers_fd, ret_present, err);
}

int session_sync(struct session *session, struct shale_err *err)
{
	/* One syncfs costs less than an fsync for each of a layer's thousands of files. */
	if (syncfs(session->fd) < 0)
		return shale_err_errno(err, "syncing %s", session->store->path);
	return 0;
}

static int move_all(int from_fd, int to_fd)
{
	__cleanup(dir_closep) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -1;
	}
	while (errno = 0, (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		if (renameat(from_fd, entry->d_name, to_fd, entry->d_name) == 0)
			continue;
		/* Someone else brought the same layer in; same digest, same content. */
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -1;
	}
	return errno ? -1 : 0;
}

int session_commit_locked(struct session *session, struct shale_err *err)
{
	struct store *store = session->store;

	if (move_all(session->blobs_fd, store->blobs_fd) < 0 ||
	    move_all(session->layers_fd, store->layers_fd) < 0)
		return shale_err_errno(err, "moving into %s", store->path);
	return store_sync_names(store, err);
}

void session_revert_locked(struct session *session)
{
	/* Our own leases would keep it. */
	if (fs_remove_tree(session->fd, "leases") == 0)
		gc_collect_locked(session, NULL, NULL, NULL);
}

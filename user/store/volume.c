// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes and removes volumes; see volume.h. Called by the engine's verbs of them, by the collector, and by who makes
 * rows from files.
 */
#include "store/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/json.h"

/* Users of a container come this way to their data. */
#define ROOM_MODE 0701
#define DATA_MODE 0755
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool volume_is_name(const char *text)
{
	size_t len = strlen(text);

	return len >= 2 && len <= VOLUME_MAX_NAME && strchr(NAME_CHARS, *text) &&
	       strspn(text, NAME_CHARS "_.-") == len;
}

char *volume_path(const struct store *store, const char *name)
{
	char *path;

	return asprintf(&path, "%s/" VOLUME_ROOM "/%s/" VOLUME_DATA, store->path, name) < 0 ? NULL :
											     path;
}

struct volume_walk {
	volume_fn each;
	void *arg;
};

static int volume_row(void *arg, struct sqlite3_stmt *stmt, struct shale_err *err)
{
	const struct volume_walk *walk = arg;
	struct volume_row row = {
		.name = db_row_text(stmt, 0),
		.created = db_row_number(stmt, 1),
		.labels = db_row_is_null(stmt, 2) ? NULL : db_row_text(stmt, 2),
	};

	return walk->each(walk->arg, &row, err);
}

int volume_each(struct db *db, volume_fn each, void *arg, struct shale_err *err)
{
	struct volume_walk walk = { each, arg };

	return db_each(db, err, volume_row, &walk,
		       "SELECT name, created, labels FROM volume ORDER BY name");
}

int volume_has(struct db *db, const char *name, bool *ret_has, struct shale_err *err)
{
	int64_t count = 0;

	if (db_number(db, err, &count, "SELECT count(*) FROM volume WHERE name = ?", DB_TEXT(name)) <
	    0)
		return -1;
	*ret_has = count;
	return 0;
}

int volume_enter(struct db *db, const struct volume_row *row, struct shale_err *err)
{
	return db_run(db, err,
		      "INSERT INTO volume (name, created, labels) VALUES (?, ?, ?)"
		      " ON CONFLICT DO NOTHING",
		      DB_TEXT(row->name), DB_INT(row->created), DB_TEXT(row->labels));
}

int volume_leave(struct db *db, const char *name, struct shale_err *err)
{
	return db_run(db, err, "DELETE FROM volume WHERE name = ?", DB_TEXT(name));
}

static int row_enter(const struct store *store, const struct volume_row *row, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 || volume_enter(txn.db, row, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int note_text(const struct volume_row *row, struct buf *text)
{
	return buf_addf(text, "{\"created\":%lld,\"labels\":%s}\n", (long long)row->created,
			row->labels ? row->labels : "null");
}

static int write_note(int dirfd, const struct volume_row *row)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (note_text(row, &text) < 0)
		return -1;
	return fs_write_synced(dirfd, VOLUME_NOTE, text.data, text.len);
}

int volume_write_note(const struct store *store, const struct volume_row *row, struct shale_err *err)
{
	char path[sizeof(VOLUME_ROOM "//" VOLUME_NOTE) + VOLUME_MAX_NAME];
	__cleanup_buf struct buf text = BUF_INIT;

	snprintf(path, sizeof(path), VOLUME_ROOM "/%.*s/" VOLUME_NOTE, VOLUME_MAX_NAME, row->name);
	if (note_text(row, &text) < 0)
		return shale_err_errno(err, "volume %s", row->name);
	return fs_replace_file(store->dirfd, path, text.data, text.len, err);
}

bool volume_read_note(int dirfd, const char *name, struct buf *labels, bool *ret_has_labels,
		      time_t *ret_created)
{
	__cleanup_fd int fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	__cleanup_free char *dump = NULL;
	const json_t *given;

	if (!volume_is_name(name) || fd < 0 ||
	    fs_read_file(fd, VOLUME_NOTE, VOLUME_MAX_LABELS + 256, &text, NULL) < 0 ||
	    json_parse_object(text.data, text.len, VOLUME_NOTE, &json, NULL) < 0)
		return false;
	*ret_created = json_integer_value(json_object_get(json, "created"));
	given = json_object_get(json, "labels");
	*ret_has_labels = json_is_object(given);
	buf_clear(labels);
	if (!*ret_has_labels)
		return true;
	dump = json_dumps(given, JSON_COMPACT);
	return dump && buf_adds(labels, dump) == 0;
}

/* Out of the way with the session: what a crash has left, or what is being removed. */
static int volume_bury(const struct session *session, int room, const char *name)
{
	char grave[sizeof("volume-") + VOLUME_MAX_NAME];

	snprintf(grave, sizeof(grave), "volume-%.*s", VOLUME_MAX_NAME, name);
	return renameat(room, name, session->trash_fd, grave);
}

static int open_volumes(const struct store *store, struct shale_err *err)
{
	int fd;

	if (fs_mkdir(store->dirfd, VOLUME_ROOM, ROOM_MODE) < 0)
		return shale_err_errno(err, "%s/" VOLUME_ROOM, store->path);
	fd = openat(store->dirfd, VOLUME_ROOM, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? shale_err_errno(err, "%s/" VOLUME_ROOM, store->path) : fd;
}

/* Whole and on the disk, in the session. */
static int volume_prepare(const struct session *session, const struct volume_row *row)
{
	__cleanup_fd int fd = -1;

	if (mkdirat(session->fd, "volume", ROOM_MODE) < 0)
		return -1;
	fd = openat(session->fd, "volume", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, ROOM_MODE) < 0 || mkdirat(fd, VOLUME_DATA, DATA_MODE) < 0 ||
	    fchmodat(fd, VOLUME_DATA, DATA_MODE, 0) < 0 || write_note(fd, row) < 0)
		return -1;
	return fsync(fd);
}

/* A directory without a row gives way if it is one of ours. */
static int clear_place(const struct session *session, int room, const char *name,
		       struct shale_err *err)
{
	__cleanup_buf struct buf labels = BUF_INIT;
	time_t created;
	bool has_labels;

	if (faccessat(room, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!volume_read_note(room, name, &labels, &has_labels, &created))
		return shale_err_set(err, EEXIST, "%s/" VOLUME_ROOM "/%s is there and is no volume",
				     session->store->path, name);
	return volume_bury(session, room, name) < 0 ? shale_err_errno(err, "volume %s", name) : 0;
}

int volume_create_locked(struct session *session, const char *name, const char *labels,
			 struct shale_err *err)
{
	struct volume_row row = { .name = name, .labels = labels, .created = time(NULL) };
	__cleanup_fd int room = open_volumes(session->store, err);

	if (room < 0 || clear_place(session, room, name, err) < 0)
		return -1;
	if (volume_prepare(session, &row) < 0)
		return shale_err_errno(err, "making volume %s", name);
	atomic_store(&session->owes_collection, true);
	if (renameat2(session->fd, "volume", room, name, RENAME_NOREPLACE) < 0 || fsync(room) < 0 ||
	    fs_sync_dir(session->store->dirfd) < 0)
		return shale_err_errno(err, "making volume %s", name);
	if (row_enter(session->store, &row, err) < 0)
		return -1;
	atomic_store(&session->owes_collection, false);
	return 0;
}

int volume_remove_locked(struct session *session, const char *name, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	__cleanup_fd int room = -1;
	bool is_there = false;

	if (txn_begin(&txn, session->store->db, TXN_WRITE, err) < 0 ||
	    volume_has(txn.db, name, &is_there, err) < 0)
		return -1;
	if (!is_there)
		return shale_err_set(err, ENOENT, "get %.300s: no such volume", name);
	if (volume_leave(txn.db, name, err) < 0 || txn_commit(&txn, err) < 0)
		return -1;
	atomic_store(&session->owes_collection, true);
	room = open_volumes(session->store, err);
	if (room < 0)
		return -1;
	if (volume_bury(session, room, name) < 0 && errno != ENOENT)
		return shale_err_errno(err, "removing volume %s", name);
	atomic_store(&session->owes_collection, false);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * SQLite, as the store uses it; see db.h. Write-ahead logging, so that readers and a writer do not
 * wait for each other, and fsync at each commit (synchronous=FULL): names are removed from the disk
 * after the row that needed them has gone, so the row's going has to be on the disk first. Called by
 * the files of this room that own tables.
 */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

/* Writers of other processes are in and out within a commit; this is for a disk that stalls. */
#define DB_BUSY_MSEC 60000
/* Distinct statements there are in the room's files, with room to grow. */
#define DB_MAX_CACHED 96
/* Faults db_verify() tells at most. */
#define DB_MAX_FAULTS "20"

struct db_cached {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct db {
	sqlite3 *handle;
	char *path;
	pthread_mutex_t lock; /* held from txn_begin() to its end */
	bool is_wal;
	enum txn_mode last_write; /* what synchronous is set for */
	size_t cached_count;
	struct db_cached cached[DB_MAX_CACHED];
};

static const struct {
	int sqlite;
	int code;
} codes[] = {
	{ SQLITE_FULL, ENOSPC },    { SQLITE_BUSY, EBUSY },	{ SQLITE_LOCKED, EBUSY },
	{ SQLITE_NOMEM, ENOMEM },   { SQLITE_READONLY, EROFS }, { SQLITE_PERM, EACCES },
	{ SQLITE_AUTH, EACCES },    { SQLITE_CORRUPT, EUCLEAN }, { SQLITE_NOTADB, EUCLEAN },
	{ SQLITE_CONSTRAINT, EEXIST }, { SQLITE_TOOBIG, EFBIG },
};

/*
 * SQLite tries to open files that it could not make, and keeps the reason of the last try, ENOENT, which to others
 * would say that there is no store. Files like these, empty, are what it would have made itself.
 */
static int why_not_opened(const struct db *db)
{
	static const char *const ends[] = { "-wal", "-shm" };
	int code = EIO;

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		__cleanup_buf struct buf path = BUF_INIT;
		__cleanup_fd int fd = -1;

		if (buf_addf(&path, "%s%s", db->path, ends[i]) < 0)
			return ENOMEM;
		fd = open(buf_str(&path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0)
			code = errno;
	}
	return code;
}

/* The system's reason where there is one; of a commit that failed SQLite does not keep it. */
static int code_of(const struct db *db)
{
	int left = errno;
	sqlite3 *handle = db->handle;
	int primary = sqlite3_errcode(handle) & 0xff;
	int code = sqlite3_system_errno(handle);

	if (primary == SQLITE_IOERR && code <= 0 && (left == EDQUOT || left == ENOSPC))
		return left;
	if (primary == SQLITE_CANTOPEN && code == ENOENT)
		return why_not_opened(db);
	if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) && code > 0)
		return code;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].sqlite == primary)
			return codes[i].code;
	return EIO;
}

static int db_fail(const struct db *db, struct shale_err *err)
{
	int code = code_of(db);
	char why[128];

	if (code == EUCLEAN)
		return shale_err_set(err, code,
				     "%s is damaged (%s): 'shale system check --repair' makes it anew",
				     db->path, sqlite3_errmsg(db->handle));
	if ((sqlite3_errcode(db->handle) & 0xff) == SQLITE_FULL)
		return shale_err_set(err, code, "%s: No space left on device", db->path);
	return shale_err_set(err, code, "%s: %s (%s)", db->path, sqlite3_errmsg(db->handle),
			     strerror_r(code, why, sizeof(why)));
}

int db_script(struct db *db, const char *sql, struct shale_err *err)
{
	return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : db_fail(db, err);
}

static int note_mode(void *arg, int count, char **values, char **names)
{
	struct db *db = arg;

	(void)names;
	db->is_wal = count && values[0] && !strcmp(values[0], "wal");
	return 0;
}

/* A filesystem without shared mappings keeps SQLite's rollback journal, which is as safe. */
static int set_up(struct db *db, struct shale_err *err)
{
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, DB_BUSY_MSEC);
	/* What a file that somebody else wrote could have SQLite do. */
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (sqlite3_exec(db->handle, "PRAGMA journal_mode = WAL", note_mode, db, NULL) != SQLITE_OK)
		return db_fail(db, err);
	db->last_write = TXN_WRITE;
	return db_script(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", err);
}

static void db_closep(struct db **db)
{
	db_close(*db);
}

static int open_flags(const char *path, int flags, struct db **ret_db, struct shale_err *err)
{
	__cleanup(db_closep) struct db *db = calloc(1, sizeof(*db));

	if (!db)
		return shale_err_errno(err, "%s", path);
	pthread_mutex_init(&db->lock, NULL);
	db->path = strdup(path);
	if (!db->path)
		return shale_err_errno(err, "%s", path);
	if (sqlite3_open_v2(path, &db->handle, flags, NULL) != SQLITE_OK) {
		if (!db->handle)
			return shale_err_set(err, ENOMEM, "%s: out of memory", path);
		return db_fail(db, err);
	}
	if (set_up(db, err) < 0)
		return -1;
	*ret_db = steal_ptr(db);
	return 0;
}

/* The letters a URI may have in its path as they are. */
static const char plain_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~/";

/* On a filesystem that nobody can write to there is no log to wait for. */
static int open_immutable(const char *path, struct db **ret_db, struct shale_err *err)
{
	__cleanup_buf struct buf uri = BUF_INIT;
	int ret = buf_adds(&uri, "file:");

	for (const char *at = path; *at && !ret; at++)
		ret = strchr(plain_letters, *at) ? buf_addc(&uri, *at) :
						   buf_addf(&uri, "%%%02X", (unsigned char)*at);
	if (ret < 0 || buf_adds(&uri, "?immutable=1") < 0)
		return shale_err_errno(err, "%s", path);
	return open_flags(buf_str(&uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ret_db, err);
}

int db_open(const char *path, struct db **ret_db, struct shale_err *err)
{
	if (access(path, W_OK) < 0 && errno == EROFS)
		return open_immutable(path, ret_db, err);
	return open_flags(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW,
			  ret_db, err);
}

int db_open_memory(struct db **ret_db, struct shale_err *err)
{
	return open_flags(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, ret_db, err);
}

void db_close(struct db *db)
{
	int saved = errno;

	if (!db)
		return;
	for (size_t i = 0; i < db->cached_count; i++)
		sqlite3_finalize(db->cached[i].stmt);
	sqlite3_close(db->handle);
	pthread_mutex_destroy(&db->lock);
	free(db->path);
	free(db);
	errno = saved;
}

/* Without a log only a full sync keeps the file whole. */
static int set_sync(struct db *db, enum txn_mode mode, struct shale_err *err)
{
	if (mode == TXN_READ || mode == db->last_write || !db->is_wal)
		return 0;
	if (db_script(db, mode == TXN_WRITE ? "PRAGMA synchronous = FULL" :
					      "PRAGMA synchronous = NORMAL", err) < 0)
		return -1;
	db->last_write = mode;
	return 0;
}

int txn_begin(struct txn *txn, struct db *db, enum txn_mode mode, struct shale_err *err)
{
	pthread_mutex_lock(&db->lock);
	if (set_sync(db, mode, err) < 0 ||
	    db_script(db, mode == TXN_READ ? "BEGIN" : "BEGIN IMMEDIATE", err) < 0) {
		pthread_mutex_unlock(&db->lock);
		return -1;
	}
	*txn = (struct txn){ db, mode };
	return 0;
}

int txn_commit(struct txn *txn, struct shale_err *err)
{
	if (db_script(txn->db, "COMMIT", err) < 0) {
		txn_abort(txn);
		return -1;
	}
	pthread_mutex_unlock(&txn->db->lock);
	txn->db = NULL;
	return 0;
}

void txn_abort(struct txn *txn)
{
	int saved = errno;

	if (!txn->db)
		return;
	/* SQLite has rolled back by itself after some failures. */
	if (!sqlite3_get_autocommit(txn->db->handle))
		sqlite3_exec(txn->db->handle, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&txn->db->lock);
	txn->db = NULL;
	errno = saved;
}

static struct db_cached *cached_find(struct db *db, const char *sql)
{
	for (size_t i = 0; i < db->cached_count; i++)
		if (db->cached[i].sql == sql)
			return &db->cached[i];
	return NULL;
}

static int prepare(struct db *db, const char *sql, sqlite3_stmt **ret_stmt, struct shale_err *err)
{
	struct db_cached *cached = cached_find(db, sql);

	if (cached) {
		*ret_stmt = cached->stmt;
		return 0;
	}
	if (db->cached_count == DB_MAX_CACHED)
		return shale_err_set(err, ENOBUFS, "more than %d statements", DB_MAX_CACHED);
	if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL) !=
	    SQLITE_OK)
		return db_fail(db, err);
	db->cached[db->cached_count++] = (struct db_cached){ sql, *ret_stmt };
	return 0;
}

static int bind(sqlite3_stmt *stmt, int at, const struct db_value *value)
{
	if (value->kind == DB_VALUE_INT)
		return sqlite3_bind_int64(stmt, at, value->number);
	if (value->kind == DB_VALUE_TEXT && value->text)
		return sqlite3_bind_text(stmt, at, value->text, -1, SQLITE_TRANSIENT);
	if (value->kind == DB_VALUE_DIGEST && value->digest)
		return sqlite3_bind_blob(stmt, at, value->digest->sum, DIGEST_BYTES,
					 SQLITE_TRANSIENT);
	return sqlite3_bind_null(stmt, at);
}

static int start(struct db *db, const char *sql, const struct db_value *values,
		 sqlite3_stmt **ret_stmt, struct shale_err *err)
{
	if (prepare(db, sql, ret_stmt, err) < 0)
		return -1;
	for (int i = 0; values[i].kind != DB_VALUE_END; i++)
		if (bind(*ret_stmt, i + 1, &values[i]) != SQLITE_OK) {
			db_fail(db, err);
			sqlite3_reset(*ret_stmt);
			return -1;
		}
	return 0;
}

int db_each_values(struct db *db, const char *sql, const struct db_value *values, db_row_fn each,
		   void *arg, struct shale_err *err)
{
	sqlite3_stmt *stmt;
	int status, ret = 0;

	if (start(db, sql, values, &stmt, err) < 0)
		return -1;
	do {
		status = sqlite3_step(stmt);
		if (status == SQLITE_ROW && each)
			ret = each(arg, stmt, err);
	} while (status == SQLITE_ROW && !ret);
	if (status != SQLITE_ROW && status != SQLITE_DONE)
		ret = db_fail(db, err);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return ret ? -1 : 0;
}

int db_run_values(struct db *db, const char *sql, const struct db_value *values,
		  struct shale_err *err)
{
	return db_each_values(db, sql, values, NULL, NULL, err);
}

static int take_number(void *arg, sqlite3_stmt *row, struct shale_err *err)
{
	(void)err;
	*(int64_t *)arg = sqlite3_column_int64(row, 0);
	return 0;
}

int db_number_values(struct db *db, const char *sql, const struct db_value *values,
		     int64_t *ret_number, struct shale_err *err)
{
	return db_each_values(db, sql, values, take_number, ret_number, err);
}

size_t db_changed(const struct db *db)
{
	return sqlite3_changes(db->handle);
}

int64_t db_row_number(sqlite3_stmt *row, int column)
{
	return sqlite3_column_int64(row, column);
}

const char *db_row_text(sqlite3_stmt *row, int column)
{
	return (const char *)sqlite3_column_text(row, column);
}

bool db_row_is_null(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL;
}

int db_row_digest(sqlite3_stmt *row, int column, struct digest *ret_digest, struct shale_err *err)
{
	const void *sum = sqlite3_column_blob(row, column);

	if (!sum || sqlite3_column_bytes(row, column) != DIGEST_BYTES)
		return shale_err_set(err, EUCLEAN, "a digest in the database is none");
	memcpy(ret_digest->sum, sum, DIGEST_BYTES);
	return 0;
}

struct verifying {
	db_fault_fn fault;
	void *arg;
};

static int note_fault(void *arg, sqlite3_stmt *row, struct shale_err *err)
{
	const struct verifying *verifying = arg;
	const char *text = db_row_text(row, 0);

	(void)err;
	return text && strcmp(text, "ok") ? verifying->fault(verifying->arg, text) : 0;
}

static int note_foreign(void *arg, sqlite3_stmt *row, struct shale_err *err)
{
	const struct verifying *verifying = arg;
	const char *table = db_row_text(row, 0);
	char text[128];

	(void)err;
	snprintf(text, sizeof(text), "a row of %.60s refers to one that is not there",
		 table ? table : "?");
	return verifying->fault(verifying->arg, text);
}

int db_verify(struct db *db, db_fault_fn fault, void *arg, struct shale_err *err)
{
	struct verifying verifying = { fault, arg };
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, db, TXN_READ, err) < 0 ||
	    db_each(db, err, note_fault, &verifying,
		    "PRAGMA integrity_check(" DB_MAX_FAULTS ")") < 0)
		return -1;
	return db_each(db, err, note_foreign, &verifying, "PRAGMA foreign_key_check");
}

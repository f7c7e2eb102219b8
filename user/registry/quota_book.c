// SPDX-License-Identifier: GPL-2.0-only
/*
 * The book; see quota_book.h. One connection behind one lock; each call is short. A row that cannot be read is
 * taken for one that is not there, which makes a name hold more than it does, and never less. Called by
 * quota.c.
 */
#include "registry/quota_book.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static const char schema[] =
	"PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
	"CREATE TABLE link (name TEXT, digest TEXT, repo TEXT, kind INTEGER, size INTEGER, turn INTEGER,"
	"	PRIMARY KEY (name, digest, repo, kind)) WITHOUT ROWID;"
	"CREATE INDEX link_repo ON link (repo);"
	"CREATE TABLE upload (id TEXT PRIMARY KEY, name TEXT, bytes INTEGER, at INTEGER) WITHOUT ROWID;"
	"CREATE INDEX upload_name ON upload (name);";

enum statement {
	HAS_LINK,
	HAS_DIGEST,
	HAS_REPO,
	SIZE_OF,
	ADD_LINK,
	DROP_LINK,
	DROP_UNSEEN,
	TOTALS,
	GET_UPLOAD,
	SET_UPLOAD,
	DROP_UPLOAD,
	OLD_UPLOAD,
	RESERVED,
	STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
	[HAS_LINK] = "SELECT 1 FROM link WHERE name = ?1 AND digest = ?2 AND repo = ?3 AND kind = ?4",
	[HAS_DIGEST] = "SELECT 1 FROM link WHERE name = ?1 AND digest = ?2 LIMIT 1",
	[HAS_REPO] = "SELECT 1 FROM link WHERE repo = ?3 LIMIT 1",
	[SIZE_OF] = "SELECT size FROM link WHERE name = ?1 AND digest = ?2 AND repo = ?3 AND kind = ?4",
	[ADD_LINK] = "INSERT OR REPLACE INTO link VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[DROP_LINK] = "DELETE FROM link WHERE name = ?1 AND digest = ?2 AND repo = ?3 AND kind = ?4",
	[DROP_UNSEEN] = "DELETE FROM link WHERE turn < ?6",
	[TOTALS] = "SELECT name, sum(size), (SELECT count(DISTINCT repo) FROM link l WHERE l.name = o.name)"
		   " FROM (SELECT name, digest, max(size) AS size FROM link GROUP BY name, digest) o"
		   " GROUP BY name",
	[GET_UPLOAD] = "SELECT bytes, name FROM upload WHERE id = ?1",
	[SET_UPLOAD] = "INSERT OR REPLACE INTO upload VALUES (?1, ?2, ?5, ?6)",
	[DROP_UPLOAD] = "DELETE FROM upload WHERE id = ?1",
	[OLD_UPLOAD] = "SELECT id FROM upload WHERE at < ?6 LIMIT 1",
	[RESERVED] = "SELECT sum(bytes) FROM upload WHERE name = ?1",
};

struct quota_book {
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	pthread_mutex_t lock;
	int64_t turn; /* of the last count that was begun; under the lock */
};

static int fail(const struct quota_book *book, struct shale_err *err)
{
	return shale_err_set(err, EAGAIN, "the book of quotas: %s", sqlite3_errmsg(book->db));
}

static void unlockp(struct quota_book **book)
{
	pthread_mutex_unlock(&(*book)->lock);
}

#define HOLD_BOOK(book)                                                                            \
	struct quota_book *held_ __attribute__((cleanup(unlockp))) = (book);                       \
	pthread_mutex_lock(&held_->lock)

int quota_book_open(struct quota_book **ret_book, struct shale_err *err)
{
	struct quota_book *book = calloc(1, sizeof(*book));

	if (!book)
		return shale_err_set(err, ENOMEM, "no memory for the book of quotas");
	pthread_mutex_init(&book->lock, NULL);
	if (sqlite3_open_v2("", &book->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK ||
	    sqlite3_exec(book->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		goto fail;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(book->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &book->prepared[i], NULL) != SQLITE_OK)
			goto fail;
	*ret_book = book;
	return 0;
fail:
	fail(book, err);
	quota_book_close(book);
	return -1;
}

void quota_book_close(struct quota_book *book)
{
	if (!book)
		return;
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(book->prepared[i]);
	sqlite3_close(book->db);
	pthread_mutex_destroy(&book->lock);
	free(book);
}

/* The link's fields are parameters 1 to 5 of every statement that has them. */
static sqlite3_stmt *bind_link(struct quota_book *book, enum statement which,
			       const struct quota_link *link)
{
	sqlite3_stmt *statement = book->prepared[which];
	int count = sqlite3_bind_parameter_count(statement);

	sqlite3_reset(statement);
	sqlite3_bind_text(statement, 1, link->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, link->digest, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, link->repo, -1, SQLITE_STATIC);
	if (count >= 4)
		sqlite3_bind_int(statement, 4, link->kind);
	if (count >= 5)
		sqlite3_bind_int64(statement, 5, link->size);
	if (count >= 6)
		sqlite3_bind_int64(statement, 6, book->turn);
	return statement;
}

static bool has_row(sqlite3_stmt *statement)
{
	bool has = sqlite3_step(statement) == SQLITE_ROW;

	sqlite3_reset(statement);
	return has;
}

static int run(struct quota_book *book, sqlite3_stmt *statement, struct shale_err *err)
{
	int ret = sqlite3_step(statement);

	sqlite3_reset(statement);
	return ret == SQLITE_DONE ? 0 : fail(book, err);
}

bool quota_book_would_add(struct quota_book *book, const struct quota_link *link,
			  uint64_t *ret_bytes, uint64_t *ret_repositories)
{
	HOLD_BOOK(book);

	*ret_bytes = *ret_repositories = 0;
	if (has_row(bind_link(book, HAS_LINK, link)))
		return false;
	if (!has_row(bind_link(book, HAS_DIGEST, link)))
		*ret_bytes = link->size;
	*ret_repositories = !has_row(bind_link(book, HAS_REPO, link));
	return true;
}

bool quota_book_has(struct quota_book *book, const char *name, const char *digest)
{
	const struct quota_link link = { .name = name, .digest = digest };
	HOLD_BOOK(book);

	return has_row(bind_link(book, HAS_DIGEST, &link));
}

bool quota_book_has_repo(struct quota_book *book, const char *repo)
{
	const struct quota_link link = { .repo = repo };
	HOLD_BOOK(book);

	return has_row(bind_link(book, HAS_REPO, &link));
}

int quota_book_add(struct quota_book *book, const struct quota_link *link, struct shale_err *err)
{
	HOLD_BOOK(book);

	return run(book, bind_link(book, ADD_LINK, link), err);
}

bool quota_book_remove(struct quota_book *book, const struct quota_link *link,
		       uint64_t *ret_bytes, uint64_t *ret_repositories)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = bind_link(book, SIZE_OF, link);
	uint64_t size;

	*ret_bytes = *ret_repositories = 0;
	if (sqlite3_step(statement) != SQLITE_ROW) {
		sqlite3_reset(statement);
		return false;
	}
	size = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	if (run(book, bind_link(book, DROP_LINK, link), NULL) < 0)
		return false;
	if (!has_row(bind_link(book, HAS_DIGEST, link)))
		*ret_bytes = size;
	*ret_repositories = !has_row(bind_link(book, HAS_REPO, link));
	return true;
}

int quota_book_count_begin(struct quota_book *book, struct shale_err *err)
{
	HOLD_BOOK(book);

	(void)err;
	book->turn++;
	return 0;
}

int quota_book_count_end(struct quota_book *book, quota_book_fn each, void *ctx,
			 struct shale_err *err)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = book->prepared[DROP_UNSEEN];
	int ret;

	sqlite3_reset(statement);
	sqlite3_bind_int64(statement, 6, book->turn);
	if (run(book, statement, err) < 0)
		return -1;
	statement = book->prepared[TOTALS];
	sqlite3_reset(statement);
	while ((ret = sqlite3_step(statement)) == SQLITE_ROW)
		each(ctx, (const char *)sqlite3_column_text(statement, 0),
		     sqlite3_column_int64(statement, 1), sqlite3_column_int64(statement, 2));
	sqlite3_reset(statement);
	return ret == SQLITE_DONE ? 0 : fail(book, err);
}

static sqlite3_stmt *bind_id(struct quota_book *book, enum statement which, const char *id)
{
	sqlite3_stmt *statement = book->prepared[which];

	sqlite3_reset(statement);
	sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
	return statement;
}

bool quota_book_upload(struct quota_book *book, const char *upload, uint64_t *ret_bytes)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = bind_id(book, GET_UPLOAD, upload);
	bool has = sqlite3_step(statement) == SQLITE_ROW;

	*ret_bytes = has ? sqlite3_column_int64(statement, 0) : 0;
	sqlite3_reset(statement);
	return has;
}

bool quota_book_upload_name(struct quota_book *book, const char *upload, char *name, size_t size)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = bind_id(book, GET_UPLOAD, upload);
	bool has = sqlite3_step(statement) == SQLITE_ROW;

	if (has)
		snprintf(name, size, "%s", (const char *)sqlite3_column_text(statement, 1));
	sqlite3_reset(statement);
	return has;
}

int quota_book_set_upload(struct quota_book *book, const char *upload, const char *name,
			  uint64_t bytes, int64_t now, struct shale_err *err)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = bind_id(book, bytes ? SET_UPLOAD : DROP_UPLOAD, upload);

	if (bytes) {
		sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 5, bytes);
		sqlite3_bind_int64(statement, 6, now);
	}
	return run(book, statement, err);
}

bool quota_book_old_upload(struct quota_book *book, int64_t before, char *upload, size_t size)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = book->prepared[OLD_UPLOAD];
	bool has;

	sqlite3_reset(statement);
	sqlite3_bind_int64(statement, 6, before);
	has = sqlite3_step(statement) == SQLITE_ROW;
	if (has)
		snprintf(upload, size, "%s", (const char *)sqlite3_column_text(statement, 0));
	sqlite3_reset(statement);
	return has;
}

uint64_t quota_book_reserved(struct quota_book *book, const char *name)
{
	HOLD_BOOK(book);
	sqlite3_stmt *statement = bind_id(book, RESERVED, name);
	uint64_t reserved = 0;

	if (sqlite3_step(statement) == SQLITE_ROW)
		reserved = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return reserved;
}

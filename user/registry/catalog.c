// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local index; see catalog.h. One connection behind one lock, every statement prepared once. Nothing
 * is synced when it is written: what a crash of the machine takes is made anew. Called by repo.c for
 * changes, by the handlers of lists, and by the scanner.
 */
#include "registry/catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"

#define CATALOG_VERSION "1"
#define BOOT_ID		"/proc/sys/kernel/random/boot_id"

static const char schema[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = OFF;"
	"CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS repo (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE IF NOT EXISTS tag (repo INTEGER, name TEXT, digest TEXT NOT NULL,"
	"	PRIMARY KEY (repo, name)) WITHOUT ROWID;"
	"CREATE TABLE IF NOT EXISTS manifest (repo INTEGER, digest TEXT, type TEXT NOT NULL,"
	"	size INTEGER NOT NULL, subject TEXT, artifact_type TEXT, annotations TEXT,"
	"	PRIMARY KEY (repo, digest)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS tag_digest ON tag (repo, digest);"
	"CREATE INDEX IF NOT EXISTS manifest_subject ON manifest (repo, subject, digest)"
	"	WHERE subject IS NOT NULL;"
	"CREATE TABLE IF NOT EXISTS dirty (name TEXT PRIMARY KEY) WITHOUT ROWID;";

#define REPO_ID "(SELECT id FROM repo WHERE name = ?1)"

enum statement {
	GET_META,
	SET_META,
	ADD_DIRTY,
	DROP_DIRTY,
	LIST_DIRTY,
	ADD_REPO,
	DROP_EMPTY_REPO,
	DROP_REPO,
	DROP_REPO_TAGS,
	DROP_REPO_MANIFESTS,
	HAS_REPO,
	LIST_REPOS,
	SET_TAG,
	DROP_TAG,
	LIST_TAGS,
	LIST_TAGS_OF,
	ADD_MANIFEST,
	DROP_MANIFEST,
	HAS_MANIFEST,
	LIST_REFERRERS,
	BEGIN,
	COMMIT,
	STATEMENT_COUNT,
};

static const char *const statements[STATEMENT_COUNT] = {
	[GET_META] = "SELECT value FROM meta WHERE key = ?1",
	[SET_META] = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
	[ADD_DIRTY] = "INSERT OR IGNORE INTO dirty VALUES (?1)",
	[DROP_DIRTY] = "DELETE FROM dirty WHERE name = ?1",
	[LIST_DIRTY] = "SELECT name FROM dirty ORDER BY name",
	[ADD_REPO] = "INSERT OR IGNORE INTO repo (name) VALUES (?1)",
	[DROP_EMPTY_REPO] = "DELETE FROM repo WHERE name = ?1"
			    " AND NOT EXISTS (SELECT 1 FROM manifest WHERE repo = repo.id)"
			    " AND NOT EXISTS (SELECT 1 FROM tag WHERE repo = repo.id)",
	[DROP_REPO] = "DELETE FROM repo WHERE name = ?1",
	[DROP_REPO_TAGS] = "DELETE FROM tag WHERE repo = " REPO_ID,
	[DROP_REPO_MANIFESTS] = "DELETE FROM manifest WHERE repo = " REPO_ID,
	[HAS_REPO] = "SELECT 1 FROM repo WHERE name = ?1",
	[LIST_REPOS] = "SELECT name FROM repo WHERE name > ?1 ORDER BY name LIMIT ?2",
	[SET_TAG] = "INSERT OR REPLACE INTO tag VALUES (" REPO_ID ", ?2, ?3)",
	[DROP_TAG] = "DELETE FROM tag WHERE repo = " REPO_ID " AND name = ?2",
	[LIST_TAGS] = "SELECT name FROM tag WHERE repo = " REPO_ID " AND name > ?2"
		      " ORDER BY name LIMIT ?3",
	[LIST_TAGS_OF] = "SELECT name FROM tag WHERE repo = " REPO_ID " AND digest = ?2",
	[ADD_MANIFEST] = "INSERT OR REPLACE INTO manifest VALUES"
			 " (" REPO_ID ", ?2, ?3, ?4, ?5, ?6, ?7)",
	[DROP_MANIFEST] = "DELETE FROM manifest WHERE repo = " REPO_ID " AND digest = ?2",
	[HAS_MANIFEST] = "SELECT 1 FROM manifest WHERE repo = " REPO_ID " AND digest = ?2",
	[LIST_REFERRERS] = "SELECT digest, type, size, artifact_type, annotations FROM manifest"
			   " WHERE repo = " REPO_ID " AND subject = ?2 AND digest > ?3"
			   " AND (?4 IS NULL OR artifact_type = ?4) ORDER BY digest LIMIT ?5",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
};

struct catalog {
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENT_COUNT];
	pthread_mutex_t lock; /* recursive: a batch holds it over its changes */
};

static int fail(const struct catalog *catalog, struct shale_err *err)
{
	return shale_err_set(err, EIO, "the index: %s", sqlite3_errmsg(catalog->db));
}

static void lock_putp(struct catalog **catalog)
{
	pthread_mutex_unlock(&(*catalog)->lock);
}

#define HOLD_CATALOG(catalog)                                                                      \
	struct catalog *held_ __attribute__((cleanup(lock_putp))) = (catalog);                     \
	pthread_mutex_lock(&held_->lock)

/* A statement with its texts bound; NULL ends them. It is reset by run or by who steps it. */
static sqlite3_stmt *bind(struct catalog *catalog, enum statement which, const char *const *texts,
			  int count)
{
	sqlite3_stmt *statement = catalog->prepared[which];

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	for (int i = 0; i < count; i++)
		if (texts[i])
			sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
	return statement;
}

#define BIND(catalog, which, ...)                                                                  \
	bind(catalog, which, (const char *const[]){ __VA_ARGS__ },                                 \
	     sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

static int run(struct catalog *catalog, sqlite3_stmt *statement, struct shale_err *err)
{
	int ret = sqlite3_step(statement);

	if (ret != SQLITE_DONE && ret != SQLITE_ROW)
		fail(catalog, err);
	sqlite3_reset(statement);
	return ret == SQLITE_DONE || ret == SQLITE_ROW ? 0 : -1;
}

#define RUN(catalog, err, which, ...) run(catalog, BIND(catalog, which, __VA_ARGS__), err)

static int run_plain(struct catalog *catalog, enum statement which, struct shale_err *err)
{
	return run(catalog, bind(catalog, which, NULL, 0), err);
}

static const char *column(sqlite3_stmt *statement, int index)
{
	return (const char *)sqlite3_column_text(statement, index);
}

static int each_name(struct catalog *catalog, sqlite3_stmt *statement, catalog_name_fn each,
		     void *ctx, struct shale_err *err)
{
	int ret;

	while ((ret = sqlite3_step(statement)) == SQLITE_ROW)
		if (each(ctx, column(statement, 0)))
			break;
	if (ret != SQLITE_ROW && ret != SQLITE_DONE)
		fail(catalog, err);
	sqlite3_reset(statement);
	return ret == SQLITE_ROW || ret == SQLITE_DONE ? 0 : -1;
}

static int has_row(struct catalog *catalog, sqlite3_stmt *statement, struct shale_err *err)
{
	int ret = sqlite3_step(statement);

	if (ret != SQLITE_ROW && ret != SQLITE_DONE)
		fail(catalog, err);
	sqlite3_reset(statement);
	return ret == SQLITE_ROW ? 1 : ret == SQLITE_DONE ? 0 : -1;
}

static bool meta_is(struct catalog *catalog, const char *key, const char *value)
{
	sqlite3_stmt *statement = BIND(catalog, GET_META, key);
	bool is_equal = sqlite3_step(statement) == SQLITE_ROW && column(statement, 0) &&
			!strcmp(column(statement, 0), value);

	sqlite3_reset(statement);
	return is_equal;
}

static int prepare(struct catalog *catalog, struct shale_err *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(catalog->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &catalog->prepared[i], NULL) != SQLITE_OK)
			return fail(catalog, err);
	return 0;
}

static void release(struct catalog *catalog)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(catalog->prepared[i]);
	sqlite3_close(catalog->db);
	pthread_mutex_destroy(&catalog->lock);
	free(catalog);
}

static enum catalog_state find_state(struct catalog *catalog, const char *boot)
{
	if (!meta_is(catalog, "version", CATALOG_VERSION))
		return CATALOG_CRASHED;
	if (meta_is(catalog, "clean", "1"))
		return CATALOG_CLEAN;
	return meta_is(catalog, "boot", boot) ? CATALOG_KILLED : CATALOG_CRASHED;
}

static int mark_open(struct catalog *catalog, const char *boot, struct shale_err *err)
{
	if (RUN(catalog, err, SET_META, "clean", "0") < 0 ||
	    RUN(catalog, err, SET_META, "boot", boot) < 0)
		return -1;
	return 0;
}

static struct catalog *catalog_new(void)
{
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	pthread_mutexattr_t attr;

	if (!catalog)
		return NULL;
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&catalog->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	return catalog;
}

static int open_database(struct catalog *catalog, const char *path, struct shale_err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &catalog->db, flags, NULL) != SQLITE_OK)
		return fail(catalog, err);
	/* One server has it: a second one must fail, not wait. */
	if (sqlite3_exec(catalog->db, "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) !=
		    SQLITE_OK ||
	    sqlite3_exec(catalog->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return fail(catalog, err);
	return prepare(catalog, err);
}

/* A file that is no database any more is one that has to be made anew. */
static int open_or_replace(struct catalog **catalog, const char *path, struct shale_err *err)
{
	int code;

	if (open_database(*catalog, path, err) == 0)
		return 0;
	code = sqlite3_errcode((*catalog)->db);
	if ((code != SQLITE_NOTADB && code != SQLITE_CORRUPT && code != SQLITE_ERROR) ||
	    unlink(path) < 0)
		return -1;
	release(*catalog);
	*catalog = catalog_new();
	if (!*catalog)
		return shale_err_set(err, ENOMEM, "no memory for the index");
	return open_database(*catalog, path, err);
}

/* The default's directory is the package's or systemd's to make; by hand nobody has. */
static int make_parent(const char *path, struct shale_err *err)
{
	if (fs_mkdir_parent(AT_FDCWD, path, 0755) < 0)
		return shale_err_errno(err, "%.*s", (int)(strrchr(path, '/') - path), path);
	return 0;
}

int catalog_open(const char *path, struct catalog **ret_catalog, enum catalog_state *ret_state,
		 struct shale_err *err)
{
	__cleanup_buf struct buf boot = BUF_INIT;
	struct catalog *catalog = catalog_new();

	if (!catalog)
		return shale_err_set(err, ENOMEM, "no memory for the index");
	if (make_parent(path, err) < 0 || fs_read_file(AT_FDCWD, BOOT_ID, 64, &boot, err) < 0 ||
	    open_or_replace(&catalog, path, err) < 0) {
		if (catalog)
			release(catalog);
		return shale_err_wrap(err, "%s", path);
	}
	*ret_state = find_state(catalog, buf_str(&boot));
	if (mark_open(catalog, buf_str(&boot), err) < 0) {
		release(catalog);
		return -1;
	}
	*ret_catalog = catalog;
	return 0;
}

void catalog_close(struct catalog *catalog)
{
	if (!catalog)
		return;
	/* What is still dirty failed in a way that needs a scan. */
	if (has_row(catalog, bind(catalog, LIST_DIRTY, NULL, 0), NULL) == 0)
		RUN(catalog, NULL, SET_META, "clean", "1");
	release(catalog);
}

int catalog_begin(struct catalog *catalog, const char *repo, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return RUN(catalog, err, ADD_DIRTY, repo);
}

int catalog_end(struct catalog *catalog, const char *repo, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return RUN(catalog, err, DROP_DIRTY, repo);
}

int catalog_add_repo(struct catalog *catalog, const char *repo, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return RUN(catalog, err, ADD_REPO, repo);
}

int catalog_add_manifest(struct catalog *catalog, const char *repo,
			 const struct catalog_manifest *manifest, struct shale_err *err)
{
	HOLD_CATALOG(catalog);
	sqlite3_stmt *statement;

	if (RUN(catalog, err, ADD_REPO, repo) < 0)
		return -1;
	statement = BIND(catalog, ADD_MANIFEST, repo, manifest->digest, manifest->type, NULL,
			 manifest->subject, manifest->artifact_type, manifest->annotations);
	sqlite3_bind_int64(statement, 4, manifest->size);
	return run(catalog, statement, err);
}

int catalog_remove_manifest(struct catalog *catalog, const char *repo, const char *digest,
			    struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	if (RUN(catalog, err, DROP_MANIFEST, repo, digest) < 0)
		return -1;
	return RUN(catalog, err, DROP_EMPTY_REPO, repo);
}

int catalog_set_tag(struct catalog *catalog, const char *repo, const char *tag,
		    const char *digest, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	if (RUN(catalog, err, ADD_REPO, repo) < 0)
		return -1;
	return RUN(catalog, err, SET_TAG, repo, tag, digest);
}

int catalog_remove_tag(struct catalog *catalog, const char *repo, const char *tag,
		       struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	if (RUN(catalog, err, DROP_TAG, repo, tag) < 0)
		return -1;
	return RUN(catalog, err, DROP_EMPTY_REPO, repo);
}

int catalog_forget(struct catalog *catalog, const char *repo, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	if (RUN(catalog, err, DROP_REPO_TAGS, repo) < 0 ||
	    RUN(catalog, err, DROP_REPO_MANIFESTS, repo) < 0)
		return -1;
	return RUN(catalog, err, DROP_REPO, repo);
}

int catalog_repos(struct catalog *catalog, const char *last, uint64_t max, catalog_name_fn each,
		  void *ctx, struct shale_err *err)
{
	HOLD_CATALOG(catalog);
	sqlite3_stmt *statement = BIND(catalog, LIST_REPOS, last);

	sqlite3_bind_int64(statement, 2, max);
	return each_name(catalog, statement, each, ctx, err);
}

int catalog_tags(struct catalog *catalog, const char *repo, const char *last, uint64_t max,
		 catalog_name_fn each, void *ctx, struct shale_err *err)
{
	HOLD_CATALOG(catalog);
	sqlite3_stmt *statement = BIND(catalog, LIST_TAGS, repo, last);

	sqlite3_bind_int64(statement, 3, max);
	return each_name(catalog, statement, each, ctx, err);
}

int catalog_tags_of(struct catalog *catalog, const char *repo, const char *digest,
		    catalog_name_fn each, void *ctx, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return each_name(catalog, BIND(catalog, LIST_TAGS_OF, repo, digest), each, ctx, err);
}

int catalog_referrers(struct catalog *catalog, const char *repo, const char *subject,
		      const char *artifact_type, const char *last, uint64_t max,
		      catalog_manifest_fn each, void *ctx, struct shale_err *err)
{
	HOLD_CATALOG(catalog);
	sqlite3_stmt *statement =
		BIND(catalog, LIST_REFERRERS, repo, subject, last, artifact_type);
	int ret;

	sqlite3_bind_int64(statement, 5, max);
	while ((ret = sqlite3_step(statement)) == SQLITE_ROW) {
		struct catalog_manifest manifest = {
			.digest = column(statement, 0),
			.type = column(statement, 1),
			.size = sqlite3_column_int64(statement, 2),
			.subject = subject,
			.artifact_type = column(statement, 3),
			.annotations = column(statement, 4),
		};

		if (each(ctx, &manifest))
			break;
	}
	if (ret != SQLITE_ROW && ret != SQLITE_DONE)
		fail(catalog, err);
	sqlite3_reset(statement);
	return ret == SQLITE_ROW || ret == SQLITE_DONE ? 0 : -1;
}

int catalog_dirty(struct catalog *catalog, catalog_name_fn each, void *ctx,
		  struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return each_name(catalog, bind(catalog, LIST_DIRTY, NULL, 0), each, ctx, err);
}

int catalog_has_repo(struct catalog *catalog, const char *repo, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return has_row(catalog, BIND(catalog, HAS_REPO, repo), err);
}

int catalog_has_manifest(struct catalog *catalog, const char *repo, const char *digest,
			 struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	return has_row(catalog, BIND(catalog, HAS_MANIFEST, repo, digest), err);
}

int catalog_batch_begin(struct catalog *catalog, struct shale_err *err)
{
	pthread_mutex_lock(&catalog->lock);
	if (run_plain(catalog, BEGIN, err) == 0)
		return 0;
	pthread_mutex_unlock(&catalog->lock);
	return -1;
}

int catalog_batch_end(struct catalog *catalog, struct shale_err *err)
{
	int ret = run_plain(catalog, COMMIT, err);

	pthread_mutex_unlock(&catalog->lock);
	return ret;
}

int catalog_empty(struct catalog *catalog, struct shale_err *err)
{
	HOLD_CATALOG(catalog);

	if (sqlite3_exec(catalog->db, "DELETE FROM tag; DELETE FROM manifest; DELETE FROM repo;"
				      "DELETE FROM dirty;",
			 NULL, NULL, NULL) != SQLITE_OK)
		return fail(catalog, err);
	return RUN(catalog, err, SET_META, "version", CATALOG_VERSION);
}

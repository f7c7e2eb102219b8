// SPDX-License-Identifier: GPL-2.0-only
/*
 * The queue of notify_queue.h. One connection under one lock; whoever finds nobody committing takes
 * all that wait and commits for them (as a log's group commit), so that sixteen pushes at once cost
 * one flush. Called by notify.c, and by notify_send.c for each endpoint.
 */
#include "registry/notify_queue.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Of the table's shape; another number is another program's. */
#define VERSION 1
/* Another process that looks into the file may hold it for a moment. */
#define BUSY_MS 5000

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS event("
	"id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, body TEXT NOT NULL);"
	"CREATE INDEX IF NOT EXISTS event_by_endpoint ON event(endpoint, id);";

enum statement { ADD, PEEK, REMOVE, COUNT, STATEMENTS };

static const char *const statements[STATEMENTS] = {
	[ADD] = "INSERT INTO event(endpoint, body) VALUES(?1, ?2)",
	[PEEK] = "SELECT id, body FROM event WHERE endpoint = ?1 ORDER BY id LIMIT ?2",
	[REMOVE] = "DELETE FROM event WHERE endpoint = ?1 AND id <= ?2",
	[COUNT] = "SELECT COUNT(*) FROM event WHERE endpoint = ?1",
};

/* What one caller adds; on its stack. */
struct batch {
	struct notify_row *rows;
	size_t count;
	bool is_durable;
	bool is_done;
	int ret;
	struct shale_err err;
	struct batch *next;
};

struct notify_queue {
	char *names[NOTIFY_MAX_ENDPOINTS];
	size_t endpoint_count;
	uint64_t max;
	pthread_mutex_t db_lock; /* db, prepared, pending; never taken with line_lock held */
	sqlite3 *db;
	sqlite3_stmt *prepared[STATEMENTS];
	uint64_t pending[NOTIFY_MAX_ENDPOINTS];
	pthread_mutex_t line_lock; /* first, end, is_led and the batches in line */
	pthread_cond_t line_moved;
	struct batch *first;
	struct batch **end;
	bool is_led;
};

static int fail(struct notify_queue *queue, const char *what, struct shale_err *err)
{
	int code = sqlite3_errcode(queue->db);

	return shale_err_set(err, code == SQLITE_FULL ? ENOSPC : EIO, "event queue: %s: %s", what,
			     sqlite3_errmsg(queue->db));
}

static int run(struct notify_queue *queue, const char *sql, struct shale_err *err)
{
	if (sqlite3_exec(queue->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return fail(queue, sql, err);
}

/* A file that is somebody else's must not get our table. */
static int check_version(struct notify_queue *queue, struct shale_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int version = -1;

	if (sqlite3_prepare_v2(queue->db, "PRAGMA user_version", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (version < 0)
		return fail(queue, "not readable", err);
	if (version && version != VERSION)
		return shale_err_set(err, EINVAL, "event queue: of version %d, not %d", version,
				     VERSION);
	return 0;
}

static int count_pending(struct notify_queue *queue, size_t endpoint, struct shale_err *err)
{
	sqlite3_stmt *stmt = queue->prepared[COUNT];
	int ret = -1;

	sqlite3_bind_text(stmt, 1, queue->names[endpoint], -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		queue->pending[endpoint] = sqlite3_column_int64(stmt, 0);
		ret = 0;
	}
	sqlite3_reset(stmt);
	return ret < 0 ? fail(queue, "counting", err) : 0;
}

static int prepare(struct notify_queue *queue, const char *path, struct shale_err *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

	if (sqlite3_open_v2(path, &queue->db, flags, NULL) != SQLITE_OK)
		return fail(queue, path, err);
	sqlite3_busy_timeout(queue->db, BUSY_MS);
	if (check_version(queue, err) < 0 || run(queue, "PRAGMA journal_mode=WAL", err) < 0 ||
	    run(queue, schema, err) < 0 || run(queue, "PRAGMA user_version=1", err) < 0)
		return -1;
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v2(queue->db, statements[i], -1, &queue->prepared[i], NULL) !=
		    SQLITE_OK)
			return fail(queue, statements[i], err);
	for (size_t i = 0; i < queue->endpoint_count; i++)
		if (count_pending(queue, i, err) < 0)
			return -1;
	return 0;
}

int notify_queue_open(const char *path, const char *const *endpoints, size_t count, uint64_t max,
		      struct notify_queue **ret_queue, struct shale_err *err)
{
	struct notify_queue *queue = calloc(1, sizeof(*queue));

	if (!queue || count > NOTIFY_MAX_ENDPOINTS) {
		free(queue);
		return shale_err_set(err, queue ? E2BIG : ENOMEM, "event queue");
	}
	pthread_mutex_init(&queue->db_lock, NULL);
	pthread_mutex_init(&queue->line_lock, NULL);
	pthread_cond_init(&queue->line_moved, NULL);
	queue->end = &queue->first;
	queue->max = max;
	for (size_t i = 0; i < count; i++) {
		queue->names[i] = strdup(endpoints[i]);
		queue->endpoint_count += queue->names[i] != NULL;
	}
	if (queue->endpoint_count < count)
		shale_err_set(err, ENOMEM, "event queue");
	else if (prepare(queue, path, err) == 0) {
		*ret_queue = queue;
		return 0;
	}
	notify_queue_close(queue);
	return -1;
}

void notify_queue_close(struct notify_queue *queue)
{
	if (!queue)
		return;
	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(queue->prepared[i]);
	sqlite3_close(queue->db);
	for (size_t i = 0; i < NOTIFY_MAX_ENDPOINTS; i++)
		free(queue->names[i]);
	pthread_cond_destroy(&queue->line_moved);
	pthread_mutex_destroy(&queue->line_lock);
	pthread_mutex_destroy(&queue->db_lock);
	free(queue);
}

static int add_row(struct notify_queue *queue, struct notify_row *row, uint64_t *added,
		   struct shale_err *err)
{
	sqlite3_stmt *stmt = queue->prepared[ADD];
	int ret;

	row->is_dropped = queue->pending[row->endpoint] + added[row->endpoint] >= queue->max;
	if (row->is_dropped)
		return 0;
	sqlite3_bind_text(stmt, 1, queue->names[row->endpoint], -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, row->text, -1, SQLITE_STATIC);
	ret = sqlite3_step(stmt) == SQLITE_DONE ? 0 : fail(queue, "adding", err);
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	added[row->endpoint] += ret == 0;
	return ret;
}

static int add_all(struct notify_queue *queue, struct batch *first, uint64_t *added,
		   struct shale_err *err)
{
	bool is_durable = false;

	for (struct batch *batch = first; batch; batch = batch->next)
		is_durable = is_durable || batch->is_durable;
	/* In WAL mode NORMAL leaves the flush to a checkpoint, FULL does it in the commit. */
	if (run(queue, is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err) <
		    0 ||
	    run(queue, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	for (struct batch *batch = first; batch; batch = batch->next)
		for (size_t i = 0; i < batch->count; i++)
			if (add_row(queue, &batch->rows[i], added, err) < 0)
				return -1;
	return run(queue, "COMMIT", err);
}

/* In one transaction; if that fails it fails for all of them. */
static void commit(struct notify_queue *queue, struct batch *first)
{
	uint64_t added[NOTIFY_MAX_ENDPOINTS] = {0};
	struct shale_err err = {0};
	int ret;

	pthread_mutex_lock(&queue->db_lock);
	ret = add_all(queue, first, added, &err);
	if (ret < 0 && !sqlite3_get_autocommit(queue->db))
		sqlite3_exec(queue->db, "ROLLBACK", NULL, NULL, NULL);
	for (size_t i = 0; ret == 0 && i < queue->endpoint_count; i++)
		queue->pending[i] += added[i];
	pthread_mutex_unlock(&queue->db_lock);
	for (struct batch *batch = first; batch; batch = batch->next) {
		batch->ret = ret;
		batch->err = err;
	}
}

/* Commits whatever is in line until the own batch is done. */
static void lead(struct notify_queue *queue, const struct batch *own)
{
	queue->is_led = true;
	while (!own->is_done) {
		struct batch *taken = queue->first;

		queue->first = NULL;
		queue->end = &queue->first;
		pthread_mutex_unlock(&queue->line_lock);
		commit(queue, taken);
		pthread_mutex_lock(&queue->line_lock);
		while (taken) {
			struct batch *next = taken->next;

			/* Its owner may be gone with it from here on. */
			taken->is_done = true;
			taken = next;
		}
		pthread_cond_broadcast(&queue->line_moved);
	}
	queue->is_led = false;
}

int notify_queue_add(struct notify_queue *queue, struct notify_row *rows, size_t count,
		     bool is_durable, struct shale_err *err)
{
	struct batch batch = {.rows = rows, .count = count, .is_durable = is_durable};

	if (!count)
		return 0;
	pthread_mutex_lock(&queue->line_lock);
	*queue->end = &batch;
	queue->end = &batch.next;
	while (!batch.is_done && queue->is_led)
		pthread_cond_wait(&queue->line_moved, &queue->line_lock);
	if (!batch.is_done)
		lead(queue, &batch);
	pthread_mutex_unlock(&queue->line_lock);
	if (batch.ret < 0 && err)
		*err = batch.err;
	return batch.ret;
}

/* One row into the envelope; false when it has no room for it. */
static bool add_body(struct buf *buf, size_t start, const char *body, size_t max_bytes, int index,
		     int *ret)
{
	if (index && buf->len - start + strlen(body) + 3 > max_bytes)
		return false;
	if ((index && buf_addc(buf, ',') < 0) || buf_adds(buf, body) < 0)
		*ret = -1;
	return *ret == 0;
}

static int peek_rows(struct notify_queue *queue, sqlite3_stmt *stmt, size_t max_bytes,
		     struct buf *buf, int64_t *ret_last, struct shale_err *err)
{
	const size_t start = buf->len;
	int count = 0, step, ret = 0;

	buf_adds(buf, "{\"events\":[");
	while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!add_body(buf, start, (const char *)sqlite3_column_text(stmt, 1), max_bytes,
			      count, &ret))
			break;
		*ret_last = sqlite3_column_int64(stmt, 0);
		count++;
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		return fail(queue, "reading", err);
	if (ret < 0 || buf_adds(buf, "]}") < 0)
		return shale_err_set(err, ENOMEM, "event queue");
	return count;
}

int notify_queue_peek(struct notify_queue *queue, size_t endpoint, size_t max_count,
		      size_t max_bytes, struct buf *buf, int64_t *ret_last, struct shale_err *err)
{
	sqlite3_stmt *stmt = queue->prepared[PEEK];
	int ret;

	pthread_mutex_lock(&queue->db_lock);
	sqlite3_bind_text(stmt, 1, queue->names[endpoint], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, max_count);
	ret = peek_rows(queue, stmt, max_bytes, buf, ret_last, err);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&queue->db_lock);
	return ret;
}

int notify_queue_remove(struct notify_queue *queue, size_t endpoint, int64_t last,
			struct shale_err *err)
{
	sqlite3_stmt *stmt = queue->prepared[REMOVE];
	int ret = 0;

	pthread_mutex_lock(&queue->db_lock);
	/* One that is delivered and not removed is delivered again, which receivers have to bear.
	 */
	sqlite3_exec(queue->db, "PRAGMA synchronous=NORMAL", NULL, NULL, NULL);
	sqlite3_bind_text(stmt, 1, queue->names[endpoint], -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, last);
	if (sqlite3_step(stmt) == SQLITE_DONE)
		queue->pending[endpoint] -= sqlite3_changes(queue->db);
	else
		ret = fail(queue, "removing", err);
	sqlite3_reset(stmt);
	pthread_mutex_unlock(&queue->db_lock);
	return ret;
}

uint64_t notify_queue_pending(struct notify_queue *queue, size_t endpoint)
{
	uint64_t pending;

	pthread_mutex_lock(&queue->db_lock);
	pending = queue->pending[endpoint];
	pthread_mutex_unlock(&queue->db_lock);
	return pending;
}

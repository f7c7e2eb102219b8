// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of layers; see layer.h. Called by session.c for what comes in, gc.c for what goes, and by
 * those who count and check.
 */
#include "store/layer.h"

#include <errno.h>
#include <time.h>

int layer_enter_driver(struct db *db, const struct layer_row *row, struct shale_err *err)
{
	return db_run(db, err,
		      "INSERT INTO layer (diff_id, chain, driver, content, entered)"
		      " VALUES (?, ?, ?, ?, ?)"
		      " ON CONFLICT (driver, chain) DO UPDATE SET content = excluded.content",
		      DB_DIGEST(&row->diff_id), DB_DIGEST(&row->chain), DB_TEXT(row->driver),
		      DB_INT(row->content), DB_INT(row->entered));
}

int layer_enter(struct db *db, const struct digest *diff_id, uint64_t content,
		struct shale_err *err)
{
	struct layer_row row = {
		.diff_id = *diff_id,
		.chain = *diff_id,
		.content = content,
		.entered = time(NULL),
		.driver = LAYER_DRIVER,
	};

	return layer_enter_driver(db, &row, err);
}

int layer_leave(struct db *db, const struct digest *diff_id, struct shale_err *err)
{
	return db_run(db, err, "DELETE FROM layer WHERE diff_id = ? AND driver = '" LAYER_DRIVER "'",
		      DB_DIGEST(diff_id));
}

int layer_is_entered(struct db *db, const struct digest *diff_id, bool *ret_entered,
		     struct shale_err *err)
{
	int64_t count = 0;

	if (db_number(db, err, &count, "SELECT count(*) FROM layer WHERE diff_id = ?",
		      DB_DIGEST(diff_id)) < 0)
		return -1;
	*ret_entered = count > 0;
	return 0;
}

int layer_get_content(struct db *db, const struct digest *diff_id, uint64_t *ret_content,
		      struct shale_err *err)
{
	struct digest_text text = digest_text(diff_id);
	int64_t content = -1;

	if (db_number(db, err, &content,
		      "SELECT max(content) FROM layer WHERE diff_id = ? GROUP BY diff_id",
		      DB_DIGEST(diff_id)) < 0)
		return -1;
	if (content < 0)
		return shale_err_set(err, ENOENT, "layer %s is not in the store", text.text);
	*ret_content = content;
	return 0;
}

struct layer_walk {
	layer_fn each;
	void *arg;
};

static int walk_row(void *arg, struct sqlite3_stmt *stmt, struct shale_err *err)
{
	const struct layer_walk *walk = arg;
	struct layer_row row = {
		.content = db_row_number(stmt, 2),
		.entered = db_row_number(stmt, 3),
		.driver = db_row_text(stmt, 4),
	};

	if (db_row_digest(stmt, 0, &row.diff_id, err) < 0 ||
	    db_row_digest(stmt, 1, &row.chain, err) < 0)
		return -1;
	return walk->each(walk->arg, &row, err);
}

int layer_each(struct db *db, layer_fn each, void *arg, struct shale_err *err)
{
	struct layer_walk walk = { each, arg };

	return db_each(db, err, walk_row, &walk,
		       "SELECT diff_id, chain, content, entered, driver FROM layer"
		       " ORDER BY diff_id, driver");
}

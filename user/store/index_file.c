// SPDX-License-Identifier: GPL-2.0-only
/*
 * The index in the store: its rows, and the index.json that shows them to other tools; see index.h.
 *
 * The database remembers the digests of the index.json that goes with its rows and of the one before.
 * So a file that a crash kept from being replaced is told from one that another tool has written.
 */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "store/catalog.h"

#define INDEX_FILE "index.json"
#define INDEX_NEW  INDEX_FILE ".new"
/* Settings: digests of the file. */
#define MARK_NOW    "index.now"
#define MARK_BEFORE "index.before"

int index_load_file(const struct store *store, struct index *ret_index, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (fs_read_file(store->dirfd, INDEX_FILE, JSON_MAX_BYTES, &text, err) < 0 ||
	    index_parse(text.data, text.len, INDEX_FILE, ret_index, err) < 0)
		return shale_err_wrap(err, "the index of %s", store->path);
	return 0;
}

/* What the file holds, and what the database knows of it. */
struct index_view {
	struct index rows;
	struct index file; /* if it is another tool's */
	struct digest mark;
	enum index_file state;
};

static void view_release(struct index_view *view)
{
	index_release(&view->rows);
	index_release(&view->file);
}

static int view_rows(const struct store *store, struct index_view *view, struct digest *ret_now,
		     struct digest *ret_before, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0 ||
	    catalog_read(txn.db, &view->rows, err) < 0 ||
	    catalog_get_mark(txn.db, MARK_NOW, ret_now, err) < 0)
		return -1;
	return catalog_get_mark(txn.db, MARK_BEFORE, ret_before, err);
}

static int view_get(const struct store *store, struct index_view *view, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err why = { 0 };
	struct digest now, before;

	if (view_rows(store, view, &now, &before, err) < 0)
		return -1;
	view->state = INDEX_FILE_CURRENT;
	if (fs_read_file(store->dirfd, INDEX_FILE, JSON_MAX_BYTES, &text, &why) < 0) {
		view->state = why.code == ENOENT ? INDEX_FILE_MISSING : INDEX_FILE_BROKEN;
		/* A store that never had an image has no file either. */
		if (why.code == ENOENT && !index_count(&view->rows))
			view->state = INDEX_FILE_CURRENT;
		return 0;
	}
	if (digest_of(text.data, text.len, &view->mark, err) < 0)
		return -1;
	if (digest_is_equal(&view->mark, &now))
		return 0;
	view->state = INDEX_FILE_STALE;
	if (digest_is_equal(&view->mark, &before))
		return 0;
	view->state = index_parse(text.data, text.len, INDEX_FILE, &view->file, NULL) < 0 ?
			      INDEX_FILE_BROKEN : INDEX_FILE_FOREIGN;
	return 0;
}

static int view_merge(struct index_view *view, struct shale_err *err)
{
	if (view->state != INDEX_FILE_FOREIGN)
		return 0;
	for (size_t i = 0; i < index_count(&view->file); i++)
		if (index_adopt(&view->rows, json_array_get(view->file.manifests, i), err) < 0)
			return -1;
	return 0;
}

int index_load(const struct store *store, struct index *ret_index, struct shale_err *err)
{
	__cleanup(view_release) struct index_view view = { 0 };

	if (view_get(store, &view, err) < 0 || view_merge(&view, err) < 0)
		return shale_err_wrap(err, "the index of %s", store->path);
	*ret_index = view.rows;
	view.rows = (struct index){ 0 };
	return 0;
}

int index_file_state(const struct store *store, enum index_file *ret_state,
		     struct shale_err *err)
{
	__cleanup(view_release) struct index_view view = { 0 };

	if (view_get(store, &view, err) < 0)
		return -1;
	*ret_state = view.state;
	return 0;
}

struct saving {
	const struct store *store;
	const struct index *index;
	index_step_fn step; /* or NULL */
	void *arg;
};

/* The file there is now, whoever wrote it, is the one before. */
static int write_rows(const struct saving *saving, const struct digest *now,
		      struct shale_err *err)
{
	const struct store *store = saving->store;
	__cleanup_txn struct txn txn = TXN_NONE;
	__cleanup_buf struct buf text = BUF_INIT;
	struct digest before = { { 0 } };

	if (fs_read_file(store->dirfd, INDEX_FILE, JSON_MAX_BYTES, &text, NULL) == 0 &&
	    digest_of(text.data, text.len, &before, err) < 0)
		return -1;
	if (txn_begin(&txn, store->db, TXN_WRITE, err) < 0 ||
	    catalog_write(store, txn.db, saving->index, err) < 0 ||
	    catalog_set_mark(txn.db, MARK_NOW, now, err) < 0 ||
	    catalog_set_mark(txn.db, MARK_BEFORE, &before, err) < 0 ||
	    (saving->step && saving->step(saving->arg, txn.db, err) < 0))
		return -1;
	return txn_commit(&txn, err);
}

/* Most of what can fail does before the rows are committed: the file is written, not yet in its place. */
static int save_text(const struct saving *saving, const char *text, struct shale_err *err)
{
	const struct store *store = saving->store;
	struct digest now;

	if (digest_of(text, strlen(text), &now, err) < 0)
		return -1;
	if (fs_write_synced(store->dirfd, INDEX_NEW, text, strlen(text)) < 0)
		return shale_err_errno(err, "writing %s/" INDEX_FILE, store->path);
	if (write_rows(saving, &now, err) < 0)
		return -1;
	if (renameat(store->dirfd, INDEX_NEW, store->dirfd, INDEX_FILE) == 0)
		fs_sync_dir(store->dirfd);
	return 0;
}

int index_save_with(const struct store *store, const struct index *index, index_step_fn step,
		    void *arg, struct shale_err *err)
{
	struct saving saving = { store, index, step, arg };
	__cleanup_free char *text = json_dumps(index->root, JSON_COMPACT);
	int ret;

	if (!text)
		return shale_err_set(err, ENOMEM, "writing the index of %s", store->path);
	if (strlen(text) > JSON_MAX_BYTES)
		return shale_err_set(err, EFBIG, "too many images in %s", store->path);
	ret = save_text(&saving, text, err);
	/* Still there when something failed. */
	unlinkat(store->dirfd, INDEX_NEW, 0);
	return ret;
}

int index_save(const struct store *store, const struct index *index, struct shale_err *err)
{
	return index_save_with(store, index, NULL, NULL, err);
}

int index_settle_locked(const struct store *store, struct shale_err *err)
{
	__cleanup(view_release) struct index_view view = { 0 };

	if (view_get(store, &view, err) < 0)
		return -1;
	if (view.state == INDEX_FILE_CURRENT)
		return 0;
	return view_merge(&view, err) < 0 ? -1 : index_save(store, &view.rows, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repair; see check.h. Blobs first: a layer is unpacked again from its blob. What cannot be brought
 * again costs the images that need it, and only them. A layer that is mounted stays as it is, since
 * the mount goes on with the directory it has.
 */
#include "engine/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "engine/blob.h"
#include "engine/implied.h"
#include "store/catalog.h"
#include "store/gc.h"
#include "store/mounts.h"

/* --- which images need something, and their end */

static int list_image(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct digest digest;

	return db_row_digest(row, 0, &digest, err) < 0 ? -1 : check_list_add(arg, &digest, "", err);
}

static int list_images(const struct checking *checking, const struct digest *digest,
		       struct check_list *images, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0)
		return -1;
	return db_each(txn.db, err, list_image, images,
		       "SELECT digest FROM image WHERE digest = ?1"
		       " OR digest IN (SELECT image FROM image_layer WHERE blob = ?1 OR diff_id = ?1)"
		       " OR digest IN (SELECT image FROM image_blob WHERE digest = ?1)",
		       DB_DIGEST(digest));
}

static int remove_entries(const struct checking *checking, const struct check_list *images,
			  struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&checking->store, LOCK_EX, err);
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;

	if (lock < 0 || index_load(&checking->store, &index, err) < 0)
		return -1;
	for (size_t i = index_count(&index); i--;)
		if (index_get(&index, i, &entry, NULL) == 0 &&
		    check_list_has(images, &entry.digest))
			index_remove(&index, i);
	return index_save(&checking->store, &index, err);
}

/* Another session may have leased a damaged blob in the belief that it is good. */
static void remove_blob(const struct checking *checking, const struct digest *digest)
{
	struct digest_text text = digest_text(digest);

	unlinkat(checking->store.blobs_fd, digest_hex(&text), 0);
}

static int drop_images(struct checking *checking, const struct digest *digest,
		       struct shale_err *err)
{
	struct check_list images = { 0 };
	struct digest_text text;
	int ret = list_images(checking, digest, &images, err);

	if (!ret && images.count)
		ret = remove_entries(checking, &images, err);
	for (size_t i = 0; !ret && i < images.count; i++) {
		text = digest_text(&images.items[i].digest);
		check_report(checking, "image", text.text, "it needs what is damaged",
			     SHALE_FINDING_DROPPED);
	}
	free(images.items);
	return ret;
}

int check_drop_unread(struct checking *checking, struct shale_err *err)
{
	struct digest_text text;

	if (!checking->images.count)
		return 0;
	if (remove_entries(checking, &checking->images, err) < 0)
		return -1;
	for (size_t i = 0; i < checking->images.count; i++) {
		text = digest_text(&checking->images.items[i].digest);
		check_report(checking, "image", text.text, checking->images.items[i].problem,
			     SHALE_FINDING_DROPPED);
	}
	return 0;
}

/* --- blobs */

static int bring_blob(struct checking *checking, const struct digest *digest,
		      struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	if (check_fetch(checking, digest, err) < 0)
		return -1;
	lock = store_lock(&checking->store, LOCK_EX, err);
	return lock < 0 ? -1 : session_replace_blob_locked(&checking->session, digest, err);
}

/* *ret_done: it is there again. Otherwise the problem says why not. */
static int try_blob(struct checking *checking, struct check_damage *blob, bool *ret_done,
		    struct shale_err *err)
{
	struct shale_err why = { 0 };

	*ret_done = false;
	if (!checking->opts->registry)
		return 0;
	if (bring_blob(checking, &blob->digest, &why) == 0) {
		*ret_done = true;
		return 0;
	}
	if (check_is_final(&why))
		return shale_err_set(err, why.code, "%s", why.msg);
	check_add_reason(blob->problem, &why);
	return 0;
}

static int repair_blob(struct checking *checking, struct check_damage *blob, struct shale_err *err)
{
	struct digest_text text = digest_text(&blob->digest);
	bool done;

	if (try_blob(checking, blob, &done, err) < 0)
		return -1;
	if (done) {
		check_report(checking, "blob", text.text, blob->problem, SHALE_FINDING_REPAIRED);
		return 0;
	}
	if (drop_images(checking, &blob->digest, err) < 0)
		return -1;
	remove_blob(checking, &blob->digest);
	check_report(checking, "blob", text.text, blob->problem, SHALE_FINDING_DROPPED);
	return 0;
}

/* --- layers */

struct use {
	const struct digest *diff_id;
	bool found;
};

static int note_use(void *arg, const struct digest *diff_id, const char *target)
{
	struct use *use = arg;

	(void)target;
	use->found |= digest_is_equal(use->diff_id, diff_id);
	return 0;
}

static int is_mounted(const struct checking *checking, const struct digest *diff_id,
		      bool *ret_mounted, struct shale_err *err)
{
	struct use use = { .diff_id = diff_id };

	if (mounts_each_layer(&checking->store, note_use, &use, err) < 0)
		return -1;
	*ret_mounted = use.found;
	return 0;
}

/* Where a layer can be had from. */
struct provenance {
	bool found;
	struct digest image;
	size_t position;
	struct image_layer layer;
};

static int take_provenance(void *arg, struct sqlite3_stmt *row, struct shale_err *err)
{
	struct provenance *from = arg;

	if (from->found)
		return 0;
	from->found = true;
	from->position = db_row_number(row, 1);
	from->layer.size = db_row_number(row, 3);
	if (db_row_digest(row, 0, &from->image, err) < 0)
		return -1;
	return db_row_digest(row, 2, &from->layer.blob, err);
}

static int find_provenance(const struct checking *checking, const struct digest *diff_id,
			   struct provenance *ret_from, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	ret_from->layer.diff_id = *diff_id;
	if (txn_begin(&txn, checking->store.db, TXN_READ, err) < 0)
		return -1;
	return db_each(txn.db, err, take_provenance, ret_from,
		       "SELECT image, position, blob, size FROM image_layer WHERE diff_id = ?",
		       DB_DIGEST(diff_id));
}

static int unpack_layer(struct checking *checking, const struct provenance *from,
			struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	struct blob_job job = {
		.task = &checking->task,
		.session = &checking->session,
		.layer = from->layer,
		.max_bytes = SHALE_MAX_LAYER_BYTES,
	};

	if (image_load(&checking->store, &from->image, &image, err) < 0 ||
	    blob_probe_xattrs(&checking->session, &job.xattr_prefix, err) < 0 ||
	    blob_unpack_again(&job, err) < 0)
		return -1;
	return implied_settle(&checking->session, &image, from->position, job.xattr_prefix, err);
}

/* Asked again with the lock: a mount takes it, too. */
static int put_layer(struct checking *checking, const struct digest *diff_id, bool *ret_mounted,
		     struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	if (session_sync(&checking->session, err) < 0)
		return -1;
	lock = store_lock(&checking->store, LOCK_EX, err);
	if (lock < 0 || is_mounted(checking, diff_id, ret_mounted, err) < 0)
		return -1;
	return *ret_mounted ? 0 : session_replace_layer_locked(&checking->session, diff_id, err);
}

static int repair_layer(struct checking *checking, const struct check_damage *layer,
			struct shale_err *err)
{
	struct digest_text text = digest_text(&layer->digest);
	struct provenance from = { .found = false };
	struct shale_err why = { 0 };
	bool mounted = false;

	if (find_provenance(checking, &layer->digest, &from, err) < 0 ||
	    is_mounted(checking, &layer->digest, &mounted, err) < 0)
		return -1;
	if (!from.found) {
		/* Its images were dropped, or only its row is left: the collector has it. */
		check_report(checking, "layer", text.text, layer->problem, SHALE_FINDING_DROPPED);
		return 0;
	}
	if (!mounted && (unpack_layer(checking, &from, &why) < 0 ||
			 put_layer(checking, &layer->digest, &mounted, &why) < 0)) {
		if (check_is_final(&why))
			return shale_err_set(err, why.code, "%s", why.msg);
		if (drop_images(checking, &layer->digest, err) < 0)
			return -1;
		check_report(checking, "layer", text.text, layer->problem, SHALE_FINDING_DROPPED);
		return 0;
	}
	check_report(checking, "layer", text.text,
		     mounted ? "it is damaged, and mounted" : layer->problem,
		     mounted ? SHALE_FINDING_LEFT : SHALE_FINDING_REPAIRED);
	return 0;
}

int check_repair(struct checking *checking, struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	for (size_t i = 0; i < checking->blobs.count; i++)
		if (repair_blob(checking, &checking->blobs.items[i], err) < 0)
			return -1;
	for (size_t i = 0; i < checking->layers.count; i++)
		if (repair_layer(checking, &checking->layers.items[i], err) < 0)
			return -1;
	lock = store_lock(&checking->store, LOCK_EX, err);
	return lock < 0 ? -1 : gc_collect_locked(&checking->session, NULL, NULL, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb prune: removes writable layers, images and downloads nobody uses. As with rmi, rows and references go
 * first, in the end the files, and deleting them is done without the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/du.h"
#include "client/download.h"
#include "engine/engine.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/usage.h"

struct pruning {
	struct task task;
	const struct shale_prune_opts *opts;
	struct store store;
	struct session session;
	size_t image_count;
	struct pruned_image {
		struct digest manifest;
		struct digest id;
	} *images; /* to be removed */
	struct buf containers; /* to be removed: IDs, each with its NUL */
};

static void prune_report(struct pruning *pruning, enum shale_event_kind kind, const char *id,
			 const char *name)
{
	struct shale_event event = { .kind = kind, .id = id, .name = name };

	/* What is told has happened already. */
	task_report(&pruning->task, &event, NULL);
}

static time_t prune_limit(const struct pruning *pruning)
{
	return pruning->opts->before ? pruning->opts->before : INT64_MAX;
}

/* Of an image without a config nothing is known that it could be selected by. */
static int is_selected(const struct pruning *pruning, const struct digest *id, bool *ret_may_go,
		       struct shale_err *err)
{
	const struct shale_prune_opts *opts = pruning->opts;
	__cleanup_buf struct buf config = BUF_INIT;
	struct shale_err why = { 0 };

	*ret_may_go = true;
	if (!opts->select)
		return 0;
	if (store_read_blob(&pruning->store, id, &config, &why) == 0)
		*ret_may_go = opts->select(opts->select_arg, buf_str(&config));
	else if (why.code == ENOMEM)
		return shale_err_set(err, why.code, "%s", why.msg);
	else
		*ret_may_go = opts->select(opts->select_arg, "{}");
	return 0;
}

static int note_image(void *arg, const struct digest *manifest, const struct digest *id,
		      struct shale_err *err)
{
	struct pruning *pruning = arg;
	struct pruned_image *images;
	bool may_go = false;

	if (is_selected(pruning, id, &may_go, err) < 0)
		return -1;
	if (!may_go)
		return 0;
	images = reallocarray(pruning->images, pruning->image_count + 1, sizeof(*images));
	if (!images)
		return shale_err_errno(err, "looking for what is not used");
	pruning->images = images;
	images[pruning->image_count++] = (struct pruned_image){ *manifest, *id };
	return 0;
}

static int note_container(void *arg, const struct container_row *row, struct shale_err *err)
{
	struct pruning *pruning = arg;
	bool mounted = true, has_name = true;

	if (row->created >= prune_limit(pruning))
		return 0;
	/* One with a name and a process is not removed in passing. */
	if (instance_has_layer(pruning->store.db, row->id, &has_name, err) < 0)
		return -1;
	if (has_name)
		return 0;
	if (usage_is_mounted(&pruning->store, row->id, &mounted, err) < 0)
		return -1;
	if (!mounted && buf_add(&pruning->containers, row->id, strlen(row->id) + 1) < 0)
		return shale_err_errno(err, "looking for what is not used");
	return 0;
}

/* Writable layers go in the same step, since an image without them is not in use. */
static int choose_locked(struct pruning *pruning, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	const char *id, *end;

	if (txn_begin(&txn, pruning->store.db, TXN_WRITE, err) < 0)
		return -1;
	if (!pruning->opts->keeps_containers &&
	    container_each(txn.db, note_container, pruning, err) < 0)
		return -1;
	end = buf_str(&pruning->containers) + pruning->containers.len;
	for (id = pruning->containers.data; id && id < end; id += strlen(id) + 1)
		if (container_leave(txn.db, id, err) < 0)
			return -1;
	if (!pruning->opts->keeps_images &&
	    (usage_begin(&pruning->store, txn.db, err) < 0 ||
	     usage_each_unused(txn.db, pruning->opts->is_all, prune_limit(pruning), note_image,
			       pruning, err) < 0))
		return -1;
	return txn_commit(&txn, err);
}

static bool is_chosen(const struct pruning *pruning, const struct digest *digest)
{
	for (size_t i = 0; i < pruning->image_count; i++)
		if (digest_is_equal(&pruning->images[i].manifest, digest))
			return true;
	return false;
}

/* The names that go, each with its NUL. */
static int take_entries(struct pruning *pruning, struct index *index, struct buf *names,
			struct shale_err *err)
{
	struct index_entry entry;
	struct ref ref;

	for (size_t i = index_count(index); i--;) {
		if (index_get(index, i, &entry, NULL) < 0 || !is_chosen(pruning, &entry.digest))
			continue;
		if (entry.name && ref_parse(entry.name, &ref, NULL) == 0 &&
		    (buf_adds(names, ref_shown(&ref).text) < 0 || buf_addc(names, '\0') < 0))
			return shale_err_errno(err, "removing images");
		index_remove(index, i);
	}
	return 0;
}

static void report_images(struct pruning *pruning, const struct buf *names)
{
	const char *end = buf_str(names) + names->len;
	struct digest_text text;

	for (const char *name = names->data; name && name < end; name += strlen(name) + 1)
		prune_report(pruning, SHALE_EVENT_UNTAGGED, NULL, name);
	for (size_t i = 0; i < pruning->image_count; i++) {
		text = digest_text(&pruning->images[i].id);
		prune_report(pruning, SHALE_EVENT_DELETED, text.text, NULL);
	}
}

static void note_layer(void *arg, const struct digest *diff_id)
{
	struct digest_text text = digest_text(diff_id);

	buf_add(arg, &text, sizeof(text));
}

static void report_layers(struct pruning *pruning, const struct buf *layers)
{
	for (size_t at = 0; at < layers->len; at += sizeof(struct digest_text))
		prune_report(pruning, SHALE_EVENT_DELETED, layers->data + at, NULL);
}

static int remove_images_locked(struct pruning *pruning, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf names = BUF_INIT;
	__cleanup_buf struct buf layers = BUF_INIT;

	if (index_load(&pruning->store, &index, err) < 0 ||
	    take_entries(pruning, &index, &names, err) < 0 ||
	    gc_save_locked(&pruning->session, &index, note_layer, &layers, err) < 0)
		return -1;
	report_images(pruning, &names);
	report_layers(pruning, &layers);
	return 0;
}

static int prune_locked(struct pruning *pruning, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&pruning->store, LOCK_EX, err);
	const char *id, *end;

	if (lock < 0 || choose_locked(pruning, err) < 0)
		return -1;
	/* Their directories have no rows now, whatever comes next. */
	if (pruning->containers.len)
		atomic_store(&pruning->session.owes_collection, true);
	end = buf_str(&pruning->containers) + pruning->containers.len;
	for (id = pruning->containers.data; id && id < end; id += strlen(id) + 1)
		prune_report(pruning, SHALE_EVENT_CONTAINER, id, NULL);
	return remove_images_locked(pruning, err);
}

/* One of today is what the next pull goes on from. */
static uint64_t prune_downloads(const struct pruning *pruning)
{
	time_t limit = prune_limit(pruning);
	time_t old = time(NULL) - DOWNLOAD_KEEP_SECONDS;

	if (pruning->opts->keeps_images)
		return 0;
	return download_prune_store(&pruning->store,
				    pruning->opts->is_all || limit < old ? limit : old);
}

static void pruning_release(struct pruning *pruning)
{
	free(pruning->images);
	buf_release(&pruning->containers);
	session_end(&pruning->session);
	store_close(&pruning->store);
}

int shale_prune(const struct shale_opts *opts, const struct shale_prune_opts *prune,
		uint64_t *ret_reclaimed, struct shale_err *err)
{
	__attribute__((cleanup(pruning_release))) struct pruning pruning = {
		.task = TASK_INIT(opts),
		.opts = prune,
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
	};
	struct shale_err why = { 0 };
	uint64_t bytes = 0;

	if (store_open(opts->root, false, &pruning.store, &why) < 0) {
		if (why.code != ENOENT)
			return shale_err_set(err, why.code, "%s", why.msg);
		*ret_reclaimed = 0;
		return 0;
	}
	if (session_begin(&pruning.store, &pruning.session, err) < 0 ||
	    prune_locked(&pruning, err) < 0)
		return -1;
	if (du_tree(pruning.session.trash_fd, ".", &bytes) < 0)
		return shale_err_errno(err, "adding up what was removed");
	*ret_reclaimed = bytes + prune_downloads(&pruning);
	return 0;
}

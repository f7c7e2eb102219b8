// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector; see gc.h. Marks by asking the database, takes the rows of what nothing needs, then
 * sweeps by renaming into the trash, which keeps the time under the lock short. When an image was
 * entered without its manifest having been read, and it still cannot be, nothing is collected at all:
 * an unreadable manifest must not cost the layers it names. Called by the verbs that remove, and after
 * a killed session.
 */
#include "store/gc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "store/catalog.h"
#include "store/container.h"
#include "store/layer.h"
#include "store/lease.h"
#include "store/mounts.h"
#include "store/trees.h"
#include "store/volume.h"

struct digest_set {
	struct digest *items;
	size_t count;
	size_t cap;
};

/* Blobs and layers by digest: what one is called cannot be the other. */
struct marks {
	struct digest_set live;
	struct digest_set gone; /* layers that lose their rows */
	struct buf containers;	/* "/ID/ID..." of those with a row */
	struct buf volumes;	/* "/NAME/NAME.../" of those with a row */
	const struct store *store;
};

static int set_add(struct digest_set *set, const struct digest *digest)
{
	struct digest *items;

	if (set->count == set->cap) {
		items = reallocarray(set->items, set->cap * 2 + 64, sizeof(*items));
		if (!items)
			return -1;
		set->items = items;
		set->cap = set->cap * 2 + 64;
	}
	set->items[set->count++] = *digest;
	return 0;
}

static bool set_has(const struct digest_set *set, const struct digest *digest)
{
	return set->count && bsearch(digest, set->items, set->count, sizeof(*digest),
				     digest_compare);
}

static void marks_release(struct marks *marks)
{
	free(marks->live.items);
	free(marks->gone.items);
	buf_release(&marks->containers);
	buf_release(&marks->volumes);
}

static int mark(void *arg, const struct digest *digest, struct shale_err *err)
{
	struct marks *marks = arg;

	return set_add(&marks->live, digest) < 0 ? shale_err_errno(err, "collecting garbage") : 0;
}

static int mark_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	struct marks *marks = arg;

	(void)target;
	return set_add(&marks->live, diff_id);
}

static int mark_container(void *arg, const struct container_row *row, struct shale_err *err)
{
	struct marks *marks = arg;

	if (buf_addf(&marks->containers, "/%s", row->id) < 0)
		return shale_err_errno(err, "collecting garbage");
	return 0;
}

static int mark_volume(void *arg, const struct volume_row *row, struct shale_err *err)
{
	struct marks *marks = arg;

	if (buf_addf(&marks->volumes, "%s%s/", marks->volumes.len ? "" : "/", row->name) < 0)
		return shale_err_errno(err, "collecting garbage");
	return 0;
}

static void marks_sort(struct marks *marks)
{
	if (marks->live.count)
		qsort(marks->live.items, marks->live.count, sizeof(struct digest), digest_compare);
}

/* In the transaction that takes the rows of what is not marked. */
static int mark_rows(struct marks *marks, struct db *db, struct shale_err *err)
{
	if (catalog_complete(marks->store, db, err) < 0 ||
	    catalog_each_needed(db, mark, marks, err) < 0 || lease_each(db, mark, marks, err) < 0 ||
	    container_each(db, mark_container, marks, err) < 0 ||
	    volume_each(db, mark_volume, marks, err) < 0)
		return -1;
	marks_sort(marks);
	return 0;
}

static int list_unneeded(void *arg, const struct layer_row *row, struct shale_err *err)
{
	struct marks *marks = arg;

	if (strcmp(row->driver, LAYER_DRIVER) || set_has(&marks->live, &row->diff_id))
		return 0;
	return set_add(&marks->gone, &row->diff_id) < 0 ?
		       shale_err_errno(err, "collecting garbage") : 0;
}

/* Before the files: a row must never be without them. */
static int take_rows(void *arg, struct db *db, struct shale_err *err)
{
	struct marks *marks = arg;

	if (mark_rows(marks, db, err) < 0 || layer_each(db, list_unneeded, marks, err) < 0)
		return -1;
	for (size_t i = 0; i < marks->gone.count; i++)
		if (layer_leave(db, &marks->gone.items[i], err) < 0)
			return -1;
	return 0;
}

static int take_rows_alone(struct marks *marks, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, marks->store->db, TXN_WRITE, err) < 0 ||
	    take_rows(marks, txn.db, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

struct sweep {
	const struct marks *marks;
	int trash_fd;
	const char *kind;
	gc_removed_fn removed;
	void *arg;
	gc_stray_fn stray; /* tell it instead of taking it */
};

static int bury(const struct sweep *sweep, int dirfd, const char *name)
{
	__cleanup_buf struct buf grave = BUF_INIT;

	if (sweep->stray)
		return sweep->stray(sweep->arg, sweep->kind, name);
	if (buf_addf(&grave, "%s-%s", sweep->kind, name) < 0)
		return -1;
	return renameat(dirfd, name, sweep->trash_fd, buf_str(&grave));
}

static int sweep_digest(void *arg, int dirfd, const char *name)
{
	const struct sweep *sweep = arg;
	struct digest digest;

	if (!digest_parse_hex(name, &digest) || set_has(&sweep->marks->live, &digest))
		return 0;
	if (bury(sweep, dirfd, name) < 0)
		return -1;
	if (sweep->removed)
		sweep->removed(sweep->arg, &digest);
	return 0;
}

static int sweep_container(void *arg, int dirfd, const char *name)
{
	const struct sweep *sweep = arg;

	if (!container_is_id(name) || strstr(buf_str(&sweep->marks->containers), name))
		return 0;
	/* umount may be removing it itself. */
	return bury(sweep, dirfd, name) < 0 && errno != ENOENT ? -1 : 0;
}

/* What has no note of ours is not ours to take. */
static int sweep_volume(void *arg, int dirfd, const char *name)
{
	const struct sweep *sweep = arg;
	char entry[VOLUME_MAX_NAME + 3];
	__cleanup_buf struct buf labels = BUF_INIT;
	struct sweep own = *sweep;
	bool has_labels;
	time_t created;

	if ((size_t)snprintf(entry, sizeof(entry), "/%s/", name) >= sizeof(entry) ||
	    strstr(buf_str(&sweep->marks->volumes), entry) ||
	    !volume_read_note(dirfd, name, &labels, &has_labels, &created))
		return 0;
	own.kind = "volume";
	return bury(&own, dirfd, name);
}

/* Without its note nobody can use it. */
static bool has_all_layers(const struct marks *marks, const struct made *made)
{
	for (size_t i = 0; made && i < made->count; i++)
		if (!set_has(&marks->live, &made->layers[i]))
			return false;
	return made;
}

static int sweep_tree(void *arg, const struct tree *tree)
{
	const struct sweep *sweep = arg;
	__cleanup_buf struct buf name = BUF_INIT;

	if (has_all_layers(sweep->marks, tree->made))
		return 0;
	if (buf_addf(&name, sweep->stray ? "%s/%s" : "tree-%s-%s", tree->driver, tree->name) < 0)
		return -1;
	if (sweep->stray)
		return sweep->stray(sweep->arg, "tree", buf_str(&name));
	return renameat(tree->dirfd, tree->name, sweep->trash_fd, buf_str(&name));
}

static int sweep_all(const struct store *store, struct sweep *layers, struct sweep *blobs,
		     struct sweep *containers, struct shale_err *err)
{
	if (fs_each_name(store->layers_fd, ".", sweep_digest, layers) < 0 ||
	    fs_each_name(store->blobs_fd, ".", sweep_digest, blobs) < 0 ||
	    fs_each_name(store->dirfd, CONTAINER_ROOM, sweep_container, containers) < 0 ||
	    fs_each_name(store->dirfd, VOLUME_ROOM, sweep_volume, containers) < 0 ||
	    trees_each(store, sweep_tree, containers) < 0)
		return shale_err_errno(err, "collecting garbage in %s", store->path);
	return 0;
}

/* index: what the references are to be, or NULL when they stay. One transaction has it all. */
static int collect(struct session *session, const struct index *index, gc_removed_fn removed,
		   void *arg, struct shale_err *err)
{
	struct store *store = session->store;
	__cleanup(marks_release) struct marks marks = { .store = store };
	struct sweep layers = { &marks, session->trash_fd, "layer", removed, arg, NULL };
	struct sweep blobs = { &marks, session->trash_fd, "blob", NULL, NULL, NULL };
	struct sweep containers = { &marks, session->trash_fd, "container", NULL, NULL, NULL };

	/* A layer that is only mounted has lost its image, not its row. */
	if (mounts_each_layer(store, mark_mounted, &marks, err) < 0)
		return -1;
	if (index ? index_save_with(store, index, take_rows, &marks, err) :
		    take_rows_alone(&marks, err))
		return -1;
	/* From here on a failure leaves files without rows, and the session as the evidence. */
	atomic_store(&session->owes_collection, true);
	if (sweep_all(store, &layers, &blobs, &containers, err) < 0 ||
	    store_sync_names(store, err) < 0)
		return -1;
	atomic_store(&session->owes_collection, false);
	return 0;
}

int gc_collect_locked(struct session *session, gc_removed_fn removed, void *arg,
		      struct shale_err *err)
{
	if (collect(session, NULL, removed, arg, err) < 0)
		return shale_err_wrap(err, "collecting garbage");
	return 0;
}

int gc_save_locked(struct session *session, const struct index *index, gc_removed_fn removed,
		   void *arg, struct shale_err *err)
{
	return collect(session, index, removed, arg, err);
}

static int mark_for_list(struct marks *marks, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, marks->store->db, TXN_READ, err) < 0 ||
	    catalog_each_needed(txn.db, mark, marks, err) < 0 ||
	    lease_each(txn.db, mark, marks, err) < 0 ||
	    container_each(txn.db, mark_container, marks, err) < 0 ||
	    volume_each(txn.db, mark_volume, marks, err) < 0)
		return -1;
	marks_sort(marks);
	return 0;
}

int gc_list_locked(const struct store *store, gc_stray_fn stray, void *arg, struct shale_err *err)
{
	__cleanup(marks_release) struct marks marks = { .store = store };
	struct sweep layers = { &marks, -1, "layer", NULL, arg, stray };
	struct sweep blobs = { &marks, -1, "blob", NULL, arg, stray };
	struct sweep containers = { &marks, -1, "container", NULL, arg, stray };

	if (mounts_each_layer(store, mark_mounted, &marks, err) < 0 ||
	    mark_for_list(&marks, err) < 0)
		return -1;
	return sweep_all(store, &layers, &blobs, &containers, err);
}

struct mounted {
	const struct marks *needed;
	const struct image *image;
	const char *name;
	struct shale_err *err;
	bool found;
};

static int refuse_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	struct mounted *mounted = arg;

	if (set_has(&mounted->needed->live, diff_id))
		return 0;
	for (size_t i = 0; i < mounted->image->layer_count && !mounted->found; i++)
		mounted->found = digest_is_equal(&mounted->image->layers[i].diff_id, diff_id);
	if (!mounted->found)
		return 0;
	return shale_err_set(mounted->err, EBUSY, "image %s is in use: it is mounted at %s",
			     mounted->name, target);
}

static int mark_others(struct marks *marks, const struct digest *image, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, marks->store->db, TXN_READ, err) < 0 ||
	    catalog_each_layer_of_others(txn.db, image, mark, marks, err) < 0)
		return -1;
	return lease_each(txn.db, mark, marks, err);
}

int gc_check_unmounted_locked(struct session *session, const struct image *image,
			      const char *name, struct shale_err *err)
{
	__cleanup(marks_release) struct marks marks = { .store = session->store };
	struct mounted mounted = { &marks, image, name, err, false };
	struct shale_err why = { 0 };

	if (mark_others(&marks, &image->manifest, err) < 0)
		return -1;
	marks_sort(&marks);
	if (mounts_each_layer(session->store, refuse_mounted, &mounted, &why) == 0)
		return 0;
	return mounted.found ? -1 : shale_err_set(err, why.code, "%s", why.msg);
}

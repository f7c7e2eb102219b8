// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb rmi: take a name, or an image with its last name, out of the index, then whatever nothing
 * needs any more out of the store. The index is written first: killed in between, the store has
 * garbage, which the next verb at work collects, and never an image with a layer missing.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/mounts.h"

struct removal {
	struct task task;
	struct store store;
	struct session session;
	const char *name;
	bool force;
};

struct in_use {
	const struct image *image;
	struct shale_err *err;
	const char *name;
};

static int refuse_mounted(void *arg, const struct digest *diff_id, const char *target)
{
	struct in_use *use = arg;

	for (size_t i = 0; i < use->image->layer_count; i++)
		if (digest_is_equal(&use->image->layers[i].diff_id, diff_id))
			return shale_err_set(use->err, EBUSY, "image %s is in use: mounted at %s",
					     use->name, target);
	return 0;
}

/* Names of one image; the number of its entries in the index. */
static size_t count_entries(const struct index *index, const struct digest *digest)
{
	struct index_entry entry;
	size_t count = 0;

	for (size_t i = 0; i < index_count(index); i++)
		count += index_get(index, i, &entry, NULL) == 0 &&
			 digest_is_equal(&entry.digest, digest);
	return count;
}

static void report(struct removal *removal, enum shale_event_kind kind, const char *id,
		   const char *name)
{
	struct shale_event event = { .kind = kind, .id = id, .name = name };

	/* A removal is too short to be worth cancelling halfway. */
	task_report(&removal->task, &event, NULL);
}

static void report_untagged(struct removal *removal, const struct index_entry *entry)
{
	char name[sizeof(struct ref_text)];
	struct ref ref;

	if (!entry->name || ref_parse(entry->name, &ref, NULL) < 0)
		return;
	snprintf(name, sizeof(name), "%s:%s", ref_familiar(&ref), ref.tag);
	report(removal, SHALE_EVENT_UNTAGGED, NULL, name);
}

static void report_layer(void *arg, const struct digest *diff_id)
{
	struct digest_text text = digest_text(diff_id);

	report(arg, SHALE_EVENT_DELETED, text.text, NULL);
}

static void remove_entries(struct removal *removal, struct index *index,
			   const struct digest *digest)
{
	struct index_entry entry;

	for (size_t i = index_count(index); i--;) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !digest_is_equal(&entry.digest, digest))
			continue;
		report_untagged(removal, &entry);
		index_remove(index, i);
	}
}

static int check_removal(struct removal *removal, const struct image *image, size_t names,
			 bool by_id, struct shale_err *err)
{
	struct in_use use = { .image = image, .err = err, .name = removal->name };

	if (by_id && names > 1 && !removal->force)
		return shale_err_set(err, EBUSY, "image %s has %zu names: it must be forced",
				     removal->name, names);
	if (!by_id && names > 1)
		return 0;
	return mounts_each_layer(&removal->store, refuse_mounted, &use, err);
}

static int remove_locked(struct removal *removal, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_image struct image image = { 0 };
	struct index_entry entry;
	struct digest_text id;
	size_t names;
	bool by_id;
	size_t i;

	if (index_load(&removal->store, &index, err) < 0 ||
	    image_find(&removal->store, &index, removal->name, &i, &by_id, err) < 0 ||
	    index_get(&index, i, &entry, err) < 0 ||
	    image_load(&removal->store, &entry.digest, &image, err) < 0)
		return -1;
	names = count_entries(&index, &entry.digest);
	if (check_removal(removal, &image, names, by_id, err) < 0)
		return -1;
	if (!by_id && names > 1) {
		report_untagged(removal, &entry);
		index_remove(&index, i);
		return index_save(&removal->store, &index, err);
	}
	remove_entries(removal, &index, &image.manifest);
	if (index_save(&removal->store, &index, err) < 0)
		return -1;
	id = digest_text(&image.config);
	report(removal, SHALE_EVENT_DELETED, id.text, NULL);
	return gc_collect_locked(&removal->session, report_layer, removal, err);
}

static void removal_release(struct removal *removal)
{
	session_end(&removal->session);
	store_close(&removal->store);
}

static int removal_run(struct removal *removal, struct shale_err *err)
{
	__cleanup_fd int lock = -1;

	if (session_begin(&removal->store, &removal->session, err) < 0)
		return -1;
	lock = store_lock(&removal->store, LOCK_EX, err);
	if (lock < 0)
		return -1;
	return remove_locked(removal, err);
}

int shale_rmi(const struct shale_opts *opts, const char *name, bool force, struct shale_err *err)
{
	__attribute__((cleanup(removal_release))) struct removal removal = {
		.task = TASK_INIT(opts),
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
		.name = name,
		.force = force,
	};
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, &removal.store, &why) < 0) {
		if (why.code == ENOENT)
			return shale_err_set(err, ENOENT, "no such image: %.300s", name);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	return removal_run(&removal, err);
}

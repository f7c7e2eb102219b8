// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb rmi: take a name, or an image with its last name, out of the index, then whatever nothing
 * needs any more out of the store. The rows go first: killed in between, the store has garbage,
 * which the next verb at work collects, and never an image with a layer missing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/instance.h"

#define NAME_BYTES sizeof(struct ref_text)

struct removal {
	struct task task;
	struct store store;
	struct session session;
	const char *name;
	bool force;
};

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

/* Told after their image, which is where they went with; a message less if there is no memory for it. */
static void note_layer(void *arg, const struct digest *diff_id)
{
	struct digest_text text = digest_text(diff_id);

	buf_add(arg, &text, sizeof(text));
}

static void report_layers(struct removal *removal, const struct buf *layers)
{
	for (size_t at = 0; at < layers->len; at += sizeof(struct digest_text))
		report(removal, SHALE_EVENT_DELETED, layers->data + at, NULL);
}

/* An entry's name as people write it; "" when it has none. */
static void print_name(const struct index *index, size_t i, char *name)
{
	struct index_entry entry;
	struct ref ref;

	name[0] = '\0';
	if (index_get(index, i, &entry, NULL) == 0 && entry.name &&
	    ref_parse(entry.name, &ref, NULL) == 0)
		snprintf(name, NAME_BYTES, "%s", ref_shown(&ref).text);
}

/* Takes every entry of an image out of the index and returns their names, NAME_BYTES each. */
static int take_entries(struct index *index, const struct digest *digest, char **ret_names,
			size_t *ret_count, struct shale_err *err)
{
	struct index_entry entry;
	size_t count = 0;
	char *names;

	names = calloc(count_entries(index, digest), NAME_BYTES);
	if (!names)
		return shale_err_errno(err, "removing an image");
	for (size_t i = index_count(index); i--;) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !digest_is_equal(&entry.digest, digest))
			continue;
		print_name(index, i, names + count * NAME_BYTES);
		count += !!names[count * NAME_BYTES];
		index_remove(index, i);
	}
	*ret_names = names;
	*ret_count = count;
	return 0;
}

static int remove_name(struct removal *removal, struct index *index, size_t i,
		       struct shale_err *err)
{
	char name[NAME_BYTES];

	print_name(index, i, name);
	index_remove(index, i);
	if (index_save(&removal->store, index, err) < 0)
		return -1;
	report(removal, SHALE_EVENT_UNTAGGED, NULL, name);
	return 0;
}

/* What runs or may run again needs it. */
static int check_no_container(const struct removal *removal, const struct image *image, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;
	char id[INSTANCE_ID_TEXT];

	if (txn_begin(&txn, removal->store.db, TXN_READ, err) < 0 ||
	    instance_of_image(txn.db, &image->config, id, err) < 0)
		return -1;
	if (!id[0])
		return 0;
	return shale_err_set(err, EBUSY, "image %.300s is in use: container %.12s was made of it",
			     removal->name, id);
}

static int remove_image(struct removal *removal, struct index *index, const struct image *image,
			struct shale_err *err)
{
	struct digest_text id = digest_text(&image->config);
	struct buf layers = BUF_INIT;
	char *names = NULL;
	size_t count = 0;
	int ret = -1;

	if (check_no_container(removal, image, err) < 0 ||
	    take_entries(index, &image->manifest, &names, &count, err) < 0)
		return -1;
	if (gc_check_unmounted_locked(&removal->session, image, removal->name, err) < 0 ||
	    gc_save_locked(&removal->session, index, note_layer, &layers, err) < 0)
		goto out_free;
	for (size_t i = 0; i < count; i++)
		report(removal, SHALE_EVENT_UNTAGGED, NULL, names + i * NAME_BYTES);
	report(removal, SHALE_EVENT_DELETED, id.text, NULL);
	report_layers(removal, &layers);
	ret = 0;
out_free:
	buf_release(&layers);
	free(names);
	return ret;
}

static int remove_locked(struct removal *removal, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_image struct image image = { 0 };
	struct index_entry entry;
	size_t names;
	bool by_id;
	size_t i;

	if (index_load(&removal->store, &index, err) < 0 ||
	    image_find(&removal->store, &index, removal->name, &i, &by_id, err) < 0 ||
	    index_get(&index, i, &entry, err) < 0 ||
	    image_load(&removal->store, &entry.digest, &image, err) < 0)
		return -1;
	names = count_entries(&index, &entry.digest);
	if (by_id && names > 1 && !removal->force)
		return shale_err_set(err, ETOOMANYREFS, "image is referenced in multiple repositories");
	if (!by_id && names > 1)
		return remove_name(removal, &index, i, err);
	return remove_image(removal, &index, &image, err);
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

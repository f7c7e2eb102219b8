// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb summaries: what docker's API says about each image in a list of all. An image is known by its ID: of
 * several manifests with one config there is one row, with the names of all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/found.h"
#include "engine/parents.h"

struct summing {
	const struct store *store;
	const struct index *index;
	struct parents parents;
	json_t *rows;
	json_t *by_id; /* ID to row */
};

static json_t *descriptor_of(const struct index_entry *entry)
{
	struct digest_text digest = digest_text(&entry->digest);

	return json_pack("{s:s, s:s, s:I}", "mediaType", entry->media_type, "digest", digest.text,
			 "size", (json_int_t)entry->size);
}

static json_t *labels_of(const json_t *config)
{
	json_t *labels = json_object_get(json_object_get(config, "config"), "Labels");

	return json_is_object(labels) ? json_incref(labels) : json_null();
}

static json_t *row_make(const struct summing *summing, const struct index_entry *entry,
			const struct image *image, const json_t *config)
{
	const struct image *parent = parents_find_last(&summing->parents, image,
						       json_object_get(config, "history"));
	struct digest_text id = digest_text(&image->config);
	struct digest_text parent_id = { "" };

	if (parent)
		parent_id = digest_text(&parent->config);
	return json_pack("{s:i, s:I, s:s, s:o, s:s, s:[], s:[], s:i, s:I, s:o}", "Containers", -1,
			 "Created", (json_int_t)image->created, "Id", id.text, "Labels", labels_of(config),
			 "ParentId", parent_id.text, "RepoDigests", "RepoTags", "SharedSize", -1,
			 "Size", (json_int_t)found_size(summing->store, image), "Descriptor",
			 descriptor_of(entry));
}

static int names_add(json_t *row, const struct index_entry *entry)
{
	char name[FOUND_NAME];

	if (found_name(entry, name) &&
	    found_add(json_object_get(row, "RepoTags"), json_string(name)) < 0)
		return -1;
	return found_add_digest(json_object_get(row, "RepoDigests"), entry);
}

static int row_add(struct summing *summing, const struct index_entry *entry, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_json json_t *config = NULL;
	struct digest_text id;
	json_t *row;

	if (image_load(summing->store, &entry->digest, &image, err) < 0 ||
	    found_config(summing->store, &image, &config, err) < 0)
		return -1;
	id = digest_text(&image.config);
	row = json_object_get(summing->by_id, id.text);
	if (!row) {
		row = row_make(summing, entry, &image, config);
		if (!row || json_object_set_new(summing->by_id, id.text, row) ||
		    json_array_append(summing->rows, row))
			return shale_err_set(err, ENOMEM, "listing images");
	}
	if (names_add(row, entry) < 0)
		return shale_err_set(err, ENOMEM, "listing images");
	return 0;
}

static int rows_add(struct summing *summing, struct shale_err *err)
{
	struct index_entry entry;

	if (parents_load(summing->store, summing->index, &summing->parents, err) < 0)
		return -1;
	for (size_t i = 0; i < index_count(summing->index); i++) {
		if (index_get(summing->index, i, &entry, err) < 0)
			return -1;
		/* An image index of another tool is not an image. */
		if (image_kind(entry.media_type) == IMAGE_MANIFEST && row_add(summing, &entry, err) < 0)
			return -1;
	}
	return 0;
}

struct dated {
	json_t *row;
	json_int_t created;
	size_t position;
};

/* Newest first; those of one second in the order in which they came. */
static int compare_dated(const void *a, const void *b)
{
	const struct dated *left = a;
	const struct dated *right = b;

	if (left->created != right->created)
		return left->created < right->created ? 1 : -1;
	return left->position < right->position ? -1 : 1;
}

static json_t *rows_sort(const json_t *rows)
{
	size_t count = json_array_size(rows);
	__cleanup_free struct dated *list = calloc(count + 1, sizeof(*list));
	json_t *sorted = json_array();
	int ret = list && sorted ? 0 : -1;

	for (size_t i = 0; !ret && i < count; i++) {
		list[i].row = json_array_get(rows, i);
		list[i].created = json_integer_value(json_object_get(list[i].row, "Created"));
		list[i].position = i;
	}
	if (!ret)
		qsort(list, count, sizeof(*list), compare_dated);
	for (size_t i = 0; !ret && i < count; i++)
		ret = json_array_append(sorted, list[i].row);
	if (!ret)
		return sorted;
	json_decref(sorted);
	return NULL;
}

static int summaries_locked(const struct store *store, char **ret_json, struct shale_err *err)
{
	__cleanup_json json_t *rows = json_array();
	__cleanup_json json_t *by_id = json_object();
	__cleanup_json json_t *sorted = NULL;
	__cleanup_index struct index index = { 0 };
	struct summing summing = { .store = store, .index = &index, .rows = rows, .by_id = by_id };
	int ret = -1;

	if (!rows || !by_id)
		return shale_err_set(err, ENOMEM, "listing images");
	if (index_load(store, &index, err) == 0)
		ret = rows_add(&summing, err);
	parents_release(&summing.parents);
	if (ret < 0)
		return -1;
	sorted = rows_sort(rows);
	*ret_json = sorted ? json_dumps(sorted, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing images");
}

int shale_summaries(const struct shale_opts *opts, char **ret_json, struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;
	struct shale_err why = { 0 };
	__cleanup_fd int lock = -1;

	if (store_open(opts->root, false, &store, &why) < 0) {
		if (why.code != ENOENT)
			return shale_err_set(err, why.code, "%s", why.msg);
		*ret_json = strdup("[]");
		return *ret_json ? 0 : shale_err_errno(err, "listing images");
	}
	lock = store_lock(&store, LOCK_SH, err);
	return lock < 0 ? -1 : summaries_locked(&store, ret_json, err);
}

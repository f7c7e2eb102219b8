// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds images; see found.h. Called by the verbs that are about one image: history, inspect, tag,
 * save, commit.
 */
#include "engine/found.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void found_release(struct found *found)
{
	image_release(&found->image);
	index_release(&found->index);
	fd_closep(&found->lock);
	store_close(&found->store);
	*found = (struct found)FOUND_NONE;
}

static int find_locked(struct found *found, const char *name, struct shale_err *err)
{
	struct index_entry entry;

	if (index_load(&found->store, &found->index, err) < 0 ||
	    image_find(&found->store, &found->index, name, &found->entry, &found->by_id, err) < 0 ||
	    index_get(&found->index, found->entry, &entry, err) < 0)
		return -1;
	return image_load(&found->store, &entry.digest, &found->image, err);
}

int found_open(const struct shale_opts *opts, const char *name, int how, struct found *ret_found,
	       struct shale_err *err)
{
	__cleanup_found struct found found = FOUND_NONE;
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, &found.store, &why) < 0) {
		if (why.code == ENOENT)
			return shale_err_set(err, ENOENT, "no such image: %.300s", name);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	found.lock = store_lock(&found.store, how, err);
	if (found.lock < 0 || find_locked(&found, name, err) < 0)
		return -1;
	*ret_found = found;
	found = (struct found)FOUND_NONE;
	return 0;
}

int found_config(const struct store *store, const struct image *image, json_t **ret_config,
		 struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (store_read_blob(store, &image->config, &text, err) < 0)
		return -1;
	return json_parse_object(text.data, text.len, "config", ret_config, err);
}

bool found_name(const struct index_entry *entry, char ret_name[FOUND_NAME])
{
	struct ref ref;

	if (!entry->name || ref_parse(entry->name, &ref, NULL) < 0 || !*ref.tag)
		return false;
	snprintf(ret_name, FOUND_NAME, "%s", ref_shown(&ref).text);
	return true;
}

json_t *found_names(const struct index *index, const struct digest *manifest)
{
	json_t *names = json_array();
	struct index_entry entry;
	char name[FOUND_NAME];

	for (size_t i = 0; names && i < index_count(index); i++) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !digest_is_equal(&entry.digest, manifest) || !found_name(&entry, name))
			continue;
		if (json_array_append_new(names, json_string(name)) < 0) {
			json_decref(names);
			return NULL;
		}
	}
	return names;
}

int found_add(json_t *list, json_t *text)
{
	for (size_t i = 0; text && i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), text)) {
			json_decref(text);
			return 0;
		}
	return text ? json_array_append_new(list, text) : -1;
}

/* What was pulled by a digest goes by that, which may be an index's. */
int found_add_digest(json_t *list, const struct index_entry *entry)
{
	struct digest_text text;
	struct ref ref;

	if (!entry->name || ref_parse(entry->name, &ref, NULL) < 0)
		return 0;
	text = digest_text(ref.has_digest ? &ref.digest : &entry->digest);
	return found_add(list, json_sprintf("%s@%s", ref_familiar(&ref), text.text));
}

json_t *found_digests(const struct index *index, const struct digest *manifest)
{
	json_t *list = json_array();
	struct index_entry entry;

	for (size_t i = 0; list && i < index_count(index); i++) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !digest_is_equal(&entry.digest, manifest))
			continue;
		if (found_add_digest(list, &entry) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static int sum_layers(const struct store *store, const struct image *image, uint64_t *ret_size)
{
	uint64_t total = 0;
	uint64_t size = 0;

	for (size_t i = 0; i < image->layer_count; i++) {
		if (store_layer_size(store, &image->layers[i].diff_id, &size, NULL) < 0)
			return -1;
		total += size;
	}
	*ret_size = total;
	return 0;
}

/* An image another tool put into the layout has no layers yet; its blobs are what it takes. */
uint64_t found_size(const struct store *store, const struct image *image)
{
	uint64_t size = 0;

	if (sum_layers(store, image, &size) == 0)
		return size;
	for (size_t i = 0; i < image->layer_count; i++)
		size += image->layers[i].size;
	return size;
}

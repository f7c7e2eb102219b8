// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parents; see parents.h. Called by history and inspect.
 */
#include "engine/parents.h"

#include <stdlib.h>

void parents_release(struct parents *parents)
{
	for (size_t i = 0; i < parents->count; i++) {
		image_release(&parents->items[i].image);
		json_decref(parents->items[i].history);
	}
	free(parents->items);
	*parents = (struct parents){ 0 };
}

static void add_parent(struct parents *parents, const struct store *store,
		       const struct digest *manifest)
{
	struct parent *item = &parents->items[parents->count];
	__cleanup_json json_t *config = NULL;

	if (image_load(store, manifest, &item->image, NULL) < 0)
		return;
	if (found_config(store, &item->image, &config, NULL) == 0)
		item->history = json_incref(json_object_get(config, "history"));
	parents->count++;
}

int parents_load(const struct store *store, const struct index *index, struct parents *ret_parents,
		 struct shale_err *err)
{
	__cleanup_parents struct parents parents = { .index = index };
	struct index_entry entry;

	parents.items = calloc(index_count(index) + 1, sizeof(*parents.items));
	if (!parents.items)
		return shale_err_errno(err, "looking for parents");
	for (size_t i = 0; i < index_count(index); i++)
		if (index_get(index, i, &entry, NULL) == 0 &&
		    image_kind(entry.media_type) == IMAGE_MANIFEST)
			add_parent(&parents, store, &entry.digest);
	*ret_parents = parents;
	parents = (struct parents){ 0 };
	return 0;
}

static bool is_beginning(const struct parent *parent, const struct image *image,
			 const json_t *history, size_t layers, size_t entries)
{
	if (parent->image.layer_count != layers || json_array_size(parent->history) != entries)
		return false;
	for (size_t i = 0; i < layers; i++)
		if (!digest_is_equal(&parent->image.layers[i].diff_id, &image->layers[i].diff_id))
			return false;
	for (size_t i = 0; i < entries; i++)
		if (!json_equal(json_array_get(parent->history, i), json_array_get(history, i)))
			return false;
	return true;
}

const struct image *parents_find(const struct parents *parents, const struct image *image,
				 const json_t *history, size_t layers, size_t entries)
{
	/* Without history anything with the same layers would do. */
	if (!entries || entries > json_array_size(history) || layers > image->layer_count)
		return NULL;
	for (size_t i = 0; i < parents->count; i++)
		if (is_beginning(&parents->items[i], image, history, layers, entries))
			return &parents->items[i].image;
	return NULL;
}

const struct image *parents_find_last(const struct parents *parents, const struct image *image,
				      const json_t *history)
{
	size_t entries = json_array_size(history);
	size_t layers = image->layer_count;

	if (entries < 2)
		return NULL;
	if (!json_is_true(json_object_get(json_array_get(history, entries - 1), "empty_layer")))
		layers = layers ? layers - 1 : 0;
	return parents_find(parents, image, history, layers, entries - 1);
}

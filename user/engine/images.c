// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb images: what the store's index has, with each image's facts, newest first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/found.h"

void shale_image_list_free(struct shale_image_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->images[i].repository);
		free(list->images[i].tag);
	}
	free(list->images);
	*list = (struct shale_image_list){ 0 };
}

static int fill(const struct store *store, const struct index_entry *entry,
		struct shale_image *out, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	struct digest_text text;
	struct ref ref;

	if (image_load(store, &entry->digest, &image, err) < 0)
		return -1;
	text = digest_text(&image.config);
	memcpy(out->id, text.text, sizeof(out->id));
	text = digest_text(&entry->digest);
	memcpy(out->digest, text.text, sizeof(out->digest));
	out->created = image.created;
	out->size = found_size(store, &image);
	if (!entry->name || ref_parse(entry->name, &ref, NULL) < 0)
		return 0;
	out->repository = strdup(ref_familiar(&ref));
	out->tag = *ref.tag ? strdup(ref.tag) : NULL;
	if (!out->repository || (*ref.tag && !out->tag))
		return shale_err_errno(err, "listing images");
	return 0;
}

/* "debian" as a filter is every tag of it. */
static bool is_wanted(const struct index_entry *entry, const struct ref *filter, bool any_tag)
{
	struct ref ref;

	if (!filter)
		return true;
	if (!entry->name || ref_parse(entry->name, &ref, NULL) < 0)
		return false;
	return !strcmp(ref.name, filter->name) && (any_tag || !strcmp(ref.tag, filter->tag));
}

static int list_locked(const struct store *store, const struct ref *filter, bool any_tag,
		       struct shale_image_list *list, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;

	if (index_load(store, &index, err) < 0)
		return -1;
	list->images = calloc(index_count(&index) + 1, sizeof(*list->images));
	if (!list->images)
		return shale_err_errno(err, "listing images");
	for (size_t i = 0; i < index_count(&index); i++) {
		if (index_get(&index, i, &entry, err) < 0)
			return -1;
		/* An image index of another tool is not an image. */
		if (image_kind(entry.media_type) != IMAGE_MANIFEST ||
		    !is_wanted(&entry, filter, any_tag))
			continue;
		list->count++;
		if (fill(store, &entry, &list->images[list->count - 1], err) < 0)
			return -1;
	}
	return 0;
}

static int compare_images(const void *a, const void *b)
{
	const struct shale_image *left = a;
	const struct shale_image *right = b;

	if (left->created != right->created)
		return left->created < right->created ? 1 : -1;
	return strcmp(left->repository ? left->repository : "",
		      right->repository ? right->repository : "");
}

int shale_images(const struct shale_opts *opts, const char *filter,
		 struct shale_image_list *ret_list, struct shale_err *err)
{
	__attribute__((cleanup(shale_image_list_free))) struct shale_image_list list = { 0 };
	__cleanup_store struct store store = STORE_CLOSED;
	struct shale_err why = { 0 };
	__cleanup_fd int lock = -1;
	struct ref ref;

	if (filter && ref_parse(filter, &ref, err) < 0)
		return -1;
	if (store_open(opts->root, false, &store, &why) < 0) {
		if (why.code != ENOENT)
			return shale_err_set(err, why.code, "%s", why.msg);
		*ret_list = list;
		return 0;
	}
	lock = store_lock(&store, LOCK_SH, err);
	if (lock < 0 || list_locked(&store, filter ? &ref : NULL, filter && !ref_has_tag(filter),
				    &list, err) < 0)
		return -1;
	qsort(list.images, list.count, sizeof(*list.images), compare_images);
	*ret_list = list;
	list = (struct shale_image_list){ 0 };
	return 0;
}

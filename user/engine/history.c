// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb history: how an image came about, newest step first, as docker's API answers it. A step
 * that made no layer has size 0; layers that the history does not mention are steps without words.
 */
#include <errno.h>
#include <string.h>

#include "engine/found.h"
#include "engine/parents.h"

#define NO_IMAGE "<missing>"

struct steps {
	const struct store *store;
	const struct image *image;
	struct parents parents;
	const json_t *history; /* an array, or NULL */
	size_t layers;	       /* met so far */
	json_t *rows;	       /* newest first */
};

/* The image that ends with this step: ID and names go into the row. */
static int add_identity(const struct steps *steps, size_t entries, bool is_last, json_t *row)
{
	const struct image *image = steps->image;
	json_t *names;
	struct digest_text id;

	if (!is_last)
		image = parents_find(&steps->parents, steps->image, steps->history, steps->layers,
				     entries);
	if (!image)
		return json_object_set_new(row, "Id", json_string(NO_IMAGE)) ||
		       json_object_set_new(row, "Tags", json_null());
	id = digest_text(&image->config);
	names = found_names(steps->parents.index, &image->manifest);
	if (names && !json_array_size(names)) {
		json_decref(names);
		names = json_null();
	}
	return json_object_set_new(row, "Id", json_string(id.text)) ||
	       json_object_set_new(row, "Tags", names);
}

static int text_of(const json_t *entry, const char *field, const char **ret_text,
		   struct shale_err *err)
{
	if (json_get_text(entry, field, true, "config: history", ret_text, err) < 0)
		return -1;
	if (!*ret_text)
		*ret_text = "";
	return 0;
}

/* ENTRY may be NULL, for a layer without one. */
static int add_step(struct steps *steps, const json_t *entry, size_t entries, bool is_last,
		    struct shale_err *err)
{
	const char *created = "", *created_by = "", *comment = "";
	uint64_t size = 0;
	json_t *row;

	if (entry && (text_of(entry, "created", &created, err) < 0 ||
		      text_of(entry, "created_by", &created_by, err) < 0 ||
		      text_of(entry, "comment", &comment, err) < 0))
		return -1;
	if (!json_is_true(json_object_get(entry, "empty_layer"))) {
		if (steps->layers == steps->image->layer_count)
			return shale_err_set(err, EINVAL,
					     "the image's history has more layers than the image");
		store_layer_size(steps->store, &steps->image->layers[steps->layers].diff_id, &size,
				 NULL);
		steps->layers++;
	}
	row = json_pack("{s:s, s:I, s:s, s:I}", "Comment", comment, "Created",
			(json_int_t)image_time(created), "CreatedBy", created_by, "Size",
			(json_int_t)size);
	if (!row || add_identity(steps, entries, is_last, row) ||
	    json_array_insert_new(steps->rows, 0, row))
		return shale_err_set(err, ENOMEM, "listing an image's history");
	return 0;
}

static size_t count_layers(const json_t *history)
{
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(history); i++)
		count += !json_is_true(json_object_get(json_array_get(history, i), "empty_layer"));
	return count;
}

static int add_steps(struct steps *steps, struct shale_err *err)
{
	size_t entries = json_array_size(steps->history);
	size_t known = count_layers(steps->history);
	size_t more = steps->image->layer_count > known ? steps->image->layer_count - known : 0;

	for (size_t i = 0; i < entries; i++)
		if (add_step(steps, json_array_get(steps->history, i), i + 1,
			     !more && i + 1 == entries, err) < 0)
			return -1;
	for (size_t i = 0; i < more; i++)
		if (add_step(steps, NULL, 0, i + 1 == more, err) < 0)
			return -1;
	return 0;
}

static int history_locked(const struct found *found, struct steps *steps, char **ret_json,
			  struct shale_err *err)
{
	__cleanup_json json_t *config = NULL;
	json_t *history = NULL;

	if (found_config(&found->store, &found->image, &config, err) < 0 ||
	    json_get_array(config, "history", IMAGE_MAX_HISTORY, true, "config", &history, err) <
		    0 ||
	    parents_load(&found->store, &found->index, &steps->parents, err) < 0)
		return -1;
	steps->history = history;
	if (add_steps(steps, err) < 0)
		return -1;
	*ret_json = json_dumps(steps->rows, JSON_COMPACT);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing an image's history");
}

int shale_history(const struct shale_opts *opts, const char *name, char **ret_json,
		  struct shale_err *err)
{
	__cleanup_found struct found found = FOUND_NONE;
	__cleanup_json json_t *rows = json_array();
	struct steps steps = { .store = &found.store, .image = &found.image, .rows = rows };
	int ret;

	if (!rows)
		return shale_err_set(err, ENOMEM, "listing an image's history");
	if (found_open(opts, name, LOCK_SH, &found, err) < 0)
		return -1;
	ret = history_locked(&found, &steps, ret_json, err);
	parents_release(&steps.parents);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of images: filters, and the fields that depend on what the client asks for.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "shaled/api_handlers.h"
#include "store/image.h"
#include "store/json.h"

/* Up to this version an image without a name had one all the same. */
#define NONE_NAMES_MINOR 42
/* Up to this one, Size had a twin. */
#define VIRTUAL_SIZE_MINOR 43

static const char *const known_filters[] = { "dangling", "label", "label!", "before", "since",
					     "reference", "until", NULL };

struct wanted {
	json_t *filters;
	bool has_dangling;
	bool dangling;
	json_int_t before; /* created; INT64_MAX: whenever */
	json_int_t since;
};

static json_int_t created_of(const json_t *image)
{
	return json_integer_value(json_object_get(image, "Created"));
}

/* The creation of the images that a filter names. */
static int find_created(struct api_call *call, const char *name, json_int_t *ret_created,
			struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	__cleanup_free char *text = NULL;
	json_t *json;
	const char *created;

	if (shale_inspect(&opts, name, &text, err) < 0)
		return err->code == ENOENT ? api_no_image(name, err) : -1;
	json = json_loads(text, 0, NULL);
	created = json_string_value(json_object_get(json, "Created"));
	*ret_created = created ? image_time(created) : 0;
	json_decref(json);
	return 0;
}

static int take_until(const json_t *filters, json_int_t *before, struct shale_err *err)
{
	const char *text = api_filters_get(filters, "until", 0);
	int64_t seconds;

	if (!text)
		return 0;
	if (!api_value_until(text, time(NULL), &seconds))
		return shale_err_set(err, EINVAL, "invalid filter 'until=%.100s'", text);
	if (seconds < *before)
		*before = seconds;
	return 0;
}

static int take_filters(struct api_call *call, struct wanted *wanted, struct shale_err *err)
{
	const char *name;

	if (api_filters_parse(api_get(call, "filters"), &wanted->filters, err) < 0 ||
	    api_filters_check(wanted->filters, known_filters, err) < 0 ||
	    api_filters_bool(wanted->filters, "dangling", &wanted->dangling, err) < 0)
		return -1;
	wanted->has_dangling = api_filters_have(wanted->filters, "dangling");
	wanted->before = INT64_MAX;
	wanted->since = INT64_MIN;
	name = api_filters_get(wanted->filters, "before", 0);
	if (name && find_created(call, name, &wanted->before, err) < 0)
		return -1;
	name = api_filters_get(wanted->filters, "since", 0);
	if (name && find_created(call, name, &wanted->since, err) < 0)
		return -1;
	return take_until(wanted->filters, &wanted->before, err);
}

/* Names that do not fit are not shown either, as docker does. */
static bool take_names(const json_t *filters, json_t *image)
{
	static const char *const fields[] = { "RepoTags", "RepoDigests" };
	size_t left = 0;

	if (!api_filters_have(filters, "reference"))
		return true;
	for (size_t f = 0; f < 2; f++) {
		json_t *names = json_object_get(image, fields[f]);

		for (size_t i = json_array_size(names); i--;)
			if (!api_filters_match_name(filters, "reference",
						    json_string_value(json_array_get(names, i))))
				json_array_remove(names, i);
		left += json_array_size(names);
	}
	return left;
}

static bool has_name(const json_t *image)
{
	return json_array_size(json_object_get(image, "RepoTags")) ||
	       json_array_size(json_object_get(image, "RepoDigests"));
}

static bool is_wanted(const struct wanted *wanted, json_t *image)
{
	json_int_t created = created_of(image);

	if (wanted->has_dangling && wanted->dangling == has_name(image))
		return false;
	if (created >= wanted->before || created <= wanted->since)
		return false;
	if (!api_filters_allow_labels(wanted->filters, json_object_get(image, "Labels")))
		return false;
	return take_names(wanted->filters, image);
}

static const char *manifest_of(const json_t *image)
{
	return json_string_value(json_object_get(json_object_get(image, "Descriptor"), "digest"));
}

/* docker knows an image to be in use by its containers alone; one that is only mounted counts as having one. */
static json_int_t users_of(const struct shale_df_image *image)
{
	return image->is_active && !image->containers ? 1 : image->containers;
}

void api_images_set_shared(json_t *image, const struct shale_df *df, bool has_containers)
{
	const char *digest = manifest_of(image);

	for (size_t i = 0; digest && i < df->image_count; i++) {
		if (strcmp(df->image_list[i].digest, digest))
			continue;
		json_object_set_new(image, "SharedSize", json_integer(df->image_list[i].shared));
		if (has_containers)
			json_object_set_new(image, "Containers",
					    json_integer(users_of(&df->image_list[i])));
	}
}

void api_images_set_virtual(const struct api_call *call, json_t *image)
{
	if (call->minor <= VIRTUAL_SIZE_MINOR)
		json_object_set(image, "VirtualSize", json_object_get(image, "Size"));
}

void api_images_set_version(const struct api_call *call, json_t *image)
{
	api_images_set_virtual(call, image);
	if (call->minor > NONE_NAMES_MINOR || has_name(image))
		return;
	json_object_set_new(image, "RepoTags", json_pack("[s]", "<none>:<none>"));
	json_object_set_new(image, "RepoDigests", json_pack("[s]", "<none>@<none>"));
}

json_t *api_images_load(struct api_call *call, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	__cleanup_free char *text = NULL;
	json_t *list;

	if (shale_summaries(&opts, &text, err) < 0)
		return NULL;
	list = json_loads(text, 0, NULL);
	if (!list)
		shale_err_set(err, ENOMEM, "listing images");
	return list;
}

static int add_sizes(struct api_call *call, json_t *list, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	struct shale_df df = { .image_count = 0 };

	if (!api_get_bool(call, "shared-size", false))
		return 0;
	if (shale_df(&opts, &df, err) < 0)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		api_images_set_shared(json_array_get(list, i), &df, false);
	shale_df_free(&df);
	return 0;
}

static json_t *list_images(struct api_call *call, struct wanted *wanted, struct shale_err *err)
{
	json_t *list;

	if (take_filters(call, wanted, err) < 0)
		return NULL;
	list = api_images_load(call, err);
	for (size_t i = json_array_size(list); i--;)
		if (!is_wanted(wanted, json_array_get(list, i)))
			json_array_remove(list, i);
		else
			api_images_set_version(call, json_array_get(list, i));
	if (list && add_sizes(call, list, err) < 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

void api_images_list(struct api_call *call)
{
	struct wanted wanted = { 0 };
	struct shale_err err = { 0 };
	json_t *list = list_images(call, &wanted, &err);

	json_decref(wanted.filters);
	if (list)
		api_answer_json(call, 200, list);
	else
		api_fail_err(call, &err);
}

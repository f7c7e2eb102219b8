// SPDX-License-Identifier: GPL-2.0-only
/*
 * Volumes: list, create, inspect, remove, prune, and what they take. There is one driver, local, without options.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "store/json.h"
#include "store/volume.h"

/* From this version on, prune takes what nobody has named unless it is told to take all. */
#define ANONYMOUS_MINOR 42

static const char *const list_filters[] = { "dangling", "driver", "label", "label!", "name", NULL };
static const char *const prune_filters[] = { "all", "label", "label!", NULL };

static json_t *volumes_load(struct api_call *call, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	__cleanup_free char *text = NULL;
	json_t *list;

	if (shale_volumes(&opts, &text, err) < 0)
		return NULL;
	list = json_loads(text, 0, NULL);
	if (!list)
		shale_err_set(err, ENOMEM, "listing volumes");
	return list;
}

static const char *name_of(const json_t *volume)
{
	return json_string_value(json_object_get(volume, "Name"));
}

static size_t users_of(struct api_call *call, const char *name)
{
	const struct shale_opts opts = { .root = call->api->root };
	size_t count = 0;

	/* One that has just been removed has none. */
	if (shale_volume_users(&opts, name, &count, NULL) < 0)
		return 0;
	return count;
}

static bool match_labels(const json_t *filters, const json_t *volume)
{
	return api_filters_allow_labels(filters, json_object_get(volume, "Labels"));
}

/* docker looks for the text anywhere in the name. */
static bool match_name(const json_t *filters, const char *name)
{
	const char *wanted;

	for (size_t i = 0; (wanted = api_filters_get(filters, "name", i)); i++)
		if (strstr(name, wanted))
			return true;
	return !api_filters_have(filters, "name");
}

static json_t *list_wanted(struct api_call *call, const json_t *filters, struct shale_err *err)
{
	bool is_dangling = true, is_chosen = api_filters_have(filters, "dangling");
	json_t *list;

	if (api_filters_check(filters, list_filters, err) < 0 ||
	    api_filters_bool(filters, "dangling", &is_dangling, err) < 0)
		return NULL;
	list = volumes_load(call, err);
	for (size_t i = json_array_size(list); i--;) {
		const json_t *volume = json_array_get(list, i);

		if ((is_chosen && is_dangling != !users_of(call, name_of(volume))) ||
		    !api_filters_allow(filters, "driver", "local") ||
		    !match_labels(filters, volume) || !match_name(filters, name_of(volume)))
			json_array_remove(list, i);
	}
	return list;
}

void api_volumes_list(struct api_call *call)
{
	__cleanup_json json_t *filters = NULL;
	struct shale_err err = { 0 };
	json_t *list = NULL;

	if (api_filters_parse(api_get(call, "filters"), &filters, &err) == 0)
		list = list_wanted(call, filters, &err);
	if (list)
		api_answer_json(call, 200, json_pack("{s:o, s:n}", "Volumes", list, "Warnings"));
	else
		api_fail_err(call, &err);
}

static void answer_volume(struct api_call *call, unsigned int status, char *text)
{
	json_t *json = json_loads(text, 0, NULL);

	free(text);
	api_answer_json(call, status, json);
}

/* Fields of the request that may be left out, or null. */
static bool take_field(struct api_call *call, const json_t *json, const char *field, json_type type,
		       json_t **ret_value)
{
	*ret_value = json_object_get(json, field);
	if (json_is_null(*ret_value))
		*ret_value = NULL;
	if (!*ret_value || json_typeof(*ret_value) == type)
		return true;
	api_fail(call, 400, "invalid JSON: '%s' is of the wrong type", field);
	return false;
}

static bool check_driver(struct api_call *call, const char *name, const json_t *driver,
			 const json_t *options)
{
	const char *wanted = json_string_value(driver);

	if (wanted && *wanted && strcmp(wanted, "local")) {
		api_fail(call, 404,
			 "create %.100s: error looking up volume plugin %.100s: plugin \"%.100s\" not found",
			 name ? name : "", wanted, wanted);
		return false;
	}
	if (json_object_size(options)) {
		api_fail(call, 400, "create %.100s: the local driver takes no options here",
			 name ? name : "");
		return false;
	}
	return true;
}

static void create_volume(struct api_call *call, const json_t *json)
{
	json_t *name_json, *driver, *options, *labels;
	struct shale_opts opts = { .root = call->api->root };
	__cleanup_free char *labels_text = NULL;
	struct shale_err err = { 0 };
	const char *name;
	char *text = NULL;
	bool is_new;

	if (!take_field(call, json, "Name", JSON_STRING, &name_json) ||
	    !take_field(call, json, "Driver", JSON_STRING, &driver) ||
	    !take_field(call, json, "DriverOpts", JSON_OBJECT, &options) ||
	    !take_field(call, json, "Labels", JSON_OBJECT, &labels))
		return;
	name = json_string_value(name_json);
	if (!check_driver(call, name, driver, options))
		return;
	if (labels)
		labels_text = json_dumps(labels, JSON_COMPACT);
	if (shale_volume_create(&opts, name && *name ? name : NULL, labels_text, &text, &is_new, &err) <
	    0) {
		api_fail_err(call, &err);
		return;
	}
	if (is_new) {
		__cleanup_json json_t *made = json_loads(text, 0, NULL);

		if (made)
			api_events_volume(call->api->events, "create", name_of(made));
	}
	answer_volume(call, 201, text);
}

void api_volume_create(struct api_call *call)
{
	json_t *json = NULL;

	if (!api_body_json(call, &json))
		return;
	create_volume(call, json);
	json_decref(json);
}

void api_volume_inspect(struct api_call *call)
{
	struct shale_opts opts = { .root = call->api->root };
	struct shale_err err = { 0 };
	char *text = NULL;

	if (shale_volume_inspect(&opts, call->name, &text, &err) < 0)
		api_fail_err(call, &err);
	else
		answer_volume(call, 200, text);
}

void api_volume_remove(struct api_call *call)
{
	struct shale_opts opts = { .root = call->api->root };
	struct shale_err err = { 0 };

	if (shale_volume_remove(&opts, call->name, NULL, &err) == 0) {
		api_events_volume(call->api->events, "destroy", call->name);
		api_answer_empty(call, 204);
	} else if (err.code == ENOENT && api_get_bool(call, "force", false)) {
		api_answer_empty(call, 204);
	} else {
		api_fail_err(call, &err);
	}
}

static bool is_anonymous(const json_t *volume)
{
	return json_object_get(json_object_get(volume, "Labels"), VOLUME_ANONYMOUS);
}

struct volume_prune {
	json_t *filters;
	bool is_all;
	json_t *deleted;
	uint64_t bytes;
};

static int prune_volume(struct api_call *call, struct volume_prune *prune, const json_t *volume,
			struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	const char *name = name_of(volume);
	struct shale_err why = { 0 };
	uint64_t bytes = 0;

	if ((!prune->is_all && !is_anonymous(volume)) || !match_labels(prune->filters, volume))
		return 0;
	if (shale_volume_remove(&opts, name, &bytes, &why) < 0)
		/* Somebody else was faster, or a container has it. */
		return why.code == ENOENT || why.code == EBUSY ? 0 : shale_err_set(err, why.code, "%s", why.msg);
	prune->bytes += bytes;
	json_array_append_new(prune->deleted, json_string(name));
	api_events_volume(call->api->events, "destroy", name);
	return 0;
}

static int prune_volumes(struct api_call *call, struct volume_prune *prune, struct shale_err *err)
{
	__cleanup_json json_t *list = NULL;

	prune->is_all = call->minor < ANONYMOUS_MINOR;
	if (api_filters_parse(api_get(call, "filters"), &prune->filters, err) < 0 ||
	    api_filters_check(prune->filters, prune_filters, err) < 0 ||
	    api_filters_bool(prune->filters, "all", &prune->is_all, err) < 0)
		return -1;
	list = volumes_load(call, err);
	if (!list)
		return -1;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (prune_volume(call, prune, json_array_get(list, i), err) < 0)
			return -1;
	return 0;
}

void api_volumes_prune(struct api_call *call)
{
	struct volume_prune prune = { .deleted = json_array() };
	struct shale_err err = { 0 };

	if (prune_volumes(call, &prune, &err) == 0)
		api_answer_json(call, 200, json_pack("{s:O, s:I}", "VolumesDeleted", prune.deleted,
						     "SpaceReclaimed", (json_int_t)prune.bytes));
	else
		api_fail_err(call, &err);
	json_decref(prune.deleted);
	json_decref(prune.filters);
}

json_t *api_volumes_df(struct api_call *call, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	json_t *list = volumes_load(call, err);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *volume = json_array_get(list, i);
		uint64_t bytes = 0;

		/* One that has just been removed takes nothing. */
		shale_volume_size(&opts, name_of(volume), &bytes, NULL);
		json_object_set_new(volume, "UsageData",
				    json_pack("{s:I, s:I}", "RefCount",
					      (json_int_t)users_of(call, name_of(volume)), "Size",
					      (json_int_t)bytes));
	}
	return list;
}

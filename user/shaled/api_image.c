// SPDX-License-Identifier: GPL-2.0-only
/*
 * One image by its name or ID: inspect, history, tag, remove.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "store/json.h"
#include "store/ref.h"

/* Up to this version, fields of images that were made by containers. */
#define CONTAINER_MINOR 44

static struct shale_opts opts_of(const struct api_call *call)
{
	return (struct shale_opts){ .root = call->api->root };
}

static void add_old_fields(const struct api_call *call, json_t *json)
{
	api_images_set_virtual(call, json);
	if (call->minor > CONTAINER_MINOR)
		json_object_del(json, "ContainerConfig");
	else
		json_object_set_new(json, "Container", json_string(""));
}

/* The layers are the same directories whatever mounts them, so it is not worth finding out. */
static void set_driver(struct api_call *call, json_t *json)
{
	char driver[SHALE_DRIVER_TEXT];

	if (api_driver_is_known(call->api, driver))
		json_object_set_new(json_object_get(json, "GraphDriver"), "Name",
				    json_string(driver));
}

void api_image_inspect(struct api_call *call)
{
	struct shale_opts opts = opts_of(call);
	struct shale_err err = { 0 };
	__cleanup_free char *text = NULL;
	json_t *json;

	if (shale_inspect(&opts, call->name, &text, &err) < 0) {
		api_fail_image(call, call->name, &err);
		return;
	}
	json = json_loads(text, 0, NULL);
	if (json) {
		add_old_fields(call, json);
		set_driver(call, json);
	}
	api_answer_json(call, 200, json);
}

void api_image_history(struct api_call *call)
{
	struct shale_opts opts = opts_of(call);
	struct shale_err err = { 0 };
	char *text = NULL;

	if (shale_history(&opts, call->name, &text, &err) < 0)
		api_fail_image(call, call->name, &err);
	else
		api_answer_text(call, 200, text);
}

/* The ID of an image, for events; false: there is none. */
static bool find_id(struct api_call *call, const char *name, char id[SHALE_DIGEST_TEXT])
{
	struct shale_opts opts = opts_of(call);
	__cleanup_free char *text = NULL;
	__cleanup_json json_t *json = NULL;
	const char *found;

	if (shale_inspect(&opts, name, &text, NULL) < 0)
		return false;
	json = json_loads(text, 0, NULL);
	found = json_string_value(json_object_get(json, "Id"));
	if (found)
		snprintf(id, SHALE_DIGEST_TEXT, "%s", found);
	return found;
}

static bool join_target(struct api_call *call, struct buf *target)
{
	const char *repo = api_get(call, "repo");
	const char *tag = api_get(call, "tag");

	if (!repo || !*repo) {
		api_fail(call, 400, "invalid reference format: the query has no 'repo'");
		return false;
	}
	if (buf_adds(target, repo) == 0 && (!tag || !*tag || buf_addf(target, ":%s", tag) == 0))
		return true;
	api_fail(call, 500, "out of memory");
	return false;
}

void api_image_tag(struct api_call *call)
{
	__cleanup_buf struct buf target = BUF_INIT;
	struct shale_opts opts = opts_of(call);
	struct shale_err err = { 0 };
	char id[SHALE_DIGEST_TEXT] = "";
	struct ref ref;

	if (!join_target(call, &target))
		return;
	if (ref_parse(buf_str(&target), &ref, &err) < 0) {
		api_fail(call, 400, "invalid reference format: %s", err.msg);
		return;
	}
	if (shale_tag(&opts, call->name, buf_str(&target), &err) < 0) {
		api_fail_image(call, call->name, &err);
		return;
	}
	find_id(call, buf_str(&target), id);
	api_events_image(call->api->events, "tag", id, ref_shown(&ref).text);
	api_answer_empty(call, 201);
}

struct removal {
	struct api_call *call;
	json_t *list;
	const char *id; /* of the image */
	bool is_short;	/* of memory */
};

static int note_removal(void *arg, const struct shale_event *event)
{
	struct removal *removal = arg;
	bool is_name = event->kind == SHALE_EVENT_UNTAGGED;

	if (!is_name && event->kind != SHALE_EVENT_DELETED)
		return 0;
	if (json_array_append_new(removal->list,
				  json_pack("{s:s}", is_name ? "Untagged" : "Deleted",
					    is_name ? event->name : event->id)))
		removal->is_short = true;
	if (is_name)
		api_events_image(removal->call->api->events, "untag", removal->id, event->name);
	else if (!strcmp(event->id, removal->id))
		api_events_image(removal->call->api->events, "delete", removal->id, NULL);
	return 0;
}

static void refuse_removal(struct api_call *call, const char *id, const struct shale_err *err)
{
	static const char conflict[] = "conflict: unable to delete";

	if (err->code == ETOOMANYREFS)
		api_fail(call, 409, "%s %.12s (must be forced) - %s", conflict, strchr(id, ':') + 1, err->msg);
	else if (err->code == EBUSY)
		api_fail(call, 409, "%s %s (cannot be forced) - %s", conflict, call->name, err->msg);
	else
		api_fail_image(call, call->name, err);
}

/* noprune changes nothing: an image's parent is an image of its own here, which nobody removes with it. */
void api_image_remove(struct api_call *call)
{
	char id[SHALE_DIGEST_TEXT] = "";
	struct removal removal = { .call = call, .id = id, .list = json_array() };
	struct shale_opts opts = opts_of(call);
	struct shale_err err = { 0 };
	bool force = api_get_bool(call, "force", false);
	int ret;

	opts.progress = note_removal;
	opts.arg = &removal;
	find_id(call, call->name, id);
	ret = shale_rmi(&opts, call->name, force, &err);
	if (ret == 0) {
		if (removal.is_short)
			json_decref(removal.list);
		api_answer_json(call, 200, removal.is_short ? NULL : removal.list);
		return;
	}
	json_decref(removal.list);
	refuse_removal(call, id, &err);
}

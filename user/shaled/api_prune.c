// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removing what nobody uses: images by filters, writable layers that are not mounted; and the answers that there is
 * nothing to remove of what this daemon does not have. Volumes are in api_volumes.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "store/json.h"

static const char *const image_filters[] = { "dangling", "until", "label", "label!", NULL };
static const char *const container_filters[] = { "until", "label", "label!", NULL };

struct pruned {
	struct api_call *call;
	const json_t *filters;
	json_t *list;
	bool is_short; /* of memory */
};

static void add_pruned(struct pruned *pruned, json_t *json)
{
	if (json_array_append_new(pruned->list, json))
		pruned->is_short = true;
}

static int note_pruned(void *arg, const struct shale_event *event)
{
	struct pruned *pruned = arg;
	struct api_events *events = pruned->call->api->events;

	if (event->kind == SHALE_EVENT_CONTAINER) {
		add_pruned(pruned, json_string(event->id));
	} else if (event->kind == SHALE_EVENT_UNTAGGED) {
		add_pruned(pruned, json_pack("{s:s}", "Untagged", event->name));
		api_events_image(events, "untag", event->name, event->name);
	} else if (event->kind == SHALE_EVENT_DELETED) {
		add_pruned(pruned, json_pack("{s:s}", "Deleted", event->id));
		api_events_image(events, "delete", event->id, NULL);
	}
	return 0;
}

static bool may_go(void *arg, const char *config)
{
	const struct pruned *pruned = arg;
	__cleanup_json json_t *json = json_loads(config, 0, NULL);

	return api_filters_allow_labels(pruned->filters,
					json_object_get(json_object_get(json, "config"), "Labels"));
}

static int take_prune(const json_t *filters, const char *const *known, struct shale_prune_opts *prune,
		      struct shale_err *err)
{
	const char *until = api_filters_get(filters, "until", 0);
	bool is_dangling = true;

	if (api_filters_check(filters, known, err) < 0 ||
	    api_filters_bool(filters, "dangling", &is_dangling, err) < 0)
		return -1;
	prune->is_all = !is_dangling;
	if (!until || api_value_until(until, time(NULL), &prune->before))
		return 0;
	return shale_err_set(err, EINVAL, "invalid filter 'until=%.100s'", until);
}

static void answer_pruned(struct api_call *call, const char *field, struct pruned *pruned,
			  uint64_t bytes)
{
	json_t *list = json_array_size(pruned->list) ? json_incref(pruned->list) : json_null();

	if (!pruned->is_short)
		api_answer_json(call, 200, json_pack("{s:o, s:I}", field, list, "SpaceReclaimed",
						     (json_int_t)bytes));
	else
		api_fail(call, 500, "it was removed, but there is no memory to say what");
}

static void prune_with(struct api_call *call, struct shale_prune_opts *prune,
		       const char *const *known, const char *field)
{
	__cleanup_json json_t *list = json_array();
	__cleanup_json json_t *filters = NULL;
	struct pruned pruned = { .call = call, .list = list };
	struct shale_opts opts = { .root = call->api->root, .progress = note_pruned, .arg = &pruned };
	struct shale_err err = { 0 };
	uint64_t bytes = 0, named = 0;

	if (api_filters_parse(api_get(call, "filters"), &filters, &err) == 0 &&
	    take_prune(filters, known, prune, &err) == 0) {
		pruned.filters = filters;
		prune->select = may_go;
		prune->select_arg = &pruned;
		if (prune->keeps_images &&
		    api_containers_prune_named(call, filters, prune->before, list, &named, &err) < 0) {
			api_fail_err(call, &err);
			return;
		}
		/* What has no name has no labels either. */
		prune->keeps_containers |= api_filters_have(filters, "label");
		if (shale_prune(&opts, prune, &bytes, &err) == 0) {
			answer_pruned(call, field, &pruned, bytes + named);
			return;
		}
	}
	api_fail_err(call, &err);
}

void api_images_prune(struct api_call *call)
{
	struct shale_prune_opts prune = { .keeps_containers = true };

	prune_with(call, &prune, image_filters, "ImagesDeleted");
}

/* Containers that have ended, and the writable layers of mounts that are no more. */
void api_containers_prune(struct api_call *call)
{
	struct shale_prune_opts prune = { .keeps_images = true };

	prune_with(call, &prune, container_filters, "ContainersDeleted");
}

void api_networks_prune(struct api_call *call)
{
	api_answer_json(call, 200, json_pack("{s:n}", "NetworksDeleted"));
}

void api_build_prune(struct api_call *call)
{
	api_answer_json(call, 200, json_pack("{s:n, s:i}", "CachesDeleted", "SpaceReclaimed", 0));
}

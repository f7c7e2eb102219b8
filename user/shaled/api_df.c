// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET system/df: what images, writable layers and volumes take; and what docker does not keep: BlobsSize, the layers as
 * they came, and DownloadsSize, what broken off pulls have left. A writable layer is shown as a container, which runs
 * while it is mounted.
 */
#include <string.h>

#include "shaled/api_handlers.h"
#include "store/json.h"

/* "type" narrows the answer, and may come several times. */
static bool is_asked(const struct api_call *call, const char *type)
{
	bool has_any = false;

	for (size_t i = 0; i < call->target.pair_count; i++) {
		if (strcmp(call->target.pairs[i].key, "type"))
			continue;
		has_any = true;
		if (!strcmp(call->target.pairs[i].value, type))
			return true;
	}
	return !has_any;
}

static json_t *df_images(struct api_call *call, const struct shale_df *df, struct shale_err *err)
{
	json_t *list = api_images_load(call, err);

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_object_set_new(json_array_get(list, i), "Containers", json_integer(0));
		api_images_set_shared(json_array_get(list, i), df, true);
		api_images_set_version(call, json_array_get(list, i));
	}
	return list;
}

static json_t *df_containers(const struct shale_df *df)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < df->container_count; i++) {
		const struct shale_df_container *one = &df->container_list[i];
		json_t *row = json_pack("{s:s, s:[], s:s, s:s, s:s, s:I, s:[], s:I, s:{}, s:s, s:s, s:[]}",
					"Id", one->id, "Names", "Image", one->image, "ImageID",
					one->image, "Command", "", "Created", (json_int_t)one->created,
					"Ports", "SizeRw", (json_int_t)one->size, "Labels", "State",
					one->is_mounted ? "running" : "exited", "Status",
					one->is_mounted ? "Mounted" : "Not mounted", "Mounts");

		if (json_array_append_new(list, row)) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

/* What was not asked for is null, as docker has it. */
static json_t *answer_of(struct api_call *call, const struct shale_df *df, struct shale_err *err)
{
	json_t *images = is_asked(call, "image") ? df_images(call, df, err) : json_null();
	json_t *volumes = is_asked(call, "volume") ? api_volumes_df(call, err) : json_null();
	json_t *containers = is_asked(call, "container") ? df_containers(df) : json_null();

	if (images && volumes && containers)
		return json_pack("{s:I, s:o, s:o, s:o, s:o, s:i, s:I, s:I}", "LayersSize",
				 (json_int_t)df->images.size, "Images", images, "Containers",
				 containers, "Volumes", volumes, "BuildCache",
				 is_asked(call, "build-cache") ? json_array() : json_null(),
				 "BuilderSize", 0, "BlobsSize", (json_int_t)df->blobs.size,
				 "DownloadsSize", (json_int_t)df->downloads.size);
	json_decref(images);
	json_decref(volumes);
	json_decref(containers);
	return NULL;
}

void api_df(struct api_call *call)
{
	struct shale_opts opts = { .root = call->api->root };
	struct shale_df df = { .image_count = 0 };
	struct shale_err err = { 0 };
	json_t *json = NULL;

	if (shale_df(&opts, &df, &err) == 0)
		json = answer_of(call, &df, &err);
	shale_df_free(&df);
	if (json || !err.code)
		api_answer_json(call, 200, json);
	else
		api_fail_err(call, &err);
}

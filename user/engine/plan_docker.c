// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans from a docker-archive (docker save): manifest.json names configs and layer tars, and an OCI
 * manifest is written for each image, so that the store holds one kind. Layers have to be hashed for
 * that before anything is unpacked.
 */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "archive/name.h"
#include "engine/blob.h"

static int add_layer(const struct source *source, struct task *task, const char *path,
		     json_t *layers, struct shale_err *err)
{
	struct blob_facts facts;

	if (blob_examine(source, task, path, &facts, err) < 0)
		return -1;
	if (json_array_append_new(layers, plan_layer(&facts)) < 0)
		return shale_err_set(err, ENOMEM, "writing a manifest");
	return 0;
}

static int copy_path(const json_t *json, const char *what, char **ret_path, struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;
	const char *text = json_string_value(json);

	if (!text)
		return shale_err_set(err, EINVAL, "manifest.json: %s is not a string", what);
	if (name_clean(text, &path, err) < 0)
		return shale_err_wrap(err, "manifest.json: '%.200s'", text);
	*ret_path = buf_steal(&path);
	return *ret_path ? 0 : shale_err_errno(err, "manifest.json");
}

/* The paths are the image's only after its layers are counted, for they are freed by that count. */
static int read_layers(const struct source *source, struct task *task, const json_t *list,
		       struct plan_image *image, struct shale_err *err)
{
	__cleanup_json json_t *layers = json_array();
	size_t count = json_array_size(list);
	char **paths = calloc(count + 1, sizeof(*paths));
	int ret = -1;

	if (!paths)
		return shale_err_errno(err, "listing layers");
	for (size_t i = 0; i < count; i++)
		if (copy_path(json_array_get(list, i), "a layer", &paths[i], err) < 0 ||
		    add_layer(source, task, paths[i], layers, err) < 0)
			goto out_free;
	if (plan_write_manifest(image, layers, err) < 0)
		goto out_free;
	image->paths = paths;
	return 0;
out_free:
	for (size_t i = 0; i < count; i++)
		free(paths[i]);
	free(paths);
	return ret;
}

static int add_tags(const json_t *tags, struct plan_image *image, struct shale_err *err)
{
	for (size_t i = 0; i < json_array_size(tags); i++) {
		const char *name = json_string_value(json_array_get(tags, i));

		if (!name)
			return shale_err_set(err, EINVAL,
					     "manifest.json: RepoTags[%zu] is not a string", i);
		if (plan_add_name(image, name, err) < 0)
			return shale_err_wrap(err, "manifest.json: RepoTags");
	}
	return 0;
}

/* A config that is named by its digest must have it. */
static int check_config(const struct plan_image *image, const char *path, struct shale_err *err)
{
	char hex[DIGEST_HEX + 1];
	struct digest wanted;
	struct digest found;

	snprintf(hex, sizeof(hex), "%s", name_base(path));
	if (!digest_parse_hex(hex, &wanted))
		return 0;
	if (digest_of(buf_str(&image->config), image->config.len, &found, err) < 0)
		return -1;
	if (!digest_is_equal(&wanted, &found))
		return shale_err_set(err, EINVAL, "%.200s does not have its digest", path);
	return 0;
}

static int read_image(const struct source *source, struct task *task, const json_t *json,
		      struct plan_image *image, struct shale_err *err)
{
	__cleanup_free char *config = NULL;
	json_t *layers = NULL;
	json_t *tags = NULL;

	if (!json_is_object(json))
		return shale_err_set(err, EINVAL, "manifest.json: an image is not an object");
	if (copy_path(json_object_get(json, "Config"), "Config", &config, err) < 0 ||
	    json_get_array(json, "RepoTags", INDEX_MAX_ENTRIES, true, "manifest.json", &tags,
			   err) < 0 ||
	    json_get_array(json, "Layers", IMAGE_MAX_LAYERS, false, "manifest.json", &layers,
			   err) < 0)
		return -1;
	if (source_read(source, config, &image->config, err) < 0 ||
	    check_config(image, config, err) < 0 || add_tags(tags, image, err) < 0)
		return -1;
	return read_layers(source, task, layers, image, err);
}

int plan_make_docker(const struct source *source, struct task *task, struct plan *plan,
		     struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	struct plan_image *image;

	if (source_read(source, "manifest.json", &text, err) < 0 ||
	    json_parse_array(buf_str(&text), text.len, "manifest.json", &json, err) < 0)
		return -1;
	if (!json_array_size(json))
		return shale_err_set(err, EINVAL, "manifest.json: there is no image");
	if (json_array_size(json) > INDEX_MAX_ENTRIES)
		return shale_err_set(err, E2BIG, "manifest.json: more than %d images",
				     INDEX_MAX_ENTRIES);
	for (size_t i = 0; i < json_array_size(json); i++) {
		image = plan_add(plan, err);
		if (!image || read_image(source, task, json_array_get(json, i), image, err) < 0)
			return -1;
	}
	return 0;
}

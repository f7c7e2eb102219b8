// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb inspect: all about an image, with the fields of docker's API. What a config leaves out
 * gets the value that docker shows for it.
 */
#include <errno.h>
#include <string.h>

#include "engine/found.h"
#include "engine/parents.h"

/* What docker shows for a time it does not know. */
#define NO_TIME "0001-01-01T00:00:00Z"

/* Of the part of a config that says how to run it; docker's order. Others follow as they are. */
static const struct {
	const char *field;
	const char *value;
} run_defaults[] = {
	{ "Hostname", "\"\"" },	    { "Domainname", "\"\"" },	 { "User", "\"\"" },
	{ "AttachStdin", "false" }, { "AttachStdout", "false" }, { "AttachStderr", "false" },
	{ "Tty", "false" },	    { "OpenStdin", "false" },	 { "StdinOnce", "false" },
	{ "Env", "null" },	    { "Cmd", "null" },		 { "Image", "\"\"" },
	{ "Volumes", "null" },	    { "WorkingDir", "\"\"" },	 { "Entrypoint", "null" },
	{ "OnBuild", "null" },	    { "Labels", "null" },
};

static json_t *run_config(const json_t *config, const char *field)
{
	json_t *given = json_object_get(config, field);
	json_t *out = json_object();
	int ret = out ? 0 : -1;

	for (size_t i = 0; !ret && i < sizeof(run_defaults) / sizeof(*run_defaults); i++)
		ret = json_object_set_new(out, run_defaults[i].field,
					  json_loads(run_defaults[i].value, JSON_DECODE_ANY, NULL));
	if (!ret && json_is_object(given))
		ret = json_object_update(out, given);
	if (!ret)
		return out;
	json_decref(out);
	return NULL;
}

static const char *text_or(const json_t *config, const char *field, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(config, field));

	return text ? text : otherwise;
}

/* A committed or imported image says it in its last step only. */
static const char *comment_of(const json_t *config)
{
	const json_t *history = json_object_get(config, "history");
	size_t count = json_array_size(history);
	const char *last = count ? text_or(json_array_get(history, count - 1), "comment", "") : "";

	return text_or(config, "comment", last);
}

static json_t *layer_digests(const struct image *image)
{
	json_t *list = json_array();
	int ret = list ? 0 : -1;

	for (size_t i = 0; !ret && i < image->layer_count; i++) {
		struct digest_text text = digest_text(&image->layers[i].diff_id);

		ret = json_array_append_new(list, json_string(text.text));
	}
	if (!ret)
		return list;
	json_decref(list);
	return NULL;
}

/* Where the layers are, as docker says it: the topmost, and those below it in one line. */
static json_t *layer_dirs(const struct found *found)
{
	const struct image *image = &found->image;
	__cleanup_buf struct buf lower = BUF_INIT;
	__cleanup_free char *upper = NULL;

	if (!image->layer_count)
		return json_null();
	upper = store_layer_path(&found->store, &image->layers[image->layer_count - 1].diff_id);
	for (size_t i = image->layer_count - 1; upper && i--;) {
		__cleanup_free char *path =
			store_layer_path(&found->store, &image->layers[i].diff_id);

		if (!path || buf_addf(&lower, "%s%s", lower.len ? ":" : "", path) < 0)
			return NULL;
	}
	if (!upper)
		return NULL;
	if (!lower.len)
		return json_pack("{s:s}", "UpperDir", upper);
	return json_pack("{s:s, s:s}", "LowerDir", buf_str(&lower), "UpperDir", upper);
}

static int find_parent(const struct found *found, const json_t *config, struct digest_text *ret_id,
		       struct shale_err *err)
{
	__cleanup_parents struct parents parents = { 0 };
	const struct image *parent;

	ret_id->text[0] = '\0';
	if (parents_load(&found->store, &found->index, &parents, err) < 0)
		return -1;
	parent = parents_find_last(&parents, &found->image, json_object_get(config, "history"));
	if (parent)
		*ret_id = digest_text(&parent->config);
	return 0;
}

static json_t *describe(const struct found *found, const json_t *config,
			const struct digest_text *parent)
{
	const struct image *image = &found->image;
	struct digest_text id = digest_text(&image->config);
	json_t *names = found_names(&found->index, &image->manifest);
	json_t *digests = found_digests(&found->index, &image->manifest);

	return json_pack("{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s*, s:s, s:I, "
			 "s:{s:o, s:s}, s:{s:s, s:o}, s:{s:s}}",
			 "Id", id.text, "RepoTags", names, "RepoDigests", digests, "Parent",
			 parent->text, "Comment", comment_of(config), "Created",
			 text_or(config, "created", NO_TIME), "DockerVersion",
			 text_or(config, "docker_version", ""), "Author",
			 text_or(config, "author", ""), "Config", run_config(config, "config"),
			 "ContainerConfig", run_config(config, "container_config"),
			 "Architecture", image->architecture, "Variant",
			 json_string_value(json_object_get(config, "variant")), "Os", image->os,
			 "Size", (json_int_t)found_size(&found->store, image), "GraphDriver",
			 "Data", layer_dirs(found), "Name", "shale", "RootFS", "Type", "layers",
			 "Layers", layer_digests(image), "Metadata", "LastTagTime", NO_TIME);
}

int shale_inspect(const struct shale_opts *opts, const char *name, char **ret_json,
		  struct shale_err *err)
{
	__cleanup_found struct found found = FOUND_NONE;
	__cleanup_json json_t *config = NULL;
	__cleanup_json json_t *json = NULL;
	struct digest_text parent;

	if (found_open(opts, name, LOCK_SH, &found, err) < 0 ||
	    found_config(&found.store, &found.image, &config, err) < 0 ||
	    find_parent(&found, config, &parent, err) < 0)
		return -1;
	json = describe(&found, config, &parent);
	*ret_json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "inspecting an image");
}

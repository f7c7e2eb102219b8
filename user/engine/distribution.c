// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb distribution: what a name stands for in its registry, without pulling it, as docker's API answers it.
 * Mirrors are not asked: it is the registry that says.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/document.h"
#include "client/remote.h"
#include "engine/engine.h"
#include "store/image.h"
#include "store/ref.h"

struct asking {
	struct task task;
	const char *name;
};

static int poll_asking(void *arg, struct shale_err *err)
{
	struct asking *asking = arg;
	struct shale_event event = { .kind = SHALE_EVENT_CONNECT, .name = asking->name };

	return task_report(&asking->task, &event, err);
}

static int add_platform(json_t *list, const char *architecture, const char *os, const char *variant)
{
	return json_array_append_new(list, json_pack("{s:s, s:s, s:s*}", "architecture",
						     architecture ? architecture : "", "os",
						     os ? os : "", "variant",
						     variant && *variant ? variant : NULL));
}

/* Of each image in it that says so. */
static int platforms_of_index(const struct document *document, json_t *list, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;

	if (index_parse(buf_str(&document->data), document->data.len, "image index", &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index_count(&index); i++) {
		if (index_get(&index, i, &entry, err) < 0)
			return -1;
		if (entry.os && add_platform(list, entry.architecture, entry.os, entry.variant))
			return shale_err_set(err, ENOMEM, "listing platforms");
	}
	return 0;
}

static int platform_of_image(struct remote *remote, const struct document *document, json_t *list,
			     struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_buf struct buf config = BUF_INIT;
	__cleanup_json json_t *json = NULL;

	if (image_parse_manifest(document->data.data, document->data.len, &image, err) < 0 ||
	    document_fetch_blob(remote, &image.config, image.config_size, &config, err) < 0 ||
	    image_parse_config(config.data, config.len, &image, err) < 0 ||
	    json_parse_object(config.data, config.len, "config", &json, err) < 0)
		return -1;
	if (add_platform(list, image.architecture, image.os,
			 json_string_value(json_object_get(json, "variant"))))
		return shale_err_set(err, ENOMEM, "listing platforms");
	return 0;
}

static int describe_remote(struct remote *remote, const struct ref *ref, char **ret_json,
			   struct shale_err *err)
{
	__cleanup_document struct document document = { 0 };
	struct digest_text text = digest_text(&ref->digest);
	__cleanup_json json_t *list = json_array();
	__cleanup_json json_t *json = NULL;
	int ret;

	if (!list)
		return shale_err_set(err, ENOMEM, "listing platforms");
	if (document_fetch(remote, ref->has_digest ? text.text : ref->tag,
			   ref->has_digest ? &ref->digest : NULL, &document, err) < 0)
		return -1;
	ret = image_kind(document.media_type) == IMAGE_INDEX ?
		      platforms_of_index(&document, list, err) :
		      platform_of_image(remote, &document, list, err);
	if (ret < 0)
		return -1;
	text = digest_text(&document.digest);
	json = json_pack("{s:{s:s, s:s, s:I}, s:O}", "Descriptor", "mediaType", document.media_type,
			 "digest", text.text, "size", (json_int_t)document.data.len, "Platforms",
			 list);
	*ret_json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing platforms");
}

int shale_distribution(const struct shale_opts *opts, const char *name,
		       const struct shale_registry_opts *registry, char **ret_json,
		       struct shale_err *err)
{
	__attribute__((cleanup(web_closep))) struct web *web = NULL;
	__cleanup_remote struct remote remote = { 0 };
	struct asking asking = { .task = TASK_INIT(opts), .name = name };
	struct web_opts web_opts = {
		.stall_seconds = registry->stall_seconds,
		.poll = poll_asking,
		.arg = &asking,
	};
	struct remote_wish wish = { .opts = registry, .actions = "pull" };
	struct origin origin;
	struct ref ref;

	if (ref_parse(name, &ref, err) < 0 || origin_of_ref(&ref, &origin, err) < 0 ||
	    web_open(&web_opts, &web, err) < 0)
		return -1;
	wish.web = web;
	wish.origin = &origin;
	if (remote_open(&wish, &remote, err) < 0)
		return -1;
	return describe_remote(&remote, &ref, ret_json, err);
}

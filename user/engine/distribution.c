// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb distribution: what a name stands for in its registry, without pulling it, as docker's API answers it.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/document.h"
#include "engine/repository.h"
#include "store/image.h"

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
	__cleanup_repository struct repository repository = REPOSITORY_NONE;
	struct ref ref;

	if (ref_parse(name, &ref, err) < 0 || repository_open(opts, &ref, registry, &repository, err) < 0)
		return -1;
	return describe_remote(&repository.remote, &ref, ret_json, err);
}

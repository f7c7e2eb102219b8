// SPDX-License-Identifier: GPL-2.0-only
/*
 * The OCI manifest of an image that came without one: out of a docker-archive, a root directory's
 * tar or a commit. Its bytes follow from the config and the layers alone.
 */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/blob.h"

static const struct {
	const char *codec;
	const char *media_type;
} layer_types[] = {
	{ "none", "application/vnd.oci.image.layer.v1.tar" },
	{ "gzip", "application/vnd.oci.image.layer.v1.tar+gzip" },
	{ "zstd", "application/vnd.oci.image.layer.v1.tar+zstd" },
};

static const char *layer_type(const char *codec)
{
	for (size_t i = 0; i < sizeof(layer_types) / sizeof(*layer_types); i++)
		if (!strcmp(layer_types[i].codec, codec))
			return layer_types[i].media_type;
	return layer_types[0].media_type;
}

json_t *plan_layer(const struct blob_facts *facts)
{
	struct digest_text text = digest_text(&facts->digest);

	return json_pack("{s:s, s:s, s:I}", "mediaType", layer_type(facts->codec), "digest",
			 text.text, "size", (json_int_t)facts->size);
}

static int write_manifest(struct plan_image *image, json_t *layers, struct shale_err *err)
{
	struct digest_text config;
	__cleanup_json json_t *json = NULL;
	__cleanup_free char *text = NULL;
	struct digest digest;

	if (digest_of(buf_str(&image->config), image->config.len, &digest, err) < 0)
		return -1;
	config = digest_text(&digest);
	image->media_type = "application/vnd.oci.image.manifest.v1+json";
	json = json_pack("{s:i, s:s, s:{s:s, s:s, s:I}, s:O}", "schemaVersion", 2, "mediaType",
			 image->media_type, "config", "mediaType",
			 "application/vnd.oci.image.config.v1+json", "digest", config.text, "size",
			 (json_int_t)image->config.len, "layers", layers);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text || buf_adds(&image->manifest, text) < 0)
		return shale_err_set(err, ENOMEM, "writing a manifest");
	return digest_of(text, strlen(text), &image->image.manifest, err);
}

static int parse_both(struct plan_image *image, struct shale_err *err)
{
	struct digest manifest = image->image.manifest;

	if (image_parse_manifest(image->manifest.data, image->manifest.len, &image->image, err) < 0)
		return -1;
	image->image.manifest = manifest;
	return image_parse_config(buf_str(&image->config), image->config.len, &image->image, err);
}

int plan_write_manifest(struct plan_image *image, json_t *layers, struct shale_err *err)
{
	return write_manifest(image, layers, err) < 0 ? -1 : parse_both(image, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * From a name to an image's documents; see pull.h. What the store has is not asked for again. Called by
 * pull.c.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/pull.h"

/* An index within an index; more would only be a loop. */
#define PULL_MAX_DEPTH 2

static const char *const manifest_types[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
};

const char *pull_media_type(const char *media_type)
{
	return manifest_types[!strcmp(media_type, manifest_types[1])];
}

/* An index leads to the manifest of one platform, which is asked for by its digest. */
static int follow_index(struct pull *pull, struct remote *remote, struct document *document,
			struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;
	struct digest_text text;
	size_t chosen = 0;

	if (index_parse(buf_str(&document->data), document->data.len, "image index", &index, err) < 0 ||
	    platform_choose(&pull->platform, &index, &chosen, err) < 0 ||
	    index_get(&index, chosen, &entry, err) < 0)
		return -1;
	if (entry.size > DOCUMENT_MAX_BYTES)
		return shale_err_set(err, EFBIG, "image index: a manifest of more than %u bytes",
				     DOCUMENT_MAX_BYTES);
	text = digest_text(&entry.digest);
	document_release(document);
	if (document_fetch(remote, text.text, &entry.digest, document, err) < 0)
		return -1;
	if (schema1_is_type(document->media_type))
		return shale_err_set(err, EPROTO, "image index: a manifest of schema 1 in it");
	if (document->data.len != entry.size)
		return shale_err_set(err, EPROTO, "manifest %s has %zu bytes instead of %llu",
				     text.text, document->data.len,
				     (unsigned long long)entry.size);
	return 0;
}

static int fetch_manifest(struct pull *pull, struct remote *remote, struct shale_err *err)
{
	const struct ref *ref = &pull->ref;
	struct digest_text text = digest_text(&ref->digest);
	struct document *document = &pull->manifest;
	int depth = 0;

	if (document_fetch(remote, ref->has_digest ? text.text : ref->tag,
			   ref->has_digest ? &ref->digest : NULL, document, err) < 0)
		return -1;
	pull->top = document->digest;
	while (image_kind(document->media_type) == IMAGE_INDEX) {
		if (depth++ == PULL_MAX_DEPTH)
			return shale_err_set(err, EPROTO, "image indexes are nested deeper than %d",
					     PULL_MAX_DEPTH);
		if (follow_index(pull, remote, document, err) < 0)
			return -1;
	}
	return 0;
}

static int fetch_config(struct pull *pull, struct remote *remote, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	const struct document *document = &pull->manifest;

	if (image_parse_manifest(document->data.data, document->data.len, &image, err) < 0)
		return -1;
	pull->id = image.config;
	if (store_has_blob(&pull->store, &image.config) &&
	    store_read_blob(&pull->store, &image.config, &pull->config, NULL) == 0 &&
	    pull->config.len == image.config_size)
		return image_parse_config(pull->config.data, pull->config.len, &image, err);
	buf_release(&pull->config);
	if (document_fetch_blob(remote, &image.config, image.config_size, &pull->config, err) < 0)
		return shale_err_wrap(err, "config");
	return image_parse_config(pull->config.data, pull->config.len, &image, err);
}

/* Who asks for a platform does not want another one, whatever the name stands for. */
static int check_platform(const struct pull *pull, const char *os, const char *architecture,
			  struct shale_err *err)
{
	if (!pull->what->platform)
		return 0;
	if ((!*os || !strcmp(os, pull->platform.os)) &&
	    (!*architecture || !strcmp(architecture, pull->platform.architecture)))
		return 0;
	return shale_err_set(err, ENOENT, "the image is for %s/%s, not for %s", os, architecture,
			     pull->what->platform);
}

static int check_image(const struct pull *pull, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (image_parse_manifest(pull->manifest.data.data, pull->manifest.data.len, &image, err) < 0 ||
	    image_parse_config(pull->config.data, pull->config.len, &image, err) < 0)
		return -1;
	return check_platform(pull, image.os, image.architecture, err);
}

/* There is no config yet, but the last step says what it will say. */
static int read_schema1(struct pull *pull, struct shale_err *err)
{
	if (schema1_parse(pull->manifest.data.data, pull->manifest.data.len, &pull->schema1, err) < 0)
		return -1;
	return check_platform(pull, schema1_text(&pull->schema1, "os"),
			      schema1_text(&pull->schema1, "architecture"), err);
}

static int fetch_documents(struct pull *pull, struct remote *remote, struct shale_err *err)
{
	if (remote_connect(remote, err) < 0 || fetch_manifest(pull, remote, err) < 0)
		return -1;
	if (schema1_is_type(pull->manifest.media_type))
		return read_schema1(pull, err);
	return fetch_config(pull, remote, err) < 0 ? -1 : check_image(pull, err);
}

int pull_resolve(struct pull *pull, struct shale_err *err)
{
	struct shale_event event = { .kind = SHALE_EVENT_RESOLVED, .name = pull->what->name };
	struct digest_text top;
	size_t i = 0;

	if (places_open(pull->web, &pull->what->registry, &pull->ref, &pull->places, err) < 0)
		return -1;
	while (fetch_documents(pull, &pull->places.remotes[i], err) < 0) {
		document_release(&pull->manifest);
		schema1_release(&pull->schema1);
		buf_release(&pull->config);
		if (++i == pull->places.count || err->code == ECANCELED)
			return -1;
	}
	/* They are of no use for its layers either. */
	places_drop(&pull->places, i);
	top = digest_text(&pull->top);
	event.id = top.text;
	return task_report(&pull->task, &event, err);
}

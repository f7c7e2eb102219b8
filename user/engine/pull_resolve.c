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
	if (store_has_blob(&pull->import.store, &image.config) &&
	    store_read_blob(&pull->import.store, &image.config, &pull->config, NULL) == 0 &&
	    pull->config.len == image.config_size)
		return image_parse_config(pull->config.data, pull->config.len, &image, err);
	buf_release(&pull->config);
	if (document_fetch_blob(remote, &image.config, image.config_size, &pull->config, err) < 0)
		return shale_err_wrap(err, "config");
	return image_parse_config(pull->config.data, pull->config.len, &image, err);
}

/* Who asks for a platform does not want another one, whatever the name stands for. */
static int check_platform(const struct pull *pull, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (!pull->what->platform)
		return 0;
	if (image_parse_manifest(pull->manifest.data.data, pull->manifest.data.len, &image, err) < 0 ||
	    image_parse_config(pull->config.data, pull->config.len, &image, err) < 0)
		return -1;
	if ((!*image.os || !strcmp(image.os, pull->platform.os)) &&
	    (!*image.architecture || !strcmp(image.architecture, pull->platform.architecture)))
		return 0;
	return shale_err_set(err, ENOENT, "the image is for %s/%s, not for %s", image.os,
			     image.architecture, pull->what->platform);
}

static int open_origin(struct pull *pull, struct shale_err *err)
{
	struct origin origin;
	struct remote_wish wish = {
		.web = pull->web,
		.opts = &pull->what->registry,
		.origin = &origin,
		.actions = "pull",
	};

	if (origin_of_ref(&pull->ref, &origin, err) < 0 ||
	    remote_open(&wish, &pull->remotes[0], err) < 0)
		return -1;
	pull->remote_count = 1;
	return 0;
}

int pull_resolve(struct pull *pull, struct shale_err *err)
{
	struct shale_event event = { .kind = SHALE_EVENT_RESOLVED, .name = pull->what->name };
	struct digest_text top;

	if (open_origin(pull, err) < 0 || fetch_manifest(pull, &pull->remotes[0], err) < 0 ||
	    fetch_config(pull, &pull->remotes[0], err) < 0 || check_platform(pull, err) < 0)
		return -1;
	top = digest_text(&pull->top);
	event.id = top.text;
	return task_report(&pull->import.task, &event, err);
}

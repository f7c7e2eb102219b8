// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a push sends; see push.h. An index that another tool has put into the store is pushed with all its
 * manifests, each of which must be there. Where else the registry may have a layer is told by the store's
 * other names for that registry. Called by push.c.
 */
#include "engine/push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An index within an index; more would only be a loop. */
#define PUSH_MAX_DEPTH 2

static const char *const document_types[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.oci.image.index.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
	"application/vnd.docker.distribution.manifest.list.v2+json",
};

void push_plan_release(struct push *push)
{
	for (size_t i = 0; i < push->document_count; i++)
		buf_release(&push->documents[i].data);
	for (size_t i = 0; i < push->source_count; i++)
		free(push->sources[i]);
	free(push->documents);
	free(push->blobs);
}

static const char *document_type_of(const char *media_type)
{
	for (size_t i = 0; i < sizeof(document_types) / sizeof(*document_types); i++)
		if (!strcmp(document_types[i], media_type))
			return document_types[i];
	return document_types[0];
}

static int add_blob(struct push *push, const struct digest *digest, uint64_t size, bool is_layer,
		    struct shale_err *err)
{
	struct push_blob *blobs;

	for (size_t i = 0; i < push->blob_count; i++)
		if (digest_is_equal(&push->blobs[i].digest, digest))
			return 0;
	blobs = reallocarray(push->blobs, push->blob_count + 1, sizeof(*blobs));
	if (!blobs)
		return shale_err_errno(err, "listing blobs");
	push->blobs = blobs;
	blobs[push->blob_count++] = (struct push_blob){ .digest = *digest, .size = size, .is_layer = is_layer };
	return 0;
}

static int add_document(struct push *push, const struct index_entry *entry, struct buf *data,
			struct shale_err *err)
{
	struct push_document *documents;

	documents = reallocarray(push->documents, push->document_count + 1, sizeof(*documents));
	if (!documents)
		return shale_err_errno(err, "listing manifests");
	push->documents = documents;
	documents[push->document_count++] = (struct push_document){
		.digest = entry->digest,
		.media_type = document_type_of(entry->media_type),
		.data = *data,
	};
	*data = (struct buf)BUF_INIT;
	return 0;
}

static int plan_manifest(struct push *push, const struct buf *data, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };

	if (image_parse_manifest(data->data, data->len, &image, err) < 0)
		return -1;
	for (size_t i = 0; i < image.layer_count; i++)
		if (add_blob(push, &image.layers[i].blob, image.layers[i].size, true, err) < 0)
			return -1;
	return add_blob(push, &image.config, image.config_size, false, err);
}

static int plan_entry(struct push *push, const struct index_entry *entry, int depth,
		      struct shale_err *err);

static int plan_index(struct push *push, const struct buf *data, int depth, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;

	if (depth == PUSH_MAX_DEPTH)
		return shale_err_set(err, EINVAL, "image indexes are nested deeper than %d",
				     PUSH_MAX_DEPTH);
	if (index_parse(data->data, data->len, "image index", &index, err) < 0)
		return -1;
	for (size_t i = 0; i < index_count(&index); i++)
		if (index_get(&index, i, &entry, err) < 0 ||
		    plan_entry(push, &entry, depth + 1, err) < 0)
			return -1;
	return 0;
}

/* What a document names comes before it. */
static int plan_entry(struct push *push, const struct index_entry *entry, int depth,
		      struct shale_err *err)
{
	__cleanup_buf struct buf data = BUF_INIT;
	int ret;

	if (store_read_blob(&push->store, &entry->digest, &data, err) < 0)
		return -1;
	switch (image_kind(entry->media_type)) {
	case IMAGE_INDEX:
		ret = plan_index(push, &data, depth, err);
		break;
	case IMAGE_MANIFEST:
		ret = plan_manifest(push, &data, err);
		break;
	default:
		return shale_err_set(err, EINVAL, "unsupported media type '%.100s'",
				     entry->media_type);
	}
	return ret < 0 ? -1 : add_document(push, entry, &data, err);
}

static int lease_blobs(struct push *push, struct shale_err *err)
{
	bool is_present = false;

	for (size_t i = 0; i < push->blob_count; i++) {
		struct digest_text text = digest_text(&push->blobs[i].digest);

		if (session_lease_blob(&push->session, &push->blobs[i].digest, &is_present, err) < 0)
			return -1;
		if (!is_present)
			return shale_err_set(err, ENOENT, "blob %s is not in the store", text.text);
	}
	return 0;
}

static const char *add_source(struct push *push, const char *repository, struct shale_err *err)
{
	for (size_t i = 0; i < push->source_count; i++)
		if (!strcmp(push->sources[i], repository))
			return push->sources[i];
	if (push->source_count == PUSH_MAX_SOURCES)
		return NULL;
	push->sources[push->source_count] = strdup(repository);
	if (!push->sources[push->source_count]) {
		shale_err_errno(err, "listing repositories");
		return NULL;
	}
	return push->sources[push->source_count++];
}

static void note_source(struct push *push, const struct image *image, const char *repository)
{
	for (size_t b = 0; b < push->blob_count; b++) {
		struct push_blob *blob = &push->blobs[b];

		for (size_t l = 0; l < image->layer_count && !blob->from; l++)
			if (digest_is_equal(&image->layers[l].blob, &blob->digest))
				blob->from = add_source(push, repository, NULL);
	}
}

/* Only a hint: a name of ours need not be there. The registry then takes an upload. */
static void find_sources(struct push *push, const struct index *index)
{
	struct index_entry entry;
	struct origin origin;
	struct ref ref;

	for (size_t i = 0; i < index_count(index); i++) {
		__cleanup_image struct image image = { 0 };

		if (index_get(index, i, &entry, NULL) < 0 || !entry.name ||
		    image_kind(entry.media_type) != IMAGE_MANIFEST ||
		    ref_parse(entry.name, &ref, NULL) < 0 ||
		    origin_of_ref(&ref, &origin, NULL) < 0)
			continue;
		if (strcmp(origin.endpoint, push->origin.endpoint) ||
		    !strcmp(origin.repository, push->origin.repository))
			continue;
		if (image_load(&push->store, &entry.digest, &image, NULL) == 0)
			note_source(push, &image, origin.repository);
	}
}

int push_plan(struct push *push, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&push->store, LOCK_SH, err);
	__cleanup_index struct index index = { 0 };
	struct index_entry entry;
	bool by_id = false;
	size_t at = 0;

	if (lock < 0 || index_load(&push->store, &index, err) < 0 ||
	    image_find(&push->store, &index, push->what->name, &at, &by_id, err) < 0)
		return -1;
	if (by_id)
		return shale_err_set(err, EINVAL, "an ID does not say where to push to");
	if (index_get(&index, at, &entry, err) < 0 || plan_entry(push, &entry, 0, err) < 0 ||
	    lease_blobs(push, err) < 0)
		return -1;
	find_sources(push, &index);
	return 0;
}

int push_open_remote(const struct push *push, const struct remote_wish *wish,
		     struct remote *ret_remote, struct shale_err *err)
{
	if (remote_open(wish, ret_remote, err) < 0)
		return -1;
	for (size_t i = 0; i < push->source_count; i++)
		if (remote_add_scope(ret_remote, push->sources[i], "pull", err) < 0) {
			remote_close(ret_remote);
			return -1;
		}
	return 0;
}

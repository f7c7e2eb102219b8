// SPDX-License-Identifier: GPL-2.0-only
/*
 * An OCI image index as the store's table of images; see index.h. Also reads the index of a layout
 * that is being imported, and an image index blob. Entries and fields it does not know are kept.
 */
#include "store/index.h"

#include <errno.h>
#include <string.h>

#define INDEX_FILE	"index.json"
#define ANNOTATION_REF	"org.opencontainers.image.ref.name"
#define ANNOTATION_NAME "io.containerd.image.name"

void index_release(struct index *index)
{
	json_decref(index->root);
	*index = (struct index){ 0 };
}

int index_parse(const void *data, size_t len, const char *what, struct index *ret_index,
		struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	uint64_t version = 0;

	if (json_parse_object(data, len, what, &index.root, err) < 0)
		return -1;
	if (json_get_size(index.root, "schemaVersion", what, &version, err) < 0)
		return -1;
	if (version != 2)
		return shale_err_set(err, EINVAL, "%s: schemaVersion is not 2", what);
	if (json_get_array(index.root, "manifests", INDEX_MAX_ENTRIES, false, what,
			   &index.manifests, err) < 0)
		return -1;
	*ret_index = index;
	index = (struct index){ 0 };
	return 0;
}

int index_create(struct index *ret_index, struct shale_err *err)
{
	static const char empty[] = "{\"schemaVersion\":2,"
				    "\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
				    "\"manifests\":[]}";

	return index_parse(empty, strlen(empty), INDEX_FILE, ret_index, err);
}

size_t index_count(const struct index *index)
{
	return json_array_size(index->manifests);
}

static int get_entry(const json_t *json, const char *what, struct index_entry *ret_entry,
		     struct shale_err *err)
{
	struct index_entry entry = { 0 };
	json_t *annotations = NULL;
	json_t *platform = NULL;
	const char *digest = NULL;

	if (!json_is_object(json))
		return shale_err_set(err, EINVAL, "%s is not an object", what);
	if (json_get_text(json, "digest", false, what, &digest, err) < 0 ||
	    digest_parse(digest, what, &entry.digest, err) < 0 ||
	    json_get_size(json, "size", what, &entry.size, err) < 0 ||
	    json_get_text(json, "mediaType", false, what, &entry.media_type, err) < 0 ||
	    json_get_object(json, "annotations", true, what, &annotations, err) < 0 ||
	    json_get_text(annotations, ANNOTATION_REF, true, what, &entry.name, err) < 0 ||
	    json_get_text(annotations, ANNOTATION_NAME, true, what, &entry.image_name, err) < 0 ||
	    json_get_object(json, "platform", true, what, &platform, err) < 0 ||
	    json_get_text(platform, "os", true, what, &entry.os, err) < 0 ||
	    json_get_text(platform, "architecture", true, what, &entry.architecture, err) < 0 ||
	    json_get_text(platform, "variant", true, what, &entry.variant, err) < 0)
		return -1;
	*ret_entry = entry;
	return 0;
}

int index_get(const struct index *index, size_t i, struct index_entry *ret_entry,
	      struct shale_err *err)
{
	char what[32];

	snprintf(what, sizeof(what), "manifests[%zu]", i);
	return get_entry(json_array_get(index->manifests, i), what, ret_entry, err);
}

/* Entries of other writers may hold a short name. */
static bool has_name(const struct index_entry *entry, const struct ref *ref)
{
	struct ref own;

	if (!entry->name || ref_parse(entry->name, &own, NULL) < 0)
		return false;
	return !strcmp(own.name, ref->name) && !strcmp(own.tag, ref->tag) &&
	       (*ref->tag || digest_is_equal(&own.digest, &ref->digest));
}

static bool is_elsewhere(const struct index *index, size_t self, const struct digest *digest)
{
	struct index_entry entry;

	for (size_t i = 0; i < index_count(index); i++)
		if (i != self && index_get(index, i, &entry, NULL) == 0 &&
		    digest_is_equal(&entry.digest, digest))
			return true;
	return false;
}

/* An image that loses its only name stays, without one. */
static void take_name(struct index *index, const struct ref *ref)
{
	struct index_entry entry;

	for (size_t i = index_count(index); i--;) {
		if (index_get(index, i, &entry, NULL) < 0 || !has_name(&entry, ref))
			continue;
		if (is_elsewhere(index, i, &entry.digest))
			index_remove(index, i);
		else
			json_object_del(json_object_get(json_array_get(index->manifests, i),
							"annotations"),
					ANNOTATION_REF);
	}
}

static void remove_unnamed(struct index *index, const struct digest *digest)
{
	struct index_entry entry;

	for (size_t i = index_count(index); i--;)
		if (index_get(index, i, &entry, NULL) == 0 && !entry.name &&
		    digest_is_equal(&entry.digest, digest))
			index_remove(index, i);
}

int index_set(struct index *index, const struct ref *ref, const struct index_entry *entry,
	      struct shale_err *err)
{
	struct digest_text digest = digest_text(&entry->digest);
	json_t *json;

	if (ref)
		take_name(index, ref);
	else if (is_elsewhere(index, SIZE_MAX, &entry->digest))
		return 0;
	remove_unnamed(index, &entry->digest);
	if (index_count(index) >= INDEX_MAX_ENTRIES)
		return shale_err_set(err, E2BIG, "more than %d images", INDEX_MAX_ENTRIES);
	json = json_pack("{s:s, s:s, s:I}", "mediaType", entry->media_type, "digest", digest.text,
			 "size", (json_int_t)entry->size);
	if (json && ref)
		json_object_set_new(json, "annotations",
				    json_pack("{s:s}", ANNOTATION_REF, ref_text(ref).text));
	if (json_array_append_new(index->manifests, json) < 0)
		return shale_err_set(err, ENOMEM, "entering %s into the index", digest.text);
	return 0;
}

int index_adopt(struct index *index, json_t *json, struct shale_err *err)
{
	struct index_entry entry;
	struct ref ref;

	for (size_t i = 0; i < index_count(index); i++)
		if (json_equal(json_array_get(index->manifests, i), json))
			return 0;
	if (get_entry(json, "an entry", &entry, NULL) < 0)
		return 0;
	if (entry.name && ref_parse(entry.name, &ref, NULL) == 0)
		take_name(index, &ref);
	remove_unnamed(index, &entry.digest);
	if (index_count(index) >= INDEX_MAX_ENTRIES)
		return shale_err_set(err, E2BIG, "more than %d images", INDEX_MAX_ENTRIES);
	if (json_array_append(index->manifests, json) < 0)
		return shale_err_set(err, ENOMEM, "reading the index");
	return 0;
}

void index_remove(struct index *index, size_t i)
{
	json_array_remove(index->manifests, i);
}

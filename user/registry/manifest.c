// SPDX-License-Identifier: GPL-2.0-only
/*
 * Manifests; see manifest.h. Called when one is pushed, and when one that lies in the bucket has to be
 * understood. A known type has to keep its promises (its fields, digests that are digests); of another
 * one nothing is demanded.
 */
#include "registry/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/json.h"

static const struct type {
	const char *name;
	enum manifest_kind kind;
} types[] = {
	{ "application/vnd.oci.image.manifest.v1+json", MANIFEST_IMAGE },
	{ MANIFEST_OCI_INDEX, MANIFEST_INDEX },
	{ "application/vnd.docker.distribution.manifest.v2+json", MANIFEST_IMAGE },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", MANIFEST_INDEX },
};

/* What old clients could push; distribution has dropped it, and its digest is not that of its bytes. */
static const char schema1[] = "application/vnd.docker.distribution.manifest.v1+";

/* Layers that their owner allows to be fetched from elsewhere only. */
static const char *const absent_types[] = {
	"application/vnd.oci.image.layer.nondistributable.v1.",
	"application/vnd.docker.image.rootfs.foreign.diff.",
};

static const struct type *type_find(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].name, name))
			return &types[i];
	return NULL;
}

/* The Content-Type without parameters and blanks. */
static int set_type(struct manifest *manifest, const char *type, struct shale_err *err)
{
	size_t len = strcspn(type, "; \t");

	if (!len || len > MANIFEST_MAX_TYPE || !memchr(type, '/', len))
		return shale_err_set(err, EINVAL, "'%.100s' is not a media type", type);
	snprintf(manifest->type, sizeof(manifest->type), "%.*s", (int)len, type);
	return 0;
}

/* What a document without a mediaType is, by the fields the OCI types must have. */
static const char *implied_type(const json_t *json)
{
	const char *type = json_string_value(json_object_get(json, "mediaType"));

	if (type)
		return type;
	if (json_is_array(json_object_get(json, "manifests")))
		return MANIFEST_OCI_INDEX;
	if (json_is_object(json_object_get(json, "config")) ||
	    json_is_array(json_object_get(json, "layers")))
		return types[0].name;
	return NULL;
}

static bool may_be_absent(const json_t *descriptor, const char *type)
{
	if (json_array_size(json_object_get(descriptor, "urls")))
		return true;
	for (size_t i = 0; type && i < sizeof(absent_types) / sizeof(*absent_types); i++)
		if (!strncmp(type, absent_types[i], strlen(absent_types[i])))
			return true;
	return false;
}

static int parse_descriptor(const json_t *descriptor, const char *what, struct manifest_ref *ret_ref,
			    struct shale_err *err)
{
	const char *digest;
	const char *type;

	*ret_ref = (struct manifest_ref){ 0 };
	if (!json_is_object(descriptor))
		return shale_err_set(err, EINVAL, "%s is not a descriptor", what);
	if (json_get_text(descriptor, "digest", false, what, &digest, err) < 0 ||
	    json_get_text(descriptor, "mediaType", true, what, &type, err) < 0 ||
	    json_get_size(descriptor, "size", what, &ret_ref->size, err) < 0)
		return -1;
	if (!sum_parse(digest, &ret_ref->sum))
		return shale_err_set(err, EINVAL, "%s: '%.150s' is not a digest we know", what, digest);
	ret_ref->may_be_absent = may_be_absent(descriptor, type);
	return 0;
}

static int parse_list(struct manifest *manifest, const char *field, bool is_manifest,
		      struct shale_err *err)
{
	struct manifest_ref *refs;
	json_t *list;
	json_t *element;
	size_t index;

	/* Some programs write null for none. */
	if (json_get_array(manifest->json, field, MANIFEST_MAX_REFS, true, "manifest", &list, err) < 0)
		return -1;
	if (!list)
		return 0;
	refs = reallocarray(manifest->refs, manifest->ref_count + json_array_size(list) + 1,
			    sizeof(*refs));
	if (!refs)
		return shale_err_set(err, ENOMEM, "no memory for a manifest");
	manifest->refs = refs;
	json_array_foreach(list, index, element) {
		struct manifest_ref *ref = &manifest->refs[manifest->ref_count];
		json_t *platform = json_object_get(element, "platform");
		char what[64];

		snprintf(what, sizeof(what), "%s[%zu]", field, index);
		if (parse_descriptor(element, what, ref, err) < 0)
			return -1;
		ref->is_manifest = is_manifest;
		ref->os = json_string_value(json_object_get(platform, "os"));
		ref->architecture = json_string_value(json_object_get(platform, "architecture"));
		manifest->ref_count++;
	}
	return 0;
}

static int parse_image(struct manifest *manifest, struct shale_err *err)
{
	json_t *config;

	if (json_get_object(manifest->json, "config", false, "manifest", &config, err) < 0)
		return -1;
	manifest->refs = calloc(1, sizeof(*manifest->refs));
	if (!manifest->refs)
		return shale_err_set(err, ENOMEM, "no memory for a manifest");
	if (parse_descriptor(config, "config", manifest->refs, err) < 0)
		return -1;
	manifest->ref_count = 1;
	return parse_list(manifest, "layers", false, err);
}

/* Both OCI types have the number 2, Docker's too; a document that has another is something else. */
static int check_version(const struct manifest *manifest, struct shale_err *err)
{
	json_t *version = json_object_get(manifest->json, "schemaVersion");
	const char *type = json_string_value(json_object_get(manifest->json, "mediaType"));

	if (!json_is_integer(version) || json_integer_value(version) != 2)
		return shale_err_set(err, EINVAL, "manifest: schemaVersion is not 2");
	if (type && strcmp(type, manifest->type))
		return shale_err_set(err, EINVAL,
				     "manifest: it says its mediaType is '%.100s' and was sent as '%s'",
				     type, manifest->type);
	return 0;
}

static int parse_known(struct manifest *manifest, struct shale_err *err)
{
	if (check_version(manifest, err) < 0)
		return -1;
	if (manifest->kind == MANIFEST_INDEX)
		return parse_list(manifest, "manifests", true, err);
	return parse_image(manifest, err);
}

static int parse_subject(struct manifest *manifest, struct shale_err *err)
{
	json_t *subject = json_object_get(manifest->json, "subject");
	struct manifest_ref ref;

	if (!subject || json_is_null(subject))
		return 0;
	if (parse_descriptor(subject, "subject", &ref, err) < 0)
		return -1;
	manifest->has_subject = true;
	manifest->subject = ref.sum;
	return 0;
}

/* What the list of referrers says about it. */
static void find_artifact_type(struct manifest *manifest)
{
	const json_t *json = manifest->json;
	const char *type = json_string_value(json_object_get(json, "artifactType"));

	if ((!type || !*type) && manifest->kind != MANIFEST_INDEX)
		type = json_string_value(
			json_object_get(json_object_get(json, "config"), "mediaType"));
	manifest->artifact_type = type && *type ? type : NULL;
	manifest->annotations = json_object_get(json, "annotations");
	if (!json_is_object(manifest->annotations))
		manifest->annotations = NULL;
}

static int parse_document(struct manifest *manifest, const char *type, struct shale_err *err)
{
	const char *implied = implied_type(manifest->json);
	const struct type *known;

	if (!type)
		type = implied;
	if (!type)
		return shale_err_set(err, EINVAL, "manifest: neither its mediaType nor a Content-Type "
						  "says what it is");
	if (set_type(manifest, type, err) < 0)
		return -1;
	known = type_find(manifest->type);
	manifest->kind = known ? known->kind : MANIFEST_OTHER;
	manifest->is_type_implied = implied && !strcmp(implied, manifest->type);
	if (known && parse_known(manifest, err) < 0)
		return -1;
	if (parse_subject(manifest, known ? err : NULL) < 0 && known)
		return -1;
	find_artifact_type(manifest);
	return 0;
}

/* What is no JSON can be of a type we do not know. */
static int parse_opaque(struct manifest *manifest, const char *type, struct shale_err *err)
{
	struct shale_err why = err ? *err : (struct shale_err){ 0 };

	if (!type || set_type(manifest, type, err) < 0 || type_find(manifest->type)) {
		if (err)
			*err = why;
		return -1;
	}
	return 0;
}

int manifest_parse(const char *type, const void *data, size_t len, struct manifest *ret_manifest,
		   struct shale_err *err)
{
	struct manifest manifest = { 0 };
	int ret;

	if (type && !strncasecmp(type, schema1, strlen(schema1)))
		return shale_err_set(err, EINVAL, "manifests of schema 1 are not taken");
	if (json_parse_object(data, len, "manifest", &manifest.json, err) < 0)
		ret = parse_opaque(&manifest, type, err);
	else
		ret = parse_document(&manifest, type, err);
	if (ret < 0) {
		manifest_release(&manifest);
		return -1;
	}
	*ret_manifest = manifest;
	return 0;
}

void manifest_release(struct manifest *manifest)
{
	free(manifest->refs);
	json_decref(manifest->json);
	*manifest = (struct manifest){ 0 };
}

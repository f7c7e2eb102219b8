// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images; see image.h. Media types are tables: what is not in one is refused by name rather than
 * guessed at. A layer's compression is not taken from its media type but from its first bytes
 * (archive/codec.c), since writers get the former wrong.
 */
#include "store/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct media_type {
	const char *name;
	enum image_kind kind;
};

static const struct media_type manifest_types[] = {
	{ "application/vnd.oci.image.manifest.v1+json", IMAGE_MANIFEST },
	{ "application/vnd.docker.distribution.manifest.v2+json", IMAGE_MANIFEST },
	{ "application/vnd.oci.image.index.v1+json", IMAGE_INDEX },
	{ "application/vnd.docker.distribution.manifest.list.v2+json", IMAGE_INDEX },
};

static const char *const config_types[] = {
	"application/vnd.oci.image.config.v1+json",
	"application/vnd.docker.container.image.v1+json",
	NULL,
};

static const char *const layer_types[] = {
	"application/vnd.oci.image.layer.v1.tar",
	"application/vnd.oci.image.layer.v1.tar+gzip",
	"application/vnd.oci.image.layer.v1.tar+zstd",
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.diff.tar",
	"application/vnd.docker.image.rootfs.diff.tar.gzip",
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	NULL,
};

void image_release(struct image *image)
{
	free(image->layers);
	free(image->os);
	free(image->architecture);
	*image = (struct image){ 0 };
}

enum image_kind image_kind(const char *media_type)
{
	for (size_t i = 0; i < sizeof(manifest_types) / sizeof(*manifest_types); i++)
		if (!strcmp(media_type, manifest_types[i].name))
			return manifest_types[i].kind;
	return IMAGE_UNKNOWN;
}

static int check_type(const char *type, const char *const *known, const char *what,
		      struct shale_err *err)
{
	for (; *known; known++)
		if (!strcmp(type, *known))
			return 0;
	return shale_err_set(err, EINVAL, "%s: unsupported media type '%.100s'", what, type);
}

static int parse_descriptor(const json_t *json, const char *const *types, const char *what,
			    struct digest *ret_digest, uint64_t *ret_size, struct shale_err *err)
{
	const char *digest = NULL;
	const char *type = NULL;

	if (!json_is_object(json))
		return shale_err_set(err, EINVAL, "%s is not an object", what);
	if (json_get_text(json, "mediaType", false, what, &type, err) < 0 ||
	    check_type(type, types, what, err) < 0 ||
	    json_get_text(json, "digest", false, what, &digest, err) < 0)
		return -1;
	if (json_get_size(json, "size", what, ret_size, err) < 0)
		return -1;
	return digest_parse(digest, what, ret_digest, err);
}

static int parse_layers(const json_t *layers, struct image *image, struct shale_err *err)
{
	size_t count = json_array_size(layers);
	char what[32];

	image->layers = calloc(count ? count : 1, sizeof(*image->layers));
	if (!image->layers)
		return shale_err_set(err, ENOMEM, "%zu layers", count);
	image->layer_count = count;
	for (size_t i = 0; i < count; i++) {
		struct image_layer *layer = &image->layers[i];

		snprintf(what, sizeof(what), "layers[%zu]", i);
		if (parse_descriptor(json_array_get(layers, i), layer_types, what, &layer->blob,
				     &layer->size, err) < 0)
			return -1;
	}
	return 0;
}

static int check_manifest(const json_t *json, struct shale_err *err)
{
	const char *type = NULL;
	uint64_t version = 0;

	if (json_get_size(json, "schemaVersion", "manifest", &version, err) < 0 ||
	    json_get_text(json, "mediaType", true, "manifest", &type, err) < 0)
		return -1;
	if (version != 2)
		return shale_err_set(err, EINVAL, "manifest: schemaVersion is not 2");
	if (type && image_kind(type) != IMAGE_MANIFEST)
		return shale_err_set(err, EINVAL, "manifest: unsupported media type '%.100s'", type);
	return 0;
}

int image_parse_manifest(const void *data, size_t len, struct image *ret_image,
			 struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	__cleanup_json json_t *json = NULL;
	json_t *layers = NULL;
	json_t *config = NULL;

	if (json_parse_object(data, len, "manifest", &json, err) < 0 ||
	    check_manifest(json, err) < 0)
		return -1;
	if (json_get_object(json, "config", false, "manifest", &config, err) < 0 ||
	    json_get_array(json, "layers", IMAGE_MAX_LAYERS, false, "manifest", &layers, err) < 0)
		return -1;
	if (parse_descriptor(config, config_types, "manifest: config", &image.config,
			     &image.config_size, err) < 0)
		return -1;
	if (parse_layers(layers, &image, err) < 0)
		return shale_err_wrap(err, "manifest");
	*ret_image = image;
	image = (struct image){ 0 };
	return 0;
}

static int parse_diff_ids(const json_t *config, struct image *image, struct shale_err *err)
{
	json_t *rootfs = NULL;
	json_t *ids = NULL;
	char what[48];

	if (json_get_object(config, "rootfs", false, "config", &rootfs, err) < 0)
		return -1;
	if (json_get_array(rootfs, "diff_ids", IMAGE_MAX_LAYERS, true, "config: rootfs", &ids,
			   err) < 0)
		return -1;
	if (json_array_size(ids) != image->layer_count)
		return shale_err_set(err, EINVAL,
				     "config: %zu diff ids for the manifest's %zu layers",
				     json_array_size(ids), image->layer_count);
	for (size_t i = 0; i < image->layer_count; i++) {
		const char *text = json_string_value(json_array_get(ids, i));

		snprintf(what, sizeof(what), "config: diff_ids[%zu]", i);
		if (!text)
			return shale_err_set(err, EINVAL, "%s is not a string", what);
		if (digest_parse(text, what, &image->layers[i].diff_id, err) < 0)
			return -1;
	}
	return 0;
}

/* Two digits or four; -1 when they are none, which fails the range check of the caller. */
static int read_number(const char *text, size_t digits)
{
	int value = 0;

	for (size_t i = 0; i < digits; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + text[i] - '0';
	}
	return value;
}

static bool read_zone(const char *text, long *ret_seconds)
{
	int hours;
	int minutes;

	if (!strcmp(text, "Z") || !strcmp(text, "z")) {
		*ret_seconds = 0;
		return true;
	}
	if ((*text != '+' && *text != '-') || strlen(text) != 6 || text[3] != ':')
		return false;
	hours = read_number(text + 1, 2);
	minutes = read_number(text + 4, 2);
	if (hours < 0 || minutes < 0)
		return false;
	*ret_seconds = (hours * 60L + minutes) * 60 * (*text == '-' ? -1 : 1);
	return true;
}

/* The time of an image is for show. */
time_t image_time(const char *text)
{
	struct tm tm = { 0 };
	long zone;

	if (strlen(text) < strlen("2024-05-06T07:08:09Z") || text[4] != '-' || text[7] != '-' ||
	    text[13] != ':' || text[16] != ':')
		return 0;
	tm.tm_year = read_number(text, 4) - 1900;
	tm.tm_mon = read_number(text + 5, 2) - 1;
	tm.tm_mday = read_number(text + 8, 2);
	tm.tm_hour = read_number(text + 11, 2);
	tm.tm_min = read_number(text + 14, 2);
	tm.tm_sec = read_number(text + 17, 2);
	if (tm.tm_year < 0 || tm.tm_mon < 0 || tm.tm_mday < 0 || tm.tm_hour < 0 || tm.tm_min < 0 ||
	    tm.tm_sec < 0)
		return 0;
	text += 19;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	return read_zone(text, &zone) ? timegm(&tm) - zone : 0;
}

int image_parse_config(const void *data, size_t len, struct image *image, struct shale_err *err)
{
	__cleanup_json json_t *json = NULL;
	const char *created = NULL;
	const char *arch = NULL;
	const char *os = NULL;

	if (json_parse_object(data, len, "config", &json, err) < 0)
		return -1;
	if (json_get_text(json, "created", true, "config", &created, err) < 0 ||
	    json_get_text(json, "os", true, "config", &os, err) < 0 ||
	    json_get_text(json, "architecture", true, "config", &arch, err) < 0 ||
	    parse_diff_ids(json, image, err) < 0)
		return -1;
	free(image->os);
	free(image->architecture);
	image->os = strdup(os ? os : "");
	image->architecture = strdup(arch ? arch : "");
	image->created = created ? image_time(created) : 0;
	if (!image->os || !image->architecture)
		return shale_err_set(err, ENOMEM, "config");
	return 0;
}

int image_load(const struct store *store, const struct digest *manifest, struct image *ret_image,
	       struct shale_err *err)
{
	struct digest_text text = digest_text(manifest);
	__cleanup_image struct image image = { 0 };
	__cleanup_buf struct buf json = BUF_INIT;

	if (store_read_blob(store, manifest, &json, err) < 0 ||
	    image_parse_manifest(json.data, json.len, &image, err) < 0)
		return shale_err_wrap(err, "image %s", text.text);
	image.manifest = *manifest;
	buf_clear(&json);
	if (store_read_blob(store, &image.config, &json, err) < 0 ||
	    image_parse_config(json.data, json.len, &image, err) < 0)
		return shale_err_wrap(err, "image %s", text.text);
	*ret_image = image;
	image = (struct image){ 0 };
	return 0;
}

/* How well an entry's name fits: 2 as it is, 1 by its digest, which it has beside a tag; 0 not. */
static int fit_name(const struct ref *own, const struct index_entry *entry, const struct ref *ref)
{
	if (strcmp(own->name, ref->name) || (*ref->tag && strcmp(own->tag, ref->tag)))
		return 0;
	if (!ref->has_digest)
		return 2;
	/* What was pulled by a digest goes by that, which may be an index's. */
	if (own->has_digest && digest_is_equal(&own->digest, &ref->digest))
		return 2;
	return digest_is_equal(&entry->digest, &ref->digest);
}

static bool find_by_name(const struct index *index, const char *name, size_t *ret_entry)
{
	struct index_entry entry;
	struct ref ref;
	struct ref own;
	int best = 0;

	if (ref_parse(name, &ref, NULL) < 0)
		return false;
	for (size_t i = 0; i < index_count(index) && best < 2; i++) {
		int fits;

		if (index_get(index, i, &entry, NULL) < 0 || !entry.name ||
		    ref_parse(entry.name, &own, NULL) < 0)
			continue;
		fits = fit_name(&own, &entry, &ref);
		if (fits <= best)
			continue;
		best = fits;
		*ret_entry = i;
	}
	return best;
}

/* The bare digits of an ID or of its beginning; NULL when it cannot be one. */
static const char *id_digits(const char *name)
{
	const char *prefix = "sha256:";
	const char *hex = !strncmp(name, prefix, strlen(prefix)) ? name + strlen(prefix) : name;
	size_t len = strlen(hex);

	if (len < IMAGE_MIN_ID || len > DIGEST_HEX || strspn(hex, "0123456789abcdef") != len)
		return NULL;
	return hex;
}

static bool has_id(const struct store *store, const struct digest *manifest, const char *hex,
		   struct digest *ret_id)
{
	__cleanup_image struct image image = { 0 };
	struct digest_text text;

	if (image_load(store, manifest, &image, NULL) < 0)
		return false;
	text = digest_text(&image.config);
	*ret_id = image.config;
	return !strncmp(digest_hex(&text), hex, strlen(hex));
}

static int find_by_id(const struct store *store, const struct index *index, const char *name,
		      const char *hex, size_t *ret_entry, struct shale_err *err)
{
	struct index_entry entry;
	bool found = false;
	struct digest first;
	struct digest id;

	for (size_t i = 0; i < index_count(index); i++) {
		if (index_get(index, i, &entry, NULL) < 0 ||
		    !has_id(store, &entry.digest, hex, &id))
			continue;
		if (found && !digest_is_equal(&first, &id))
			return shale_err_set(err, ENOTUNIQ, "image ID '%s' is ambiguous", name);
		if (!found)
			*ret_entry = i;
		found = true;
		first = id;
	}
	if (found)
		return 0;
	return shale_err_set(err, ENOENT, "no such image: %s", name);
}

int image_find(const struct store *store, const struct index *index, const char *name,
	       size_t *ret_entry, bool *ret_by_id, struct shale_err *err)
{
	const char *hex = id_digits(name);
	struct ref ref;

	*ret_by_id = false;
	if (find_by_name(index, name, ret_entry))
		return 0;
	*ret_by_id = true;
	if (hex)
		return find_by_id(store, index, name, hex, ret_entry, err);
	if (ref_parse(name, &ref, err) < 0)
		return -1;
	return shale_err_set(err, ENOENT, "no such image: %.300s", name);
}

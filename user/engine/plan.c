// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plans from an OCI layout; see plan.h. A docker-archive is plan_docker.c's, the tar of a root directory
 * plan_rootfs.c's. An archive that is both, as newer dockers write, is taken as OCI, whose index has everything the other has. Of an index of
 * platforms only the one of this machine is taken.
 */
#include "engine/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An index within the index, as multi-platform images have; more would only be a loop. */
#define PLAN_MAX_DEPTH 2

static const char *const manifest_types[] = {
	"application/vnd.oci.image.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v2+json",
};

static void image_clear(struct plan_image *image)
{
	for (size_t i = 0; image->paths && i < image->image.layer_count; i++)
		free(image->paths[i]);
	free(image->paths);
	free(image->names);
	buf_release(&image->manifest);
	buf_release(&image->config);
	image_release(&image->image);
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		image_clear(&plan->images[i]);
	free(plan->images);
	*plan = (struct plan){ 0 };
}

struct plan_image *plan_add(struct plan *plan, struct shale_err *err)
{
	struct plan_image *images;

	images = reallocarray(plan->images, plan->count + 1, sizeof(*images));
	if (!images) {
		shale_err_errno(err, "listing images");
		return NULL;
	}
	plan->images = images;
	images += plan->count++;
	*images = (struct plan_image){ 0 };
	return images;
}

int plan_add_name(struct plan_image *image, const char *name, struct shale_err *err)
{
	struct plan_name *names;
	struct ref ref;

	if (ref_parse(name, &ref, err) < 0)
		return -1;
	names = reallocarray(image->names, image->name_count + 1, sizeof(*names));
	if (!names)
		return shale_err_errno(err, "naming an image");
	image->names = names;
	names[image->name_count++] = (struct plan_name){ .ref = ref };
	return 0;
}

static char *blob_path(const struct digest *digest)
{
	struct digest_text text = digest_text(digest);
	__cleanup_buf struct buf path = BUF_INIT;

	if (buf_addf(&path, "blobs/sha256/%s", digest_hex(&text)) < 0)
		return NULL;
	return buf_steal(&path);
}

/* A document, checked against its digest and the size its descriptor claims. */
static int read_document(const struct source *source, const struct digest *digest, uint64_t size,
			 struct buf *buf, struct shale_err *err)
{
	__cleanup_free char *path = blob_path(digest);
	struct digest_text text = digest_text(digest);
	struct digest found;

	if (!path)
		return shale_err_errno(err, "reading %s", text.text);
	if (source_read(source, path, buf, err) < 0)
		return -1;
	if (buf->len != size)
		return shale_err_set(err, EINVAL, "%s has %zu bytes instead of %llu", text.text,
				     buf->len, (unsigned long long)size);
	if (digest_of(buf_str(buf), buf->len, &found, err) < 0)
		return -1;
	if (!digest_is_equal(&found, digest))
		return shale_err_set(err, EINVAL, "%s does not have its digest", text.text);
	return 0;
}

static int list_paths(struct plan_image *image, struct shale_err *err)
{
	size_t count = image->image.layer_count;

	image->paths = calloc(count + 1, sizeof(*image->paths));
	if (!image->paths)
		return shale_err_errno(err, "listing layers");
	for (size_t i = 0; i < count; i++) {
		image->paths[i] = blob_path(&image->image.layers[i].blob);
		if (!image->paths[i])
			return shale_err_errno(err, "listing layers");
	}
	return 0;
}

static const char *keep_type(const char *media_type)
{
	return manifest_types[!strcmp(media_type, manifest_types[1])];
}

static int read_image(const struct source *source, const struct index_entry *entry,
		      struct plan_image *image, struct shale_err *err)
{
	if (read_document(source, &entry->digest, entry->size, &image->manifest, err) < 0)
		return shale_err_wrap(err, "manifest");
	if (image_parse_manifest(image->manifest.data, image->manifest.len, &image->image, err) < 0)
		return -1;
	if (read_document(source, &image->image.config, image->image.config_size, &image->config,
			  err) < 0)
		return shale_err_wrap(err, "config");
	if (image_parse_config(image->config.data, image->config.len, &image->image, err) < 0)
		return -1;
	image->image.manifest = entry->digest;
	image->media_type = keep_type(entry->media_type);
	return list_paths(image, err);
}

/* "debian" of "/srv/debian.tar.gz", for a layout whose index gives only a tag. */
static int source_stem(const struct source *source, struct buf *stem)
{
	static const char *const endings[] = { ".gz", ".zst", ".tgz", ".tar", ".oci" };
	const char *path = source->name;
	size_t len = strlen(path);
	size_t start;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (start = len; start && path[start - 1] != '/';)
		start--;
	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		size_t cut = strlen(endings[i]);

		if (len - start > cut && !strncmp(path + len - cut, endings[i], cut))
			len -= cut;
	}
	return buf_add(stem, path + start, len - start);
}

/*
 * The annotation is either a whole name or, as the specification's examples have it, a tag. What does
 * not make a name leaves the image without one.
 */
static int add_names(const struct source *source, const struct index_entry *entry,
		     struct plan_image *image, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	struct ref ref;

	if (entry->image_name && ref_parse(entry->image_name, &ref, NULL) == 0)
		return plan_add_name(image, entry->image_name, err);
	if (!entry->name)
		return 0;
	if (strpbrk(entry->name, "/:")) {
		if (buf_adds(&name, entry->name) < 0)
			return shale_err_errno(err, "naming an image");
	} else if (source_stem(source, &name) < 0 || buf_addf(&name, ":%s", entry->name) < 0) {
		return shale_err_errno(err, "naming an image");
	}
	if (ref_parse(buf_str(&name), &ref, NULL) < 0)
		return 0;
	return plan_add_name(image, buf_str(&name), err);
}

/* An entry that names no platform is for every one. */
static bool is_for_us(const struct index_entry *entry)
{
	if (entry->os && strcmp(entry->os, PLAN_OS))
		return false;
	return !entry->architecture || !strcmp(entry->architecture, PLAN_ARCH);
}

struct walk {
	const struct source *source;
	struct plan *plan;
	const struct index_entry *top; /* the entry of index.json, which has the name */
	unsigned int depth;
};

static int walk_index(struct walk *walk, const struct index *index, struct shale_err *err);

static int walk_blob(struct walk *walk, const struct index_entry *entry, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	int ret;

	if (read_document(walk->source, &entry->digest, entry->size, &text, err) < 0 ||
	    index_parse(buf_str(&text), text.len, "image index", &index, err) < 0)
		return -1;
	if (walk->depth == PLAN_MAX_DEPTH)
		return shale_err_set(err, EINVAL, "image indexes are nested deeper than %d",
				     PLAN_MAX_DEPTH);
	walk->depth++;
	ret = walk_index(walk, &index, err);
	walk->depth--;
	return ret;
}

static int walk_entry(struct walk *walk, const struct index_entry *entry, struct shale_err *err)
{
	struct plan_image *image;

	switch (image_kind(entry->media_type)) {
	case IMAGE_INDEX:
		return walk_blob(walk, entry, err);
	case IMAGE_MANIFEST:
		image = plan_add(walk->plan, err);
		if (!image || read_image(walk->source, entry, image, err) < 0)
			return -1;
		return add_names(walk->source, walk->top, image, err);
	case IMAGE_UNKNOWN:
		break;
	}
	return shale_err_set(err, EINVAL, "unsupported media type '%.100s'", entry->media_type);
}

/* At the top every image for us is one to import, below it they are alternatives: the first. */
static int walk_index(struct walk *walk, const struct index *index, struct shale_err *err)
{
	struct index_entry entry;
	size_t found = 0;

	for (size_t i = 0; i < index_count(index); i++) {
		if (index_get(index, i, &entry, err) < 0)
			return -1;
		if (!is_for_us(&entry) || (walk->depth && found))
			continue;
		found++;
		if (!walk->depth)
			walk->top = &entry;
		if (walk_entry(walk, &entry, err) < 0)
			return -1;
	}
	if (!index_count(index))
		return shale_err_set(err, EINVAL, "the index has no image");
	if (!found)
		return shale_err_set(err, EINVAL, "no image for " PLAN_OS "/" PLAN_ARCH);
	return 0;
}

static int check_layout(const struct source *source, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	const char *version = NULL;

	if (source_read(source, "oci-layout", &text, err) < 0 ||
	    json_parse_object(buf_str(&text), text.len, "oci-layout", &json, err) < 0 ||
	    json_get_text(json, "imageLayoutVersion", false, "oci-layout", &version, err) < 0)
		return -1;
	if (strcmp(version, "1.0.0"))
		return shale_err_set(err, EINVAL, "oci-layout: unknown version '%.40s'", version);
	return 0;
}

static int make_oci(const struct source *source, struct plan *plan, struct shale_err *err)
{
	struct walk walk = { .source = source, .plan = plan };
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;

	if (check_layout(source, err) < 0 || source_read(source, "index.json", &text, err) < 0 ||
	    index_parse(buf_str(&text), text.len, "index.json", &index, err) < 0)
		return -1;
	return walk_index(&walk, &index, err);
}

int plan_make(const struct source *source, struct task *task, const struct plan_opts *opts,
	      struct plan *ret_plan, struct shale_err *err)
{
	__cleanup_plan struct plan plan = { 0 };
	int ret;

	if (source->is_rootfs && !opts->only_images)
		ret = plan_make_rootfs(source, task, opts, &plan, err);
	else if (source_has(source, "oci-layout"))
		ret = make_oci(source, &plan, err);
	else if (source_has(source, "manifest.json"))
		ret = plan_make_docker(source, task, &plan, err);
	else
		ret = shale_err_set(err, EINVAL,
				    "neither an OCI layout nor a docker-archive: there is no "
				    "oci-layout and no manifest.json in it");
	if (ret < 0)
		return -1;
	*ret_plan = plan;
	plan = (struct plan){ 0 };
	return 0;
}

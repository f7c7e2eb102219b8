// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb save: images as one tar which is both an OCI layout and a docker-archive, as docker
 * writes it since version 25. The blobs are the store's own, so that digests stay what they are;
 * the same images give the same bytes. Blobs are leased while they are written, without the lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/tarout.h"
#include "base/fs.h"
#include "engine/engine.h"
#include "engine/found.h"
#include "store/session.h"

#define SAVE_CHUNK (256 << 10)
#define OCI_INDEX  "application/vnd.oci.image.index.v1+json"
#define OCI_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define NOTE_IMAGE "io.containerd.image.name"
#define NOTE_REF   "org.opencontainers.image.ref.name"

struct save {
	const struct shale_sink *sink;
	struct task task;
	struct store store;
	struct session session;
	struct index index;
	size_t blob_count;
	size_t blob_cap;
	struct digest *blobs; /* sorted before they are written */
	json_t *entries;      /* of index.json */
	json_t *images;	      /* manifest.json */
	struct tarout tarout;
};

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "saving images");
}

static int add_blob(struct save *save, const struct digest *digest, struct shale_err *err)
{
	struct digest_text text = digest_text(digest);
	struct digest *blobs;
	bool present = false;

	if (session_lease_blob(&save->session, digest, &present, err) < 0)
		return -1;
	if (!present)
		return shale_err_set(err, ENOENT, "blob %s is not in the store", text.text);
	if (save->blob_count == save->blob_cap) {
		blobs = reallocarray(save->blobs, save->blob_cap * 2 + 64, sizeof(*blobs));
		if (!blobs)
			return no_memory(err);
		save->blobs = blobs;
		save->blob_cap = save->blob_cap * 2 + 64;
	}
	save->blobs[save->blob_count++] = *digest;
	return 0;
}

static json_t *blob_path(const struct digest *digest)
{
	struct digest_text text = digest_text(digest);

	return json_sprintf("blobs/sha256/%s", digest_hex(&text));
}

/* One entry of index.json; an image without a name has one, too. */
static int add_entry(struct save *save, const struct index_entry *entry, const char *name,
		     struct shale_err *err)
{
	struct digest_text digest = digest_text(&entry->digest);
	json_t *json = json_pack("{s:s, s:s, s:I}", "mediaType", entry->media_type, "digest",
				 digest.text, "size", (json_int_t)entry->size);
	struct ref ref;

	if (json && name && ref_parse(name, &ref, NULL) == 0)
		json_object_set_new(json, "annotations",
				    json_pack("{s:s, s:s}", NOTE_IMAGE, ref_text(&ref).text,
					      NOTE_REF, ref.tag));
	for (size_t i = 0; i < json_array_size(save->entries); i++)
		if (json_equal(json_array_get(save->entries, i), json)) {
			json_decref(json);
			return 0;
		}
	return json_array_append_new(save->entries, json) ? no_memory(err) : 0;
}

/* The image's object in manifest.json, made when it is met first. */
static json_t *image_object(struct save *save, const struct image *image, struct shale_err *err)
{
	json_t *config = blob_path(&image->config);
	json_t *layers = json_array();
	json_t *object = NULL;

	for (size_t i = 0; config && i < json_array_size(save->images); i++)
		if (json_equal(json_object_get(json_array_get(save->images, i), "Config"), config))
			object = json_array_get(save->images, i);
	for (size_t i = 0; !object && layers && i < image->layer_count; i++)
		if (json_array_append_new(layers, blob_path(&image->layers[i].blob))) {
			json_decref(layers);
			layers = NULL;
		}
	if (object) {
		json_decref(config);
		json_decref(layers);
		return object;
	}
	object = json_pack("{s:o, s:n, s:o}", "Config", config, "RepoTags", "Layers", layers);
	if (json_array_append_new(save->images, object)) {
		no_memory(err);
		return NULL;
	}
	return object;
}

static int add_tag(json_t *object, const char *name, struct shale_err *err)
{
	json_t *tags = json_object_get(object, "RepoTags");

	if (!json_is_array(tags)) {
		if (json_object_set_new(object, "RepoTags", json_array()))
			return no_memory(err);
		tags = json_object_get(object, "RepoTags");
	}
	for (size_t i = 0; i < json_array_size(tags); i++)
		if (!strcmp(json_string_value(json_array_get(tags, i)), name))
			return 0;
	return json_array_append_new(tags, json_string(name)) ? no_memory(err) : 0;
}

/* NAME may be NULL: the image is saved without one. */
static int add_image(struct save *save, size_t i, const char *name, struct shale_err *err)
{
	__cleanup_image struct image image = { 0 };
	struct index_entry entry;
	json_t *object;

	if (index_get(&save->index, i, &entry, err) < 0 ||
	    image_load(&save->store, &entry.digest, &image, err) < 0)
		return -1;
	object = image_object(save, &image, err);
	if (!object || (name && add_tag(object, name, err) < 0) ||
	    add_entry(save, &entry, name, err) < 0 || add_blob(save, &entry.digest, err) < 0 ||
	    add_blob(save, &image.config, err) < 0)
		return -1;
	for (size_t l = 0; l < image.layer_count; l++)
		if (add_blob(save, &image.layers[l].blob, err) < 0)
			return -1;
	return 0;
}

/* As docker does it, a repository without a tag is all its tags. */
static int add_repository(struct save *save, const struct ref *wanted, bool *ret_found,
			  struct shale_err *err)
{
	struct index_entry entry;
	char name[FOUND_NAME];
	struct ref ref;

	for (size_t i = 0; i < index_count(&save->index); i++) {
		if (index_get(&save->index, i, &entry, err) < 0)
			return -1;
		if (image_kind(entry.media_type) != IMAGE_MANIFEST || !found_name(&entry, name) ||
		    ref_parse(name, &ref, NULL) < 0 || strcmp(ref.name, wanted->name))
			continue;
		*ret_found = true;
		if (add_image(save, i, name, err) < 0)
			return -1;
	}
	return 0;
}

static int add_name(struct save *save, const char *text, struct shale_err *err)
{
	struct index_entry entry;
	char name[FOUND_NAME];
	bool found = false;
	struct ref ref;
	bool by_id;
	size_t i;

	if (ref_parse(text, &ref, NULL) == 0 && !ref.has_digest && !ref_has_tag(text)) {
		if (add_repository(save, &ref, &found, err) < 0)
			return -1;
		if (found)
			return 0;
	}
	if (image_find(&save->store, &save->index, text, &i, &by_id, err) < 0 ||
	    index_get(&save->index, i, &entry, err) < 0)
		return -1;
	return add_image(save, i, !by_id && found_name(&entry, name) ? name : NULL, err);
}

static int choose_locked(struct save *save, const char *const *names, size_t count,
			 struct shale_err *err)
{
	if (index_load(&save->store, &save->index, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (add_name(save, names[i], err) < 0)
			return -1;
	qsort(save->blobs, save->blob_count, sizeof(*save->blobs), digest_compare);
	return 0;
}

static int write_tar(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct save *save = arg;

	if (save->sink->write(save->sink->arg, data, len) < 0)
		return shale_err_errno(err, "writing");
	return 0;
}

static int put_entry(struct save *save, const char *path, mode_t mode, uint64_t size,
		     struct shale_err *err)
{
	const struct attr attr = { .mode = mode };
	const struct tarout_entry entry = { .path = path, .attr = &attr, .size = size };

	return tarout_add(&save->tarout, &entry, err);
}

static int copy_blob(struct save *save, int fd, const struct digest *digest,
		     struct shale_event *event, struct shale_err *err)
{
	__attribute__((cleanup(hasher_release))) struct hasher hasher = { NULL };
	__cleanup_free char *chunk = malloc(SAVE_CHUNK);
	struct digest found;
	size_t len;

	if (!chunk)
		return no_memory(err);
	if (hasher_init(&hasher, err) < 0)
		return -1;
	for (; event->done < event->total; event->done += len) {
		len = event->total - event->done < SAVE_CHUNK ? event->total - event->done
							      : SAVE_CHUNK;
		if (fs_read_full(fd, chunk, len) < 0)
			return shale_err_errno(err, "reading");
		hasher_update(&hasher, chunk, len);
		if (tarout_data(&save->tarout, chunk, len, err) < 0 ||
		    task_report(&save->task, event, err) < 0)
			return -1;
	}
	hasher_final(&hasher, &found);
	if (!digest_is_equal(&found, digest))
		return shale_err_set(err, EIO, "it is corrupt in %s", save->store.path);
	return 0;
}

static int put_blob(struct save *save, const struct digest *digest, struct shale_err *err)
{
	struct digest_text text = digest_text(digest);
	struct shale_event event = { .kind = SHALE_EVENT_COPY, .id = text.text };
	char path[sizeof("blobs/sha256/") + DIGEST_HEX];
	__cleanup_fd int fd = -1;
	struct stat st;

	snprintf(path, sizeof(path), "blobs/sha256/%s", digest_hex(&text));
	fd = openat(save->store.blobs_fd, digest_hex(&text), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "blob %s", text.text);
	event.total = st.st_size;
	if (put_entry(save, path, S_IFREG | 0644, st.st_size, err) < 0)
		return -1;
	if (copy_blob(save, fd, digest, &event, err) < 0)
		return shale_err_wrap(err, "blob %s", text.text);
	return 0;
}

static int put_json(struct save *save, const char *path, const json_t *json, struct shale_err *err)
{
	__cleanup_free char *text = json_dumps(json, JSON_COMPACT);

	if (!text)
		return no_memory(err);
	if (put_entry(save, path, S_IFREG | 0644, strlen(text), err) < 0)
		return -1;
	return tarout_data(&save->tarout, text, strlen(text), err);
}

static int put_documents(struct save *save, struct shale_err *err)
{
	__cleanup_json json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
						 OCI_INDEX, "manifests", save->entries);

	if (!index)
		return no_memory(err);
	if (put_json(save, "index.json", index, err) < 0 ||
	    put_json(save, "manifest.json", save->images, err) < 0 ||
	    put_entry(save, "oci-layout", S_IFREG | 0644, strlen(OCI_LAYOUT), err) < 0)
		return -1;
	return tarout_data(&save->tarout, OCI_LAYOUT, strlen(OCI_LAYOUT), err);
}

static int put_all(struct save *save, struct shale_err *err)
{
	if (put_entry(save, "blobs", S_IFDIR | 0755, 0, err) < 0 ||
	    put_entry(save, "blobs/sha256", S_IFDIR | 0755, 0, err) < 0)
		return -1;
	for (size_t i = 0; i < save->blob_count; i++) {
		if (i && digest_is_equal(&save->blobs[i - 1], &save->blobs[i]))
			continue;
		if (put_blob(save, &save->blobs[i], err) < 0)
			return -1;
	}
	if (put_documents(save, err) < 0)
		return -1;
	return tarout_finish(&save->tarout, err);
}

static int choose(struct save *save, const char *const *names, size_t count, struct shale_err *err)
{
	__cleanup_fd int lock = store_lock(&save->store, LOCK_SH, err);

	return lock < 0 ? -1 : choose_locked(save, names, count, err);
}

static void save_release(struct save *save)
{
	json_decref(save->entries);
	json_decref(save->images);
	free(save->blobs);
	tarout_release(&save->tarout);
	index_release(&save->index);
	session_end(&save->session);
	store_close(&save->store);
}

int shale_save(const struct shale_opts *opts, const char *const *names, size_t count,
	       const struct shale_sink *sink, struct shale_err *err)
{
	__attribute__((cleanup(save_release))) struct save save = {
		.sink = sink,
		.task = TASK_INIT(opts),
		.store = STORE_CLOSED,
		.session = SESSION_NONE,
		.entries = json_array(),
		.images = json_array(),
	};
	struct shale_err why = { 0 };

	if (!save.entries || !save.images)
		return no_memory(err);
	tarout_init(&save.tarout, write_tar, &save);
	if (store_open(opts->root, false, &save.store, &why) < 0) {
		if (why.code == ENOENT && count)
			return shale_err_set(err, ENOENT, "no such image: %.300s", names[0]);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	if (session_begin(&save.store, &save.session, err) < 0 ||
	    choose(&save, names, count, err) < 0)
		return -1;
	return put_all(&save, err);
}

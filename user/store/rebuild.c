// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rows from files; see rebuild.h. What moved into its place is whole, so a layer's directory is taken
 * by its name and its size file. Called by store.c when a store without rows is opened, and for
 * repair.
 */
#include "store/rebuild.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "store/catalog.h"
#include "store/container.h"
#include "store/image.h"
#include "store/instance.h"
#include "store/json.h"
#include "store/layer.h"
#include "store/made.h"
#include "store/volume.h"

struct rebuilding {
	const struct store *store;
	struct db *db;
	struct index *index;
	struct shale_err *err;
};

static int add_layer(void *arg, int dirfd, const char *name)
{
	const struct rebuilding *rebuilding = arg;
	struct digest digest;
	uint64_t content;

	(void)dirfd;
	/* Without its size it is not whole. */
	if (!digest_parse_hex(name, &digest) ||
	    store_read_layer_size(rebuilding->store, &digest, &content, NULL) < 0)
		return 0;
	return layer_enter(rebuilding->db, &digest, content, rebuilding->err);
}

/* As far as the note beside it tells, and the image is still there. */
static int describe_container(const struct rebuilding *rebuilding, const char *id)
{
	char dir[sizeof(CONTAINER_ROOM "/") + CONTAINER_ID_TEXT];
	__cleanup_made struct made made = { .count = 0 };
	__cleanup_image struct image image = { 0 };

	snprintf(dir, sizeof(dir), CONTAINER_ROOM "/%s", id);
	if (made_load(rebuilding->store, dir, &made, NULL) < 0 || !made.has_image ||
	    image_load(rebuilding->store, &made.image, &image, NULL) < 0)
		return 0;
	return container_describe(rebuilding->db, id, &image.config, made.driver, rebuilding->err);
}

/* A writable layer that has a name and a process; two of one name have come of no daemon of ours. */
static int add_instance(const struct rebuilding *rebuilding, int dirfd, const char *layer)
{
	char path[CONTAINER_ID_TEXT + sizeof("/" INSTANCE_NOTE)];
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	struct shale_err why = { 0 };
	const char *id, *name;

	snprintf(path, sizeof(path), "%s/" INSTANCE_NOTE, layer);
	if (fs_read_file(dirfd, path, JSON_MAX_BYTES, &text, NULL) < 0 ||
	    json_parse_object(text.data, text.len, INSTANCE_NOTE, &json, NULL) < 0)
		return 0;
	id = json_string_value(json_object_get(json, "Id"));
	name = json_string_value(json_object_get(json, "Name"));
	if (!id || strlen(id) != INSTANCE_ID_TEXT - 1 || strncmp(id, layer, CONTAINER_ID_TEXT - 1) ||
	    !name || !instance_is_name(name))
		return 0;
	if (instance_enter(rebuilding->db, id, name, true, &why) == 0 || why.code == EEXIST)
		return 0;
	return shale_err_set(rebuilding->err, why.code, "%s", why.msg);
}

static int add_container(void *arg, int dirfd, const char *name)
{
	const struct rebuilding *rebuilding = arg;
	struct stat st;

	if (!container_is_id(name) || fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	if (container_enter(rebuilding->db, name, st.st_mtime, rebuilding->err) < 0 ||
	    describe_container(rebuilding, name) < 0)
		return -1;
	return add_instance(rebuilding, dirfd, name);
}

static int add_volume(void *arg, int dirfd, const char *name)
{
	const struct rebuilding *rebuilding = arg;
	__cleanup_buf struct buf labels = BUF_INIT;
	struct volume_row row = { .name = name };
	bool has_labels;

	if (!volume_read_note(dirfd, name, &labels, &has_labels, &row.created))
		return 0;
	row.labels = has_labels ? buf_str(&labels) : NULL;
	return volume_enter(rebuilding->db, &row, rebuilding->err);
}

/* What a manifest says it is; most say it. */
static const char *media_type_of(const struct buf *text, json_t **ret_json)
{
	const char *type = NULL;

	if (json_parse_object(text->data, text->len, "manifest", ret_json, NULL) == 0 &&
	    json_get_text(*ret_json, "mediaType", true, "manifest", &type, NULL) == 0 && type)
		return type;
	return "application/vnd.oci.image.manifest.v1+json";
}

/* A blob that can be read as a manifest, and whose config can be read as one. */
static int add_manifest(void *arg, int dirfd, const char *name)
{
	const struct rebuilding *rebuilding = arg;
	__cleanup_image struct image image = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	struct index_entry entry;
	struct stat st;

	if (!digest_parse_hex(name, &entry.digest) ||
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size > JSON_MAX_BYTES ||
	    image_load(rebuilding->store, &entry.digest, &image, NULL) < 0 ||
	    store_read_blob(rebuilding->store, &entry.digest, &text, NULL) < 0)
		return 0;
	entry.size = text.len;
	entry.media_type = media_type_of(&text, &json);
	return index_set(rebuilding->index, NULL, &entry, rebuilding->err);
}

static int walk(struct rebuilding *rebuilding, int dirfd, fs_name_fn each, const char *what)
{
	errno = 0;
	if (fs_each_name(dirfd, ".", each, rebuilding) == 0)
		return 0;
	if (rebuilding->err && rebuilding->err->code)
		return -1;
	return shale_err_errno(rebuilding->err, "looking at %s/%s", rebuilding->store->path, what);
}

static int find_index(struct rebuilding *rebuilding, bool is_forgiving)
{
	struct shale_err why = { 0 };

	if (index_load_file(rebuilding->store, rebuilding->index, &why) == 0)
		return 0;
	if (why.code != ENOENT && !is_forgiving)
		return shale_err_set(rebuilding->err, why.code, "%s", why.msg);
	if (index_create(rebuilding->index, rebuilding->err) < 0)
		return -1;
	return walk(rebuilding, rebuilding->store->blobs_fd, add_manifest, "blobs");
}

static int add_room(struct rebuilding *rebuilding, const char *room, fs_name_fn each)
{
	if (fs_each_name(rebuilding->store->dirfd, room, each, rebuilding) == 0)
		return 0;
	if (rebuilding->err && rebuilding->err->code)
		return -1;
	return shale_err_errno(rebuilding->err, "looking at %s/%s", rebuilding->store->path, room);
}

int rebuild_rows(const struct store *store, struct db *db, bool is_forgiving,
		 struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	struct shale_err own = { 0 };
	struct rebuilding rebuilding = { store, db, &index, err ? err : &own };

	rebuilding.err->code = 0;
	if (find_index(&rebuilding, is_forgiving) < 0 ||
	    walk(&rebuilding, store->layers_fd, add_layer, "layers") < 0 ||
	    add_room(&rebuilding, CONTAINER_ROOM, add_container) < 0 ||
	    add_room(&rebuilding, VOLUME_ROOM, add_volume) < 0)
		return -1;
	return catalog_write(store, db, &index, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Volumes and directories of the machine that containers have: made and filled when a container is, looked for when a
 * volume is removed, and removed with a container when nobody has named them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/apply.h"
#include "base/fs.h"
#include "container/rootfs.h"
#include "engine/container_volumes.h"
#include "store/json.h"
#include "store/volume.h"

static bool is_volume(const json_t *point)
{
	return !strcmp(json_text(point, "Type"), "volume");
}

/* Gives a point the name, if it has none yet, and the place of a volume that need not be there yet. */
static int name_volume(const struct store *store, json_t *point, struct shale_err *err)
{
	char own[INSTANCE_ID_TEXT];
	__cleanup_free char *path = NULL;

	if (!*json_text(point, "Name")) {
		if (instance_make_id(own, err) < 0)
			return -1;
		json_object_set_new(point, "Anonymous", json_true());
		json_object_set_new(point, "Name", json_string(own));
	}
	path = volume_path(store, json_text(point, "Name"));
	if (!path || json_object_set_new(point, "Source", json_string(path)))
		return shale_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static int make_volume(const struct shale_containers *containers, const json_t *point, struct shale_err *err)
{
	const bool is_anonymous = json_is_true(json_object_get(point, "Anonymous"));
	__cleanup_json json_t *labels = json_deep_copy(json_object_get(point, "Labels"));
	__cleanup_free char *labels_text = NULL;
	__cleanup_free char *text = NULL;
	bool is_new;

	if (is_anonymous && !labels)
		labels = json_object();
	if (is_anonymous)
		json_object_set_new(labels, VOLUME_ANONYMOUS, json_string(""));
	labels_text = labels ? json_dumps(labels, JSON_COMPACT) : NULL;
	return shale_volume_create(&containers->opts, json_text(point, "Name"), labels_text, &text, &is_new, err);
}

static bool is_empty(int dirfd)
{
	__cleanup(dir_closep) DIR *dir = fdopendir(fcntl(dirfd, F_DUPFD_CLOEXEC, 3));
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			return false;
	return dir;
}

/* As docker: an empty volume gets what the image has where it is mounted. */
static int fill_volume(const struct store *store, int view, const json_t *point, struct shale_err *err)
{
	__cleanup_fd int from = rootfs_open(view, json_text(point, "Destination"), O_RDONLY | O_DIRECTORY);
	char path[VOLUME_PATH];
	__cleanup_fd int to = -1;

	if (from < 0)
		return 0;
	volume_data_path(json_text(point, "Name"), path);
	to = fs_open_beneath(store->dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return shale_err_errno(err, "volume %s", json_text(point, "Name"));
	if (!is_empty(to))
		return 0;
	return apply_layer(from, geteuid() ? "user." : "trusted.", to, err) < 0 ?
		       shale_err_wrap(err, "filling volume %s", json_text(point, "Name")) :
		       0;
}

static int check_bind(const json_t *point, struct shale_err *err)
{
	const char *source = json_text(point, "Source");
	struct stat st;

	if (stat(source, &st) == 0)
		return 0;
	if (errno != ENOENT || !json_is_true(json_object_get(point, "Create")))
		return shale_err_set(err, EINVAL,
				     "invalid mount config for type \"bind\": bind source path does not exist: %.300s",
				     source);
	return 0;
}

int container_volumes_name(const struct store *store, json_t *record, struct shale_err *err)
{
	json_t *point;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point) {
		if (is_volume(point) && name_volume(store, point, err) < 0)
			return -1;
		if (!strcmp(json_text(point, "Type"), "bind") && check_bind(point, err) < 0)
			return -1;
	}
	return 0;
}

int container_volumes_make(const struct shale_containers *containers, const json_t *record, struct shale_err *err)
{
	const json_t *point;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point)
		if (is_volume(point) && make_volume(containers, point, err) < 0)
			return -1;
	return 0;
}

int container_volumes_fill(struct mounting *mounting, const json_t *record, struct shale_err *err)
{
	const struct driver_image image = { &mounting->session, mounting->made.count, mounting->made.layers };
	struct mount_spec spec = { .nr_layers = 0 };
	__cleanup_fd int view = -1;
	const json_t *point;
	size_t i;
	int ret = 0;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point) {
		if (!is_volume(point) || json_is_true(json_object_get(point, "NoCopy")))
			continue;
		if (view < 0) {
			ret = mounting->driver->view(&image, &spec, &view, NULL, err);
			mount_spec_release(&spec);
		}
		if (ret < 0 || fill_volume(&mounting->found.store, view, point, err) < 0)
			return -1;
	}
	return 0;
}

/* Of -v, which makes what is not there; made like docker's, with all above it. */
int container_binds_make(const json_t *record, struct shale_err *err)
{
	const json_t *point;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point) {
		const char *source = json_text(point, "Source");

		if (!json_is_true(json_object_get(point, "Create")) || access(source, F_OK) == 0)
			continue;
		for (const char *at = source + 1; (at = strchr(at, '/')); at++) {
			__cleanup_free char *above = strndup(source, at - source);

			if (above && fs_mkdir(AT_FDCWD, above, 0755) < 0 && errno != EEXIST)
				return shale_err_errno(err, "cannot make %.300s", above);
		}
		if (fs_mkdir(AT_FDCWD, source, 0755) < 0)
			return shale_err_errno(err, "error while creating mount source path '%.300s'", source);
	}
	return 0;
}

bool container_volumes_has_own(const json_t *record)
{
	const json_t *point;
	size_t i;

	json_array_foreach(json_object_get(record, "MountPoints"), i, point)
		if (json_is_true(json_object_get(point, "Anonymous")))
			return true;
	return false;
}

void container_volumes_drop(const struct shale_containers *containers, const json_t *record)
{
	const json_t *point;
	size_t i;

	/* One that another container has meanwhile stays. */
	json_array_foreach(json_object_get(record, "MountPoints"), i, point)
		if (json_is_true(json_object_get(point, "Anonymous")))
			volume_remove_of(&containers->opts, json_text(point, "Name"), json_text(record, "Id"), NULL,
					 NULL);
}

struct users {
	const struct store *store;
	struct buf ids;
};

static int note_id(void *arg, const struct instance_row *row, struct shale_err *err)
{
	struct users *users = arg;

	if (buf_add(&users->ids, row->id, strlen(row->id) + 1) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	return 0;
}

static bool record_has(const struct store *store, const char *id, const char *name)
{
	__cleanup_json json_t *record = NULL;
	char layer[CONTAINER_ID_TEXT];
	__cleanup_fd int dir = -1;
	const json_t *point;
	size_t i;

	instance_layer(id, layer);
	dir = opened_dir(store, layer, NULL);
	if (dir < 0 || record_read_config(dir, &record, NULL) < 0)
		return false;
	json_array_foreach(json_object_get(record, "MountPoints"), i, point)
		if (is_volume(point) && !strcmp(json_text(point, "Name"), name))
			return true;
	return false;
}

static int read_ids(struct users *users, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, users->store->db, TXN_READ, err) < 0 || instance_each(txn.db, note_id, users, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

static int count_users(const struct store *store, const char *name, const char *but, size_t *ret_count,
		       char ret_first[INSTANCE_ID_TEXT], struct shale_err *err)
{
	struct users users = { .store = store };
	int ret = read_ids(&users, err);
	const char *id = buf_str(&users.ids), *end = id + users.ids.len;

	*ret_count = 0;
	for (; !ret && id && id < end; id += strlen(id) + 1)
		if (strcmp(id, but) && record_has(store, id, name) && !(*ret_count)++)
			snprintf(ret_first, INSTANCE_ID_TEXT, "%s", id);
	buf_release(&users.ids);
	return ret;
}

int container_volume_check(const struct store *store, const char *name, const char *but, struct shale_err *err)
{
	char first[INSTANCE_ID_TEXT];
	size_t count;

	if (count_users(store, name, but, &count, first, err) < 0)
		return -1;
	return count ? shale_err_set(err, EBUSY, "remove %.240s: volume is in use - [%s]", name, first) : 0;
}

int shale_volume_users(const struct shale_opts *opts, const char *name, size_t *ret_count, struct shale_err *err)
{
	__attribute__((cleanup(store_close))) struct store store = STORE_CLOSED;
	char first[INSTANCE_ID_TEXT];

	if (store_open(opts->root, false, &store, err) < 0)
		return -1;
	return count_users(&store, name, "", ret_count, first, err);
}

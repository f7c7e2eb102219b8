// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs of volumes: list, inspect, create, remove, size.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/du.h"
#include "engine/container_volumes.h"
#include "store/json.h"
#include "store/volume.h"

#define ANONYMOUS_BYTES 32

struct volumes {
	struct store store;
	struct session session;
	int lock;
};

#define VOLUMES_CLOSED { .store = STORE_CLOSED, .session = SESSION_NONE, .lock = -1 }
#define __cleanup_volumes __attribute__((cleanup(volumes_close)))

/* The lock goes first: the session's end takes it again. */
static void volumes_close(struct volumes *volumes)
{
	fd_closep(&volumes->lock);
	session_end(&volumes->session);
	store_close(&volumes->store);
}

static int no_volume(const char *name, struct shale_err *err)
{
	return shale_err_set(err, ENOENT, "get %.300s: no such volume", name);
}

static json_t *volume_json(const struct store *store, const struct volume_row *row)
{
	__cleanup_free char *path = volume_path(store, row->name);
	json_t *labels = row->labels ? json_loads(row->labels, 0, NULL) : NULL;
	char created[64];
	struct tm tm;

	if (!path || !gmtime_r(&row->created, &tm) ||
	    !strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:n, s:s}", "CreatedAt", created, "Driver",
			 "local", "Labels", labels ? labels : json_null(), "Mountpoint", path, "Name",
			 row->name, "Options", "Scope", "local");
}

struct volume_list {
	const struct store *store;
	const char *wanted; /* NULL: all */
	json_t *list;
};

static int add_volume(void *arg, const struct volume_row *row, struct shale_err *err)
{
	const struct volume_list *list = arg;

	if (list->wanted && strcmp(list->wanted, row->name))
		return 0;
	if (json_array_append_new(list->list, volume_json(list->store, row)))
		return shale_err_set(err, ENOMEM, "listing volumes");
	return 0;
}

static int list_volumes(const struct store *store, const char *wanted, json_t *list,
			struct shale_err *err)
{
	struct volume_list walk = { store, wanted, list };
	__cleanup_txn struct txn txn = TXN_NONE;

	if (!list)
		return shale_err_set(err, ENOMEM, "listing volumes");
	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	return volume_each(txn.db, add_volume, &walk, err);
}

static int dump(const json_t *json, char **ret_json, struct shale_err *err)
{
	*ret_json = json_dumps(json, JSON_COMPACT);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing volumes");
}

int shale_volumes(const struct shale_opts *opts, char **ret_json, struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;
	__cleanup_json json_t *list = json_array();
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, &store, &why) == 0) {
		if (list_volumes(&store, NULL, list, err) < 0)
			return -1;
	} else if (why.code != ENOENT) {
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	return dump(list, ret_json, err);
}

static int dump_one(const struct store *store, const char *name, char **ret_json,
		    struct shale_err *err)
{
	__cleanup_json json_t *list = json_array();

	if (list_volumes(store, name, list, err) < 0)
		return -1;
	if (!json_array_size(list))
		return no_volume(name, err);
	return dump(json_array_get(list, 0), ret_json, err);
}

/* A store that is not there has none. */
static int open_existing(const struct shale_opts *opts, const char *name, struct store *ret_store,
			 struct shale_err *err)
{
	struct shale_err why = { 0 };

	if (store_open(opts->root, false, ret_store, &why) == 0)
		return 0;
	if (why.code == ENOENT)
		return no_volume(name, err);
	return shale_err_set(err, why.code, "%s", why.msg);
}

int shale_volume_inspect(const struct shale_opts *opts, const char *name, char **ret_json,
			 struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;

	if (open_existing(opts, name, &store, err) < 0)
		return -1;
	return dump_one(&store, name, ret_json, err);
}

static int check_volume_name(const char *name, struct shale_err *err)
{
	if (volume_is_name(name))
		return 0;
	if (strlen(name) < 2)
		return shale_err_set(err, EINVAL,
				     "create %s: volume name is too short, names should be at least "
				     "two alphanumeric characters", name);
	if (strlen(name) > VOLUME_MAX_NAME)
		return shale_err_set(err, EINVAL, "create %.20s...: volume name is longer than %d",
				     name, VOLUME_MAX_NAME);
	return shale_err_set(err, EINVAL,
			     "create %s: \"%s\" includes invalid characters for a local volume name, "
			     "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a "
			     "host directory, use absolute path", name, name);
}

static int make_name(char name[2 * ANONYMOUS_BYTES + 1], struct shale_err *err)
{
	unsigned char random[ANONYMOUS_BYTES];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return shale_err_errno(err, "cannot make up a name");
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(name + 2 * i, 3, "%02x", random[i]);
	return 0;
}

/* As they are kept; that nobody has named it is one of them. */
static int take_labels(const char *text, bool is_anonymous, char **ret_labels,
		       struct shale_err *err)
{
	__cleanup_json json_t *labels = NULL;
	const char *key;
	json_t *value;

	*ret_labels = NULL;
	if (!text && !is_anonymous)
		return 0;
	if (text && strlen(text) > VOLUME_MAX_LABELS / 2)
		return shale_err_set(err, EINVAL, "labels of more than %d bytes",
				     VOLUME_MAX_LABELS / 2);
	if (text && json_parse_object(text, strlen(text), "labels", &labels, err) < 0)
		return -1;
	if (!text)
		labels = json_object();
	json_object_foreach(labels, key, value)
		if (!json_is_string(value))
			return shale_err_set(err, EINVAL, "label '%.100s' is no text", key);
	if (is_anonymous && json_object_set_new(labels, VOLUME_ANONYMOUS, json_string("")))
		return shale_err_set(err, ENOMEM, "labels");
	return dump(labels, ret_labels, err);
}

static int is_present(const struct store *store, const char *name, bool *ret_present,
		      struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, store->db, TXN_READ, err) < 0)
		return -1;
	return volume_has(txn.db, name, ret_present, err);
}

static int begin_change(struct volumes *volumes, struct shale_err *err)
{
	if (session_begin(&volumes->store, &volumes->session, err) < 0)
		return -1;
	volumes->lock = store_lock(&volumes->store, LOCK_EX, err);
	return volumes->lock < 0 ? -1 : 0;
}

int shale_volume_create(const struct shale_opts *opts, const char *name, const char *labels,
			char **ret_json, bool *ret_is_new, struct shale_err *err)
{
	__cleanup_volumes struct volumes volumes = VOLUMES_CLOSED;
	char own_name[2 * ANONYMOUS_BYTES + 1];
	__cleanup_free char *kept = NULL;
	bool has = false;

	if (take_labels(labels, !name, &kept, err) < 0 || (!name && make_name(own_name, err) < 0))
		return -1;
	name = name ? name : own_name;
	if (check_volume_name(name, err) < 0 ||
	    store_open(opts->root, true, &volumes.store, err) < 0 ||
	    begin_change(&volumes, err) < 0 || is_present(&volumes.store, name, &has, err) < 0)
		return -1;
	if (!has && volume_create_locked(&volumes.session, name, kept, err) < 0)
		return -1;
	*ret_is_new = !has;
	return dump_one(&volumes.store, name, ret_json, err);
}

static int size_of(const struct store *store, const char *name, uint64_t *ret_bytes,
		   struct shale_err *err)
{
	char path[VOLUME_PATH];

	volume_data_path(name, path);
	if (du_tree(store->dirfd, path, ret_bytes) < 0)
		return shale_err_errno(err, "volume %s", name);
	return 0;
}

int shale_volume_size(const struct shale_opts *opts, const char *name, uint64_t *ret_bytes,
		      struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;

	if (!volume_is_name(name))
		return no_volume(name, err);
	if (open_existing(opts, name, &store, err) < 0)
		return -1;
	return size_of(&store, name, ret_bytes, err);
}

int volume_remove_of(const struct shale_opts *opts, const char *name, const char *but, uint64_t *ret_bytes,
		     struct shale_err *err)
{
	__cleanup_volumes struct volumes volumes = VOLUMES_CLOSED;
	uint64_t bytes = 0;

	if (!volume_is_name(name))
		return no_volume(name, err);
	if (open_existing(opts, name, &volumes.store, err) < 0 || begin_change(&volumes, err) < 0 ||
	    container_volume_check(&volumes.store, name, but, err) < 0)
		return -1;
	/* What cannot be read can still be removed. */
	if (ret_bytes)
		size_of(&volumes.store, name, &bytes, NULL);
	if (volume_remove_locked(&volumes.session, name, err) < 0)
		return -1;
	if (ret_bytes)
		*ret_bytes = bytes;
	return 0;
}

int shale_volume_remove(const struct shale_opts *opts, const char *name, uint64_t *ret_bytes,
			struct shale_err *err)
{
	return volume_remove_of(opts, name, "", ret_bytes, err);
}

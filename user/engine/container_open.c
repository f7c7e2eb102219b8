// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers as verbs find them: by name in the database, the rest in files. Called by all verbs about containers.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "container/cgroup.h"
#include "container/spec.h"
#include "engine/containers.h"
#include "store/json.h"

void opened_release(struct opened *opened)
{
	fd_closep(&opened->dir);
	json_decref(opened->record);
	store_close(&opened->store);
}

int opened_dir(const struct store *store, const char *layer, struct shale_err *err)
{
	char path[sizeof(CONTAINER_ROOM "/") + CONTAINER_ID_TEXT];
	int fd;

	snprintf(path, sizeof(path), CONTAINER_ROOM "/%s", layer);
	fd = fs_open_beneath(store->dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	return fd < 0 ? shale_err_errno(err, "%s/%s", store->path, path) : fd;
}

static int find(const char *name, struct opened *opened, struct shale_err *err)
{
	__cleanup_txn struct txn txn = TXN_NONE;

	if (txn_begin(&txn, opened->store.db, TXN_READ, err) < 0 ||
	    instance_find(txn.db, name, opened->id, opened->name, err) < 0)
		return -1;
	return txn_commit(&txn, err);
}

/* It may be removed while we look. */
static int no_container(const char *name, struct shale_err *err)
{
	return shale_err_set(err, ENOENT, "No such container: %.300s", name);
}

void opened_look(struct opened *opened)
{
	/* In this order: what has ended in between has written its state before it let the lock go. */
	opened->is_alive = record_is_held(opened->dir, RECORD_ALIVE);
	opened->is_lost = false;
	record_read_state(opened->dir, &opened->state);
	if (opened->is_alive)
		return;
	record_read_state(opened->dir, &opened->state);
	/* Its socket goes before the lock, too. One that was killed at the start has written nothing yet. */
	opened->is_lost = opened->state.status == RECORD_RUNNING ||
			  faccessat(opened->dir, RECORD_SOCKET, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (opened->state.status != RECORD_RUNNING)
		return;
	opened->state.status = RECORD_EXITED;
	opened->state.pid = 0;
	opened->state.exit_code = 255;
	snprintf(opened->state.error, sizeof(opened->state.error), "its supervisor was killed");
}

int opened_open(const struct shale_containers *containers, const char *name, struct opened *ret_opened,
		struct shale_err *err)
{
	struct shale_err why = { 0 };

	if (store_open(containers->opts.root, false, &ret_opened->store, &why) < 0)
		return why.code == ENOENT ? no_container(name, err) :
					    shale_err_set(err, why.code, "%s", why.msg);
	if (find(name, ret_opened, err) < 0)
		return -1;
	instance_layer(ret_opened->id, ret_opened->layer);
	ret_opened->dir = opened_dir(&ret_opened->store, ret_opened->layer, &why);
	if (ret_opened->dir < 0 || record_read_config(ret_opened->dir, &ret_opened->record, &why) < 0)
		return why.code == ENOENT ? no_container(name, err) :
					    shale_err_set(err, why.code, "%s", why.msg);
	opened_look(ret_opened);
	return 0;
}

bool opened_is_running(const struct opened *opened)
{
	return opened->is_alive && opened->state.status == RECORD_RUNNING;
}

bool opened_has_pause(const struct opened *opened)
{
	return faccessat(opened->dir, RECORD_PAUSED, F_OK, 0) == 0;
}

int opened_hold(struct opened *opened, struct shale_err *err)
{
	__cleanup_fd int lock = record_hold(opened->dir, RECORD_LOCK, true, err);
	struct stat st;

	if (lock < 0)
		return -1;
	if (fstat(lock, &st) < 0 || !st.st_nlink)
		return no_container(opened->id, err);
	opened_look(opened);
	return steal_fd(&lock);
}

const json_t *opened_config(const struct opened *opened)
{
	return json_object_get(opened->record, "Config");
}

const json_t *opened_host(const struct opened *opened)
{
	return json_object_get(opened->record, "HostConfig");
}

bool opened_is_tty(const struct opened *opened)
{
	return json_is_true(json_object_get(opened_config(opened), "Tty"));
}

int opened_runtime(const struct shale_containers *containers, const struct opened *opened,
		   struct runtime *ret_runtime, struct shale_err *err)
{
	const char *name = json_text(opened_host(opened), "Runtime");

	return runtime_find(*name ? name : containers->runtime.name, ret_runtime, err);
}

int opened_call(const struct shale_containers *containers, const struct opened *opened, const char *const *words,
		struct shale_err *err)
{
	struct runtime runtime;

	if (opened_runtime(containers, opened, &runtime, err) < 0)
		return -1;
	return runtime_call(&runtime, words, err);
}

/* A runtime that has died with the supervisor may have left what it does not find any more. */
static void end_remains(const struct shale_containers *containers, const struct opened *opened)
{
	__cleanup_free char *cgroup = spec_cgroup(opened->record);
	struct shale_err why = { 0 };
	struct runtime runtime;

	if (opened_runtime(containers, opened, &runtime, &why) == 0)
		runtime_delete(runtime.path, opened->id);
	if (cgroup)
		cgroup_end(cgroup);
	runtime_forget(opened->id);
}

void opened_clear_lost(const struct shale_containers *containers, struct opened *opened)
{
	if (!opened->is_lost)
		return;
	end_remains(containers, opened);
	if (opened->state.status == RECORD_EXITED)
		record_write_state(opened->dir, &opened->state, true, NULL);
	unlinkat(opened->dir, RECORD_SOCKET, 0);
	unlinkat(opened->dir, RECORD_PAUSED, 0);
	opened->is_lost = false;
}

static json_t *event_attributes(const struct opened *opened, const char *key, const char *value)
{
	json_t *labels = json_object_get(opened_config(opened), "Labels");
	json_t *json = json_is_object(labels) ? json_copy(labels) : json_object();

	json_object_set(json, "image", json_object_get(opened_config(opened), "Image"));
	json_object_set_new(json, "name", json_string(opened->name));
	if (key)
		json_object_set_new(json, key, json_string(value));
	return json;
}

void containers_tell(const struct shale_containers *containers, const struct opened *opened,
		     const char *action, const char *key, const char *value)
{
	__cleanup_json json_t *json = event_attributes(opened, key, value);
	__cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	const struct shale_container_event event = {
		.action = action,
		.id = opened->id,
		.name = opened->name,
		.image = json_string_value(json_object_get(opened_config(opened), "Image")),
		.attributes = text,
	};

	if (containers->hooks.event && text)
		containers->hooks.event(containers->hooks.arg, &event);
}

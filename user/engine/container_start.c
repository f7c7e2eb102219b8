// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb start: the layers are mounted where nobody sees it, the runtime's configuration is written, and a supervising
 * process gets both and goes on from there (user/shim). Whoever starts a container holds its lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "container/spec.h"
#include "engine/container_volumes.h"
#include "engine/work.h"

struct start {
	struct shale_containers *containers;
	struct opened opened;
	struct work work;
	int lock;
	int alive;
	int mount;
	int connection;
	struct runtime runtime;
	struct identity user;
};

static void start_release(struct start *start)
{
	fd_closep(&start->mount);
	fd_closep(&start->alive);
	fd_closep(&start->connection);
	fd_closep(&start->lock);
	work_release(&start->work);
	opened_release(&start->opened);
}

static int mount_layer(struct start *start, struct shale_err *err)
{
	struct mount_spec spec = { .nr_layers = 0 };
	int ret;

	if (work_open(&start->containers->opts, start->opened.layer, &start->work, err) < 0)
		return -1;
	ret = start->work.driver->mount(&start->work.driver_work, &spec, &start->mount, NULL, err);
	mount_spec_release(&spec);
	return ret;
}

static bool has_only_cgroup2(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

static int write_bundle(struct start *start, json_t *spec, struct shale_err *err)
{
	__cleanup_free char *text = json_dumps(spec, JSON_COMPACT);
	__cleanup_fd int fd = openat(start->opened.dir, RECORD_BUNDLE,
				     O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (!text)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (fd < 0 || fs_write_full(fd, text, strlen(text)) < 0)
		return shale_err_errno(err, "cannot write " RECORD_BUNDLE);
	return 0;
}

static int make_bundle(struct start *start, struct shale_err *err)
{
	const json_t *config = opened_config(&start->opened), *host = opened_host(&start->opened);
	__cleanup_free char *dir = NULL;
	__cleanup_json json_t *spec = NULL;
	const struct spec_input input = {
		.record = start->opened.record,
		.user = &start->user,
		.is_cgroup2 = has_only_cgroup2(),
	};
	struct spec_input whole = input;

	if (asprintf(&dir, "%s/" CONTAINER_ROOM "/%s", start->opened.store.path, start->opened.layer) < 0) {
		dir = NULL;
		return shale_err_set(err, ENOMEM, "out of memory");
	}
	whole.dir = dir;
	if (identity_find(start->mount, json_string_value(json_object_get(config, "User")) ?: "",
			  json_object_get(host, "GroupAdd"), &start->user, err) < 0 ||
	    container_files_write(&start->opened, err) < 0 || spec_make(&whole, &spec, err) < 0)
		return -1;
	return write_bundle(start, spec, err);
}

static void make_flags(const struct opened *opened, char flags[8])
{
	const json_t *config = opened_config(opened);
	const char *log = json_string_value(
		json_object_get(json_object_get(opened_host(opened), "LogConfig"), "Type"));

	snprintf(flags, 8, "-%s%s%s%s", opened_is_tty(opened) ? "t" : "",
		 json_is_true(json_object_get(config, "OpenStdin")) ? "i" : "",
		 json_is_true(json_object_get(config, "StdinOnce")) ? "1" : "",
		 log && !strcmp(log, "none") ? "" : "l");
}

static int run(struct start *start, struct shale_err *err)
{
	const struct opened *opened = &start->opened;
	char flags[8];
	struct container_spawn spawn = {
		.mode = "run",
		.flags = flags,
		.runtime = start->runtime.path,
		.id = opened->id,
		.dir = opened->dir,
		.mount = start->mount,
	};

	make_flags(opened, flags);
	start->alive = record_hold(opened->dir, RECORD_ALIVE, true, err);
	spawn.alive = start->alive;
	if (start->alive < 0 || container_spawn(&spawn, &start->connection, err) < 0)
		return -1;
	containers_hand_over(start->containers, opened->id, start->connection);
	/* From here on it is the supervisor's alone, and ends with it. */
	fd_closep(&start->alive);
	fd_closep(&start->mount);
	start->alive = start->mount = -1;
	return container_spawn_go(start->connection, err);
}

/* One that could not be told to go ends when it sees that we have hung up, any other has ended already. */
static void await_supervisor(struct start *start)
{
	fd_closep(&start->connection);
	fd_closep(&start->mount);
	fd_closep(&start->alive);
	start->connection = start->mount = -1;
	start->alive = record_hold(start->opened.dir, RECORD_ALIVE, true, NULL);
	fd_closep(&start->alive);
	start->alive = -1;
}

static int start_locked(struct start *start, bool *ret_was, struct shale_err *err)
{
	struct opened *opened = &start->opened;

	start->lock = opened_hold(opened, err);
	if (start->lock < 0)
		return -1;
	*ret_was = opened->is_alive;
	if (opened->is_alive && faccessat(opened->dir, RECORD_PAUSED, F_OK, 0) == 0)
		return shale_err_set(err, EBUSY, "cannot start a paused container, try unpause instead");
	if (opened->is_alive)
		return 0;
	opened_clear_lost(start->containers, opened);
	/* What ran in it is over. */
	fs_remove_tree(opened->dir, RECORD_EXEC);
	if (opened_runtime(start->containers, opened, &start->runtime, err) < 0 ||
	    container_binds_make(opened->record, err) < 0 || mount_layer(start, err) < 0 || make_bundle(start, err) < 0)
		return -1;
	if (run(start, err) == 0)
		return 0;
	await_supervisor(start);
	/* One that was killed over it has left something. */
	opened_look(opened);
	opened_clear_lost(start->containers, opened);
	return -1;
}

/* One that goes by itself when it ends goes, too, when it could not begin. */
static void give_up(struct start *start)
{
	const struct shale_container_remove_opts remove = { .has_volumes = true };

	fd_closep(&start->lock);
	start->lock = -1;
	if (json_is_true(json_object_get(opened_host(&start->opened), "AutoRemove")))
		container_remove_opened(start->containers, &start->opened, &remove, NULL);
}

int shale_container_start(struct shale_containers *containers, const char *name, bool *ret_was,
			  struct shale_err *err)
{
	__attribute__((cleanup(start_release))) struct start start = {
		.containers = containers,
		.opened = OPENED_NONE,
		.work = WORK_NONE,
		.lock = -1,
		.alive = -1,
		.mount = -1,
		.connection = -1,
	};

	if (opened_open(containers, name, &start.opened, err) < 0)
		return -1;
	if (start_locked(&start, ret_was, err) < 0) {
		fd_closep(&start.mount);
		fd_closep(&start.alive);
		start.mount = start.alive = -1;
		if (!start.opened.is_alive)
			give_up(&start);
		return -1;
	}
	if (*ret_was)
		return 0;
	containers_tell(containers, &start.opened, "start", NULL, NULL);
	containers_watch(containers, start.opened.id, steal_fd(&start.connection));
	return 0;
}

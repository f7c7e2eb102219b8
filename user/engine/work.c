// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writable layers; see work.h. Called by umount, diff and commit.
 */
#include "engine/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "kapi/mountinfo.h"
#include "store/mountline.h"
#include "store/mounts.h"

#define ROOM	   "/containers/"

void work_release(struct work *work)
{
	fd_closep(&work->base_fd);
	fd_closep(&work->view_fd);
	made_release(&work->made);
	container_release(&work->container);
	session_end(&work->session);
	store_close(&work->store);
}

/* "...PREFIX/containers/ID/upper": a directory by that name in the options, or what a bind mount shows. */
static bool find_id(const char *text, const char *prefix, char ret_id[CONTAINER_ID_TEXT])
{
	__cleanup_free char *wanted = NULL;
	const char *at = text;

	if (!text || asprintf(&wanted, "%s" ROOM, prefix) < 0) {
		wanted = NULL;
		return false;
	}
	while ((at = strstr(at, wanted))) {
		at += strlen(wanted);
		snprintf(ret_id, CONTAINER_ID_TEXT, "%s", at);
		if (container_is_id(ret_id) && !strncmp(at + CONTAINER_ID_TEXT - 1, "/upper", 6))
			return true;
	}
	return false;
}

bool work_of_mount(const struct store *store, const char *line, char ret_id[CONTAINER_ID_TEXT])
{
	__cleanup_free char *options = mountline_options(line);
	__cleanup_free char *root = mountline_field(line, MOUNTLINE_ROOT);

	if (!options || !root)
		return false;
	mountline_unescape(options);
	mountline_drop_backslashes(options);
	mountline_unescape(root);
	return find_id(options, store->path, ret_id) || find_id(root, "", ret_id);
}

static int id_of_directory(const struct store *store, const char *path,
			   char ret_id[CONTAINER_ID_TEXT], struct shale_err *err)
{
	__cleanup_fd int fd = open(path, O_PATH | O_CLOEXEC);
	__cleanup_free char *line = NULL;

	if (fd < 0)
		return shale_err_set(err, ENOENT, "no such container or mount: %.300s", path);
	if (mountinfo_line(fd, &line, err))
		return -1;
	if (work_of_mount(store, line, ret_id))
		return 0;
	return shale_err_set(err, EINVAL, "%.300s: no writable layer of this store is mounted there",
			     path);
}

static char *path_of(const struct store *store, const char *id, const char *name)
{
	char *path;

	return asprintf(&path, "%s" ROOM "%s/%s", store->path, id, name) < 0 ? NULL : path;
}

static int open_container(struct work *work, const char *id, struct shale_err *err)
{
	char dir[sizeof(ROOM) + CONTAINER_ID_TEXT];

	snprintf(dir, sizeof(dir), "%s%s", &ROOM[1], id);
	memcpy(work->container.id, id, CONTAINER_ID_TEXT);
	work->container.upper = path_of(&work->store, id, "upper");
	work->container.work = path_of(&work->store, id, "work");
	if (!work->container.upper || !work->container.work)
		return shale_err_set(err, ENOMEM, "out of memory");
	if (made_load(&work->store, dir, &work->made, err) < 0)
		return -1;
	work->driver = driver_find(work->made.driver, err);
	return work->driver ? 0 : -1;
}

static int lease_layers(struct work *work, struct shale_err *err)
{
	bool present;

	for (size_t i = 0; i < work->made.count; i++) {
		struct digest_text text = digest_text(&work->made.layers[i]);

		if (session_lease_layer(&work->session, &work->made.layers[i], &present, err) < 0)
			return -1;
		if (!present)
			return shale_err_set(err, ENOENT, "layer %s below it is not in the store",
					     text.text);
	}
	if (!work->made.count)
		return shale_err_set(err, EINVAL, "there are no layers below it");
	work->driver_work = (struct driver_work){
		.image = { &work->session, work->made.count, work->made.layers },
		.container = &work->container,
		.xattr_prefix = work->made.xattr_prefix,
	};
	return 0;
}

static bool has_container(const struct store *store, const char *id)
{
	char dir[sizeof(ROOM) + CONTAINER_ID_TEXT];

	snprintf(dir, sizeof(dir), "%s%s", &ROOM[1], id);
	return faccessat(store->dirfd, dir, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int work_open(const struct shale_opts *opts, const char *name, struct work *ret_work,
	      struct shale_err *err)
{
	struct shale_err why = { 0 };
	char id[CONTAINER_ID_TEXT];

	if (store_open(opts->root, false, &ret_work->store, &why) < 0) {
		if (why.code == ENOENT)
			return shale_err_set(err, ENOENT, "no such container or mount: %.300s", name);
		return shale_err_set(err, why.code, "%s", why.msg);
	}
	if (container_is_id(name) && has_container(&ret_work->store, name))
		memcpy(id, name, sizeof(id));
	else if (id_of_directory(&ret_work->store, name, id, err))
		return -1;
	if (session_begin(&ret_work->store, &ret_work->session, err) < 0 ||
	    open_container(ret_work, id, err) < 0 || lease_layers(ret_work, err) < 0)
		return -1;
	return 0;
}

/* Looks through what is mounted for this one. */
struct search {
	const struct work *work;
	int fd;
};

static int search_line(void *arg, const char *line, const char *root)
{
	__cleanup_free char *target = mountline_field(line, MOUNTLINE_TARGET);
	struct search *search = arg;
	__cleanup_free char *path = NULL;
	char id[CONTAINER_ID_TEXT];

	if (!target || search->fd >= 0 || !work_of_mount(&search->work->store, line, id) ||
	    strcmp(id, search->work->container.id))
		return 0;
	mountline_unescape(target);
	if (asprintf(&path, "%s%s", root, target) < 0) {
		path = NULL;
		return -1;
	}
	/* One that something else is mounted over leads there: the next may not. */
	search->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (search->fd >= 0) {
		__cleanup_free char *found = NULL;

		if (mountinfo_line(search->fd, &found, NULL) == 0 &&
		    (!work_of_mount(&search->work->store, found, id) ||
		     strcmp(id, search->work->container.id))) {
			close(search->fd);
			search->fd = -1;
		}
	}
	return 0;
}

/* Without what is mounted below it, where that can be had: in another namespace it cannot. */
static int take_mount(int fd)
{
	int tree = open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	return tree < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : tree;
}

static int view_base(struct work *work, struct shale_err *err)
{
	struct mount_spec spec = { .nr_layers = 0 };
	int ret = work->driver->view(&work->driver_work.image, &spec, &work->base_fd, NULL, err);

	mount_spec_release(&spec);
	return ret;
}

static int view_own(struct work *work, struct shale_err *err)
{
	struct mount_spec spec = { .nr_layers = 0 };
	struct search search = { work, -1 };
	int ret;

	if (mounts_each_line(search_line, &search, err) < 0)
		return -1;
	if (search.fd >= 0) {
		work->view_fd = take_mount(search.fd);
		close(search.fd);
		return work->view_fd < 0 ? shale_err_errno(err, "opening the mount") : 0;
	}
	ret = work->driver->mount(&work->driver_work, &spec, &work->view_fd, NULL, err);
	mount_spec_release(&spec);
	return ret;
}

int work_view(struct work *work, struct shale_err *err)
{
	return view_base(work, err) < 0 ? -1 : view_own(work, err);
}

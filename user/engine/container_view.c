// SPDX-License-Identifier: GPL-2.0-only
/*
 * Views of containers; see container_view.h. A thread of its own goes into the namespace of one that runs, and comes back
 * with a copy of its mounts. Called for copying, and for export.
 */
#include "engine/container_view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/thread.h"

struct visit {
	int namespace;
	bool has_mounts;
	int root;
	int code;
};

static void *visit_run(void *arg)
{
	struct visit *visit = arg;
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (visit->has_mounts ? AT_RECURSIVE : 0);

	/* Other threads keep their directories, and their namespace. */
	if (unshare(CLONE_FS) == 0 && setns(visit->namespace, CLONE_NEWNS) == 0)
		visit->root = open_tree(AT_FDCWD, "/", flags);
	visit->code = errno;
	return NULL;
}

static int copy_mounts(const struct opened *opened, bool has_mounts, struct shale_err *err)
{
	struct visit visit = { .has_mounts = has_mounts, .root = -1 };
	pthread_t thread;
	char path[64];
	int code;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)opened->state.pid);
	visit.namespace = open(path, O_RDONLY | O_CLOEXEC);
	/* The number is its process's only as long as that is supervised. */
	if (visit.namespace < 0 || !record_is_held(opened->dir, RECORD_ALIVE)) {
		fd_closep(&visit.namespace);
		return shale_err_set(err, EBUSY, "Container %s is not running", opened->id);
	}
	code = thread_start(&thread, 0, visit_run, &visit);
	if (!code)
		pthread_join(thread, NULL);
	close(visit.namespace);
	errno = code ? code : visit.code;
	return visit.root < 0 ? shale_err_errno(err, "looking into container %s", opened->id) : visit.root;
}

static int mount_layers(struct shale_containers *containers, const struct opened *opened,
			struct container_view *view, struct shale_err *err)
{
	struct mount_spec spec = { .nr_layers = 0 };
	int ret;

	if (work_open(&containers->opts, opened->layer, &view->work, err) < 0)
		return -1;
	ret = view->work.driver->mount(&view->work.driver_work, &spec, &view->root, NULL, err);
	mount_spec_release(&spec);
	return ret;
}

int container_view_open(struct shale_containers *containers, struct opened *opened, bool has_mounts,
			struct container_view *ret_view, struct shale_err *err)
{
	ret_view->lock = opened_hold(opened, err);
	if (ret_view->lock < 0)
		return -1;
	if (!opened->is_alive) {
		opened_clear_lost(containers, opened);
		return mount_layers(containers, opened, ret_view, err);
	}
	/* One that runs can go on and be ended: its mounts stay as long as we have them. */
	fd_closep(&ret_view->lock);
	ret_view->lock = -1;
	ret_view->root = copy_mounts(opened, has_mounts, err);
	return ret_view->root < 0 ? -1 : 0;
}

void container_view_release(struct container_view *view)
{
	fd_closep(&view->root);
	work_release(&view->work);
	fd_closep(&view->lock);
}

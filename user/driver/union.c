// SPDX-License-Identifier: GPL-2.0-only
/*
 * Uppers; see union.h. Called by shale.c and overlay2.c.
 */
#include "driver/union.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/shale.h>
#include <stdlib.h>
#include <string.h>

#include "archive/walk.h"
#include "base/cleanup.h"
#include "base/fs.h"

int union_create(const struct driver_work *work, struct shale_err *err)
{
	(void)work;
	(void)err;
	return 0;
}

int union_add_layers(const struct driver_image *image, struct mount_spec *spec,
		     struct shale_err *err)
{
	const struct store *store = image->session->store;

	for (size_t i = image->count; i--;) {
		__cleanup_free char *path = store_layer_path(store, &image->layers[i]);

		if (!path)
			return shale_err_set(err, ENOMEM, "out of memory");
		if (mount_spec_add_layer(spec, path, err))
			return -1;
	}
	return 0;
}

int union_add_upper(const struct driver_work *work, struct mount_spec *spec, struct shale_err *err)
{
	spec->upper = strdup(work->container->upper);
	spec->work = strdup(work->container->work);
	return spec->upper && spec->work ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

int union_diff(const struct driver_work *work, int base_fd, int view_fd, change_fn fn, void *arg,
	       struct shale_err *err)
{
	__cleanup_fd int fd = open(work->container->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct changes_upper upper = {
		.upper_fd = fd,
		.view_fd = view_fd,
		.base_fd = base_fd,
		.xattr_prefix = work->xattr_prefix,
	};

	if (fd < 0)
		return shale_err_errno(err, "%s", work->container->upper);
	return changes_of_upper(&upper, fn, arg, err);
}

int union_remove(const struct store *store, const char *id, struct shale_err *err)
{
	return container_remove(store, id, err);
}

struct counting {
	struct walk walk;
	int root_fd;
	struct driver_usage usage;
};

static int count_dir(struct counting *counting);

static int count_name(struct counting *counting)
{
	struct change change = { .kind = CHANGE_ENTRY };
	__cleanup_fd int fd = walk_open(&counting->walk, counting->root_fd, &change.st);

	if (fd < 0)
		return -1;
	if (walk_tell(&counting->walk, &change, &change.st) < 0)
		return -1;
	return S_ISDIR(change.st.st_mode) ? count_dir(counting) : 0;
}

static int count_dir(struct counting *counting)
{
	__cleanup_walk_names struct walk_names names = { 0 };
	ssize_t before;

	if (walk_names_read(counting->root_fd, buf_str(&counting->walk.path), &names,
			    counting->walk.err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		/* The module's own is no file of the layer's. */
		if (!counting->walk.path.len && !strcmp(names.items[i], SHALE_PRIVATE_DIR))
			continue;
		before = walk_down(&counting->walk, names.items[i]);
		if (before < 0 || count_name(counting) < 0)
			return -1;
		walk_up(&counting->walk, before);
	}
	return 0;
}

static int count_one(void *arg, const struct change *change, struct shale_err *err)
{
	struct counting *counting = arg;

	(void)err;
	if (change->link)
		return 0;
	counting->usage.inodes++;
	counting->usage.bytes += change->st.st_blocks * 512ull;
	return 0;
}

int union_usage(const struct driver_work *work, struct driver_usage *ret_usage,
		struct shale_err *err)
{
	__cleanup_fd int fd = open(work->container->upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct counting counting = { .root_fd = fd };
	int ret;

	if (fd < 0)
		return shale_err_errno(err, "%s", work->container->upper);
	walk_init(&counting.walk, count_one, &counting, err);
	ret = count_dir(&counting);
	walk_release(&counting.walk);
	if (!ret)
		*ret_usage = counting.usage;
	return ret;
}

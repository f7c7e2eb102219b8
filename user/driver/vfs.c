// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver vfs: whole trees as directories, copied file by file. Needs nothing of the kernel; where the filesystem can
 * share blocks, copies do.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "archive/apply.h"
#include "base/cleanup.h"
#include "driver/whole.h"

static int vfs_make(int dirfd, const char *name, int from, struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (mkdirat(dirfd, name, 0755) < 0)
		return shale_err_errno(err, "making a directory");
	if (from < 0)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "making a directory");
	return apply_layer(from, geteuid() ? "user." : "trusted.", fd, err);
}

static const struct whole_kind vfs_kind = { .name = "vfs", .make = vfs_make };

static int vfs_probe(struct session *session, struct shale_err *err)
{
	(void)session;
	(void)err;
	return 0;
}

static int vfs_create(const struct driver_work *work, struct shale_err *err)
{
	return whole_create(&vfs_kind, work, err);
}

static int vfs_view(const struct driver_image *image, struct mount_spec *spec, int *ret_mntfd,
		    struct mount_log *log, struct shale_err *err)
{
	(void)log;
	if (driver_refuse_options(&driver_vfs, spec, err))
		return -1;
	return whole_view(&vfs_kind, image, spec, ret_mntfd, err);
}

static int vfs_mount(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
		     struct mount_log *log, struct shale_err *err)
{
	(void)log;
	if (driver_refuse_options(&driver_vfs, spec, err))
		return -1;
	return whole_mount(work, spec, ret_mntfd, err);
}

static int vfs_remove(const struct store *store, const char *id, struct shale_err *err)
{
	return whole_remove(&vfs_kind, store, id, err);
}

static int vfs_usage(const struct driver_work *work, struct driver_usage *ret_usage,
		     struct shale_err *err)
{
	return whole_usage(&vfs_kind, work, ret_usage, err);
}

const struct driver driver_vfs = {
	.name = "vfs",
	.probe = vfs_probe,
	.create = vfs_create,
	.view = vfs_view,
	.mount = vfs_mount,
	.umount = whole_umount,
	.diff = whole_diff,
	.remove = vfs_remove,
	.usage = vfs_usage,
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver btrfs: whole trees as subvolumes, of which a snapshot is made in no time and shares all blocks until they
 * are written to. The store has to be on btrfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "driver/whole.h"

static int btrfs_make(int dirfd, const char *name, int from, struct shale_err *err)
{
	struct btrfs_ioctl_vol_args_v2 snapshot = { .fd = from };
	struct btrfs_ioctl_vol_args empty = { .fd = 0 };

	snprintf(snapshot.name, sizeof(snapshot.name), "%s", name);
	snprintf(empty.name, sizeof(empty.name), "%s", name);
	if (from >= 0 && ioctl(dirfd, BTRFS_IOC_SNAP_CREATE_V2, &snapshot) < 0)
		return shale_err_errno(err, "making a snapshot");
	if (from < 0 && ioctl(dirfd, BTRFS_IOC_SUBVOL_CREATE, &empty) < 0)
		return shale_err_errno(err, "making a subvolume");
	return 0;
}

/* What it cannot, as without privilege, is removed as a directory. */
static void btrfs_drop(int dirfd, const char *name)
{
	struct btrfs_ioctl_vol_args args = { .fd = 0 };

	snprintf(args.name, sizeof(args.name), "%s", name);
	ioctl(dirfd, BTRFS_IOC_SNAP_DESTROY, &args);
}

static const struct whole_kind btrfs_kind = {
	.name = "btrfs",
	.make = btrfs_make,
	.drop = btrfs_drop,
};

static int btrfs_probe(struct session *session, struct shale_err *err)
{
	struct statfs fs;

	if (fstatfs(session->fd, &fs) < 0)
		return shale_err_errno(err, "%s", session->store->path);
	if (fs.f_type != BTRFS_SUPER_MAGIC)
		return shale_err_set(err, EOPNOTSUPP, "%s is not on btrfs", session->store->path);
	if (btrfs_make(session->fd, "probe", -1, err) < 0)
		return -1;
	btrfs_drop(session->fd, "probe");
	return fs_remove_tree(session->fd, "probe") < 0 ?
		       shale_err_errno(err, "removing a subvolume") :
		       0;
}

static int btrfs_create(const struct driver_work *work, struct shale_err *err)
{
	return whole_create(&btrfs_kind, work, err);
}

static int btrfs_view(const struct driver_image *image, struct mount_spec *spec, int *ret_mntfd,
		      struct mount_log *log, struct shale_err *err)
{
	(void)log;
	if (driver_refuse_options(&driver_btrfs, spec, err))
		return -1;
	return whole_view(&btrfs_kind, image, spec, ret_mntfd, err);
}

static int btrfs_mount(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
		       struct mount_log *log, struct shale_err *err)
{
	(void)log;
	if (driver_refuse_options(&driver_btrfs, spec, err))
		return -1;
	return whole_mount(work, spec, ret_mntfd, err);
}

static int btrfs_remove(const struct store *store, const char *id, struct shale_err *err)
{
	return whole_remove(&btrfs_kind, store, id, err);
}

static int btrfs_usage(const struct driver_work *work, struct driver_usage *ret_usage,
		       struct shale_err *err)
{
	return whole_usage(&btrfs_kind, work, ret_usage, err);
}

const struct driver driver_btrfs = {
	.name = "btrfs",
	.probe = btrfs_probe,
	.create = btrfs_create,
	.view = btrfs_view,
	.mount = btrfs_mount,
	.umount = whole_umount,
	.diff = whole_diff,
	.remove = btrfs_remove,
	.usage = btrfs_usage,
};

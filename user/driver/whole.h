/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers that keep whole trees share. An image's tree is made when it is mounted for the first time:
 *
 *	trees/DRIVER/HEX/root		all layers applied; HEX is their chain id, as OCI defines it
 *	trees/DRIVER/HEX/made.json	see store/made.h
 *
 * A writable layer starts as a copy of it, and what changed is found by comparing the two. A tree can be made again at
 * any time; the store's collector (store/gc.h) takes it with the first of its layers.
 */
#ifndef SHALE_DRIVER_WHOLE_H
#define SHALE_DRIVER_WHOLE_H

#include "driver/driver.h"

/* Where two such drivers differ. */
struct whole_kind {
	const char *name;
	/* Makes the directory NAME, empty, or like FROM if that is a directory and not -1. */
	int (*make)(int dirfd, const char *name, int from, struct shale_err *err);
	/* May remove it faster than file by file; what it leaves is removed that way. */
	void (*drop)(int dirfd, const char *name);
};

int whole_create(const struct whole_kind *kind, const struct driver_work *work,
		 struct shale_err *err);
int whole_view(const struct whole_kind *kind, const struct driver_image *image,
	       struct mount_spec *spec, int *ret_mntfd, struct shale_err *err);
int whole_mount(const struct driver_work *work, struct mount_spec *spec, int *ret_mntfd,
		struct shale_err *err);
int whole_umount(const struct store *store, const char *target, int flags, struct shale_err *err);
int whole_diff(const struct driver_work *work, int base_fd, int view_fd, change_fn fn, void *arg,
	       struct shale_err *err);
int whole_remove(const struct whole_kind *kind, const struct store *store, const char *id,
		 struct shale_err *err);
int whole_usage(const struct whole_kind *kind, const struct driver_work *work,
		struct driver_usage *ret_usage, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mounts and unmounts shale through fsopen(2), fsconfig(2), fsmount(2) and move_mount(2): one layer
 * a call, so no page limits the layers of a mount. What the kernel writes into the log of the
 * filesystem context becomes the error message. Where options come from is the callers' business.
 */
#ifndef SHALE_KAPI_MOUNT_H
#define SHALE_KAPI_MOUNT_H

#include <stdbool.h>

#include "kapi/mount_spec.h"

#define MOUNT_FSTYPE "shale"

/* fsconfig(2) takes strings of up to 255 bytes (fs/fsopen.c). */
#define MOUNT_STRING_MAX 255

/* What the kernel remarked without failing, one sentence after the other; "" if nothing. */
struct mount_log {
	char text[1024];
};

/*
 * A mount that is not attached anywhere yet, and its attachment. err->code ENODEV from mount_open
 * means that the module is not there and cannot be loaded; the message says why. log may be NULL.
 */
int mount_open(const struct mount_spec *spec, int *ret_fd, struct mount_log *log,
	       struct shale_err *err);
int mount_attach(const struct mount_spec *spec, int mntfd, const char *target,
		 struct shale_err *err);

/*
 * What is mounted at target already, to be attached there once more: containers/storage mounts a
 * container again while it is in use, and unmounts it as often. Fails with err->code EBUSY unless
 * that mount is ours and of the layers of spec. Options and attributes stay as they are.
 */
int mount_share(const struct mount_spec *spec, const char *target, int *ret_fd,
		struct shale_err *err);

/*
 * Remount: options and attributes of spec replace those of the mount at target, as mount(8) means
 * it. Options which the mount shows already are left out, since mount(8) repeats them all.
 */
int mount_reconfigure(const struct mount_spec *spec, const char *target, struct mount_log *log,
		      struct shale_err *err);

/* Unmount what is mounted at target, which must be ours. flags: MNT_DETACH, MNT_FORCE. */
int mount_detach(const char *target, int flags, struct shale_err *err);

/* Fails unless target is the root of a mount of ours; err->code EINVAL says that it is not. */
int mount_check_ours(const char *target, struct shale_err *err);

#endif

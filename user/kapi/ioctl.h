/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's ioctls as functions. fd is any file or directory of a mount, open for reading; the
 * structs are those of <linux/shale.h>, whose size and reserved fields are filled in here.
 */
#ifndef SHALE_KAPI_IOCTL_H
#define SHALE_KAPI_IOCTL_H

#include <linux/shale.h>
#include <stdint.h>

#include "base/err.h"

/* One layer of a mount. */
struct ioctl_layer {
	char *path;	/* as given at mount; freed by the caller */
	uint32_t flags; /* SHALE_LAYER_* */
	uint32_t count; /* layers the mount has */
};

int ioctl_version(int fd, struct shale_ioc_version *ret_version, struct shale_err *err);
int ioctl_stats(int fd, struct shale_ioc_stats *ret_stats, struct shale_err *err);

/* Layer number index, 0 is the top. err->code ENOENT: the mount has no such layer. */
int ioctl_stack(int fd, uint32_t index, struct ioctl_layer *ret_layer, struct shale_err *err);

#endif

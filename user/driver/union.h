/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the drivers over a union of the kernel's share: the writable layer is an upper, and tells itself what
 * changed.
 */
#ifndef SHALE_DRIVER_UNION_H
#define SHALE_DRIVER_UNION_H

#include "driver/driver.h"

/* The upper is ready as it is. */
int union_create(const struct driver_work *work, struct shale_err *err);
/* Adds the layers' directories, topmost first. */
int union_add_layers(const struct driver_image *image, struct mount_spec *spec,
		     struct shale_err *err);
/* The writable layer, unless SPEC has one by option. */
int union_add_upper(const struct driver_work *work, struct mount_spec *spec, struct shale_err *err);
int union_diff(const struct driver_work *work, int base_fd, int view_fd, change_fn fn, void *arg,
	       struct shale_err *err);
int union_remove(const struct store *store, const char *id, struct shale_err *err);
int union_usage(const struct driver_work *work, struct driver_usage *ret_usage,
		struct shale_err *err);

#endif

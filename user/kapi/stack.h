/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compares the stack of a mount with the one a mount_spec asks for. Called by mount.c and remount.c.
 */
#ifndef SHALE_KAPI_STACK_H
#define SHALE_KAPI_STACK_H

#include "kapi/mount_spec.h"

/*
 * fd is on the mount. *ret_other becomes the option, "upperdir" or "lowerdir", in which spec asks for
 * other directories; NULL: none. What spec leaves out is not compared.
 */
int stack_compare(int fd, const struct mount_spec *spec, const char **ret_other,
		  struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mount points of the drivers that have no filesystem of their own: what is mounted there, and of which store.
 */
#ifndef SHALE_DRIVER_WHERE_H
#define SHALE_DRIVER_WHERE_H

#include "store/store.h"

/*
 * Is TARGET the root of a mount whose line in mountinfo names a directory of this store, as an option
 * (FSTYPE), or whose root is one (FSTYPE NULL)? EINVAL if it is not.
 */
int where_check(const struct store *store, const char *target, const char *fstype,
		struct shale_err *err);
/* where_check() and umount2(2). */
int where_umount(const struct store *store, const char *target, const char *fstype, int flags,
		 struct shale_err *err);

#endif

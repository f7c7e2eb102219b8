/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * upper.h - MODEL: what a writable layer has to be, and the work directory beside it. For layer.c.
 */
#ifndef _SHALE_UPPER_H
#define _SHALE_UPPER_H

#include "shale.h"

/* Can these two be used together? Says why not. */
int shale_upper_check(struct fs_context *fc, const struct path *upper, const struct path *work);
/* Empties the work directory, finds out what the filesystem can do, opens the index. */
int shale_upper_prepare(struct shale_fs *fs, struct fs_context *fc, const struct path *work);
void shale_upper_release(struct shale_fs *fs);

#endif /* _SHALE_UPPER_H */

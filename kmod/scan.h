/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * scan.h - MODEL: the records (moved.c) of all that was renamed in an upper before a file handle was first made
 * or opened there. Until then renames write none.
 */
#ifndef _SHALE_SCAN_H
#define _SHALE_SCAN_H

#include "shale.h"

void shale_scan_init(struct shale_fs *fs);
/* A handle of an object of LAYER, a lower one, was made or is being opened. Any context, any creds; does not wait. */
void shale_scan_begin(struct shale_fs *fs, const struct shale_layer *layer);
/* For a scan that was begun, unless it has to wait itself because somebody has frozen us or the upper. */
void shale_scan_wait(struct shale_fs *fs);
/* Before we are read-only or gone: a scan ends, and none begins until it is allowed again. */
void shale_scan_stop(struct shale_fs *fs);
void shale_scan_allow(struct shale_fs *fs);
/* A directory was renamed, and both parents are still locked: a scan may not find it. */
void shale_scan_add(struct shale_fs *fs, struct dentry *dir);

/* moved.c: the record of UPPER, which a scan has found at NAME of UPPERDIR. One that is there already is newer.
 * "write", see real.h. */
int shale_moved_add(struct shale_fs *fs, struct dentry *upper, struct dentry *upperdir,
		    const struct qstr *name);

#endif /* _SHALE_SCAN_H */

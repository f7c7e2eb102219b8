/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the small files that the configuration names: keys, certificates, passwords. They may be
 * symlinks, as mounted secrets are, but only to regular files.
 */
#ifndef SHALE_REGISTRY_KEYFILE_H
#define SHALE_REGISTRY_KEYFILE_H

#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"

/* The whole file appended to buf; more than max bytes is EFBIG. @ret_seen: its stat, may be NULL.
 */
int keyfile_read(int dirfd, const char *path, size_t max, struct buf *buf, struct stat *ret_seen,
		 struct shale_err *err);
/* Wipes and releases what was read. */
void keyfile_wipe(struct buf *buf);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths of a container, resolved in its root filesystem as its processes would: an absolute symlink begins at its root
 * again, and nothing leads out of it.
 */
#ifndef SHALE_CONTAINER_ROOTFS_H
#define SHALE_CONTAINER_ROOTFS_H

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* openat2() with RESOLVE_IN_ROOT; what is no file or directory is not waited for. O_CLOEXEC is added. -1 with errno. */
int rootfs_open(int rootfd, const char *path, int flags);
/* A regular file, whole; more than max bytes is EFBIG. */
int rootfs_read_file(int rootfd, const char *path, size_t max, struct buf *buf, struct shale_err *err);

#endif

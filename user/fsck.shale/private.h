/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private xattrs of objects that are open as a place only (O_PATH), so that nothing in a layer has to be
 * opened to be looked at. Needs /proc, which main.c makes sure of.
 */
#ifndef FSCK_SHALE_PRIVATE_H
#define FSCK_SHALE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Others do not see trusted.*, as if there was none: who does not may not say that there is none. */
bool private_is_visible(const char *prefix);

/* As getxattr(2) and setxattr(2) are; the name is PREFIX and NAME. */
ssize_t private_get(int fd, const char *prefix, const char *name, void *value, size_t size);
int private_set(int fd, const char *prefix, const char *name, const void *value, size_t len);
int private_remove(int fd, const char *prefix, const char *name);
/* Of an entry of a directory. */
ssize_t private_get_at(int dirfd, const char *entry, const char *prefix, const char *name,
		       void *value, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings of user and group ids as a file descriptor the kernel takes for an idmapped mount: a
 * user namespace that nobody lives in. Reading mappings from text and using the descriptor are the
 * callers' business (mount.shale's parser, mount.c).
 */
#ifndef SHALE_KAPI_IDMAP_H
#define SHALE_KAPI_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Extents of one map; the kernel takes 340 (UID_GID_MAP_MAX_EXTENTS in its user_namespace.h). */
#define IDMAP_MAX_EXTENTS 340

/* Ids on disk from @disk on are seen through the mount as @shown and following. */
struct idmap_extent {
	uint32_t disk;
	uint32_t shown;
	uint32_t count;
};

struct idmap {
	struct idmap_extent extent[IDMAP_MAX_EXTENTS];
	size_t nr;
};

/* A user namespace with these maps. Needs CAP_SETUID and CAP_SETGID over the caller's own. */
int idmap_open(const struct idmap *uids, const struct idmap *gids, int *ret_fd,
	       struct shale_err *err);

#endif

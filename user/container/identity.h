/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who a container's process is: docker's "USER", "USER:GROUP", each a name or a number, looked up in the passwd and
 * group files of its root filesystem.
 */
#ifndef SHALE_CONTAINER_IDENTITY_H
#define SHALE_CONTAINER_IDENTITY_H

#include <jansson.h>
#include <sys/types.h>

#include "base/err.h"

/* The kernel's NGROUPS_MAX is 65536; a process that has more than this has them from somewhere else. */
#define IDENTITY_MAX_GROUPS 1024
/* passwd and group of an image. */
#define IDENTITY_MAX_FILE (1u << 20)

struct identity {
	uid_t uid;
	gid_t gid;
	size_t count; /* of further groups */
	gid_t groups[IDENTITY_MAX_GROUPS];
};

/* USER may be "" for root. MORE: an array of groups besides (HostConfig.GroupAdd), or NULL. EINVAL: there is none. */
int identity_find(int rootfd, const char *user, const json_t *more, struct identity *ret_identity,
		  struct shale_err *err);

#endif

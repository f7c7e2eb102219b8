/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What -v, --tmpfs and --mount say of a container's mounts.
 */
#ifndef SHALE_CLI_CREATE_MOUNT_H
#define SHALE_CLI_CREATE_MOUNT_H

#include <jansson.h>

#include "base/err.h"

/* "SOURCE:TARGET[:MODE]" into HostConfig's Binds, or "TARGET" into Config's Volumes. */
int mount_take_volume(json_t *config, json_t *host, const char *text, struct shale_err *err);
/* "TARGET[:OPTIONS]" into HostConfig's Tmpfs. */
int mount_take_tmpfs(json_t *host, const char *text, struct shale_err *err);
/* "type=bind,source=/a,target=/b" as docker's Mount. */
int mount_parse(const char *text, json_t **ret_mount, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request wants mounted in a container: HostConfig's Binds and Mounts, and Config's Volumes, as the record's MountPoints. They
 * are what docker shows, and further, for the engine: NoCopy, a volume is not filled from the image; Create, a
 * directory of the machine is made if it is not there; Labels, of a volume; Options, of a tmpfs. Pure.
 */
#ifndef SHALE_CONTAINER_MOUNTS_H
#define SHALE_CONTAINER_MOUNTS_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

/* Fills record's MountPoints. Volumes without a name have "" for it. */
int mounts_take(json_t *record, struct shale_err *err);

/* "/a//b/../c" to "/a/c"; false: it is not absolute or too long. Only words: no link is looked at. */
bool mounts_clean_path(const char *path, char ret_path[PATH_MAX]);

#endif

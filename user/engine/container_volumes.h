/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Volumes of containers, for the verbs that make and remove either.
 */
#ifndef SHALE_ENGINE_CONTAINER_VOLUMES_H
#define SHALE_ENGINE_CONTAINER_VOLUMES_H

#include "engine/containers.h"
#include "engine/mounting.h"

/* Volumes that MountPoints name are there then, and the points say where; machine's directories are looked for. */
int container_volumes_make(const struct shale_containers *containers, json_t *record, struct shale_err *err);
/* Those that are empty get what the image has. */
int container_volumes_fill(struct mounting *mounting, const json_t *record, struct shale_err *err);
/* At each start. */
int container_binds_make(const json_t *record, struct shale_err *err);
/* Those without a name. */
void container_volumes_drop(const struct shale_containers *containers, const json_t *record);
/* EBUSY: a container has it. */
int container_volume_check(const struct store *store, const char *name, struct shale_err *err);

#endif

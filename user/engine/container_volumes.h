/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Volumes of containers, for the verbs that make and remove either.
 */
#ifndef SHALE_ENGINE_CONTAINER_VOLUMES_H
#define SHALE_ENGINE_CONTAINER_VOLUMES_H

#include "engine/containers.h"
#include "engine/mounting.h"

/* The points of volumes say which and where; machine's directories are looked for. Nothing is made. */
int container_volumes_name(const struct store *store, json_t *record, struct shale_err *err);
/* Those volumes are there then. The record is on disk already: so they have a user, and if we die, somebody who knows them. */
int container_volumes_make(const struct shale_containers *containers, const json_t *record, struct shale_err *err);
/* Those that are empty get what the image has. */
int container_volumes_fill(struct mounting *mounting, const json_t *record, struct shale_err *err);
/* At each start. */
int container_binds_make(const json_t *record, struct shale_err *err);
/* Whether it has some that nobody has named. */
bool container_volumes_has_own(const json_t *record);
/* Removes those. */
void container_volumes_drop(const struct shale_containers *containers, const json_t *record);
/* EBUSY: a container has it, another than that with the ID BUT. */
int container_volume_check(const struct store *store, const char *name, const char *but, struct shale_err *err);
/* volumes.c: shale_volume_remove() of one that the container with the ID BUT may have. */
int volume_remove_of(const struct shale_opts *opts, const char *name, const char *but, uint64_t *ret_bytes,
		     struct shale_err *err);

#endif

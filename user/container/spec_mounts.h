/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The mounts of a container besides its root, as the runtime is told: those every container has, the files of its own,
 * and what its record says is mounted. Called by spec.c.
 */
#ifndef SHALE_CONTAINER_SPEC_MOUNTS_H
#define SHALE_CONTAINER_SPEC_MOUNTS_H

#include "container/spec.h"

/* An array; NULL when out of memory. */
json_t *spec_mounts(const struct spec_input *input);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The root filesystem of a container as a directory that nobody else sees: of one that runs what its processes see, of
 * another its layers, mounted for us alone.
 */
#ifndef SHALE_ENGINE_CONTAINER_VIEW_H
#define SHALE_ENGINE_CONTAINER_VIEW_H

#include "engine/containers.h"
#include "engine/work.h"

struct container_view {
	int root;
	int lock; /* it must not be started meanwhile; -1: it runs */
	struct work work;
};

#define CONTAINER_VIEW_NONE	 { .root = -1, .lock = -1, .work = WORK_NONE }
#define __cleanup_container_view __attribute__((cleanup(container_view_release)))

/* has_mounts: with what is mounted in it; of one that does not run there is nothing. */
int container_view_open(struct shale_containers *containers, struct opened *opened, bool has_mounts,
			struct container_view *ret_view, struct shale_err *err);
void container_view_release(struct container_view *view);

#endif

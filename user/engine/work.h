/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A writable layer as the verbs have it: opened by its ID or by where it is mounted, with its driver and the image
 * below it.
 */
#ifndef SHALE_ENGINE_WORK_H
#define SHALE_ENGINE_WORK_H

#include "driver/driver.h"
#include "store/made.h"

struct work {
	struct store store;
	struct session session;
	const struct driver *driver;
	struct container container;
	struct made made;
	struct driver_work driver_work; /* points into the others */
	/* Once work_view() was called: */
	int base_fd; /* the root of the layers below */
	int view_fd; /* the root of its mount */
};

#define WORK_NONE                                                                                  \
	{                                                                                          \
		.store = STORE_CLOSED, .session = SESSION_NONE, .base_fd = -1, .view_fd = -1,                     \
	}
#define __cleanup_work __attribute__((cleanup(work_release)))

/* NAME is an ID, or a directory on which it is mounted. ENOENT: neither. RET_WORK stays where it is. */
int work_open(const struct shale_opts *opts, const char *name, struct work *ret_work,
	      struct shale_err *err);
/* The layers below it cannot go while it is open. */
void work_release(struct work *work);

/*
 * Finds where it is mounted, in whichever namespace, or mounts it where nobody sees it; and the layers below it
 * without it.
 */
int work_view(struct work *work, struct shale_err *err);

/* The ID of the writable layer that a mount is of; false: of none in this store. */
bool work_of_mount(const struct store *store, const char *line, char ret_id[CONTAINER_ID_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A writable layer in the making: an image found, its layers leased, the storage driver chosen. Of mount.c, for who makes
 * one with a process as well.
 */
#ifndef SHALE_ENGINE_MOUNTING_H
#define SHALE_ENGINE_MOUNTING_H

#include "driver/driver.h"
#include "engine/found.h"
#include "kapi/parse.h"
#include "store/made.h"

struct mounting {
	struct parsed parsed;
	struct found found;
	struct session session;
	const struct driver *driver;
	struct made made;
	struct container container;
};

#define MOUNTING_NONE	   { .found = FOUND_NONE, .session = SESSION_NONE }
#define __cleanup_mounting __attribute__((cleanup(mounting_release)))

void mounting_release(struct mounting *mounting);
/* Its layers cannot go until mounting_release(). DRIVER may be NULL. */
int mounting_open(struct mounting *mounting, const struct shale_opts *opts, const char *image,
		  const char *driver, struct shale_err *err);
/* Makes the writable layer, whole but not mounted; on failure mounting_undo() takes it away if it has an ID. */
int mounting_layer(struct mounting *mounting, const struct container_owner *owner,
		   struct driver_work *ret_work, struct shale_err *err);
void mounting_undo(struct mounting *mounting);
/* Removes one that is not mounted. */
int mounting_drop(const struct store *store, const char *id, struct shale_err *err);

#endif

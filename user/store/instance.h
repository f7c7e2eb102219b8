/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Containers as people know them: a writable layer (container.h) with a name, a configuration and, while it runs, a
 * process. A row has the ID and the name; everything else is in files of the layer's directory (container/record.h). The
 * layer's ID is the beginning of the container's. The row comes with the layer's and goes with it.
 */
#ifndef SHALE_STORE_INSTANCE_H
#define SHALE_STORE_INSTANCE_H

#include "store/container.h"

/* In the layer's directory: an object with "Id" and "Name", and what the engine knows besides. */
#define INSTANCE_NOTE "container.json"
/* 64 hex digits and their NUL, as docker has them. */
#define INSTANCE_ID_TEXT 65
/* A file's name and a host's are no longer; docker has no limit of its own. */
#define INSTANCE_MAX_NAME 255

/* docker's rule: two or more of letters, digits, "_.-", of which the first is a letter or digit. */
bool instance_is_name(const char *text);
int instance_make_id(char ret_id[INSTANCE_ID_TEXT], struct shale_err *err);
/* The writable layer's ID. */
void instance_layer(const char *id, char ret_layer[CONTAINER_ID_TEXT]);

struct instance_row {
	const char *id; /* valid within the callback, as the name */
	const char *name;
	bool is_ready; /* false: it is being made, or was when its maker died */
};

/* All within the caller's transaction. EEXIST: the name is another's; err->msg is then that one's ID. */
int instance_enter(struct db *db, const char *id, const char *name, bool is_ready,
		   struct shale_err *err);
int instance_set_ready(struct db *db, const char *id, struct shale_err *err);
int instance_rename(struct db *db, const char *id, const char *name, struct shale_err *err);
typedef int (*instance_fn)(void *arg, const struct instance_row *row, struct shale_err *err);
int instance_each(struct db *db, instance_fn each, void *arg, struct shale_err *err);
/* The ID of one that was made of an image, by its config; "": there is none. */
int instance_of_image(struct db *db, const struct digest *image, char ret_id[INSTANCE_ID_TEXT],
		      struct shale_err *err);
/* Whether a writable layer is one's. */
int instance_has_layer(struct db *db, const char *layer, bool *ret_has, struct shale_err *err);

/*
 * By ID, by name, or by the beginning of one ID; only those that are ready. ENOENT, or ENOTUNIQ for what several IDs begin with.
 */
int instance_find(struct db *db, const char *text, char ret_id[INSTANCE_ID_TEXT],
		  char ret_name[INSTANCE_MAX_NAME + 1], struct shale_err *err);

#endif

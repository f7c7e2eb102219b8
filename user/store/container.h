/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writable layers: containers/ID/{upper,work} in the store, each for one mount, with the note made.json (made.h),
 * and a row. Mounting is not done here, and what is mounted is not known here. A directory without a row is what a crash has
 * left; only who holds the store's lock, shared, may make one.
 */
#ifndef SHALE_STORE_CONTAINER_H
#define SHALE_STORE_CONTAINER_H

#include <time.h>

#include "store/db.h"
#include "store/store.h"

#define CONTAINER_ROOM "containers"
/* 12 hex digits and their NUL. */
#define CONTAINER_ID_TEXT 13

struct container {
	char id[CONTAINER_ID_TEXT];
	char *upper; /* absolute */
	char *work;
};

#define __cleanup_container __attribute__((cleanup(container_release)))

/* Its root directory gets the mode, owner and group of the directory at base. */
int container_create(const struct store *store, const char *base, struct container *ret_container,
		     struct shale_err *err);
/* The same for who gives it its ID, and enters rows of his own in the same transaction. */
struct container_owner {
	char id[CONTAINER_ID_TEXT];
	int (*enter)(void *arg, struct db *db, struct shale_err *err);
	void *arg;
};
int container_create_for(const struct store *store, const char *base,
			 const struct container_owner *owner, struct container *ret_container,
			 struct shale_err *err);
void container_release(struct container *container);
int container_remove(const struct store *store, const char *id, struct shale_err *err);
/* Notes the ID of the image that is below it, and the storage driver it is made for. */
int container_set_image(const struct store *store, const char *id, const struct digest *image,
			const char *driver, struct shale_err *err);

bool container_is_id(const char *text);

struct container_row {
	const char *id; /* valid within the callback */
	time_t created;
	bool has_image;
	struct digest image;
};

/* Rows, within the caller's transaction. */
int container_enter(struct db *db, const char *id, time_t created, struct shale_err *err);
int container_describe(struct db *db, const char *id, const struct digest *image,
		       const char *driver, struct shale_err *err);
int container_leave(struct db *db, const char *id, struct shale_err *err);
typedef int (*container_fn)(void *arg, const struct container_row *row, struct shale_err *err);
int container_each(struct db *db, container_fn each, void *arg, struct shale_err *err);

/* The ID of the container whose upper this is; false: it is none of this store. */
bool container_of_upper(const struct store *store, const char *upper,
			char ret_id[CONTAINER_ID_TEXT]);

#endif

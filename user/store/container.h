/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writable layers: containers/ID/{upper,work} in the store, each for one mount. Mounting is not done
 * here, and what is mounted is not known here.
 */
#ifndef SHALE_STORE_CONTAINER_H
#define SHALE_STORE_CONTAINER_H

#include "store/store.h"

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
void container_release(struct container *container);
int container_remove(const struct store *store, const char *id, struct shale_err *err);

/* The ID of the container whose upper this is; false: it is none of this store. */
bool container_of_upper(const struct store *store, const char *upper,
			char ret_id[CONTAINER_ID_TEXT]);

#endif

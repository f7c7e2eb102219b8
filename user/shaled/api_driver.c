// SPDX-License-Identifier: GPL-2.0-only
/*
 * The store's driver, which is found by trying drivers out: a daemon of the machine does so when it starts, one that
 * serves a single connection when somebody asks, since most commands do not and trying takes longer than they do.
 */
#include <pthread.h>

#include "shaled/api.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int api_driver_find(struct api *api, struct shale_err *err)
{
	struct shale_opts opts = { .root = api->root };
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (!*api->driver)
		ret = shale_driver(&opts, api->wanted_driver, api->driver, err);
	pthread_mutex_unlock(&lock);
	return ret;
}

const char *api_driver(struct api *api)
{
	return api_driver_find(api, NULL) == 0 ? api->driver : "";
}

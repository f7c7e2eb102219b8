// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which storage driver is used here. A daemon that listens finds out when it starts, one that serves a single
 * connection when it is asked.
 */
#include <string.h>

#include "shaled/api.h"

int api_driver(struct api *api, char ret_name[SHALE_DRIVER_TEXT], struct shale_err *err)
{
	struct shale_opts opts = { .root = api->root };
	int ret = 0;

	pthread_mutex_lock(&api->driver_lock);
	if (!*api->driver)
		ret = shale_driver(&opts, api->wanted_driver, api->driver, err);
	if (ret == 0)
		memcpy(ret_name, api->driver, SHALE_DRIVER_TEXT);
	pthread_mutex_unlock(&api->driver_lock);
	return ret;
}

bool api_driver_is_known(struct api *api, char ret_name[SHALE_DRIVER_TEXT])
{
	bool is_known;

	pthread_mutex_lock(&api->driver_lock);
	is_known = *api->driver;
	memcpy(ret_name, api->driver, SHALE_DRIVER_TEXT);
	pthread_mutex_unlock(&api->driver_lock);
	return is_known;
}

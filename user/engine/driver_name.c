// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb driver: which storage driver works on the store, found out by trying.
 */
#include <errno.h>
#include <stdio.h>

#include "driver/driver.h"


int shale_driver(const struct shale_opts *opts, const char *name, char ret_name[SHALE_DRIVER_TEXT],
		 struct shale_err *err)
{
	__cleanup_store struct store store = STORE_CLOSED;
	__cleanup_session struct session session = SESSION_NONE;
	const struct driver *driver;

	if (store_open(opts->root, true, &store, err) < 0 || session_begin(&store, &session, err) < 0)
		return -1;
	driver = driver_choose(name, &session, err);
	if (!driver)
		return -1;
	snprintf(ret_name, SHALE_DRIVER_TEXT, "%s", driver->name);
	return 0;
}

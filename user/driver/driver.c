// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of drivers; see driver.h. Called by the engine's verbs that mount.
 */
#include "driver/driver.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

/* The order in which they are tried: what can do most comes first. */
static const struct driver *const drivers[] = {
	&driver_shale,
	&driver_overlay2,
	&driver_btrfs,
	&driver_vfs,
};

#define DRIVERS (sizeof(drivers) / sizeof(*drivers))

const struct driver *driver_find(const char *name, struct shale_err *err)
{
	__cleanup_buf struct buf known = BUF_INIT;

	for (size_t i = 0; i < DRIVERS; i++)
		if (!strcmp(drivers[i]->name, name))
			return drivers[i];
	for (size_t i = 0; i < DRIVERS; i++)
		buf_addf(&known, "%s%s", i ? ", " : "", drivers[i]->name);
	shale_err_set(err, EINVAL, "no storage driver '%.40s': there are %s", name,
		      buf_str(&known));
	return NULL;
}

static const struct driver *choose_first(struct session *session, struct shale_err *err)
{
	__cleanup_buf struct buf reasons = BUF_INIT;
	struct shale_err why = { 0 };

	for (size_t i = 0; i < DRIVERS; i++) {
		if (drivers[i]->probe(session, &why) == 0)
			return drivers[i];
		buf_addf(&reasons, "%s%s: %s", i ? "; " : "", drivers[i]->name, why.msg);
	}
	shale_err_set(err, ENODEV, "no storage driver works here: %s", buf_str(&reasons));
	return NULL;
}

const struct driver *driver_choose(const char *name, struct session *session,
				   struct shale_err *err)
{
	const struct driver *driver;

	if (!name)
		return choose_first(session, err);
	driver = driver_find(name, err);
	if (!driver)
		return NULL;
	if (driver->probe(session, err) == 0)
		return driver;
	shale_err_wrap(err, "storage driver %s", name);
	return NULL;
}

int driver_refuse_options(const struct driver *driver, const struct mount_spec *spec,
			  struct shale_err *err)
{
	if (spec->upper || spec->work)
		return shale_err_set(err, EINVAL, "storage driver %s takes no upperdir",
				     driver->name);
	if (spec->uids || spec->gids)
		return shale_err_set(err, EINVAL, "storage driver %s cannot map user and group ids",
				     driver->name);
	if (spec->nr_params)
		return shale_err_set(err, EINVAL, "storage driver %s has no option '%.100s'",
				     driver->name, spec->params[0].key);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Driver shale: our own module, by way of kapi/.
 */
#include <errno.h>

#include "driver/union.h"
#include "kapi/context.h"
#include "kapi/module.h"

static int shale_driver_probe(struct session *session, struct shale_err *err)
{
	__cleanup_context struct context context = CONTEXT_INIT;
	struct shale_err why = { 0 };

	(void)session;
	if (!context_open(&context, NULL, &why))
		return 0;
	if (why.code != ENODEV)
		return shale_err_set(err, why.code, "%s", why.msg);
	return module_load(err);
}

static int shale_driver_view(const struct driver_image *image, struct mount_spec *spec,
			     int *ret_mntfd, struct mount_log *log, struct shale_err *err)
{
	/* A writable layer given by option is the caller's own. */
	return union_add_layers(image, spec, err) ? -1 : mount_open(spec, ret_mntfd, log, err);
}

static int shale_driver_mount(const struct driver_work *work, struct mount_spec *spec,
			      int *ret_mntfd, struct mount_log *log, struct shale_err *err)
{
	if (union_add_layers(&work->image, spec, err) || union_add_upper(work, spec, err))
		return -1;
	return mount_open(spec, ret_mntfd, log, err);
}

static int shale_driver_umount(const struct store *store, const char *target, int flags,
			       struct shale_err *err)
{
	(void)store;
	return mount_detach(target, flags, err);
}

const struct driver driver_shale = {
	.name = "shale",
	.probe = shale_driver_probe,
	.create = union_create,
	.view = shale_driver_view,
	.mount = shale_driver_mount,
	.umount = shale_driver_umount,
	.diff = union_diff,
	.remove = union_remove,
	.usage = union_usage,
};

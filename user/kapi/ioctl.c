// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls the module's ioctls. Called by remount.c, by shale's verbs and by the tests of kapi.
 */
#include "kapi/ioctl.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

static int err_ioctl(struct shale_err *err, const char *what)
{
	if (errno == ENOTTY)
		return shale_err_set(err, ENOTTY, "not on a mount of shale");
	return shale_err_errno(err, "cannot ask the module for %s", what);
}

int ioctl_version(int fd, struct shale_ioc_version *ret_version, struct shale_err *err)
{
	struct shale_ioc_version version = { .size = sizeof(version) };

	if (ioctl(fd, SHALE_IOC_VERSION, &version))
		return err_ioctl(err, "its version");
	*ret_version = version;
	return 0;
}

int ioctl_stats(int fd, struct shale_ioc_stats *ret_stats, struct shale_err *err)
{
	struct shale_ioc_stats stats = { .size = sizeof(stats) };

	if (ioctl(fd, SHALE_IOC_STATS, &stats))
		return err_ioctl(err, "a mount's counters");
	*ret_stats = stats;
	return 0;
}

int ioctl_stack(int fd, uint32_t index, struct ioctl_layer *ret_layer, struct shale_err *err)
{
	char path[PATH_MAX];
	struct shale_ioc_stack stack = {
		.size = sizeof(stack),
		.index = index,
		.path_ptr = (uintptr_t)path,
		.path_size = sizeof(path),
	};
	char *copy;

	if (ioctl(fd, SHALE_IOC_STACK, &stack))
		return err_ioctl(err, "a layer");
	copy = strndup(path, sizeof(path));
	if (!copy)
		return shale_err_set(err, ENOMEM, "out of memory for a layer's path");
	ret_layer->path = copy;
	ret_layer->flags = stack.layer_flags;
	ret_layer->count = stack.count;
	return 0;
}

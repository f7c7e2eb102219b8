// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the module for the layers of a mount and holds them against a mount_spec's, directory by
 * directory, so that a link and the directory it leads to are the same. Nothing is changed here.
 */
#include "kapi/stack.h"

#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "kapi/ioctl.h"

static bool is_same_dir(const char *a, const char *b)
{
	struct stat sta, stb;

	if (!strcmp(a, b))
		return true;
	return !stat(a, &sta) && !stat(b, &stb) && sta.st_dev == stb.st_dev &&
	       sta.st_ino == stb.st_ino;
}

static int layer_compare(int fd, uint32_t index, const char *wanted, bool *ret_same,
			 struct shale_err *err)
{
	struct ioctl_layer layer;
	__cleanup_free char *path = NULL;

	if (ioctl_stack(fd, index, &layer, err))
		return -1;
	path = layer.path;
	*ret_same = is_same_dir(wanted, path);
	return 0;
}

static int lowers_compare(int fd, const struct mount_spec *spec, uint32_t first, bool *ret_same,
			  struct shale_err *err)
{
	*ret_same = true;
	for (uint32_t i = 0; *ret_same && i < spec->nr_layers; i++)
		if (layer_compare(fd, first + i, spec->layers[i], ret_same, err))
			return -1;
	return 0;
}

int stack_compare(int fd, const struct mount_spec *spec, const char **ret_other,
		  struct shale_err *err)
{
	struct ioctl_layer top;
	__cleanup_free char *path = NULL;
	bool has_upper, is_same;

	if (ioctl_stack(fd, 0, &top, err))
		return -1;
	path = top.path;
	has_upper = top.flags & SHALE_LAYER_UPPER;
	*ret_other = NULL;
	if (spec->upper && (!has_upper || !is_same_dir(spec->upper, path)))
		*ret_other = "upperdir";
	else if (spec->nr_layers && spec->nr_layers != top.count - has_upper)
		*ret_other = "lowerdir";
	else if (lowers_compare(fd, spec, has_upper, &is_same, err))
		return -1;
	else if (!is_same)
		*ret_other = "lowerdir";
	return 0;
}

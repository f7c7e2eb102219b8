// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls the module's ioctls. Called by remount.c, by shale's verbs and by the tests of kapi.
 */
#include "kapi/ioctl.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
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

/* Runs that are asked for at a time. */
#define RUNS 1024

static int runs_reserve(struct ioctl_file_map *map, struct shale_err *err)
{
	struct shale_file_run *grown = reallocarray(map->runs, map->nr + RUNS, sizeof(*grown));

	if (!grown)
		return shale_err_set(err, ENOMEM, "out of memory for a file's map");
	map->runs = grown;
	return 0;
}

/* The runs from *offset on, which moves to what is not there yet. */
static int runs_read(int fd, struct ioctl_file_map *map, uint64_t *offset, bool *ret_more,
		     struct shale_err *err)
{
	struct shale_ioc_file_map ioc = { .size = sizeof(ioc), .offset = *offset, .count = RUNS };

	if (runs_reserve(map, err))
		return -1;
	ioc.runs_ptr = (uintptr_t)(map->runs + map->nr);
	if (ioctl(fd, SHALE_IOC_FILE_MAP, &ioc))
		return err_ioctl(err, "a file's map");
	map->nr += ioc.count;
	map->size = ioc.file_size;
	map->limit = ioc.limit;
	map->owned += ioc.owned;
	map->shared += ioc.shared;
	map->layer = ioc.layer;
	map->is_partial = ioc.state & SHALE_FILE_PARTIAL;
	*offset += ioc.owned + ioc.shared;
	*ret_more = ioc.state & SHALE_FILE_MORE;
	return 0;
}

int ioctl_file_map(int fd, struct ioctl_file_map *ret_map, struct shale_err *err)
{
	struct ioctl_file_map map = IOCTL_FILE_MAP_INIT;
	uint64_t offset = 0;
	bool has_more = true;

	while (has_more) {
		if (runs_read(fd, &map, &offset, &has_more, err)) {
			ioctl_file_map_release(&map);
			return -1;
		}
	}
	*ret_map = map;
	return 0;
}

void ioctl_file_map_release(struct ioctl_file_map *map)
{
	free(map->runs);
	*map = (struct ioctl_file_map)IOCTL_FILE_MAP_INIT;
}

int ioctl_materialize(int fd, struct shale_err *err)
{
	struct shale_ioc_materialize ioc = { .size = sizeof(ioc) };

	if (!ioctl(fd, SHALE_IOC_MATERIALIZE, &ioc))
		return 0;
	if (errno == ENOTTY)
		return err_ioctl(err, "this");
	return shale_err_errno(err, "cannot be filled");
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's ioctls as functions. fd is any open file or directory of a mount, unless it says more; the
 * structs are those of <linux/shale.h>, whose size and reserved fields are filled in here.
 */
#ifndef SHALE_KAPI_IOCTL_H
#define SHALE_KAPI_IOCTL_H

#include <linux/shale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* One layer of a mount. */
struct ioctl_layer {
	char *path;	/* as given at mount; freed by the caller */
	uint32_t flags; /* SHALE_LAYER_* */
	uint32_t count; /* layers the mount has */
};

/* Where the bytes of a regular file are. */
struct ioctl_file_map {
	uint64_t size;	 /* of the file */
	uint64_t limit;	 /* from here on nothing is of a layer below its own */
	uint64_t owned;	 /* bytes in the upper */
	uint64_t shared; /* bytes in lower layers */
	uint32_t layer;	 /* the topmost that has it */
	bool is_partial; /* it needs others below */
	struct shale_file_run *runs;
	size_t nr;
};
#define IOCTL_FILE_MAP_INIT { .runs = NULL }

int ioctl_version(int fd, struct shale_ioc_version *ret_version, struct shale_err *err);
int ioctl_stats(int fd, struct shale_ioc_stats *ret_stats, struct shale_err *err);

/* Layer number index, 0 is the top. err->code ENOENT: the mount has no such layer. */
int ioctl_stack(int fd, uint32_t index, struct ioctl_layer *ret_layer, struct shale_err *err);

/* All of a file, which fd is, unless it changes meanwhile. err->code EISDIR: fd is a directory. */
int ioctl_file_map(int fd, struct ioctl_file_map *ret_map, struct shale_err *err);
void ioctl_file_map_release(struct ioctl_file_map *map);

/* fd, open for writing, is a file that is to need no lower layer any more. */
int ioctl_materialize(int fd, struct shale_err *err);

#endif

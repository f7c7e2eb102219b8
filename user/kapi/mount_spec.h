/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a mount is to be: layers, options, attributes. Filled by mount.shale's parser and by the
 * shale program, read by mount.c. Plain data: nothing here calls the kernel.
 */
#ifndef SHALE_KAPI_MOUNT_SPEC_H
#define SHALE_KAPI_MOUNT_SPEC_H

#include <linux/shale.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "kapi/idmap.h"

/* One place of the stack is the upper's. */
#define MOUNT_LAYERS_MAX (SHALE_MAX_LAYERS - 1)

/* An option as the kernel takes it; value NULL: a flag. */
struct mount_param {
	char *key;
	char *value;
};

/* The strings and arrays are owned: mount_spec_release() frees them. All zero is a valid start. */
struct mount_spec {
	char *source;  /* shown in /proc/mounts; NULL: "shale" */
	char **layers; /* read-only layers, topmost first */
	size_t nr_layers;
	char *upper; /* with work: the writable layer; NULL: read-only */
	char *work;
	struct mount_param *params;
	size_t nr_params;
	uint64_t attr_set; /* MOUNT_ATTR_*; MOUNT_ATTR_RDONLY also makes the superblock read-only */
	uint64_t attr_clr;
	uint64_t propagation;	  /* MS_PRIVATE and the like; 0: whatever the place has */
	const struct idmap *uids; /* not owned; NULL: ids as they are on disk */
	const struct idmap *gids;
};

void mount_spec_release(struct mount_spec *spec);
void mount_spec_clear_layers(struct mount_spec *spec);
int mount_spec_add_layer(struct mount_spec *spec, const char *path, struct shale_err *err);
int mount_spec_add_param(struct mount_spec *spec, const char *key, const char *value,
			 struct shale_err *err);

#endif

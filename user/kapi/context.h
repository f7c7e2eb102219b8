/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A filesystem context of the kernel's mount API: parameters go in one by one, and what the kernel
 * writes into the context's log comes out as the error message. Private to kapi: mount.c makes
 * mounts with it, remount.c changes them.
 */
#ifndef SHALE_KAPI_CONTEXT_H
#define SHALE_KAPI_CONTEXT_H

#include "kapi/mount.h"

struct context {
	int fd;
	struct mount_log *log; /* may be NULL */
};

#define CONTEXT_INIT	  { .fd = -1 }
#define __cleanup_context __attribute__((cleanup(context_close)))

/* A context for a new mount, and for the mount at a path. */
int context_open(struct context *context, struct mount_log *log, struct shale_err *err);
int context_pick(struct context *context, const char *target, struct mount_log *log,
		 struct shale_err *err);
void context_close(struct context *context);

int context_set_string(struct context *context, const char *key, const char *value,
		       struct shale_err *err);
int context_set_flag(struct context *context, const char *key, struct shale_err *err);
int context_set_param(struct context *context, const struct mount_param *param,
		      struct shale_err *err);
int context_set_fd(struct context *context, const char *key, int fd, struct shale_err *err);
int context_create(struct context *context, uint64_t attr, int *ret_mntfd, struct shale_err *err);
int context_reconfigure(struct context *context, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our side of cp: files made into a tar while it is sent, and a tar made into files while it comes.
 */
#ifndef SHALE_CLI_COPY_LOCAL_H
#define SHALE_CLI_COPY_LOCAL_H

#include <pthread.h>
#include <sys/types.h>

#include "shale/copy_plan.h"

/* A tar on its way between a thread that makes or reads it and the connection. */
struct copy_local {
	int ours, theirs; /* ends of a pipe; theirs is the thread's */
	pthread_t thread;
	bool is_running;
	const struct copy_plan *plan;
	const char *path; /* to be packed */
	bool follows;
	const char *base; /* what the tar calls its source; "." for nothing */
	struct shale_err err; /* the thread's, as the next */
	int ret;
};

/* PATH as a tar in which it is called as the plan says; copy_local_read() gives its bytes, as a source of dockapi. */
int copy_local_pack(struct copy_local *local, const char *path, bool follows, const struct copy_plan *plan,
		    struct shale_err *err);
ssize_t copy_local_read(void *local, void *data, size_t len, struct shale_err *err);
/* A tar of something that it calls BASE; copy_local_write() takes its bytes, as a sink of dockapi. */
int copy_local_unpack(struct copy_local *local, const char *base, const struct copy_plan *plan, struct shale_err *err);
int copy_local_write(void *local, const void *data, size_t len, struct shale_err *err);
/* Waits for the thread. RET is what came of the call; -1 if either has failed. */
int copy_local_end(struct copy_local *local, int ret, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A push at work; shared by push.c and push_plan.c.
 */
#ifndef SHALE_ENGINE_PUSH_H
#define SHALE_ENGINE_PUSH_H

#include <fcntl.h>
#include <sys/stat.h>

#include "client/remote.h"
#include "engine/engine.h"
#include "store/image.h"
#include "store/session.h"

/* Repositories of one registry that blobs may be mounted from; each makes the token longer. */
#define PUSH_MAX_SOURCES 16

struct push_blob {
	struct digest digest;
	uint64_t size;
	const char *from; /* one of the sources, or NULL */
	bool is_layer;	  /* the others are not told of */
};

struct push_document {
	struct digest digest;
	const char *media_type; /* of a table */
	struct buf data;
};

struct push {
	const struct shale_push_opts *what;
	struct task task;
	struct store store;
	struct session session; /* its leases keep what is being pushed */
	struct ref ref;
	struct origin origin;
	size_t document_count; /* in the order they have to be sent in */
	struct push_document *documents;
	size_t blob_count;
	struct push_blob *blobs;
	size_t source_count;
	char *sources[PUSH_MAX_SOURCES];
	atomic_size_t next_blob;
	pthread_mutex_t err_lock;
	struct shale_err first_err;
	bool has_failed;
};

/* What the name has, leased. */
int push_plan(struct push *push, struct shale_err *err);
void push_plan_release(struct push *push);
/* A remote that may read the sources as well. */
int push_open_remote(const struct push *push, const struct remote_wish *wish,
		     struct remote *ret_remote, struct shale_err *err);

#endif

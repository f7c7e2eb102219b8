/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bringing planned images into the store: what the verbs import and pull share once it is known which
 * images there are. Layers come from a source, files on disk or a registry.
 */
#ifndef SHALE_ENGINE_IMPORT_H
#define SHALE_ENGINE_IMPORT_H

#include "engine/blob.h"
#include "engine/plan.h"

struct import {
	const struct shale_import_opts *opts;
	struct task task;
	struct store store;
	struct session session;
	struct source source;
	struct plan plan;
	const char *xattr_prefix;
	size_t job_count;
	struct blob_job *jobs;
	atomic_size_t next_job;
	pthread_mutex_t err_lock;
	struct shale_err first_err;
	bool has_failed;
};

#define IMPORT_INIT(o, shale_opts)                                                                 \
	{                                                                                          \
		.opts = (o), .task = TASK_INIT(shale_opts), .store = STORE_CLOSED,                 \
		.session = SESSION_NONE, .source = { .dirfd = -1 },                                \
		.err_lock = PTHREAD_MUTEX_INITIALIZER,                                             \
	}

/* A session in a store that is open. */
int import_begin(struct import *import, struct shale_err *err);
/* Everything in the plan: layers by several threads, then in one step the names. */
int import_bring(struct import *import, struct shale_err *err);
void import_release(struct import *import);

#endif

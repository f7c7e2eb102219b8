/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verbs share: a task, which is one verb's progress, cancellation and first failure, safe
 * to use from its worker threads.
 */
#ifndef SHALE_ENGINE_ENGINE_H
#define SHALE_ENGINE_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"

struct task {
	const struct shale_opts *opts;
	pthread_mutex_t lock; /* held while calling progress */
	atomic_bool stopped;
};

#define TASK_INIT(o) { .opts = (o), .lock = PTHREAD_MUTEX_INITIALIZER }

/* Tells the caller of the verb; -1 with err ECANCELED when the verb has to stop. */
int task_report(struct task *task, const struct shale_event *event, struct shale_err *err);
/* Makes the next task_report() of every thread fail. */
void task_stop(struct task *task);

#endif

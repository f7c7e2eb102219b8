/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A pool of threads which do what the threads of the network may not wait for: hashing, writing,
 * syncing, calling other servers. A job is embedded in what it works on, so that queueing one never
 * fails for want of memory.
 */
#ifndef SHALE_HTTPD_WORKERS_H
#define SHALE_HTTPD_WORKERS_H

#include "base/err.h"

struct worker_job {
	void (*run)(struct worker_job *job); /* may free the job */
	struct worker_job *next;	     /* the queue's */
};

struct workers;

int workers_start(unsigned int threads, struct workers **ret_workers, struct shale_err *err);
/* A job that is queued must not be queued again before it runs. Jobs start in this order. */
void workers_submit(struct workers *workers, struct worker_job *job);
/* Runs what is queued to its end, then ends the threads. */
void workers_stop(struct workers *workers);

#endif

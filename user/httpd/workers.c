// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool of worker threads; see workers.h. One queue, one lock: jobs are long beside both. Called by
 * the server, and by those programs which have work of their own to do beside requests.
 */
#include "httpd/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/thread.h"

/* Enough for libcrypto, SQLite and a few buffers of a path each. */
#define WORKER_STACK (512u << 10)

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct worker_job *first; /* under the lock, as all below */
	struct worker_job **last;
	bool is_stopping;
	unsigned int count;
	pthread_t threads[];
};

static struct worker_job *take_job(struct workers *workers)
{
	struct worker_job *job;

	pthread_mutex_lock(&workers->lock);
	while (!workers->first && !workers->is_stopping)
		pthread_cond_wait(&workers->wake, &workers->lock);
	job = workers->first;
	if (job) {
		workers->first = job->next;
		if (!workers->first)
			workers->last = &workers->first;
	}
	pthread_mutex_unlock(&workers->lock);
	return job;
}

static void *worker_run(void *arg)
{
	struct worker_job *job;

	while ((job = take_job(arg)))
		job->run(job);
	return NULL;
}

int workers_start(unsigned int threads, struct workers **ret_workers, struct shale_err *err)
{
	struct workers *workers = calloc(1, sizeof(*workers) + threads * sizeof(pthread_t));

	if (!workers)
		return shale_err_set(err, ENOMEM, "no memory for %u workers", threads);
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	workers->last = &workers->first;
	while (workers->count < threads &&
	       !thread_start(&workers->threads[workers->count], WORKER_STACK, worker_run, workers))
		workers->count++;
	if (workers->count < threads) {
		workers_stop(workers);
		return shale_err_set(err, EAGAIN, "cannot start %u worker threads", threads);
	}
	*ret_workers = workers;
	return 0;
}

void workers_submit(struct workers *workers, struct worker_job *job)
{
	job->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*workers->last = job;
	workers->last = &job->next;
	pthread_cond_signal(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
}

void workers_stop(struct workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->is_stopping = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->count; i++)
		pthread_join(workers->threads[i], NULL);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

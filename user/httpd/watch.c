// SPDX-License-Identifier: GPL-2.0-only
/*
 * The watch over connections; see watch.h. Its thread shuts sockets down, which the library then sees as
 * a client that is gone; closing them stays the library's. Called by server.c and request.c.
 */
#include "httpd/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/thread.h"

struct watch {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct watched *first; /* under the lock, as the next */
	unsigned int used; /* under the lock: how many are, and were not shut for another */
	bool is_stopping;
	int64_t patience; /* milliseconds */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

static bool is_overdue(struct watched *watched, int64_t now, int64_t patience)
{
	uint64_t bytes = atomic_load(&watched->bytes);
	bool is_slow;

	if (atomic_load(&watched->phase) == WATCH_BUSY)
		return false;
	if (atomic_load(&watched->phase) == WATCH_HEADER)
		return now - atomic_load(&watched->since) > patience;
	if (watched->window < atomic_load(&watched->since)) {
		watched->window = atomic_load(&watched->since);
		watched->window_bytes = bytes;
	}
	if (now - watched->window <= patience)
		return false;
	is_slow = bytes - watched->window_bytes < WATCH_MIN_BYTES;
	watched->window = now;
	watched->window_bytes = bytes;
	return is_slow;
}

static void look_locked(struct watch *watch)
{
	int64_t now = now_ms();

	for (struct watched *watched = watch->first; watched; watched = watched->next)
		if (is_overdue(watched, now, watch->patience))
			shutdown(watched->fd, SHUT_RDWR);
}

static void *watch_run(void *arg)
{
	struct watch *watch = arg;
	struct timespec end;

	pthread_mutex_lock(&watch->lock);
	while (!watch->is_stopping) {
		clock_gettime(CLOCK_REALTIME, &end);
		end.tv_sec += watch->patience < 20000 ? 1 : watch->patience / 20000;
		if (watch->patience)
			pthread_cond_timedwait(&watch->wake, &watch->lock, &end);
		else
			pthread_cond_wait(&watch->wake, &watch->lock);
		if (watch->patience)
			look_locked(watch);
	}
	pthread_mutex_unlock(&watch->lock);
	return NULL;
}

int watch_start(unsigned int idle_seconds, struct watch **ret_watch, struct shale_err *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int ret;

	if (!watch)
		return shale_err_set(err, ENOMEM, "no memory to watch connections");
	watch->patience = 2000 * (int64_t)idle_seconds;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->wake, NULL);
	ret = thread_start(&watch->thread, 0, watch_run, watch);
	if (ret) {
		free(watch);
		return shale_err_set(err, EAGAIN, "cannot start a thread to watch connections");
	}
	*ret_watch = watch;
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->is_stopping = true;
	pthread_cond_signal(&watch->wake);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->wake);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

struct watched *watch_add(struct watch *watch, int fd)
{
	struct watched *watched = calloc(1, sizeof(*watched));

	if (!watched)
		return NULL;
	watched->fd = fd;
	watch_phase(watched, WATCH_HEADER);
	pthread_mutex_lock(&watch->lock);
	watched->next = watch->first;
	watched->back = &watch->first;
	if (watch->first)
		watch->first->back = &watched->next;
	watch->first = watched;
	pthread_mutex_unlock(&watch->lock);
	return watched;
}

void watch_remove(struct watch *watch, struct watched *watched)
{
	if (!watched)
		return;
	pthread_mutex_lock(&watch->lock);
	*watched->back = watched->next;
	if (watched->next)
		watched->next->back = watched->back;
	watch->used -= watched->is_used && !watched->is_shut;
	pthread_mutex_unlock(&watch->lock);
	free(watched);
}

static bool is_waiting_locked(struct watched *watched, int64_t now)
{
	return watched->is_used && !watched->is_shut &&
	       atomic_load(&watched->phase) == WATCH_HEADER &&
	       now - atomic_load(&watched->since) >= WATCH_MIN_WAIT;
}

/* A request that comes at this moment is lost, as when an idle connection's time is over. */
static void make_room_locked(struct watch *watch)
{
	struct watched *longest = NULL;
	int64_t now = now_ms();

	for (struct watched *watched = watch->first; watched; watched = watched->next)
		if (is_waiting_locked(watched, now) &&
		    (!longest || atomic_load(&watched->since) <= atomic_load(&longest->since)))
			longest = watched;
	if (!longest)
		return;
	longest->is_shut = true;
	shutdown(longest->fd, SHUT_RDWR);
	watch->used--;
}

void watch_use(struct watch *watch, struct watched *watched, unsigned int limit)
{
	if (!watched)
		return;
	pthread_mutex_lock(&watch->lock);
	if (!watched->is_used) {
		if (watch->used >= limit)
			make_room_locked(watch);
		watch->used++;
		watched->is_used = true;
	}
	pthread_mutex_unlock(&watch->lock);
}

bool watch_may_stay(struct watch *watch, unsigned int limit)
{
	bool may_stay;

	pthread_mutex_lock(&watch->lock);
	may_stay = watch->used <= limit;
	pthread_mutex_unlock(&watch->lock);
	return may_stay;
}

void watch_phase(struct watched *watched, enum watch_phase phase)
{
	if (!watched)
		return;
	atomic_store(&watched->since, now_ms());
	atomic_store(&watched->phase, phase);
}

void watch_bytes(struct watched *watched, uint64_t bytes)
{
	if (watched)
		atomic_fetch_add(&watched->bytes, bytes);
}

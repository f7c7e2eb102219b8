// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sleeping requests; see sleep.h. One thread waits with epoll for clients of sleepers to hang up. Called by
 * request.c and server.c.
 */
#include "httpd/sleep.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLEEP_EVENTS 16
/* No sleep has it. */
#define STOP_SERIAL 0

struct sleepers {
	pthread_mutex_t lock;
	pthread_t thread;
	struct sleeper *first; /* under the lock, as what they have */
	uint64_t serial;       /* under the lock: of the last sleep */
	bool is_over;	       /* under the lock */
	int epoll_fd;
	int stop_fd;
};

/* Out of the list, under the lock. */
static void sleeper_leave(struct sleepers *sleepers, struct sleeper *sleeper)
{
	epoll_ctl(sleepers->epoll_fd, EPOLL_CTL_DEL, sleeper->fd, NULL);
	*sleeper->back = sleeper->next;
	if (sleeper->next)
		sleeper->next->back = sleeper->back;
	sleeper->is_asleep = false;
}

/* The sleeper of a hang-up may have woken since, and be no more: only the list knows. */
static struct sleeper *sleeper_find(struct sleepers *sleepers, uint64_t serial)
{
	struct sleeper *sleeper = sleepers->first;

	while (sleeper && sleeper->serial != serial)
		sleeper = sleeper->next;
	return sleeper;
}

static void sleeper_hung_up(struct sleepers *sleepers, uint64_t serial)
{
	struct sleeper *sleeper;

	pthread_mutex_lock(&sleepers->lock);
	sleeper = sleeper_find(sleepers, serial);
	if (sleeper) {
		atomic_store(&sleeper->is_gone, true);
		sleeper_leave(sleepers, sleeper);
	}
	pthread_mutex_unlock(&sleepers->lock);
	if (sleeper)
		sleeper->wake(sleeper);
}

static void *sleepers_run(void *arg)
{
	struct epoll_event events[SLEEP_EVENTS];
	struct sleepers *sleepers = arg;
	int count;

	for (;;) {
		count = epoll_wait(sleepers->epoll_fd, events, SLEEP_EVENTS, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.u64 == STOP_SERIAL)
				return NULL;
			sleeper_hung_up(sleepers, events[i].data.u64);
		}
	}
}

static int sleepers_open(struct sleepers *sleepers)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = STOP_SERIAL };

	sleepers->stop_fd = eventfd(0, EFD_CLOEXEC);
	sleepers->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (sleepers->stop_fd < 0 || sleepers->epoll_fd < 0)
		return -1;
	return epoll_ctl(sleepers->epoll_fd, EPOLL_CTL_ADD, sleepers->stop_fd, &event);
}

static void sleepers_free(struct sleepers *sleepers)
{
	if (sleepers->stop_fd >= 0)
		close(sleepers->stop_fd);
	if (sleepers->epoll_fd >= 0)
		close(sleepers->epoll_fd);
	pthread_mutex_destroy(&sleepers->lock);
	free(sleepers);
}

int sleepers_start(struct sleepers **ret_sleepers, struct shale_err *err)
{
	struct sleepers *sleepers = calloc(1, sizeof(*sleepers));
	sigset_t all, old;
	int ret;

	if (!sleepers)
		return shale_err_set(err, ENOMEM, "no memory to wait with");
	pthread_mutex_init(&sleepers->lock, NULL);
	if (sleepers_open(sleepers) < 0) {
		shale_err_errno(err, "cannot wait for clients");
		sleepers_free(sleepers);
		return -1;
	}
	/* Signals are for the thread that waits for them. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	ret = pthread_create(&sleepers->thread, NULL, sleepers_run, sleepers);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (ret) {
		sleepers_free(sleepers);
		return shale_err_set(err, ret, "cannot start a thread to wait for clients");
	}
	*ret_sleepers = sleepers;
	return 0;
}

void sleepers_end(struct sleepers *sleepers)
{
	struct sleeper *sleeper;

	do {
		pthread_mutex_lock(&sleepers->lock);
		sleepers->is_over = true;
		sleeper = sleepers->first;
		if (sleeper)
			sleeper_leave(sleepers, sleeper);
		pthread_mutex_unlock(&sleepers->lock);
		if (sleeper)
			sleeper->wake(sleeper);
	} while (sleeper);
}

void sleepers_stop(struct sleepers *sleepers)
{
	uint64_t one = 1;

	if (!sleepers)
		return;
	while (write(sleepers->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(sleepers->thread, NULL);
	sleepers_free(sleepers);
}

void sleep_prepare(struct sleepers *sleepers, struct sleeper *sleeper)
{
	pthread_mutex_lock(&sleepers->lock);
	sleeper->is_woken = false;
	pthread_mutex_unlock(&sleepers->lock);
}

static void sleeper_enter(struct sleepers *sleepers, struct sleeper *sleeper)
{
	struct epoll_event event = { .events = EPOLLRDHUP | EPOLLONESHOT };

	sleeper->serial = event.data.u64 = ++sleepers->serial;
	sleeper->next = sleepers->first;
	sleeper->back = &sleepers->first;
	if (sleepers->first)
		sleepers->first->back = &sleeper->next;
	sleepers->first = sleeper;
	sleeper->is_asleep = true;
	/* Should that fail for want of memory, the client's leaving is noticed when it is written to. */
	epoll_ctl(sleepers->epoll_fd, EPOLL_CTL_ADD, sleeper->fd, &event);
}

bool sleep_begin(struct sleepers *sleepers, struct sleeper *sleeper)
{
	bool sleeps;

	pthread_mutex_lock(&sleepers->lock);
	sleeps = !sleepers->is_over && !sleeper->is_woken;
	if (sleeps)
		sleeper_enter(sleepers, sleeper);
	pthread_mutex_unlock(&sleepers->lock);
	return sleeps;
}

void sleep_wake(struct sleepers *sleepers, struct sleeper *sleeper)
{
	bool was_asleep;

	pthread_mutex_lock(&sleepers->lock);
	was_asleep = sleeper->is_asleep;
	if (was_asleep)
		sleeper_leave(sleepers, sleeper);
	else
		sleeper->is_woken = true;
	pthread_mutex_unlock(&sleepers->lock);
	if (was_asleep)
		sleeper->wake(sleeper);
}

bool sleep_is_gone(struct sleeper *sleeper)
{
	return atomic_load(&sleeper->is_gone);
}

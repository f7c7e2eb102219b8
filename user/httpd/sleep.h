/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests that wait for something else than their client, without a thread each. While one sleeps its
 * connection is suspended, so that the library does not see the client go: that is looked at here.
 */
#ifndef SHALE_HTTPD_SLEEP_H
#define SHALE_HTTPD_SLEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct sleeper {
	void (*wake)(struct sleeper *sleeper); /* ends a sleep; called once for each, without a lock */
	void *owner;
	int fd; /* the client's */
	/* Under the lock of all. */
	bool is_asleep;
	bool is_woken; /* before it slept */
	uint64_t serial; /* of this sleep */
	struct sleeper *next, **back;
	atomic_bool is_gone; /* the client */
};

struct sleepers;

int sleepers_start(struct sleepers **ret_sleepers, struct shale_err *err);
/* Wakes all, and lets nobody sleep again. */
void sleepers_end(struct sleepers *sleepers);
void sleepers_stop(struct sleepers *sleepers);

/* Forgets earlier calls of sleep_wake(): what they told of will be seen by who looks after this. */
void sleep_prepare(struct sleepers *sleepers, struct sleeper *sleeper);
/* False: it was woken since sleep_prepare(), and does not sleep. True: it is wake()'s from here on. */
bool sleep_begin(struct sleepers *sleepers, struct sleeper *sleeper);
void sleep_wake(struct sleepers *sleepers, struct sleeper *sleeper);
bool sleep_is_gone(struct sleeper *sleeper);

#endif

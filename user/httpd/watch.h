/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lets clients go that keep a connection by sending a byte now and then, which the library's timeout
 * takes for progress: a header has to be whole, and a body has to bring something worth it, within twice
 * that time. How fast a client reads an answer is not looked at. Says, too, which connections stay open
 * after their answers.
 */
#ifndef SHALE_HTTPD_WATCH_H
#define SHALE_HTTPD_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A body that brings less in twice the idle time is not meant. */
#define WATCH_MIN_BYTES 1024

/* Milliseconds: who comes back sooner is at work. */
#define WATCH_MIN_WAIT 250

enum watch_phase {
	WATCH_HEADER, /* waits for one, or has some of it */
	WATCH_BODY,
	WATCH_BUSY, /* it is our turn, or the answer's */
};

struct tls_keys;

struct watched {
	struct watched *next, **back; /* under the watch's lock, as fd */
	int fd;
	struct tls_keys *keys; /* the connection's; not the watch's business */
	_Atomic enum watch_phase phase;
	_Atomic int64_t since; /* when the phase began, in milliseconds */
	bool is_used; /* has had a request; under the lock, as is_shut */
	bool is_shut; /* for another */
	atomic_uint_fast64_t bytes;
	/* The watch's own. */
	int64_t window;
	uint64_t window_bytes;
};

struct watch;

/* 0: nobody is ever let go. */
int watch_start(unsigned int idle_seconds, struct watch **ret_watch, struct shale_err *err);
void watch_stop(struct watch *watch);
/* fd stays open until watch_remove(). NULL: no memory. */
struct watched *watch_add(struct watch *watch, int fd);
void watch_remove(struct watch *watch, struct watched *watched);
/*
 * The connection has a request. If it is its first, and so many others have had one, the one that has
 * waited longest for its next, and WATCH_MIN_WAIT at least, is let go.
 */
void watch_use(struct watch *watch, struct watched *watched, unsigned int limit);
/* Whether a connection may stay open after its answer: no more than so many are used. */
bool watch_may_stay(struct watch *watch, unsigned int limit);
/* Both take NULL. */
void watch_phase(struct watched *watched, enum watch_phase phase);
void watch_bytes(struct watched *watched, uint64_t bytes);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Locks kept in an object store, for changes that the store itself cannot make on condition: one holder at a
 * time among all servers on a bucket. Each is for some seconds only, since a server may die with it.
 *
 * What a lock needs of the store is that its listings show an object when its writer has been answered, or a known
 * time later (lag_ms). Each contender puts .shale/lock/HASH/NONCE, waits that long, and lists: who sees himself
 * alone has the lock. Of two that are there at once the second to be put sees the first, so never do both see
 * themselves alone. Of several the one with the smallest nonce waits and the others leave, and come back later.
 *
 * An object that is made only if there is none would be less work, and is no lock: Swift, which has that, looks
 * before it takes the body, so that of two at once both may succeed.
 *
 * An entry that somebody has seen for LEASE seconds by his own clock was left behind, and he removes it;
 * its owner has given it up long before (remote_lock_is_fresh). So two hold a lock only if the store carries a
 * request out that its sender had given up for longer than the rest of the lease.
 */
#ifndef SHALE_REGISTRY_REMOTE_LOCK_H
#define SHALE_REGISTRY_REMOTE_LOCK_H

#include <time.h>

#include "registry/remote_store.h"

#define REMOTE_LOCK_LEASE 30
/* A change under the lock must begin so soon after the lock was asked for; it may take REMOTE_ONCE_SECONDS. */
#define REMOTE_LOCK_HOLD 10
/* Waiting for others; then EAGAIN. Enough for two that were left behind. */
#define REMOTE_LOCK_WAIT 75
/* 64 random bits in hex, with its NUL. */
#define REMOTE_NONCE 17

struct remote_lock {
	struct buf key; /* of our entry */
	char nonce[REMOTE_NONCE];
	time_t since; /* before it was asked for */
};

#define __cleanup_lock __attribute__((cleanup(remote_lock_release)))

/* The lock of an object's key. */
int remote_lock_take(struct remote_store *store, const char *key, struct remote_lock *ret_lock,
		     struct shale_err *err);
/* Whether there is time to make the change. */
bool remote_lock_is_fresh(const struct remote_lock *lock);
void remote_lock_give(struct remote_store *store, const struct remote_lock *lock);
void remote_lock_release(struct remote_lock *lock);

/* A name by chance. */
int remote_nonce(char ret_nonce[REMOTE_NONCE], struct shale_err *err);

#endif

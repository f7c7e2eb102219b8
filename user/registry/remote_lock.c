// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locks in an object store; see remote_lock.h. Called by remote_swap.c.
 */
#include "registry/remote_lock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "registry/sigv4.h"

/* An entry that has not become the lock by then is made anew, so that nobody takes it for a dead one's. */
#define ENTER_SECONDS 5
/* Entries of one lock: as many servers as want the same tag at once. */
#define MAX_ENTRIES 64

int remote_nonce(char ret_nonce[REMOTE_NONCE], struct shale_err *err)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		return shale_err_errno(err, "getting random bits");
	snprintf(ret_nonce, REMOTE_NONCE, "%016llx", (unsigned long long)bits);
	return 0;
}

void remote_lock_release(struct remote_lock *lock)
{
	buf_release(&lock->key);
}

bool remote_lock_is_fresh(const struct remote_lock *lock)
{
	return clock_seconds() - lock->since < REMOTE_LOCK_HOLD;
}

void remote_lock_give(struct remote_store *store, const struct remote_lock *lock)
{
	/* After that somebody else may have removed it, and have the lock. */
	if (clock_seconds() - lock->since < REMOTE_LOCK_LEASE - REMOTE_ONCE_SECONDS)
		store->ops->remove(store, buf_str(&lock->key), NULL, NULL);
}

static void pause_ms(unsigned int ms)
{
	const struct timespec wait = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&wait, NULL);
}

/* Somebody else's entry, and since when we see it. */
struct watch {
	char nonce[REMOTE_NONCE];
	time_t since;
};

/* The nonce becomes a key's part: only what we could have written. */
static bool nonce_is_good(const char *nonce)
{
	return strlen(nonce) == REMOTE_NONCE - 1 && strspn(nonce, "0123456789abcdef") == REMOTE_NONCE - 1;
}

struct entries_seen {
	size_t prefix_len;
	size_t count;
	char list[MAX_ENTRIES][REMOTE_NONCE];
};

static int see_entry(void *ctx, const char *key, uint64_t size, int64_t mtime,
		     struct shale_err *err)
{
	struct entries_seen *seen = ctx;
	const char *nonce = key + seen->prefix_len;

	(void)size, (void)mtime, (void)err;
	if (nonce_is_good(nonce) && seen->count < MAX_ENTRIES)
		memcpy(seen->list[seen->count++], nonce, REMOTE_NONCE);
	return 0;
}

static int list_entries(struct remote_store *store, const char *prefix, struct entries_seen *seen,
			struct shale_err *err)
{
	struct remote_listing listing = { .prefix = prefix, .is_deep = true };
	int ret;

	*seen = (struct entries_seen){ .prefix_len = strlen(prefix) };
	ret = remote_list_pages(store, &listing, see_entry, seen, err);
	buf_release(&listing.marker);
	return ret;
}

/* What others there are that we have seen before, each with its own watch. */
struct watches {
	struct watch list[MAX_ENTRIES];
	size_t count;
};

static void remove_left(struct remote_store *store, const char *prefix, struct watches *watches,
			const struct entries_seen *seen)
{
	struct watches now = { .count = seen->count };

	for (size_t i = 0; i < seen->count; i++) {
		struct watch *watch = &now.list[i];
		__cleanup_buf struct buf key = BUF_INIT;

		watch->since = clock_seconds();
		for (size_t j = 0; j < watches->count; j++)
			if (!strcmp(watches->list[j].nonce, seen->list[i]))
				watch->since = watches->list[j].since;
		memcpy(watch->nonce, seen->list[i], REMOTE_NONCE);
		/* An entry has a name of its own: removing it can only be removing this one. */
		if (clock_seconds() - watch->since >= REMOTE_LOCK_LEASE &&
		    buf_addf(&key, "%s%s", prefix, seen->list[i]) == 0)
			store->ops->remove(store, buf_str(&key), NULL, NULL);
	}
	*watches = now;
}

enum place {
	PLACE_ALONE,
	PLACE_FIRST,
	PLACE_BEHIND,
	PLACE_GONE, /* the listing is behind, or somebody has taken us for dead */
};

/* Seen in byte order, as they are listed. */
static enum place our_place(const struct entries_seen *seen, const char *nonce)
{
	for (size_t i = 0; i < seen->count; i++)
		if (!strcmp(seen->list[i], nonce))
			return seen->count == 1 ? PLACE_ALONE : i == 0 ? PLACE_FIRST : PLACE_BEHIND;
	return PLACE_GONE;
}

/* 1: alone. 0: not, and our entry is removed. */
static int entry_try(struct remote_store *store, const char *prefix, struct remote_lock *lock,
		     struct watches *watches, struct shale_err *err)
{
	enum place place = PLACE_FIRST;
	struct entries_seen seen;

	buf_clear(&lock->key);
	if (remote_nonce(lock->nonce, err) < 0)
		return -1;
	if (buf_addf(&lock->key, "%s%s", prefix, lock->nonce) < 0)
		return shale_err_errno(err, "locking an object");
	lock->since = clock_seconds();
	if (remote_put_text(store, buf_str(&lock->key), lock->nonce, NULL, err) < 0)
		return -1;
	pause_ms(store->lag_ms);
	for (unsigned int i = 0; place == PLACE_FIRST && clock_seconds() - lock->since < ENTER_SECONDS; i++) {
		if (i)
			pause_ms(remote_backoff_ms(0));
		if (list_entries(store, prefix, &seen, err) < 0)
			return -1;
		place = our_place(&seen, lock->nonce);
		if (place == PLACE_ALONE)
			return 1;
		remove_left(store, prefix, watches, &seen);
	}
	return store->ops->remove(store, buf_str(&lock->key), NULL, err) < 0 && err && err->code != ENOENT ? -1 : 0;
}

int remote_lock_take(struct remote_store *store, const char *key, struct remote_lock *ret_lock,
		     struct shale_err *err)
{
	__cleanup_free struct watches *watches = calloc(1, sizeof(*watches));
	const time_t start = clock_seconds();
	__cleanup_buf struct buf prefix = BUF_INIT;
	char hash[SIGV4_HEX];
	int taken;

	if (sigv4_hash(key, strlen(key), hash, err) < 0)
		return -1;
	if (!watches || buf_addf(&prefix, "%s" REMOTE_HIDDEN "/lock/%s/", store->root, hash) < 0)
		return shale_err_errno(err, "locking an object");
	for (unsigned int attempts = 0; clock_seconds() - start < REMOTE_LOCK_WAIT; attempts++) {
		taken = entry_try(store, buf_str(&prefix), ret_lock, watches, err);
		if (taken)
			return taken < 0 ? -1 : 0;
		pause_ms(remote_backoff_ms(attempts < 3 ? attempts : 3));
	}
	return shale_err_set(err, EAGAIN, "%s: others have been changing it for %d seconds",
			     remote_store_path(store, key), REMOTE_LOCK_WAIT);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing a small object on the condition that nobody else has: how a tag moves. Called through the vtable
 * of driver.h only. In the order of what a store can do:
 *
 * - It changes an object only if its ETag is as we read it: one request decides.
 * - It makes an object only if there is none: whoever makes the lock .shale/lock/HASH changes the object and
 *   removes the lock. A lock that stays the same for LEASE seconds of our own clock was left behind by a
 *   server that died, and is removed by whoever makes .shale/lock/HASH.NONCE.N, of which the same holds.
 *   Its holder gives up before that: a change may take REMOTE_ONCE_SECONDS and must begin in the first
 *   HOLD_SECONDS. So two servers change one object at once only if the store carries a request out after
 *   its sender has given it up for longer than the rest of the lease.
 * - Neither: swaps of this process have an order, those of several have none (has_swap).
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/sigv4.h"

#define LEASE_SECONDS 30
#define HOLD_SECONDS  10
/* Waiting for somebody else's swap; then EAGAIN. Enough to break two locks. */
#define WAIT_SECONDS 75
/* What swap is for are texts of some hundred bytes. */
#define SWAP_MAX (64u << 10)
/* 64 random bits in hex, with its NUL. */
#define NONCE 17

struct lock {
	struct buf key;
	char nonce[NONCE];
	time_t since;
};

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int make_nonce(char ret_nonce[NONCE], struct shale_err *err)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
		return shale_err_errno(err, "getting random bits");
	snprintf(ret_nonce, NONCE, "%016llx", (unsigned long long)bits);
	return 0;
}

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

/* 1 with the content and its ETag, 0 when there is no object. */
static int read_small(struct remote_store *store, const char *key, struct buf *ret_text,
		      struct remote_info *ret_info, struct shale_err *err)
{
	__cleanup(stream_closep) struct remote_stream *stream = NULL;
	struct shale_err why = { 0 };
	char piece[1024];
	ssize_t got = 0;

	buf_clear(ret_text);
	if (store->ops->open(store, key, 0, true, ret_info, &stream, &why) < 0) {
		if (why.code == ENOENT)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	if (ret_info->size > SWAP_MAX)
		return shale_err_set(err, EFBIG, "%s: larger than %u bytes", key, SWAP_MAX);
	while (stream && (got = remote_stream_read(stream, piece, sizeof(piece), err)) > 0)
		if (buf_add(ret_text, piece, got) < 0)
			return shale_err_errno(err, "%s", key);
	return got < 0 ? -1 : 1;
}

static bool text_is(const struct buf *text, int found, const char *want)
{
	if (!found || !want)
		return !found && !want;
	return text->len == strlen(want) && !memcmp(buf_str(text), want, text->len);
}

static int put_text(struct remote_store *store, const char *key, const char *text,
		    const struct remote_when *when, struct shale_err *err)
{
	const struct remote_body body = { .data = text, .fd = -1, .len = strlen(text) };
	char hash[SIGV4_HEX];

	if (sigv4_hash(text, body.len, hash, err) < 0)
		return -1;
	return store->ops->put(store, key, &body, hash, when, err);
}

static int change(struct remote_store *store, const char *key, const char *new,
		  const struct remote_when *when, struct shale_err *err)
{
	if (new)
		return put_text(store, key, new, when, err);
	return store->ops->remove(store, key, when, err);
}

static int has_changed(const struct remote_store *store, const char *key, struct shale_err *err)
{
	return shale_err_set(err, ESTALE, "%s has changed", remote_store_path(store, key));
}

/* The answer to a change did not come: whether it was made is seen from what is there. */
static int find_out(struct remote_store *store, const char *key, const char *new,
		    const struct shale_err *why, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct remote_info info;
	int found = -1;

	if (why->code == EAGAIN)
		found = read_small(store, key, &text, &info, err);
	if (found >= 0 && text_is(&text, found, new))
		return 0;
	if (err)
		*err = *why;
	return -1;
}

/* The object is as wanted, of the version info: change it if it still is. */
static int swap_by_etag(struct remote_store *store, const char *key, int found,
			const struct remote_info *info, const char *new, struct shale_err *err)
{
	const struct remote_when when = { .is_absent = !found, .etag = found ? info->etag : NULL };
	struct shale_err why = { 0 };

	if (found && !info->etag[0])
		return shale_err_set(err, EIO, "%s: the store gives it no ETag",
				     remote_store_path(store, key));
	if (!found && !new)
		return 0;
	if (change(store, key, new, &when, &why) == 0)
		return 0;
	if (why.code == ESTALE || (why.code == ENOENT && found))
		return has_changed(store, key, err);
	return find_out(store, key, new, &why, err);
}

static int check_and_swap(struct remote_store *store, const char *key, const char *old,
			  const char *new, const struct lock *lock, struct shale_err *err)
{
	const struct remote_when once = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err why = { 0 };
	struct remote_info info;
	int found = read_small(store, key, &text, &info, err);

	if (found < 0)
		return -1;
	if (!text_is(&text, found, old))
		return has_changed(store, key, err);
	if (!lock && store->can_put_match && store->can_remove_match)
		return swap_by_etag(store, key, found, &info, new, err);
	if (lock && seconds_now() - lock->since >= HOLD_SECONDS)
		return shale_err_set(err, EAGAIN, "%s: the store is too slow",
				     remote_store_path(store, key));
	if ((!found && !new) || change(store, key, new, lock ? &once : NULL, &why) == 0)
		return 0;
	return find_out(store, key, new, &why, err);
}

static void lock_release(struct lock *lock)
{
	buf_release(&lock->key);
}

/* 1: the lock is ours. 0: somebody else's. */
static int lock_try(struct remote_store *store, struct lock *lock, struct shale_err *err)
{
	const struct remote_when absent = { .is_absent = true };
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err why = { 0 };
	struct remote_info info;

	lock->since = seconds_now();
	if (put_text(store, buf_str(&lock->key), lock->nonce, &absent, &why) == 0)
		return 1;
	if (why.code == ESTALE)
		return 0;
	/* It may be there and ours, though we were not told. */
	if (why.code == EAGAIN && read_small(store, buf_str(&lock->key), &text, &info, err) == 1 &&
	    text_is(&text, 1, lock->nonce))
		return 1;
	if (err)
		*err = why;
	return -1;
}

/* Whoever makes the key of this lock's nonce and turn removes the lock. */
static int lock_break(struct remote_store *store, const struct lock *lock, const char *nonce,
		      unsigned int turn, struct shale_err *err)
{
	const struct remote_when absent = { .is_absent = true };
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_buf struct buf key = BUF_INIT;
	struct shale_err why = { 0 };
	struct remote_info info;
	int found;

	if (buf_addf(&key, "%s.%s.%u", buf_str(&lock->key), nonce, turn) < 0)
		return shale_err_errno(err, "breaking a lock");
	if (put_text(store, buf_str(&key), lock->nonce, &absent, &why) < 0) {
		if (why.code == ESTALE)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	/* Another may have removed it, and its own key, before we made ours. */
	found = read_small(store, buf_str(&lock->key), &text, &info, err);
	if (found > 0 && text_is(&text, 1, nonce))
		found = store->ops->remove(store, buf_str(&lock->key), NULL, err);
	store->ops->remove(store, buf_str(&key), NULL, NULL);
	return found < 0 ? -1 : 0;
}

/* What somebody who waits for a lock has seen of it. */
struct watch {
	struct buf nonce;
	time_t since;
	unsigned int broken; /* how often we have tried to break it */
};

static void watch_release(struct watch *watch)
{
	buf_release(&watch->nonce);
}

static int lock_watch(struct remote_store *store, const struct lock *lock, struct watch *watch,
		      struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct remote_info info;
	unsigned int turn;
	int found = read_small(store, buf_str(&lock->key), &text, &info, err);

	if (found <= 0)
		return found;
	if (!text_is(&text, 1, buf_str(&watch->nonce))) {
		buf_clear(&watch->nonce);
		watch->since = seconds_now();
		watch->broken = 0;
		return buf_adds(&watch->nonce, buf_str(&text)) < 0 ? shale_err_errno(err, "a lock") : 0;
	}
	turn = (seconds_now() - watch->since) / LEASE_SECONDS;
	/* The nonce becomes a key's part: only what we could have written. */
	if (turn <= watch->broken || strspn(buf_str(&text), "0123456789abcdef") != NONCE - 1)
		return 0;
	watch->broken = turn;
	return lock_break(store, lock, buf_str(&text), turn, err);
}

static int lock_take(struct remote_store *store, const char *path, struct lock *lock,
		     struct shale_err *err)
{
	__cleanup(watch_release) struct watch watch = { .since = seconds_now() };
	const time_t start = seconds_now();
	int taken;

	for (unsigned int attempts = 0; seconds_now() - start < WAIT_SECONDS; attempts++) {
		taken = lock_try(store, lock, err);
		if (taken)
			return taken < 0 ? -1 : 0;
		if (lock_watch(store, lock, &watch, err) < 0)
			return -1;
		const unsigned int ms = remote_backoff_ms(attempts < 3 ? attempts : 3);
		const struct timespec wait = { 0, ms * 1000000l };

		nanosleep(&wait, NULL);
	}
	return shale_err_set(err, EAGAIN, "%s: somebody else has been changing it for %d seconds", path,
			     WAIT_SECONDS);
}

static void lock_give(struct remote_store *store, const struct lock *lock)
{
	/* After that somebody else may have broken it, and made his own. */
	if (seconds_now() - lock->since < LEASE_SECONDS - REMOTE_ONCE_SECONDS)
		store->ops->remove(store, buf_str(&lock->key), NULL, NULL);
}

static int swap_locked(struct remote_store *store, const char *path, const char *key,
		       const char *old, const char *new, struct shale_err *err)
{
	__cleanup(lock_release) struct lock lock = { 0 };
	char hash[SIGV4_HEX];
	int ret;

	if (sigv4_hash(key, strlen(key), hash, err) < 0 || make_nonce(lock.nonce, err) < 0)
		return -1;
	if (buf_addf(&lock.key, "%s" REMOTE_HIDDEN "/lock/%s", store->root, hash) < 0)
		return shale_err_errno(err, "%s", path);
	if (lock_take(store, path, &lock, err) < 0)
		return -1;
	ret = check_and_swap(store, key, old, new, &lock, err);
	lock_give(store, &lock);
	return ret;
}

static pthread_mutex_t *mutex_of(struct remote_store *store, const char *path)
{
	unsigned int sum = 0;

	while (*path)
		sum = sum * 31 + (unsigned char)*path++;
	return &store->swap_locks[sum % REMOTE_SWAP_LOCKS];
}

int remote_swap(struct bucket *bucket, const char *path, const char *old, const char *new,
		struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	pthread_mutex_t *mutex = mutex_of(store, path);
	int ret;

	if (remote_store_key(store, path, &key, err) < 0)
		return -1;
	if (store->can_put_absent && store->can_put_match && store->can_remove_match)
		return check_and_swap(store, buf_str(&key), old, new, NULL, err);
	pthread_mutex_lock(mutex);
	if (store->can_put_absent)
		ret = swap_locked(store, path, buf_str(&key), old, new, err);
	else
		ret = check_and_swap(store, buf_str(&key), old, new, NULL, err);
	pthread_mutex_unlock(mutex);
	return ret;
}

/* Whether a change on a condition that does not hold is refused for that reason. Other failures mean no too. */
static bool is_refused(struct remote_store *store, const char *key, const char *text,
		       const struct remote_when *when)
{
	struct shale_err err = { 0 };

	return change(store, key, text, when, &err) < 0 && err.code == ESTALE;
}

static int probe_match(struct remote_store *store, const char *key, struct shale_err *err)
{
	const struct remote_when wrong = { .etag = "\"00000000000000000000000000000000\"" };
	struct remote_info info;
	struct remote_when right = { .etag = info.etag };

	if (store->ops->head(store, key, &info, err) < 0)
		return -1;
	store->can_put_match = info.etag[0] && is_refused(store, key, "2", &wrong) &&
			       put_text(store, key, "2", &right, NULL) == 0;
	if (!store->can_put_match || store->ops->head(store, key, &info, err) < 0)
		return store->can_put_match ? -1 : 0;
	store->can_remove_match = is_refused(store, key, NULL, &wrong) &&
				  store->ops->remove(store, key, &right, NULL) == 0;
	return 0;
}

int remote_swap_probe(struct remote_store *store, struct shale_err *err)
{
	const struct remote_when absent = { .is_absent = true };
	__cleanup_buf struct buf key = BUF_INIT;
	char nonce[NONCE];
	int ret;

	store->can_put_absent = store->can_put_match = store->can_remove_match = false;
	if (make_nonce(nonce, err) < 0)
		return -1;
	if (buf_addf(&key, "%s" REMOTE_HIDDEN "/probe/%s", store->root, nonce) < 0)
		return shale_err_errno(err, "trying what the store can do");
	if (put_text(store, buf_str(&key), "1", NULL, err) < 0)
		return shale_err_wrap(err, "the storage cannot be written");
	store->can_put_absent = is_refused(store, buf_str(&key), "1", &absent);
	ret = probe_match(store, buf_str(&key), err);
	store->ops->remove(store, buf_str(&key), NULL, NULL);
	return ret;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing a small object on the condition that nobody else has: how a tag moves. Called through the vtable
 * of driver.h only. In the order of what a store can do:
 *
 * - It changes and removes an object only if its ETag is as we read it: one request decides.
 * - Its listings can be relied on (has_exact_lists): whoever holds the lock of remote_lock.h changes the object.
 * - Neither: changes by this process have an order, those of several have none (has_swap).
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_lock.h"
#include "registry/sigv4.h"

/* What swap is for are texts of some hundred bytes. */
#define SWAP_MAX (64u << 10)

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

/* 1 with the content and its ETag, 0 when there is no object. */
int remote_read_text(struct remote_store *store, const char *key, struct buf *ret_text,
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

int remote_put_text(struct remote_store *store, const char *key, const char *text,
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
		return remote_put_text(store, key, new, when, err);
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
		found = remote_read_text(store, key, &text, &info, err);
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

bool remote_compares_etags(const struct remote_store *store)
{
	return store->can_put_absent && store->can_put_match && store->can_remove_match;
}

static int check_and_swap(struct remote_store *store, const char *key, const char *old,
			  const char *new, const struct remote_lock *lock, struct shale_err *err)
{
	const struct remote_when once = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err why = { 0 };
	struct remote_info info;
	int found = remote_read_text(store, key, &text, &info, err);

	if (found < 0)
		return -1;
	if (!text_is(&text, found, old))
		return has_changed(store, key, err);
	if (remote_compares_etags(store))
		return swap_by_etag(store, key, found, &info, new, err);
	if (lock && !remote_lock_is_fresh(lock))
		return shale_err_set(err, EAGAIN, "%s: the store is too slow",
				     remote_store_path(store, key));
	if ((!found && !new) || change(store, key, new, lock ? &once : NULL, &why) == 0)
		return 0;
	return find_out(store, key, new, &why, err);
}

static int swap_locked(struct remote_store *store, const char *key, const char *old,
		       const char *new, struct shale_err *err)
{
	__cleanup_lock struct remote_lock lock = { 0 };
	int ret;

	if (remote_lock_take(store, key, &lock, err) < 0)
		return -1;
	ret = check_and_swap(store, key, old, new, &lock, err);
	remote_lock_give(store, &lock);
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
	if (remote_compares_etags(store))
		return check_and_swap(store, buf_str(&key), old, new, NULL, err);
	pthread_mutex_lock(mutex);
	if (store->has_exact_lists)
		ret = swap_locked(store, buf_str(&key), old, new, err);
	else
		ret = check_and_swap(store, buf_str(&key), old, new, NULL, err);
	pthread_mutex_unlock(mutex);
	return ret;
}

/* A put as any other, but that nobody's swap is between its look and its change. */
static int put_locked(struct remote_store *store, const char *key, const struct remote_body *body,
		      const char *hash, struct shale_err *err)
{
	__cleanup_lock struct remote_lock lock = { 0 };
	const struct remote_when once = { 0 };
	int ret;

	if (remote_lock_take(store, key, &lock, err) < 0)
		return -1;
	if (remote_lock_is_fresh(&lock))
		ret = store->ops->put(store, key, body, hash, &once, err);
	else
		ret = shale_err_set(err, EAGAIN, "%s: the store is too slow", remote_store_path(store, key));
	remote_lock_give(store, &lock);
	return ret;
}

int remote_put_swapped(struct remote_store *store, const char *key, const struct remote_body *body,
		       const char *hash, struct shale_err *err)
{
	pthread_mutex_t *mutex = mutex_of(store, remote_store_path(store, key));
	int ret;

	if (remote_compares_etags(store))
		return store->ops->put(store, key, body, hash, NULL, err);
	pthread_mutex_lock(mutex);
	ret = store->has_exact_lists ? put_locked(store, key, body, hash, err)
				     : store->ops->put(store, key, body, hash, NULL, err);
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
			       remote_put_text(store, key, "2", &right, NULL) == 0;
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
	char nonce[REMOTE_NONCE];
	int ret;

	store->can_put_absent = store->can_put_match = store->can_remove_match = false;
	if (remote_nonce(nonce, err) < 0)
		return -1;
	if (buf_addf(&key, "%s" REMOTE_HIDDEN "/probe/%s", store->root, nonce) < 0)
		return shale_err_errno(err, "trying what the store can do");
	if (remote_put_text(store, buf_str(&key), "1", NULL, err) < 0)
		return shale_err_wrap(err, "the storage cannot be written");
	store->can_put_absent = is_refused(store, buf_str(&key), "1", &absent);
	ret = probe_match(store, buf_str(&key), err);
	store->ops->remove(store, buf_str(&key), NULL, NULL);
	return ret;
}

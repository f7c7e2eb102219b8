// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listings of an object store: one level, all below a prefix, and removal of all that. Called through the
 * vtable of driver.h, and by drivers for keys of their own.
 *
 * A store lists keys by their bytes. That is not the order of names: "a-b" comes before "a/x", of which the
 * name is "a". So of each page those names wait which a later one may still have to precede.
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/entries.h"

static void listing_release(struct remote_listing *listing)
{
	buf_release(&listing->marker);
}

/* A store that hands out the same page for ever shall not keep us. */
static int next_page(struct remote_store *store, struct remote_listing *listing,
		     remote_key_fn each, void *ctx, struct shale_err *err)
{
	__cleanup_free char *before = strdup(buf_str(&listing->marker));

	if (!before)
		return shale_err_errno(err, "listing %s", listing->prefix);
	if (store->ops->list(store, listing, each, ctx, err) < 0)
		return -1;
	if (!listing->is_last && (!listing->marker.len || !strcmp(before, listing->marker.data)))
		return shale_err_set(err, EIO, "listing %s: the store's pages do not end",
				     remote_store_path(store, listing->prefix));
	return 0;
}

int remote_list_pages(struct remote_store *store, struct remote_listing *listing,
		      remote_key_fn each, void *ctx, struct shale_err *err)
{
	while (!listing->is_last)
		if (next_page(store, listing, each, ctx, err) < 0)
			return -1;
	return 0;
}

/* The prefix of all keys below a path; "" is the root. */
static int below_key(const struct remote_store *store, const char *path, struct buf *ret_key,
		     struct shale_err *err)
{
	if (remote_store_key(store, path, ret_key, err) < 0)
		return -1;
	if (*path && buf_addc(ret_key, '/') < 0)
		return shale_err_errno(err, "%s", path);
	return 0;
}

struct level {
	size_t prefix_len;
	struct entries entries;
	struct buf last; /* what follows the prefix in the page's last key by byte order */
};

static void level_release(struct level *level)
{
	entries_release(&level->entries);
	buf_release(&level->last);
}

static int take_name(void *ctx, const char *key, uint64_t size, int64_t mtime,
		     struct shale_err *err)
{
	struct level *level = ctx;
	const char *name = key + level->prefix_len;
	size_t len = strcspn(name, "/");
	struct bucket_entry entry = { .name = name, .is_prefix = name[len] };

	if (strlen(key) <= level->prefix_len)
		return 0;
	if (strcmp(name, buf_str(&level->last)) > 0) {
		buf_clear(&level->last);
		if (buf_adds(&level->last, name) < 0)
			return shale_err_errno(err, "listing objects");
	}
	if (!strncmp(name, REMOTE_HIDDEN, len) && len == strlen(REMOTE_HIDDEN))
		return 0;
	if (!entry.is_prefix) {
		entry.size = size;
		entry.mtime = mtime;
	}
	return entries_add(&level->entries, &entry, len, err);
}

/*
 * How many bytes of the page's last name may be the name of a prefix that is still to come: "v1.2" may be
 * followed by "v1/...". All of it when it is an object, which may be a prefix as well.
 */
static size_t waiting_len(const char *last)
{
	size_t len = last[0] && last[0] != '/';

	while ((unsigned char)last[len] > '/')
		len++;
	if (last[len] == '/')
		return SIZE_MAX;
	return len;
}

/* Takes the entries that can be reported now out of the level's, sorted. */
static size_t count_ready(struct level *level, bool is_last)
{
	const char *last = buf_str(&level->last);
	size_t len = waiting_len(last);
	size_t ready = 0;

	entries_sort(&level->entries);
	if (is_last || len == SIZE_MAX)
		return level->entries.count;
	while (ready < level->entries.count) {
		const char *name = level->entries.list[ready].name;
		int order = strncmp(name, last, len);

		if (order > 0 || (!order && strlen(name) >= len))
			break;
		ready++;
	}
	return ready;
}

static void drop_first(struct entries *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)entries->list[i].name);
	entries->count -= count;
	if (count)
		memmove(entries->list, entries->list + count, entries->count * sizeof(*entries->list));
}

struct report {
	bucket_entry_fn each;
	void *ctx;
	struct buf done; /* the last name that was reported */
	bool is_ended;
};

static int report_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct report *report = ctx;
	int ret = report->each(report->ctx, entry, err);

	report->is_ended = ret != 0;
	return ret;
}

/* A prefix that goes on in the next page is listed by it again. */
static int report_ready(struct level *level, size_t ready, struct report *report,
			struct shale_err *err)
{
	struct entries part = { level->entries.list, ready, 0 };
	const char *after = report->done.data;
	int ret = entries_report(&part, after, report_entry, report, err);

	if (ret < 0 || !ready)
		return ret;
	/* Those of a page may all have come before the name behind which entries are wanted. */
	if (!after || strcmp(level->entries.list[ready - 1].name, after) > 0) {
		buf_clear(&report->done);
		if (buf_adds(&report->done, level->entries.list[ready - 1].name) < 0)
			return shale_err_errno(err, "listing objects");
	}
	drop_first(&level->entries, ready);
	return 0;
}

static void report_release(struct report *report)
{
	buf_release(&report->done);
}

int remote_list(struct bucket *bucket, const char *prefix, const char *after, bucket_entry_fn each,
		void *ctx, struct shale_err *err)
{
	__cleanup(report_release) struct report report = { .each = each, .ctx = ctx };
	__cleanup(listing_release) struct remote_listing listing = { 0 };
	struct remote_store *store = remote_store_of(bucket);
	__cleanup(level_release) struct level level = { 0 };
	__cleanup_buf struct buf start = BUF_INIT;
	__cleanup_buf struct buf key = BUF_INIT;

	if (below_key(store, prefix, &key, err) < 0)
		return -1;
	listing.prefix = buf_str(&key);
	level.prefix_len = key.len;
	if (after && (buf_addf(&start, "%s%s", listing.prefix, after) < 0 ||
		      buf_adds(&report.done, after) < 0))
		return shale_err_errno(err, "listing %s", prefix);
	listing.after = start.data;
	while (!listing.is_last && !report.is_ended) {
		if (next_page(store, &listing, take_name, &level, err) < 0 ||
		    report_ready(&level, count_ready(&level, listing.is_last), &report, err) < 0)
			return -1;
	}
	return 0;
}

struct walk {
	struct remote_store *store;
	bucket_entry_fn each;
	void *ctx;
	bool is_ended;
};

static int walk_key(void *ctx, const char *key, uint64_t size, int64_t mtime,
		    struct shale_err *err)
{
	struct walk *walk = ctx;
	const struct bucket_entry entry = {
		.name = remote_store_path(walk->store, key), .size = size, .mtime = mtime,
	};
	int ret;

	if (walk->is_ended || remote_key_is_hidden(key))
		return 0;
	ret = walk->each(walk->ctx, &entry, err);
	walk->is_ended = ret > 0;
	return ret < 0 ? -1 : 0;
}

int remote_walk(struct bucket *bucket, const char *prefix, bucket_entry_fn each, void *ctx,
		struct shale_err *err)
{
	__cleanup(listing_release) struct remote_listing listing = { .is_deep = true };
	struct walk walk = { remote_store_of(bucket), each, ctx, false };
	__cleanup_buf struct buf key = BUF_INIT;

	if (below_key(walk.store, prefix, &key, err) < 0)
		return -1;
	listing.prefix = buf_str(&key);
	while (!listing.is_last && !walk.is_ended)
		if (next_page(walk.store, &listing, walk_key, &walk, err) < 0)
			return -1;
	return 0;
}

struct keys {
	char **list;
	size_t count;
	size_t cap;
};

static void keys_clear(struct keys *keys)
{
	while (keys->count)
		free(keys->list[--keys->count]);
}

static void keys_release(struct keys *keys)
{
	keys_clear(keys);
	free(keys->list);
}

static int take_key(void *ctx, const char *key, uint64_t size, int64_t mtime,
		    struct shale_err *err)
{
	struct keys *keys = ctx;
	size_t cap = keys->cap ? 2 * keys->cap : 64;
	char **list;

	(void)size, (void)mtime;
	if (keys->count == keys->cap) {
		list = reallocarray(keys->list, cap, sizeof(*list));
		if (!list)
			return shale_err_errno(err, "listing objects");
		keys->list = list;
		keys->cap = cap;
	}
	keys->list[keys->count] = strdup(key);
	if (!keys->list[keys->count])
		return shale_err_errno(err, "listing objects");
	keys->count++;
	return 0;
}

struct removal {
	struct remote_store *store;
	char *const *keys;
};

static int remove_key(void *ctx, size_t index, struct shale_err *err)
{
	struct removal *removal = ctx;
	struct remote_store *store = removal->store;
	const char *key = removal->keys[index];
	struct shale_err why = { 0 };
	int ret;

	if (store->ops->remove_hidden && remote_key_is_hidden(key))
		ret = store->ops->remove_hidden(store, key, &why);
	else
		ret = store->ops->remove(store, key, NULL, &why);
	if (ret < 0 && why.code != ENOENT) {
		if (err)
			*err = why;
		return -1;
	}
	return 0;
}

int remote_remove_keys(struct remote_store *store, char *const *keys, size_t count,
		       struct shale_err *err)
{
	struct removal removal = { store, keys };

	return remote_store_parallel(store, count, remove_key, &removal, err);
}

int remote_remove_tree(struct bucket *bucket, const char *prefix, struct shale_err *err)
{
	__cleanup(listing_release) struct remote_listing listing = { .is_deep = true };
	struct remote_store *store = remote_store_of(bucket);
	__cleanup(keys_release) struct keys keys = { 0 };
	__cleanup_buf struct buf key = BUF_INIT;

	if (below_key(store, prefix, &key, err) < 0)
		return -1;
	listing.prefix = buf_str(&key);
	while (!listing.is_last) {
		keys_clear(&keys);
		if (next_page(store, &listing, take_key, &keys, err) < 0 ||
		    remote_remove_keys(store, keys.list, keys.count, err) < 0)
			return -1;
	}
	return 0;
}

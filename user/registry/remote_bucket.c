// SPDX-License-Identifier: GPL-2.0-only
/*
 * The storage driver's vtable over an object store: whole objects, reading, moving, links and health; see
 * remote_store.h. Writers, listings and swaps have files of their own. Called through the vtable of driver.h
 * only.
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/sigv4.h"

struct remote_reader {
	struct bucket_reader base;
	struct remote_stream *stream; /* of the object or the piece that is being read; NULL: at its end */
	char *key;
	/* Of an unfinished object: the piece after the one that is being read. */
	struct remote_pieces pieces;
	size_t next;
	uint64_t piece_left;
};

static int remote_stat(struct bucket *bucket, const char *path, struct bucket_stat *ret_stat,
		       struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	struct remote_info info;

	if (remote_store_key(store, path, &key, err) < 0 ||
	    store->ops->head(store, buf_str(&key), &info, err) < 0)
		return -1;
	*ret_stat = (struct bucket_stat){ info.size, info.mtime };
	return 0;
}

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

static int read_all(struct remote_stream *stream, uint64_t size, struct buf *buf,
		    struct shale_err *err)
{
	size_t before = buf->len;
	ssize_t got = 1;

	if (buf_reserve(buf, size) < 0)
		return shale_err_errno(err, "no memory for an object of %llu bytes",
				       (unsigned long long)size);
	while (stream && got > 0 && buf->len - before < size) {
		got = remote_stream_read(stream, buf->data + buf->len, size - (buf->len - before), err);
		if (got > 0)
			buf->len += got;
	}
	if (buf->data)
		buf->data[buf->len] = '\0';
	if (got >= 0)
		return 0;
	buf->len = before;
	buf->data[before] = '\0';
	return -1;
}

static int remote_get(struct bucket *bucket, const char *path, size_t max, struct buf *buf,
		      struct shale_err *err)
{
	__cleanup(stream_closep) struct remote_stream *stream = NULL;
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	struct remote_info info;

	if (remote_store_key(store, path, &key, err) < 0 ||
	    store->ops->open(store, buf_str(&key), 0, true, &info, &stream, err) < 0)
		return -1;
	if (info.size > max)
		return shale_err_set(err, EFBIG, "%s: larger than %zu bytes", path, max);
	return read_all(stream, info.size, buf, err);
}

static int remote_put(struct bucket *bucket, const char *path, const void *data, size_t len,
		      unsigned int flags, struct shale_err *err)
{
	const struct remote_body body = { .data = data, .fd = -1, .len = len };
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	char hash[SIGV4_HEX];

	/* A store's answer comes when the object is safe: nothing is gained by BUCKET_SOON. */
	if (remote_store_key(store, path, &key, err) < 0 || sigv4_hash(data, len, hash, err) < 0)
		return -1;
	if (flags & BUCKET_SWAPPED)
		return remote_put_swapped(store, buf_str(&key), &body, hash, err);
	return store->ops->put(store, buf_str(&key), &body, hash, NULL, err);
}

static void reader_free(struct remote_reader *reader)
{
	if (!reader)
		return;
	remote_stream_close(reader->stream);
	remote_pieces_release(&reader->pieces);
	free(reader->key);
	free(reader);
}

static void reader_freep(struct remote_reader **reader)
{
	reader_free(*reader);
}

/* Opens the piece that is next, from skip on. */
static int open_piece(struct remote_reader *reader, uint64_t skip, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(reader->base.bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	struct remote_info info;
	uint64_t offset;

	remote_stream_close(steal_ptr(reader->stream));
	if (store->ops->piece_key(store, reader->key, &reader->pieces, reader->next, &key, &offset,
				  err) < 0)
		return -1;
	reader->piece_left = reader->pieces.list[reader->next++].len - skip;
	if (store->ops->open(store, buf_str(&key), offset + skip, false, &info, &reader->stream,
			     err) == 0)
		return 0;
	if (err && err->code == ENOENT)
		err->code = EIO;
	return -1;
}

static int open_unfinished(struct remote_reader *reader, uint64_t offset, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(reader->base.bucket);
	const struct remote_pieces *pieces = &reader->pieces;

	if (store->ops->pieces_load(store, reader->key, &reader->pieces, err) < 0)
		return -1;
	if (offset > pieces->len)
		return shale_err_set(err, EINVAL, "%s: has no byte %llu",
				     remote_store_path(store, reader->key),
				     (unsigned long long)offset);
	reader->base.size = pieces->len;
	while (reader->next < pieces->count && offset >= pieces->list[reader->next].len)
		offset -= pieces->list[reader->next++].len;
	return reader->next < pieces->count ? open_piece(reader, offset, err) : 0;
}

static int open_any(struct remote_reader *reader, uint64_t offset, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(reader->base.bucket);
	struct remote_info info;
	struct shale_err why = { 0 };

	if (store->ops->open(store, reader->key, offset, false, &info, &reader->stream, &why) == 0) {
		reader->base.size = info.size;
		reader->base.mtime = info.mtime;
		reader->piece_left = info.size - offset;
		return 0;
	}
	if (why.code == ENOENT && open_unfinished(reader, offset, err) == 0)
		return 0;
	if (err && (why.code != ENOENT || err->code == ENOENT))
		*err = why;
	return -1;
}

static int remote_open_reader(struct bucket *bucket, const char *path, uint64_t offset,
			      struct bucket_reader **ret_reader, struct shale_err *err)
{
	__cleanup(reader_freep) struct remote_reader *reader = calloc(1, sizeof(*reader));
	__cleanup_buf struct buf key = BUF_INIT;

	if (!reader || remote_store_key(remote_store_of(bucket), path, &key, err) < 0)
		return reader ? -1 : shale_err_errno(err, "%s", path);
	reader->base.bucket = bucket;
	reader->base.fd = -1;
	reader->key = buf_steal(&key);
	if (!reader->key || open_any(reader, offset, err) < 0)
		return reader->key ? -1 : shale_err_errno(err, "%s", path);
	*ret_reader = &steal_ptr(reader)->base;
	return 0;
}

static ssize_t remote_read(struct bucket_reader *base, void *data, size_t len,
			   struct shale_err *err)
{
	struct remote_reader *reader = (struct remote_reader *)base;
	ssize_t got;

	while (!reader->piece_left && reader->next < reader->pieces.count)
		if (open_piece(reader, 0, err) < 0)
			return -1;
	if (len > reader->piece_left)
		len = reader->piece_left;
	if (!len || !reader->stream)
		return 0;
	got = remote_stream_read(reader->stream, data, len, err);
	if (got > 0)
		reader->piece_left -= got;
	return got;
}

static void remote_close(struct bucket_reader *base)
{
	reader_free((struct remote_reader *)base);
}

static int remote_remove(struct bucket *bucket, const char *path, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;
	struct remote_info info;

	/* S3 does not say whether there was one. */
	if (remote_store_key(store, path, &key, err) < 0 ||
	    store->ops->head(store, buf_str(&key), &info, err) < 0)
		return -1;
	return store->ops->remove(store, buf_str(&key), NULL, err);
}

static int remote_move(struct bucket *bucket, const char *from, const char *to,
		       struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf source = BUF_INIT;
	__cleanup_buf struct buf target = BUF_INIT;
	struct remote_info info;

	if (remote_store_key(store, from, &source, err) < 0 ||
	    remote_store_key(store, to, &target, err) < 0)
		return -1;
	if (!strcmp(from, to))
		return store->ops->head(store, buf_str(&source), &info, err);
	return store->ops->move(store, buf_str(&source), buf_str(&target), err);
}

static int remote_redirect(struct bucket *bucket, const char *path, const char *method,
			   unsigned int seconds, struct buf *url, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);
	__cleanup_buf struct buf key = BUF_INIT;

	if (remote_store_key(store, path, &key, err) < 0)
		return -1;
	return store->ops->link(store, buf_str(&key), method, seconds, url, err);
}

static int check_write(struct remote_store *store, struct shale_err *err)
{
	const struct remote_body body = { .fd = -1 };
	__cleanup_buf struct buf key = BUF_INIT;
	char hash[SIGV4_HEX];

	if (remote_store_key(store, REMOTE_HIDDEN "/health", &key, err) < 0 ||
	    sigv4_hash("", 0, hash, err) < 0)
		return -1;
	return store->ops->put(store, buf_str(&key), &body, hash, NULL, err);
}

static int ignore_key(void *ctx, const char *key, uint64_t size, int64_t mtime,
		      struct shale_err *err)
{
	(void)ctx, (void)key, (void)size, (void)mtime, (void)err;
	return 0;
}

static int check_read(struct remote_store *store, struct shale_err *err)
{
	struct remote_listing listing = { .prefix = store->root };
	int ret = store->ops->list(store, &listing, ignore_key, NULL, err);

	buf_release(&listing.marker);
	return ret;
}

static int remote_health(struct bucket *bucket, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(bucket);

	return store->is_readonly ? check_read(store, err) : check_write(store, err);
}

static void remote_release_bucket(struct bucket *bucket)
{
	remote_store_of(bucket)->ops->release(remote_store_of(bucket));
}

#define REMOTE_BUCKET_OPS(NAME, HAS_SWAP)                                                          \
	{                                                                                          \
		.name = NAME, .is_shared = true, .has_swap = HAS_SWAP,                             \
		.is_readable_unfinished = true, .stat = remote_stat, .get = remote_get,            \
		.put = remote_put, .swap = remote_swap, .open = remote_open_reader,                \
		.read = remote_read, .close = remote_close, .append = remote_append,               \
		.write = remote_write, .keep = remote_keep, .commit = remote_commit,               \
		.cancel = remote_cancel, .list = remote_list, .walk = remote_walk,                 \
		.remove = remote_remove, .remove_tree = remote_remove_tree, .move = remote_move,   \
		.redirect = remote_redirect, .health = remote_health,                              \
		.release = remote_release_bucket,                                                  \
	}

/* One for each name and for whether the store has what a swap beside other servers needs. */
static const struct bucket_ops remote_bucket_ops[] = {
	REMOTE_BUCKET_OPS("s3", true),    REMOTE_BUCKET_OPS("s3", false),
	REMOTE_BUCKET_OPS("swift", true), REMOTE_BUCKET_OPS("swift", false),
	REMOTE_BUCKET_OPS("azure", true), REMOTE_BUCKET_OPS("azure", false),
};

int remote_store_ready(struct remote_store *store, const struct bucket_params *params,
		       struct shale_err *err)
{
	const char *conditional = bucket_param_text(params, "conditional", "auto");
	const size_t count = sizeof(remote_bucket_ops) / sizeof(*remote_bucket_ops);
	bool is_probed, has_swap;

	if (strcmp(conditional, "auto") && strcmp(conditional, "lock") && strcmp(conditional, "none"))
		return shale_err_set(err, EINVAL, "storage: conditional: '%.100s' is not auto, lock or none",
				     conditional);
	if (!strcmp(conditional, "none"))
		store->has_exact_lists = false;
	is_probed = !strcmp(conditional, "auto") && !store->is_readonly;
	if (is_probed ? remote_swap_probe(store, err) < 0 : check_read(store, err) < 0)
		return -1;
	has_swap = store->has_exact_lists || remote_compares_etags(store);
	for (size_t i = 0; i < count; i++)
		if (!strcmp(remote_bucket_ops[i].name, store->name) &&
		    remote_bucket_ops[i].has_swap == has_swap)
			store->bucket.ops = &remote_bucket_ops[i];
	return 0;
}

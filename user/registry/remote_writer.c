// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writing an object to a store that only takes whole ones: bytes gather in a file, and become a piece when
 * there are enough or the writer is kept. What was never kept and fits one piece is put at its place
 * directly; else the store puts the pieces together. Called through the vtable of driver.h only.
 *
 * All that another server needs to go on is in the store: the pieces are there under the object's key.
 */
#include "registry/remote_store.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_spool.h"

#define PIECE_UNIT (1ull << 20)

struct remote_writer {
	struct bucket_writer base;
	char *key;
	struct remote_spool spool;
	struct remote_pieces pieces;
	bool is_begun; /* there is something at key */
};

static void writer_free(struct remote_writer *writer)
{
	if (!writer)
		return;
	remote_spool_release(&writer->spool);
	remote_pieces_release(&writer->pieces);
	free(writer->key);
	free(writer);
}

static void writer_freep(struct remote_writer **writer)
{
	writer_free(*writer);
}

/*
 * Pieces grow with the object, so that the largest one a store can hold has not too many: an eighth of the
 * limit of equal ones, then each step of e takes another eighth.
 */
static uint64_t piece_target(const struct remote_store *store, uint64_t len)
{
	uint64_t share = len / (store->piece_limit / 8);

	share = (share + PIECE_UNIT - 1) / PIECE_UNIT * PIECE_UNIT;
	return share > store->piece_size ? share : store->piece_size;
}

/* Leaves the pieces whose lengths add up to at. */
static int cut_at(struct remote_writer *writer, uint64_t at, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(writer->base.bucket);
	struct remote_pieces *pieces = &writer->pieces;
	uint64_t offset = 0;
	size_t index = 0;

	while (index < pieces->count && offset < at)
		offset += pieces->list[index++].len;
	if (offset != at)
		return shale_err_set(err, EINVAL, "%s: cannot be gone on with at byte %llu of %llu",
				     remote_store_path(store, writer->key), (unsigned long long)at,
				     (unsigned long long)pieces->len);
	if (index == pieces->count)
		return 0;
	return store->ops->pieces_cut(store, writer->key, pieces, index, err);
}

static int writer_begin(struct remote_writer *writer, uint64_t at, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(writer->base.bucket);

	if (at == BUCKET_FRESH)
		return store->ops->pieces_discard(store, writer->key, err);
	if (store->ops->pieces_load(store, writer->key, &writer->pieces, err) < 0 ||
	    (at != BUCKET_ALL && cut_at(writer, at, err) < 0))
		return -1;
	writer->is_begun = true;
	writer->base.size = writer->pieces.len;
	return 0;
}

int remote_append(struct bucket *bucket, const char *path, uint64_t at,
		  struct bucket_writer **ret_writer, struct shale_err *err)
{
	__cleanup(writer_freep) struct remote_writer *writer = calloc(1, sizeof(*writer));
	__cleanup_buf struct buf key = BUF_INIT;

	if (!writer)
		return shale_err_errno(err, "%s", path);
	writer->base.bucket = bucket;
	writer->spool = (struct remote_spool)REMOTE_SPOOL_INIT;
	if (remote_store_key(remote_store_of(bucket), path, &key, err) < 0)
		return -1;
	writer->key = buf_steal(&key);
	if (!writer->key)
		return shale_err_errno(err, "%s", path);
	if (writer_begin(writer, at, err) < 0)
		return -1;
	*ret_writer = &steal_ptr(writer)->base;
	return 0;
}

/* The file's bytes become a piece. */
static int writer_flush(struct remote_writer *writer, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(writer->base.bucket);
	struct remote_body body;
	char hash[SIGV4_HEX];

	if (remote_spool_finish(&writer->spool, &body, hash, err) < 0)
		return -1;
	if (store->ops->pieces_put(store, writer->key, &writer->pieces, &body, hash, err) < 0)
		return -1;
	writer->is_begun = true;
	remote_spool_clear(&writer->spool);
	return 0;
}

static int write_some(struct remote_writer *writer, const void *data, size_t len,
		      struct shale_err *err)
{
	struct remote_store *store = remote_store_of(writer->base.bucket);
	uint64_t target = piece_target(store, writer->pieces.len);
	uint64_t room = target - writer->spool.len;
	size_t now = len < room ? len : room;

	if (remote_spool_write(&writer->spool, store->spool_dir, data, now, err) < 0)
		return -1;
	if (writer->spool.len == target && writer_flush(writer, err) < 0)
		return -1;
	writer->base.size += now;
	return now;
}

int remote_write(struct bucket_writer *base, const void *data, size_t len, struct shale_err *err)
{
	struct remote_writer *writer = (struct remote_writer *)base;
	const char *at = data;
	int done;

	while (len) {
		/* What write_some() returns is an int: no more than that at once. */
		done = write_some(writer, at, len < INT32_MAX ? len : INT32_MAX, err);
		if (done < 0) {
			/* What is in the file has gone with the failure; the pieces are there. */
			remote_spool_clear(&writer->spool);
			base->size = writer->pieces.len;
			return -1;
		}
		at += done;
		len -= done;
	}
	return 0;
}

int remote_keep(struct bucket_writer *base, struct shale_err *err)
{
	__cleanup(writer_freep) struct remote_writer *writer = (struct remote_writer *)base;

	if (!writer->spool.len && writer->is_begun)
		return 0;
	return writer_flush(writer, err);
}

/* All of it is still in the file. */
static int commit_whole(struct remote_writer *writer, const char *to, struct shale_err *err)
{
	struct remote_store *store = remote_store_of(writer->base.bucket);
	struct remote_body body;
	char hash[SIGV4_HEX];

	if (remote_spool_finish(&writer->spool, &body, hash, err) < 0 ||
	    store->ops->put(store, to, &body, hash, NULL, err) < 0)
		return -1;
	/* The object is there; what is left of the beginning is found again when its tree is removed. */
	if (writer->is_begun)
		store->ops->pieces_discard(store, writer->key, NULL);
	return 0;
}

int remote_commit(struct bucket_writer *base, const char *to, struct shale_err *err)
{
	__cleanup(writer_freep) struct remote_writer *writer = (struct remote_writer *)base;
	struct remote_store *store = remote_store_of(base->bucket);
	__cleanup_buf struct buf key = BUF_INIT;

	if (remote_store_key(store, to, &key, err) < 0)
		return -1;
	if (!writer->pieces.count)
		return commit_whole(writer, buf_str(&key), err);
	if (writer->spool.len && writer_flush(writer, err) < 0)
		return -1;
	return store->ops->pieces_commit(store, writer->key, &writer->pieces, buf_str(&key), err);
}

void remote_cancel(struct bucket_writer *base)
{
	__cleanup(writer_freep) struct remote_writer *writer = (struct remote_writer *)base;
	struct remote_store *store = remote_store_of(base->bucket);

	if (writer->is_begun)
		store->ops->pieces_discard(store, writer->key, NULL);
}

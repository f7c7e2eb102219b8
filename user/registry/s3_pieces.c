// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unfinished objects in S3: the pieces of PATH are objects PATH/.shale/OFFSET, with sixteen hex digits, so
 * that a listing has them in their order, and any server on the bucket sees the same. They are no upload
 * of S3's own kind, since its parts can be neither read, nor cut, nor smaller than 5 MiB.
 */
#include "registry/s3.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"

static int piece_name(const char *key, uint64_t offset, struct buf *ret_name, struct shale_err *err)
{
	if (buf_addf(ret_name, "%s/" REMOTE_HIDDEN "/%016" PRIx64, key, offset) < 0)
		return shale_err_errno(err, "%s", key);
	return 0;
}

struct loading {
	struct remote_pieces *pieces;
	size_t prefix_len;
	bool has_begun;
	bool has_gap;
};

/* Pieces follow each other; what comes behind a gap was being removed when its remover died. */
static int take_piece(void *ctx, const char *key, uint64_t size, int64_t mtime,
		      struct shale_err *err)
{
	struct loading *loading = ctx;
	const struct remote_piece piece = { .len = size, .number = loading->pieces->len };
	char *end;
	uint64_t offset = strtoull(key + loading->prefix_len, &end, 16);

	(void)mtime;
	if (*end || end - key - loading->prefix_len != 16 || offset != loading->pieces->len ||
	    loading->has_gap) {
		loading->has_gap = true;
		return 0;
	}
	loading->has_begun = true;
	return size ? remote_pieces_add(loading->pieces, &piece, err) : 0;
}

int s3_pieces_load(struct remote_store *store, const char *key, struct remote_pieces *ret_pieces,
		   struct shale_err *err)
{
	struct remote_listing listing = { .is_deep = true };
	struct loading loading = { .pieces = ret_pieces };
	__cleanup_buf struct buf prefix = BUF_INIT;
	int ret;

	if (buf_addf(&prefix, "%s/" REMOTE_HIDDEN "/", key) < 0)
		return shale_err_errno(err, "%s", key);
	listing.prefix = buf_str(&prefix);
	loading.prefix_len = prefix.len;
	ret = remote_list_pages(store, &listing, take_piece, &loading, err);
	buf_release(&listing.marker);
	if (ret < 0 || loading.has_begun)
		return ret;
	return shale_err_set(err, ENOENT, "%s: no such object", remote_store_path(store, key));
}

int s3_pieces_put(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		  const struct remote_body *body, const char *hash, struct shale_err *err)
{
	const struct remote_piece piece = { .len = body->len, .number = pieces->len };
	__cleanup_buf struct buf name = BUF_INIT;

	if (piece_name(key, pieces->len, &name, err) < 0 ||
	    s3_put(store, buf_str(&name), body, hash, NULL, err) < 0)
		return -1;
	return body->len ? remote_pieces_add(pieces, &piece, err) : 0;
}

static void names_release(struct buf *names)
{
	for (char **at = (char **)names->data; at && (char *)at < names->data + names->len; at++)
		free(*at);
	buf_release(names);
}

/* Those from index on, the last first: what is left when we die has no gap. */
static int remove_pieces(struct remote_store *store, const char *key,
			 const struct remote_pieces *pieces, size_t index, struct shale_err *err)
{
	for (size_t i = pieces->count; i-- > index;) {
		__cleanup_buf struct buf name = BUF_INIT;

		if (piece_name(key, pieces->list[i].number, &name, err) < 0 ||
		    s3_remove(store, buf_str(&name), NULL, err) < 0)
			return -1;
	}
	return 0;
}

int s3_pieces_cut(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		  size_t index, struct shale_err *err)
{
	const struct remote_body nothing = { .fd = -1 };

	/* The first one is replaced, so that the object stays begun. */
	if (remove_pieces(store, key, pieces, index ? index : 1, err) < 0)
		return -1;
	remote_pieces_drop(pieces, index);
	if (index)
		return 0;
	return s3_pieces_put(store, key, pieces, &nothing, NULL, err);
}

static int take_name(void *ctx, const char *key, uint64_t size, int64_t mtime,
		     struct shale_err *err)
{
	char *copy = strdup(key);

	(void)size, (void)mtime;
	if (copy && buf_add(ctx, &copy, sizeof(copy)) == 0)
		return 0;
	free(copy);
	return shale_err_errno(err, "%s", key);
}

/* Also of an older one's that lie behind a gap. */
int s3_pieces_discard(struct remote_store *store, const char *key, struct shale_err *err)
{
	__attribute__((cleanup(names_release))) struct buf names = BUF_INIT;
	struct remote_listing listing = { .is_deep = true };
	__cleanup_buf struct buf prefix = BUF_INIT;
	int ret;

	if (buf_addf(&prefix, "%s/" REMOTE_HIDDEN "/", key) < 0)
		return shale_err_errno(err, "%s", key);
	listing.prefix = buf_str(&prefix);
	ret = remote_list_pages(store, &listing, take_name, &names, err);
	buf_release(&listing.marker);
	if (ret < 0)
		return -1;
	return remote_remove_keys(store, (char **)names.data, names.len / sizeof(char *), err);
}

static void sources_release(struct s3_source **sources)
{
	for (struct s3_source *source = *sources; source && source->key; source++)
		free((char *)source->key);
	free(*sources);
}

int s3_pieces_commit(struct remote_store *store, const char *key, struct remote_pieces *pieces,
		     const char *to, struct shale_err *err)
{
	__cleanup(sources_release) struct s3_source *sources = calloc(pieces->count + 1,
								       sizeof(*sources));

	if (!sources)
		return shale_err_errno(err, "%s", remote_store_path(store, to));
	for (size_t i = 0; i < pieces->count; i++) {
		__cleanup_buf struct buf name = BUF_INIT;

		if (piece_name(key, pieces->list[i].number, &name, err) < 0)
			return -1;
		sources[i] = (struct s3_source){ buf_steal(&name), pieces->list[i].len };
		if (!sources[i].key)
			return shale_err_errno(err, "%s", remote_store_path(store, to));
	}
	if (s3_compose(s3_of(store), sources, pieces->count, to, err) < 0)
		return -1;
	/* The object is there; pieces that stay are removed with the tree they are in. */
	s3_pieces_discard(store, key, NULL);
	return 0;
}

int s3_piece_key(struct remote_store *store, const char *key, const struct remote_pieces *pieces,
		 size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err)
{
	(void)store;
	*ret_offset = 0;
	return piece_name(key, pieces->list[index].number, ret_key, err);
}

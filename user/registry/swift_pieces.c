// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unfinished objects in Swift, and how they become whole without being copied. The pieces of an object are
 * segments .shale/segments/ID/NUMBER, with an ID of their own by chance; the object PATH/.shale says which and
 * how long they are, since Swift's listings may be behind. A number is used once, so that no older version of a
 * segment can be read.
 *
 *	{"id": "...", "to": "...", "pieces": [[NUMBER, LENGTH], ...]}
 *
 * Committing writes "to" into it, puts a manifest of the segments at `to`, and removes it. So whoever finds
 * it later knows where to look whether the segments are in use. Called through the vtable of remote_store.h.
 */
#include "registry/swift.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "registry/sigv4.h"
#include "store/json.h"

/* 128 random bits in hex. */
#define ID_LEN 32
/* A pointer with as many pieces as an object may have stays below this. */
#define MAX_PIECES 10000
/* The manifest says of which segments it is. */
#define META_ID "x-object-meta-shale-segments"

static bool id_is_good(const char *id)
{
	return strlen(id) == ID_LEN && strspn(id, "0123456789abcdef") == ID_LEN;
}

int swift_segments_of(struct swift_store *store, const char *key, char ret_id[40],
		      struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(store, "HEAD", key);
	__cleanup_answer struct remote_answer answer = { 0 };
	struct shale_err why = { 0 };
	const char *id;

	ret_id[0] = '\0';
	swift_call_header(&call, "x-newest", "true");
	if (swift_call_run(&call, &answer, &why) < 0) {
		if (why.code == ENOENT)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	id = remote_answer_header(&answer, META_ID);
	if (id && id_is_good(id))
		memcpy(ret_id, id, ID_LEN + 1);
	return 0;
}

static int segments_key(const struct swift_store *store, const char *id, struct buf *ret_key,
			struct shale_err *err)
{
	if (buf_addf(ret_key, "%s" SWIFT_SEGMENTS "%s/", store->base.root, id) < 0)
		return shale_err_errno(err, "an object's segments");
	return 0;
}

static int remove_segment(void *ctx, const char *key, uint64_t size, int64_t mtime,
			  struct shale_err *err)
{
	struct shale_err why = { 0 };

	(void)size, (void)mtime;
	if (swift_remove(ctx, key, NULL, &why) == 0 || why.code == ENOENT)
		return 0;
	if (err)
		*err = why;
	return -1;
}

int swift_segments_remove(struct swift_store *store, const char *id, struct shale_err *err)
{
	struct remote_listing listing = { .is_deep = true };
	__cleanup_buf struct buf prefix = BUF_INIT;
	int ret;

	if (segments_key(store, id, &prefix, err) < 0)
		return -1;
	listing.prefix = buf_str(&prefix);
	ret = remote_list_pages(&store->base, &listing, remove_segment, &store->base, err);
	buf_release(&listing.marker);
	return ret;
}

static int segment_key(const struct swift_store *store, const char *id, uint64_t number,
		       struct buf *ret_key, struct shale_err *err)
{
	if (segments_key(store, id, ret_key, err) < 0)
		return -1;
	if (buf_addf(ret_key, "%016" PRIx64, number) < 0)
		return shale_err_errno(err, "an object's segments");
	return 0;
}

static int pointer_key(const char *key, struct buf *ret_key, struct shale_err *err)
{
	if (buf_addf(ret_key, "%s/" REMOTE_HIDDEN, key) < 0)
		return shale_err_errno(err, "%s", key);
	return 0;
}

static json_t *pointer_json(const struct remote_pieces *pieces, const char *to)
{
	json_t *root = json_pack("{s:s, s:s, s:[]}", "id", pieces->id, "to", to ? to : "", "pieces");
	json_t *list = json_object_get(root, "pieces");

	for (size_t i = 0; root && i < pieces->count; i++)
		if (json_array_append_new(list, json_pack("[I, I]", (json_int_t)pieces->list[i].number,
							  (json_int_t)pieces->list[i].len)) < 0) {
			json_decref(root);
			return NULL;
		}
	return root;
}

static int put_text(struct swift_store *store, const char *key, const char *text,
		    struct shale_err *err)
{
	const struct remote_body body = { .data = text, .fd = -1, .len = strlen(text) };

	return swift_put(&store->base, key, &body, NULL, NULL, err);
}

static int pointer_write(struct swift_store *store, const char *key,
			 const struct remote_pieces *pieces, const char *to, struct shale_err *err)
{
	__cleanup_json json_t *root = pointer_json(pieces, to);
	__cleanup_free char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	__cleanup_buf struct buf pointer = BUF_INIT;

	if (!text)
		return shale_err_set(err, ENOMEM, "%s: no memory for its pieces",
				     remote_store_path(&store->base, key));
	if (pointer_key(key, &pointer, err) < 0)
		return -1;
	return put_text(store, buf_str(&pointer), text, err);
}

static int pointer_remove(struct swift_store *store, const char *key, struct shale_err *err)
{
	__cleanup_buf struct buf pointer = BUF_INIT;

	if (pointer_key(key, &pointer, err) < 0)
		return -1;
	return remove_segment(&store->base, buf_str(&pointer), 0, 0, err);
}

static int read_piece(const json_t *item, struct remote_pieces *pieces, struct shale_err *err)
{
	json_int_t number = json_integer_value(json_array_get(item, 0));
	json_int_t len = json_integer_value(json_array_get(item, 1));
	const struct remote_piece piece = { .len = len, .number = number };
	uint64_t last = pieces->count ? pieces->list[pieces->count - 1].number + 1 : 0;

	if (len <= 0 || number < 0 || (uint64_t)number < last)
		return shale_err_set(err, EIO, "a piece's number or length is no good");
	return remote_pieces_add(pieces, &piece, err);
}

int swift_read_pointer(const struct buf *text, const char *what, struct remote_pieces *pieces,
		       struct buf *ret_to, struct shale_err *err)
{
	__cleanup_json json_t *root = NULL;
	const char *id, *to;
	json_t *list, *item;
	size_t i;

	if (json_parse_object(buf_str(text), text->len, what, &root, err) < 0 ||
	    json_get_text(root, "id", false, what, &id, err) < 0 ||
	    json_get_text(root, "to", false, what, &to, err) < 0 ||
	    json_get_array(root, "pieces", MAX_PIECES, false, what, &list, err) < 0)
		return -1;
	if (!id_is_good(id))
		return shale_err_set(err, EIO, "%s: its id is no good", what);
	memcpy(pieces->id, id, ID_LEN + 1);
	json_array_foreach(list, i, item)
		if (read_piece(item, pieces, err) < 0)
			return shale_err_wrap(err, "%s", what);
	return buf_adds(ret_to, to) < 0 ? shale_err_errno(err, "%s", what) : 0;
}

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

/* ENOENT when there is none. */
static int pointer_read(struct swift_store *store, const char *key, struct remote_pieces *pieces,
			struct buf *ret_to, struct shale_err *err)
{
	__cleanup(stream_closep) struct remote_stream *stream = NULL;
	__cleanup_buf struct buf pointer = BUF_INIT;
	__cleanup_buf struct buf text = BUF_INIT;
	struct remote_info info;
	char piece[4096];
	ssize_t got = 0;

	if (pointer_key(key, &pointer, err) < 0 ||
	    swift_open(&store->base, buf_str(&pointer), 0, true, &info, &stream, err) < 0)
		return -1;
	if (info.size > JSON_MAX_BYTES)
		return shale_err_set(err, EIO, "%s: larger than we write it",
				     remote_store_path(&store->base, buf_str(&pointer)));
	while (stream && (got = remote_stream_read(stream, piece, sizeof(piece), err)) > 0)
		if (buf_add(&text, piece, got) < 0)
			return shale_err_errno(err, "%s", key);
	if (got < 0)
		return -1;
	return swift_read_pointer(&text, remote_store_path(&store->base, buf_str(&pointer)), pieces, ret_to,
			    err);
}

/* 1: the segments are those of a finished object, and the pointer was left behind. */
static int is_committed(struct swift_store *store, const struct remote_pieces *pieces,
			const struct buf *to, struct shale_err *err)
{
	char id[40];

	if (!to->len)
		return 0;
	if (swift_segments_of(store, to->data, id, err) < 0)
		return -1;
	return !strcmp(id, pieces->id);
}

/* Segments by their names: a listing may not have the last ones yet. */
static int remove_pieces(struct swift_store *store, const char *id,
			 const struct remote_pieces *pieces, struct shale_err *err)
{
	for (size_t i = 0; i < pieces->count; i++) {
		__cleanup_buf struct buf name = BUF_INIT;

		if (segment_key(store, id, pieces->list[i].number, &name, err) < 0 ||
		    remove_segment(&store->base, buf_str(&name), 0, 0, err) < 0)
			return -1;
	}
	return 0;
}

int swift_pieces_load(struct remote_store *base, const char *key, struct remote_pieces *ret_pieces,
		      struct shale_err *err)
{
	struct swift_store *store = swift_of(base);
	__cleanup_buf struct buf to = BUF_INIT;
	int committed;

	if (pointer_read(store, key, ret_pieces, &to, err) < 0)
		return -1;
	committed = is_committed(store, ret_pieces, &to, err);
	if (committed <= 0)
		return committed;
	if (pointer_remove(store, key, err) < 0)
		return -1;
	return shale_err_set(err, ENOENT, "%s: has been finished", remote_store_path(base, key));
}

int swift_pieces_discard(struct remote_store *base, const char *key, struct shale_err *err)
{
	struct swift_store *store = swift_of(base);
	__cleanup_pieces struct remote_pieces pieces = { 0 };
	__cleanup_buf struct buf to = BUF_INIT;
	struct shale_err why = { 0 };
	int committed;

	if (pointer_read(store, key, &pieces, &to, &why) < 0) {
		if (why.code == ENOENT)
			return 0;
		if (err)
			*err = why;
		return -1;
	}
	committed = is_committed(store, &pieces, &to, err);
	if (committed < 0)
		return -1;
	if (!committed && (remove_pieces(store, pieces.id, &pieces, err) < 0 ||
			   swift_segments_remove(store, pieces.id, err) < 0))
		return -1;
	return pointer_remove(store, key, err);
}

static int make_id(struct remote_pieces *pieces, struct shale_err *err)
{
	uint64_t bits[2];

	if (pieces->id[0])
		return 0;
	if (getrandom(bits, sizeof(bits), 0) != sizeof(bits))
		return shale_err_errno(err, "getting random bits");
	snprintf(pieces->id, sizeof(pieces->id), "%016" PRIx64 "%016" PRIx64, bits[0], bits[1]);
	return 0;
}

int swift_pieces_put(struct remote_store *base, const char *key, struct remote_pieces *pieces,
		     const struct remote_body *body, const char *hash, struct shale_err *err)
{
	struct swift_store *store = swift_of(base);
	const bool is_new = !pieces->id[0];
	struct remote_piece piece = { .len = body->len };
	__cleanup_buf struct buf name = BUF_INIT;

	(void)hash;
	if (pieces->count)
		piece.number = pieces->list[pieces->count - 1].number + 1;
	/* The pointer first: a segment that it does not name yet is still below its id. */
	if (make_id(pieces, err) < 0 || (is_new && pointer_write(store, key, pieces, NULL, err) < 0))
		return -1;
	if (!body->len)
		return 0;
	if (pieces->count == MAX_PIECES)
		return shale_err_set(err, EFBIG, "%s: more than %d pieces",
				     remote_store_path(base, key), MAX_PIECES);
	if (segment_key(store, pieces->id, piece.number, &name, err) < 0 ||
	    swift_put(base, buf_str(&name), body, NULL, NULL, err) < 0 ||
	    remote_pieces_add(pieces, &piece, err) < 0)
		return -1;
	if (pointer_write(store, key, pieces, NULL, err) == 0)
		return 0;
	remote_pieces_drop(pieces, pieces->count - 1);
	return -1;
}

int swift_pieces_cut(struct remote_store *base, const char *key, struct remote_pieces *pieces,
		     size_t index, struct shale_err *err)
{
	struct swift_store *store = swift_of(base);
	__cleanup_pieces struct remote_pieces gone = { 0 };

	for (size_t i = index; i < pieces->count; i++)
		if (remote_pieces_add(&gone, &pieces->list[i], err) < 0)
			return -1;
	remote_pieces_drop(pieces, index);
	if (pointer_write(store, key, pieces, NULL, err) < 0)
		return -1;
	return remove_pieces(store, pieces->id, &gone, err);
}

/* One entry of a manifest: {"path": "/container/key", "size_bytes": n}. */
static int add_entry(const struct swift_store *store, json_t *list, const char *key, uint64_t len,
		     struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;
	json_t *entry;

	if (buf_addf(&path, "/%s/%s", store->container, key) < 0)
		return shale_err_errno(err, "%s", key);
	entry = len ? json_pack("{s:s, s:I}", "path", buf_str(&path), "size_bytes", (json_int_t)len)
		    : json_pack("{s:s}", "path", buf_str(&path));
	if (json_array_append_new(list, entry) < 0)
		return shale_err_set(err, ENOMEM, "no memory for a manifest");
	return 0;
}

static int put_manifest(struct swift_store *store, const char *key, const char *id, json_t *list,
			struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(store, "PUT", key);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_free char *text = json_dumps(list, JSON_COMPACT);

	if (!text)
		return shale_err_set(err, ENOMEM, "no memory for a manifest");
	call.body = (struct remote_body){ .data = text, .fd = -1, .len = strlen(text) };
	call.is_work = true;
	swift_call_param(&call, "multipart-manifest", "put");
	swift_call_header(&call, "content-type", "application/octet-stream");
	swift_call_header(&call, META_ID, id);
	return swift_call_run(&call, &answer, err);
}

static int segment_list(struct swift_store *store, const struct remote_pieces *pieces, size_t from,
			size_t to, json_t *list, struct shale_err *err)
{
	for (size_t i = from; i < to; i++) {
		__cleanup_buf struct buf name = BUF_INIT;

		if (segment_key(store, pieces->id, pieces->list[i].number, &name, err) < 0 ||
		    add_entry(store, list, buf_str(&name), pieces->list[i].len, err) < 0)
			return -1;
	}
	return 0;
}

/* Manifests of as many segments as one may have, and one of those. */
static int nested_list(struct swift_store *store, const struct remote_pieces *pieces, json_t *list,
		       struct shale_err *err)
{
	for (size_t from = 0; from < pieces->count; from += store->max_segments) {
		size_t to = from + store->max_segments < pieces->count ? from + store->max_segments
								       : pieces->count;
		__cleanup_json json_t *inner = json_array();
		__cleanup_buf struct buf name = BUF_INIT;

		if (!inner || buf_addf(&name, "%s" SWIFT_SEGMENTS "%s/m%zu", store->base.root, pieces->id, from) < 0)
			return shale_err_set(err, ENOMEM, "no memory for a manifest");
		if (segment_list(store, pieces, from, to, inner, err) < 0 ||
		    put_manifest(store, buf_str(&name), pieces->id, inner, err) < 0 ||
		    add_entry(store, list, buf_str(&name), 0, err) < 0)
			return -1;
	}
	return 0;
}

int swift_pieces_commit(struct remote_store *base, const char *key, struct remote_pieces *pieces,
			const char *to, struct shale_err *err)
{
	struct swift_store *store = swift_of(base);
	__cleanup_json json_t *list = json_array();
	char old[40];
	int ret;

	if (!list)
		return shale_err_set(err, ENOMEM, "no memory for a manifest");
	if (swift_segments_of(store, to, old, err) < 0 ||
	    pointer_write(store, key, pieces, to, err) < 0)
		return -1;
	ret = pieces->count > store->max_segments ? nested_list(store, pieces, list, err)
						  : segment_list(store, pieces, 0, pieces->count, list, err);
	if (ret < 0 || put_manifest(store, to, pieces->id, list, err) < 0)
		return -1;
	/* The object is there. What stays now is found again by its pointer, or costs room only. */
	if (old[0] && strcmp(old, pieces->id))
		swift_segments_remove(store, old, NULL);
	pointer_remove(store, key, NULL);
	return 0;
}

int swift_piece_key(struct remote_store *base, const char *key, const struct remote_pieces *pieces,
		    size_t index, struct buf *ret_key, uint64_t *ret_offset, struct shale_err *err)
{
	(void)key;
	*ret_offset = 0;
	return segment_key(swift_of(base), pieces->id, pieces->list[index].number, ret_key, err);
}

int swift_remove_hidden(struct remote_store *base, const char *key, struct shale_err *err)
{
	const char end[] = "/" REMOTE_HIDDEN;
	size_t len = strlen(key);
	__cleanup_free char *path = NULL;

	if (len < sizeof(end) || strcmp(key + len - sizeof(end) + 1, end))
		return swift_remove(base, key, NULL, err);
	path = strndup(key, len - sizeof(end) + 1);
	if (!path)
		return shale_err_errno(err, "%s", key);
	return swift_pieces_discard(base, path, err);
}

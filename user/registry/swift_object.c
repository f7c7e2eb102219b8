// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single objects of Swift, lists of them, and signed URLs; the calls of remote_store.h. Large objects are
 * removed with their segments, dynamic ones too, which distribution's driver wrote. Called through the vtable,
 * and by swift_pieces.c.
 */
#include "registry/swift.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

/* The longest text of a link: "sha512:" and its digits. */
#define LINK_MAX 135

/* A HEAD whose answer is wanted; asks all copies for the newest. */
static int head_answer(struct swift_store *swift, const char *key, struct remote_info *ret_info,
		       struct remote_answer *ret_answer, struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "HEAD", key);

	swift_call_header(&call, "x-newest", "true");
	if (swift_call_run(&call, ret_answer, err) < 0)
		return -1;
	return swift_answer_info(&call, ret_answer, ret_info, err);
}

int swift_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	       struct shale_err *err)
{
	__cleanup_answer struct remote_answer answer = { 0 };

	return head_answer(swift_of(store), key, ret_info, &answer, err);
}

/* No byte is there: fine at the end. */
static int open_end(struct remote_store *store, const char *key, uint64_t offset,
		    struct remote_info *ret_info, struct shale_err *err)
{
	if (swift_head(store, key, ret_info, err) < 0)
		return -1;
	if (offset == ret_info->size)
		return 0;
	return shale_err_set(err, EINVAL, "%s: has no byte %llu", remote_store_path(store, key),
			     (unsigned long long)offset);
}

static void call_free(void *ctx)
{
	swift_call_end(ctx);
	free(ctx);
}

static void call_freep(struct swift_call **call)
{
	if (*call)
		call_free(*call);
}

int swift_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	       struct remote_info *ret_info, struct remote_stream **ret_stream,
	       struct shale_err *err)
{
	/* It gives what the stream asks for a token, as long as that lives. */
	__cleanup(call_freep) struct swift_call *call = malloc(sizeof(*call));
	__cleanup_answer struct remote_answer answer = { 0 };
	struct swift_call *ours = call;
	struct remote_call http;
	uint64_t size = 0;

	if (!call)
		return shale_err_errno(err, "%s", remote_store_path(store, key));
	*call = (struct swift_call)SWIFT_CALL(swift_of(store), "GET", key);
	swift_call_header(call, "x-newest", is_newest ? "true" : NULL);
	if (swift_call_begin(call, &http, err) < 0)
		return -1;
	http.free_ctx = call_free;
	if (remote_stream_open(store->remote, &http, offset, &answer, &size, ret_stream, err) < 0)
		return -1;
	if (!*ret_stream && answer.status == 416)
		return open_end(store, key, offset, ret_info, err);
	if (!*ret_stream)
		return swift_answer_fail(call, &answer, err);
	steal_ptr(call);
	if (swift_answer_info(ours, &answer, ret_info, err) < 0) {
		remote_stream_close(steal_ptr(*ret_stream));
		return -1;
	}
	ret_info->size = size;
	return 0;
}

int swift_put(struct remote_store *store, const char *key, const struct remote_body *body,
	      const char *hash, const struct remote_when *when, struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift_of(store), "PUT", key);
	__cleanup_answer struct remote_answer answer = { 0 };
	char old[40] = "";

	(void)hash;
	/* What is longer than a link may replace what was written in pieces, unless it is a piece itself. */
	if (body->len > LINK_MAX && !remote_key_is_hidden(key) &&
	    swift_segments_of(swift_of(store), key, old, err) < 0)
		return -1;
	call.body = *body;
	call.is_once = when != NULL;
	swift_call_header(&call, "content-type", "application/octet-stream");
	if (when && when->etag)
		return shale_err_set(err, ENOTSUP, "%s: Swift cannot compare ETags when it writes",
				     remote_store_path(store, key));
	if (when && when->is_absent)
		swift_call_header(&call, "if-none-match", "*");
	if (swift_call_run(&call, &answer, err) < 0)
		return -1;
	if (old[0])
		swift_segments_remove(swift_of(store), old, NULL);
	return 0;
}

/* {"Number Deleted": 3, "Response Status": "200 OK", ...}: a status within one of 200. */
static int read_report(const struct remote_answer *answer, const char *what, struct shale_err *err)
{
	__cleanup_json json_t *root = NULL;
	const char *status;

	if (json_parse_object(buf_str(&answer->body), answer->body.len, what, &root, err) < 0)
		return -1;
	status = json_string_value(json_object_get(root, "Response Status"));
	if (status && !strncmp(status, "200", 3))
		return 0;
	return shale_err_set(err, EIO, "%s: its segments were not removed: %.100s", what,
			     status ? status : "no status");
}

static int remove_static(struct swift_store *swift, const char *key, struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "DELETE", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	call.is_work = true;
	swift_call_param(&call, "multipart-manifest", "delete");
	swift_call_header(&call, "accept", "application/json");
	if (swift_call_run(&call, &answer, err) < 0)
		return -1;
	return read_report(&answer, buf_str(&call.what), err);
}

static int remove_plain(struct swift_store *swift, const char *key, bool is_once,
			struct shale_err *err)
{
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "DELETE", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	call.is_once = is_once;
	return swift_call_run(&call, &answer, err);
}

static int remove_key(void *ctx, const char *key, uint64_t size, int64_t mtime,
		      struct shale_err *err)
{
	struct shale_err why = { 0 };

	(void)size, (void)mtime;
	if (remove_plain(ctx, key, false, &why) == 0 || why.code == ENOENT)
		return 0;
	if (err)
		*err = why;
	return -1;
}

/* "container/prefix", encoded, of a dynamic large object. Segments elsewhere are not ours to remove. */
static int remove_dynamic(struct swift_store *swift, const char *manifest, struct shale_err *err)
{
	struct remote_listing listing = { .is_deep = true };
	size_t len = strlen(swift->container);
	const char *prefix = manifest + len + 1;
	int ret;

	if (strncmp(manifest, swift->container, len) || manifest[len] != '/' || strchr(prefix, '%') ||
	    strncmp(prefix, swift->dynamic_root, strlen(swift->dynamic_root)))
		return 0;
	listing.prefix = prefix;
	ret = remote_list_pages(&swift->base, &listing, remove_key, swift, err);
	buf_release(&listing.marker);
	return ret;
}

static bool is_true(const char *text)
{
	return text && !strcasecmp(text, "true");
}

int swift_remove(struct remote_store *store, const char *key, const struct remote_when *when,
		 struct shale_err *err)
{
	__cleanup_answer struct remote_answer answer = { 0 };
	struct swift_store *swift = swift_of(store);
	__cleanup_free char *manifest = NULL;
	struct remote_info info;
	const char *text;

	if (when && when->etag)
		return shale_err_set(err, ENOTSUP, "%s: Swift cannot compare ETags when it removes",
				     remote_store_path(store, key));
	if (when)
		return remove_plain(swift, key, true, err);
	if (head_answer(swift, key, &info, &answer, err) < 0)
		return -1;
	if (is_true(remote_answer_header(&answer, "x-static-large-object")))
		return remove_static(swift, key, err);
	text = remote_answer_header(&answer, "x-object-manifest");
	if (text && !(manifest = strdup(text)))
		return shale_err_errno(err, "%s", key);
	if (remove_plain(swift, key, false, err) < 0)
		return -1;
	return manifest ? remove_dynamic(swift, manifest, err) : 0;
}

/* Of a large object only the manifest goes; its segments stay where they are. */
int swift_move(struct remote_store *store, const char *from, const char *to, struct shale_err *err)
{
	struct swift_store *swift = swift_of(store);
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "PUT", to);
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_buf struct buf source = BUF_INIT;
	char old[40], own[40];

	if (swift_segments_of(swift, from, own, err) < 0 || swift_segments_of(swift, to, old, err) < 0)
		return -1;
	if (buf_addc(&source, '/') < 0 || remote_url_encode(&source, swift->container, false) < 0 ||
	    buf_addc(&source, '/') < 0 || remote_url_encode(&source, from, true) < 0)
		return shale_err_errno(err, "%s", from);
	call.is_work = true;
	swift_call_param(&call, "multipart-manifest", own[0] ? "get" : NULL);
	swift_call_header(&call, "x-copy-from", buf_str(&source));
	if (swift_call_run(&call, &answer, err) < 0 ||
	    (own[0] ? remove_plain(swift, from, false, err) : swift_remove(store, from, NULL, err)) < 0)
		return -1;
	if (old[0] && strcmp(old, own))
		swift_segments_remove(swift, old, NULL);
	return 0;
}

static int64_t parse_time(const char *text)
{
	struct tm tm = { 0 };
	time_t time = text && strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : -1;

	return time < 0 ? 0 : time;
}

static int report_item(const struct remote_listing *listing, const json_t *item,
		       remote_key_fn each, void *ctx, const char **ret_name, struct shale_err *err)
{
	const char *name = json_string_value(json_object_get(item, "subdir"));
	const json_t *bytes = json_object_get(item, "bytes");

	if (!name)
		name = json_string_value(json_object_get(item, "name"));
	if (!name)
		return shale_err_set(err, EIO, "listing objects: Swift sends an entry without a name");
	*ret_name = name;
	if (strncmp(name, listing->prefix, strlen(listing->prefix)))
		return 0;
	return each(ctx, name, json_integer_value(bytes) < 0 ? 0 : json_integer_value(bytes),
		    parse_time(json_string_value(json_object_get(item, "last_modified"))), err);
}

int swift_read_page(struct remote_listing *listing, unsigned int page_size, const struct buf *body,
		    remote_key_fn each, void *ctx, struct shale_err *err)
{
	__cleanup_json json_t *root = NULL;
	const char *last = NULL;
	const json_t *item;
	size_t i;

	/* 204: nothing. */
	if (body->len && json_parse_array(body->data, body->len, "listing objects: Swift's answer", &root,
					  err) < 0)
		return -1;
	json_array_foreach(root, i, item)
		if (report_item(listing, item, each, ctx, &last, err) < 0)
			return -1;
	listing->is_last = json_array_size(root) < page_size;
	buf_clear(&listing->marker);
	if (last && buf_adds(&listing->marker, last) < 0)
		return shale_err_errno(err, "listing objects");
	return 0;
}

int swift_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	       void *ctx, struct shale_err *err)
{
	struct swift_store *swift = swift_of(store);
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "GET", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	char limit[16];

	snprintf(limit, sizeof(limit), "%u", swift->base.page);
	call.max = JSON_MAX_BYTES;
	swift_call_param(&call, "format", "json");
	swift_call_param(&call, "limit", limit);
	swift_call_param(&call, "prefix", listing->prefix);
	swift_call_param(&call, "delimiter", listing->is_deep ? NULL : "/");
	swift_call_param(&call, "marker",
			 listing->marker.len ? buf_str(&listing->marker) : listing->after);
	if (swift_call_run(&call, &answer, err) < 0) {
		if (err && err->code == ENOENT)
			err->code = EIO;
		return -1;
	}
	return swift_read_page(listing, store->page, &answer.body, each, ctx, err);
}

/* tempurl's: HMAC-SHA256 over method, time and path, which is not encoded. A GET's is good for a HEAD too. */
int swift_link(struct remote_store *store, const char *key, const char *method,
	       unsigned int seconds, struct buf *url, struct shale_err *err)
{
	struct swift_store *swift = swift_of(store);
	__cleanup_swift_call struct swift_call call = SWIFT_CALL(swift, "GET", key);
	__cleanup_buf struct buf text = BUF_INIT;
	struct swift_session session;
	struct remote_call http;
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	long long until = time(NULL) + seconds;

	(void)method;
	if (!swift->link_key)
		return 0;
	if (swift_session_get(swift, &session, err) < 0 || swift_call_begin(&call, &http, err) < 0)
		return -1;
	if (buf_addf(&text, "GET\n%lld\n%s/%s/%s", until, session.url.path, swift->container, key) < 0 ||
	    !HMAC(EVP_sha256(), swift->link_key, strlen(swift->link_key),
		  (const unsigned char *)text.data, text.len, sum, &len) ||
	    buf_addf(url, "%s?temp_url_expires=%lld&temp_url_sig=", http.url, until) < 0)
		return shale_err_set(err, ENOMEM, "%s: no memory for a signed URL", http.what);
	for (unsigned int i = 0; i < len; i++)
		if (buf_addf(url, "%02x", sum[i]) < 0)
			return shale_err_errno(err, "%s", http.what);
	return 1;
}

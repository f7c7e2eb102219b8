// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single objects of S3, lists of them, and links; the calls of remote_store.h. Called through its vtable,
 * and by s3_multipart.c.
 */
#include "registry/s3.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_xml.h"

int s3_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	    struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(s3_of(store), "HEAD", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	if (s3_call_run(&call, &answer, err) < 0)
		return -1;
	return s3_answer_info(&call, &answer, ret_info, err);
}

/* No byte is there: fine at the end, which a 416 does not always say. */
static int open_end(struct remote_store *store, const char *key, uint64_t offset,
		    struct remote_info *ret_info, struct shale_err *err)
{
	if (s3_head(store, key, ret_info, err) < 0)
		return -1;
	if (offset == ret_info->size)
		return 0;
	return shale_err_set(err, EINVAL, "%s: has no byte %llu", remote_store_path(store, key),
			     (unsigned long long)offset);
}

static void call_free(void *ctx)
{
	s3_call_end(ctx);
	free(ctx);
}

static void call_freep(struct s3_call **call)
{
	if (*call)
		call_free(*call);
}

int s3_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	    struct remote_info *ret_info, struct remote_stream **ret_stream, struct shale_err *err)
{
	/* It signs what the stream asks for, as long as that lives. */
	__cleanup(call_freep) struct s3_call *call = malloc(sizeof(*call));
	__cleanup_answer struct remote_answer answer = { 0 };
	struct s3_call *ours = call;
	struct remote_call http;
	uint64_t size = 0;

	/* S3 gives the newest always. */
	(void)is_newest;
	if (!call)
		return shale_err_errno(err, "%s", remote_store_path(store, key));
	*call = (struct s3_call)S3_CALL(s3_of(store), "GET", key);
	if (s3_call_begin(call, &http, err) < 0)
		return -1;
	http.free_ctx = call_free;
	if (remote_stream_open(store->remote, &http, offset, &answer, &size, ret_stream, err) < 0)
		return -1;
	if (!*ret_stream && answer.status == 416)
		return open_end(store, key, offset, ret_info, err);
	if (!*ret_stream)
		return s3_answer_fail(call, &answer, err);
	steal_ptr(call);
	if (s3_answer_info(ours, &answer, ret_info, err) < 0) {
		remote_stream_close(steal_ptr(*ret_stream));
		return -1;
	}
	ret_info->size = size;
	return 0;
}

int s3_put(struct remote_store *store, const char *key, const struct remote_body *body,
	   const char *hash, const struct remote_when *when, struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(s3_of(store), "PUT", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	call.body = *body;
	call.hash = hash;
	s3_call_header(&call, "content-type", "application/octet-stream");
	s3_call_for_writing(&call);
	s3_call_when(&call, when);
	return s3_call_run(&call, &answer, err);
}

int s3_remove(struct remote_store *store, const char *key, const struct remote_when *when,
	      struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(s3_of(store), "DELETE", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	s3_call_when(&call, when);
	return s3_call_run(&call, &answer, err);
}

/* A page of a list, while it is read. */
struct page {
	remote_key_fn each;
	void *ctx;
	struct remote_listing *listing;
	struct buf key;
	uint64_t size;
	int64_t mtime;
	bool is_truncated;
	struct buf token;
};

static void page_release(struct page *page)
{
	buf_release(&page->key);
	buf_release(&page->token);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 32) >= 'a' && (c | 32) <= 'f')
		return (c | 32) - 'a' + 10;
	return -1;
}

/* encoding-type=url: XML could not say all keys. Some stores write a space as a plus. */
static int add_decoded(struct buf *buf, const char *text, struct shale_err *err)
{
	buf_clear(buf);
	for (; *text; text++) {
		int high = *text == '%' ? hex_digit(text[1]) : -1;
		int low = high >= 0 ? hex_digit(text[2]) : -1;
		char c = *text == '+' ? ' ' : *text;

		if (*text == '%' && (low < 0 || !(high | low)))
			return shale_err_set(err, EIO, "listing objects: S3 sends a key that is not encoded");
		if (*text == '%') {
			c = high << 4 | low;
			text += 2;
		}
		if (buf_addc(buf, c) < 0)
			return shale_err_errno(err, "listing objects");
	}
	return 0;
}

static int page_object(struct page *page, struct shale_err *err)
{
	const char *key = buf_str(&page->key);
	int ret = 0;

	/* What does not begin with the prefix was not asked for. */
	if (!strncmp(key, page->listing->prefix, strlen(page->listing->prefix)))
		ret = page->each(page->ctx, key, page->size, page->mtime, err);
	buf_clear(&page->key);
	page->size = 0;
	page->mtime = 0;
	return ret;
}

static int take_element(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct page *page = ctx;

	if (!strcmp(path, "ListBucketResult/Contents/Key") ||
	    !strcmp(path, "ListBucketResult/CommonPrefixes/Prefix"))
		return add_decoded(&page->key, text, err);
	if (!strcmp(path, "ListBucketResult/Contents/Size"))
		page->size = strtoull(text, NULL, 10);
	else if (!strcmp(path, "ListBucketResult/Contents/LastModified"))
		page->mtime = s3_parse_time(text);
	else if (!strcmp(path, "ListBucketResult/IsTruncated"))
		page->is_truncated = !strcmp(text, "true");
	else if (!strcmp(path, "ListBucketResult/NextContinuationToken")) {
		buf_clear(&page->token);
		if (buf_adds(&page->token, text) < 0)
			return shale_err_errno(err, "listing objects");
	} else if (!strcmp(path, "ListBucketResult/Contents") ||
		   !strcmp(path, "ListBucketResult/CommonPrefixes"))
		return page_object(page, err);
	return 0;
}

int s3_read_page(struct remote_listing *listing, const void *data, size_t len, remote_key_fn each,
		 void *ctx, struct shale_err *err)
{
	__cleanup(page_release) struct page page = { .each = each, .ctx = ctx, .listing = listing };

	if (remote_xml_read(data, len, "listing objects", take_element, &page, err) < 0)
		return -1;
	listing->is_last = !page.is_truncated;
	buf_release(&listing->marker);
	listing->marker = page.token;
	page.token = (struct buf)BUF_INIT;
	return 0;
}

int s3_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	    void *ctx, struct shale_err *err)
{
	__cleanup_s3_call struct s3_call call = S3_CALL(s3_of(store), "GET", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	char page_size[16];

	snprintf(page_size, sizeof(page_size), "%u", store->page);
	call.max = REMOTE_XML_MAX_BYTES;
	s3_call_param(&call, "list-type", "2");
	s3_call_param(&call, "encoding-type", "url");
	s3_call_param(&call, "max-keys", page_size);
	s3_call_param(&call, "prefix", listing->prefix);
	s3_call_param(&call, "delimiter", listing->is_deep ? NULL : "/");
	if (listing->marker.len)
		s3_call_param(&call, "continuation-token", buf_str(&listing->marker));
	else
		s3_call_param(&call, "start-after", listing->after);
	if (s3_call_run(&call, &answer, err) < 0) {
		/* A list is never missing: the bucket is. */
		if (err && err->code == ENOENT)
			shale_err_set(err, EIO, "S3 has no bucket '%s'", s3_of(store)->bucket);
		return -1;
	}
	return s3_read_page(listing, buf_str(&answer.body), answer.body.len, each, ctx, err);
}

int s3_link(struct remote_store *store, const char *key, const char *method, unsigned int seconds,
	    struct buf *url, struct shale_err *err)
{
	struct s3_store *s3 = s3_of(store);
	const struct sigv4_creds creds = { s3->access_key, s3->secret_key, s3->region, "s3" };
	const struct url_param token = { "X-Amz-Security-Token", s3->session_token };
	__cleanup_s3_call struct s3_call call = S3_CALL(s3, method, key);
	__cleanup_buf struct buf query = BUF_INIT;
	struct remote_call http;

	if (s3_call_begin(&call, &http, err) < 0)
		return -1;
	const struct sigv4_link link = {
		.method = method,
		.host = s3->url.host,
		.path = buf_str(&call.path),
		.params = &token,
		.param_count = s3->session_token != NULL,
		.expires = seconds < SIGV4_MAX_EXPIRES ? seconds : SIGV4_MAX_EXPIRES,
		.when = time(NULL),
	};
	if (sigv4_presign(&creds, &link, &query, err) < 0)
		return -1;
	if (buf_addf(url, "%s?%s", buf_str(&call.url), buf_str(&query)) < 0)
		return shale_err_errno(err, "%s", http.what);
	return 1;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Single blobs of Azure, lists of them, and signed URLs; the calls of remote_store.h. Called through its
 * vtable, and by azure_pieces.c.
 */
#include "registry/azure.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/remote_xml.h"

/* The version of the signature of URLs, which has its own fields. */
#define LINK_VERSION "2018-11-09"
/* An answer with a copy's id and state. */
#define MAX_COPY_ID 128

/* A copy that is not finished is no object yet. */
static int no_object(struct remote_store *store, const char *key, struct shale_err *err)
{
	return shale_err_set(err, ENOENT, "%s: no such object", remote_store_path(store, key));
}

int azure_head(struct remote_store *store, const char *key, struct remote_info *ret_info,
	       struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure_of(store), "HEAD", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	if (azure_call_run(&call, &answer, err) < 0)
		return -1;
	if (azure_answer_is_partial(&answer))
		return no_object(store, key, err);
	return azure_answer_info(&call, &answer, ret_info, err);
}

/* No byte is there: fine at the end. */
static int open_end(struct remote_store *store, const char *key, uint64_t offset,
		    struct remote_info *ret_info, struct shale_err *err)
{
	if (azure_head(store, key, ret_info, err) < 0)
		return -1;
	if (offset == ret_info->size)
		return 0;
	return shale_err_set(err, EINVAL, "%s: has no byte %llu", remote_store_path(store, key),
			     (unsigned long long)offset);
}

static void call_free(void *ctx)
{
	azure_call_end(ctx);
	free(ctx);
}

static void call_freep(struct azure_call **call)
{
	if (*call)
		call_free(*call);
}

static int check_opened(struct azure_call *call, const struct remote_answer *answer,
			struct remote_info *ret_info, struct shale_err *err)
{
	if (azure_answer_is_partial(answer))
		return no_object(&call->store->base, call->key, err);
	return azure_answer_info(call, answer, ret_info, err);
}

int azure_open(struct remote_store *store, const char *key, uint64_t offset, bool is_newest,
	       struct remote_info *ret_info, struct remote_stream **ret_stream,
	       struct shale_err *err)
{
	/* It signs what the stream asks for, as long as that lives. */
	__cleanup(call_freep) struct azure_call *call = malloc(sizeof(*call));
	__cleanup_answer struct remote_answer answer = { 0 };
	struct azure_call *ours = call;
	struct remote_call http;
	uint64_t size = 0;

	/* Azure gives the newest always. */
	(void)is_newest;
	if (!call)
		return shale_err_errno(err, "%s", remote_store_path(store, key));
	*call = (struct azure_call)AZURE_CALL(azure_of(store), "GET", key);
	if (azure_call_begin(call, &http, err) < 0)
		return -1;
	http.free_ctx = call_free;
	if (remote_stream_open(store->remote, &http, offset, &answer, &size, ret_stream, err) < 0)
		return -1;
	if (!*ret_stream && answer.status == 416)
		return open_end(store, key, offset, ret_info, err);
	if (!*ret_stream)
		return azure_answer_fail(call, &answer, err);
	steal_ptr(call);
	if (check_opened(ours, &answer, ret_info, err) < 0) {
		remote_stream_close(steal_ptr(*ret_stream));
		return -1;
	}
	ret_info->size = size;
	return 0;
}

int azure_put(struct remote_store *store, const char *key, const struct remote_body *body,
	      const char *hash, const struct remote_when *when, struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure_of(store), "PUT", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	(void)hash;
	call.body = *body;
	azure_call_header(&call, "x-ms-blob-type", "BlockBlob");
	azure_call_header(&call, "content-type", "application/octet-stream");
	azure_call_when(&call, when);
	return azure_call_run(&call, &answer, err);
}

int azure_remove(struct remote_store *store, const char *key, const struct remote_when *when,
		 struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure_of(store), "DELETE", key);
	__cleanup_answer struct remote_answer answer = { 0 };

	azure_call_header(&call, "x-ms-delete-snapshots", "include");
	azure_call_when(&call, when);
	return azure_call_run(&call, &answer, err);
}

/* How a copy stands: 1 it is done, 0 it goes on, -1 it has failed. */
static int copy_state(const struct remote_answer *answer, const char *what, struct shale_err *err)
{
	const char *status = remote_answer_header(answer, "x-ms-copy-status");
	const char *why = remote_answer_header(answer, "x-ms-copy-status-description");

	if (!status)
		return shale_err_set(err, EIO, "%s: Azure does not say how its copy stands", what);
	if (!strcmp(status, "success"))
		return 1;
	if (!strcmp(status, "pending"))
		return 0;
	return shale_err_set(err, EIO, "%s: Azure's copy is %s: %s", what, status, why ? why : "");
}

static int copy_wait(struct azure_store *store, const char *to, struct shale_err *err)
{
	const struct timespec pause = { store->poll_ms / 1000, store->poll_ms % 1000 * 1000000l };
	int state = 0;

	for (unsigned int i = 0; !state && i < store->poll_count; i++) {
		__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "HEAD", to);
		__cleanup_answer struct remote_answer answer = { 0 };

		nanosleep(&pause, NULL);
		if (azure_call_run(&call, &answer, err) < 0)
			return -1;
		state = copy_state(&answer, buf_str(&call.what), err);
	}
	if (!state)
		shale_err_set(err, EAGAIN, "%s: Azure's copy takes longer than %u seconds",
			      remote_store_path(&store->base, to), store->poll_count * store->poll_ms / 1000);
	return state == 1 ? 0 : -1;
}

static void copy_abort(struct azure_store *store, const char *to, const char *id)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "PUT", to);
	__cleanup_answer struct remote_answer answer = { 0 };

	azure_call_param(&call, "comp", "copy");
	azure_call_param(&call, "copyid", id);
	azure_call_header(&call, "x-ms-copy-action", "abort");
	azure_call_run(&call, &answer, NULL);
	/* It leaves an empty blob. */
	azure_remove(&store->base, to, NULL, NULL);
}

static int copy_blob(struct azure_store *store, const char *from, const char *to,
		     struct shale_err *err)
{
	__cleanup_azure_call struct azure_call source = AZURE_CALL(store, "GET", from);
	__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "PUT", to);
	__cleanup_answer struct remote_answer answer = { 0 };
	char id[MAX_COPY_ID] = "";
	struct remote_call http;
	const char *text;
	int state;

	if (azure_call_begin(&source, &http, err) < 0)
		return -1;
	azure_call_header(&call, "x-ms-copy-source", http.url);
	if (azure_call_run(&call, &answer, err) < 0)
		return -1;
	text = remote_answer_header(&answer, "x-ms-copy-id");
	if (text && strlen(text) < sizeof(id))
		memcpy(id, text, strlen(text) + 1);
	state = copy_state(&answer, buf_str(&call.what), err);
	if (state)
		return state < 0 ? -1 : 0;
	if (copy_wait(store, to, err) == 0)
		return 0;
	copy_abort(store, to, id);
	return -1;
}

int azure_move(struct remote_store *store, const char *from, const char *to, struct shale_err *err)
{
	if (copy_blob(azure_of(store), from, to, err) < 0)
		return -1;
	return azure_remove(store, from, NULL, err);
}

struct page {
	remote_key_fn each;
	void *ctx;
	struct remote_listing *listing;
	struct buf name;
	uint64_t size;
	int64_t mtime;
	struct buf marker;
};

static void page_release(struct page *page)
{
	buf_release(&page->name);
	buf_release(&page->marker);
}

static int keep_text(struct buf *buf, const char *text, struct shale_err *err)
{
	buf_clear(buf);
	return buf_adds(buf, text) < 0 ? shale_err_errno(err, "listing objects") : 0;
}

static int page_entry(struct page *page, struct shale_err *err)
{
	const char *name = buf_str(&page->name);
	int ret = 0;

	if (!strncmp(name, page->listing->prefix, strlen(page->listing->prefix)))
		ret = page->each(page->ctx, name, page->size, page->mtime, err);
	buf_clear(&page->name);
	page->size = 0;
	page->mtime = 0;
	return ret;
}

#define BLOBS "EnumerationResults/Blobs/"

static int take_element(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct page *page = ctx;
	time_t time;

	if (!strcmp(path, BLOBS "Blob/Name") || !strcmp(path, BLOBS "BlobPrefix/Name"))
		return keep_text(&page->name, text, err);
	if (!strcmp(path, "EnumerationResults/NextMarker"))
		return keep_text(&page->marker, text, err);
	if (!strcmp(path, BLOBS "Blob") || !strcmp(path, BLOBS "BlobPrefix"))
		return page_entry(page, err);
	if (!strcmp(path, BLOBS "Blob/Properties/Content-Length"))
		page->size = strtoull(text, NULL, 10);
	if (!strcmp(path, BLOBS "Blob/Properties/Last-Modified")) {
		time = curl_getdate(text, NULL);
		page->mtime = time < 0 ? 0 : time;
	}
	return 0;
}

int azure_read_page(struct remote_listing *listing, const void *data, size_t len,
		    remote_key_fn each, void *ctx, struct shale_err *err)
{
	__cleanup(page_release) struct page page = { .each = each, .ctx = ctx, .listing = listing };

	if (remote_xml_read(data, len, "listing objects", take_element, &page, err) < 0)
		return -1;
	listing->is_last = !page.marker.len;
	buf_release(&listing->marker);
	listing->marker = page.marker;
	page.marker = (struct buf)BUF_INIT;
	return 0;
}

int azure_list(struct remote_store *store, struct remote_listing *listing, remote_key_fn each,
	       void *ctx, struct shale_err *err)
{
	__cleanup_azure_call struct azure_call call = AZURE_CALL(azure_of(store), "GET", NULL);
	__cleanup_answer struct remote_answer answer = { 0 };
	char page_size[16];

	snprintf(page_size, sizeof(page_size), "%u", store->page);
	call.max = REMOTE_XML_MAX_BYTES;
	azure_call_param(&call, "restype", "container");
	azure_call_param(&call, "comp", "list");
	azure_call_param(&call, "maxresults", page_size);
	azure_call_param(&call, "prefix", listing->prefix[0] ? listing->prefix : NULL);
	azure_call_param(&call, "delimiter", listing->is_deep ? NULL : "/");
	azure_call_param(&call, "marker", listing->marker.len ? buf_str(&listing->marker) : NULL);
	if (azure_call_run(&call, &answer, err) < 0) {
		if (err && err->code == ENOENT)
			err->code = EIO;
		return -1;
	}
	return azure_read_page(listing, buf_str(&answer.body), answer.body.len, each, ctx, err);
}

/* What a service SAS for one blob signs: 15 fields, most of them empty. */
static int link_text(const struct azure_store *store, const char *key, const char *until,
		     struct buf *text, struct shale_err *err)
{
	const char *protocol = store->url.is_tls ? "https" : "https,http";

	if (buf_addf(text, "r\n\n%s\n/blob/%s/%s/%s\n\n\n%s\n" LINK_VERSION "\nb\n\n\n\n\n\n", until,
		     store->account, store->container, key, protocol) < 0)
		return shale_err_errno(err, "%s", key);
	return 0;
}

int azure_link(struct remote_store *base, const char *key, const char *method,
	       unsigned int seconds, struct buf *url, struct shale_err *err)
{
	struct azure_store *store = azure_of(base);
	__cleanup_azure_call struct azure_call call = AZURE_CALL(store, "GET", key);
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_buf struct buf query = BUF_INIT;
	char signature[AZURE_SIGNATURE];
	time_t end = time(NULL) + seconds;
	struct remote_call http;
	char until[32];
	struct tm tm;

	(void)method;
	gmtime_r(&end, &tm);
	strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (azure_call_begin(&call, &http, err) < 0 || link_text(store, key, until, &text, err) < 0 ||
	    azure_sign(store, &text, signature, err) < 0)
		return -1;
	const struct url_param params[] = {
		{ "sv", LINK_VERSION }, { "sr", "b" }, { "sp", "r" }, { "se", until },
		{ "spr", store->url.is_tls ? "https" : "https,http" }, { "sig", signature },
	};
	if (remote_url_query(&query, params, sizeof(params) / sizeof(*params)) < 0 ||
	    buf_addf(url, "%s?%s", http.url, buf_str(&query)) < 0)
		return shale_err_errno(err, "%s", http.what);
	return 1;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to Azure's blobs: their URL, their signature (SharedKey), and what the answers mean; see azure.h.
 * The signature is described in "Authorize with Shared Key". Called by azure_object.c, azure_pieces.c and
 * drv_azure.c.
 */
#include "registry/azure.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_xml.h"

/* What is asked for in this version is answered the same way for ever. */
#define AZURE_VERSION "2020-10-02"
/* Azure takes requests that are at most 15 minutes old. */
#define CLOCK_SECONDS (14 * 60)
/* "Thu, 26 Nov 2026 12:00:00 GMT" */
#define HTTP_DATE 32

void azure_call_param(struct azure_call *call, const char *name, const char *value)
{
	assert(call->param_count < REMOTE_MAX_PARAMS);
	if (value)
		call->params[call->param_count++] = (struct url_param){ name, value };
}

void azure_call_header(struct azure_call *call, const char *name, const char *value)
{
	assert(call->header_count < AZURE_MAX_HEADERS);
	if (value)
		call->headers[call->header_count++] = (struct azure_header){ name, value };
}

void azure_call_when(struct azure_call *call, const struct remote_when *when)
{
	if (!when)
		return;
	call->is_once = true;
	azure_call_header(call, "if-none-match", when->is_absent ? "*" : NULL);
	azure_call_header(call, "if-match", when->etag);
}

int azure_sign(const struct azure_store *store, const struct buf *text,
	       char ret_signature[AZURE_SIGNATURE], struct shale_err *err)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = sizeof(sum);

	if (!HMAC(EVP_sha256(), store->key, store->key_len, (const unsigned char *)buf_str(text),
		  text->len, sum, &len))
		return shale_err_set(err, ENOMEM, "libcrypto gives no HMAC");
	EVP_EncodeBlock((unsigned char *)ret_signature, sum, len);
	return 0;
}

/* English whatever the locale is. */
static void http_date(time_t when, char ret_date[HTTP_DATE])
{
	static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	gmtime_r(&when, &tm);
	snprintf(ret_date, HTTP_DATE, "%s, %02d %s %d %02d:%02d:%02d GMT", days[tm.tm_wday],
		 tm.tm_mday, months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min,
		 tm.tm_sec);
}

/* A header of the request by its name, "" where it has none. */
static const char *value_of(const struct remote_headers *headers, const char *name)
{
	const char *value = remote_headers_find(headers, name);

	return value ? value : "";
}

/* Signed in this order, by their values alone. */
static const char *const plain_headers[] = {
	"content-encoding", "content-language", NULL /* content-length */, "content-md5", "content-type",
	"date", "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range",
};

static int add_plain(const struct azure_call *call, const struct remote_headers *headers,
		     struct buf *text)
{
	for (size_t i = 0; i < sizeof(plain_headers) / sizeof(*plain_headers); i++) {
		if (plain_headers[i] ? buf_addf(text, "%s\n", value_of(headers, plain_headers[i])) < 0
		    : call->body.len ? buf_addf(text, "%" PRIu64 "\n", call->body.len) < 0
				     : buf_addc(text, '\n') < 0)
			return -1;
	}
	return 0;
}

static int header_compare(const void *a, const void *b)
{
	const struct azure_header *left = a;
	const struct azure_header *right = b;

	return strcmp(left->name, right->name);
}

/* Azure's own, sorted, with their names. */
static int add_own(struct azure_header *own, size_t count, struct buf *text)
{
	qsort(own, count, sizeof(*own), header_compare);
	for (size_t i = 0; i < count; i++)
		if (buf_addf(text, "%s:%s\n", own[i].name, own[i].value) < 0)
			return -1;
	return 0;
}

static int param_compare(const void *a, const void *b)
{
	const struct url_param *left = a;
	const struct url_param *right = b;

	return strcmp(left->name, right->name);
}

/* The path as it is sent, and the parameters as they are meant. */
static int add_resource(const struct azure_call *call, struct buf *text)
{
	struct url_param sorted[REMOTE_MAX_PARAMS];

	memcpy(sorted, call->params, sizeof(sorted));
	qsort(sorted, call->param_count, sizeof(*sorted), param_compare);
	if (buf_addf(text, "/%s%s", call->store->account, buf_str(&call->path)) < 0)
		return -1;
	for (size_t i = 0; i < call->param_count; i++)
		if (buf_addf(text, "\n%s:%s", sorted[i].name, sorted[i].value) < 0)
			return -1;
	return 0;
}

static int add_authorization(struct azure_call *call, struct azure_header *own, size_t count,
			     struct remote_headers *headers, struct shale_err *err)
{
	__cleanup_buf struct buf value = BUF_INIT;
	__cleanup_buf struct buf text = BUF_INIT;
	char signature[AZURE_SIGNATURE];

	if (buf_addf(&text, "%s\n", call->method) < 0 || add_plain(call, headers, &text) < 0 ||
	    add_own(own, count, &text) < 0 || add_resource(call, &text) < 0)
		return shale_err_errno(err, "signing a request");
	if (azure_sign(call->store, &text, signature, err) < 0)
		return -1;
	if (buf_addf(&value, "SharedKey %s:%s", call->store->account, signature) < 0)
		return shale_err_errno(err, "signing a request");
	return remote_headers_add(headers, "authorization", buf_str(&value), err);
}

static int sign(void *ctx, const struct remote_call *http, struct remote_headers *headers,
		struct shale_err *err)
{
	struct azure_call *call = ctx;
	struct azure_header own[AZURE_MAX_HEADERS + 2];
	char date[HTTP_DATE];
	size_t count = 0;

	(void)http;
	http_date(time(NULL), date);
	own[count++] = (struct azure_header){ "x-ms-date", date };
	own[count++] = (struct azure_header){ "x-ms-version", AZURE_VERSION };
	for (size_t i = 0; i < call->header_count; i++) {
		if (!strncmp(call->headers[i].name, "x-ms-", 5))
			own[count++] = call->headers[i];
		else if (remote_headers_add(headers, call->headers[i].name, call->headers[i].value, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (remote_headers_add(headers, own[i].name, own[i].value, err) < 0)
			return -1;
	return add_authorization(call, own, count, headers, err);
}

int azure_call_begin(struct azure_call *call, struct remote_call *ret_call, struct shale_err *err)
{
	struct azure_store *store = call->store;
	const char *name = call->key ? remote_store_path(&store->base, call->key) : store->container;

	if (buf_adds(&call->what, name) < 0 || buf_addf(&call->path, "%s/", store->url.path) < 0 ||
	    remote_url_encode(&call->path, store->container, false) < 0 ||
	    (call->key && (buf_addc(&call->path, '/') < 0 ||
			   remote_url_encode(&call->path, call->key, true) < 0)) ||
	    remote_url_query(&call->query, call->params, call->param_count) < 0 ||
	    remote_url_origin(&store->url, &call->url) < 0 ||
	    buf_addf(&call->url, "%s%s%s", buf_str(&call->path), call->query.len ? "?" : "",
		     buf_str(&call->query)) < 0)
		return shale_err_errno(err, "%s", name);
	*ret_call = (struct remote_call){
		.method = call->method,
		.url = buf_str(&call->url),
		.what = buf_str(&call->what),
		.body = call->body,
		.max = call->max,
		.sign = sign,
		.ctx = call,
		.is_once = call->is_once,
		.limit_seconds = call->is_once ? REMOTE_ONCE_SECONDS : 0,
	};
	return 0;
}

void azure_call_end(struct azure_call *call)
{
	buf_release(&call->path);
	buf_release(&call->query);
	buf_release(&call->url);
	buf_release(&call->what);
}

struct azure_error {
	char code[80];
	char message[256];
};

static int take_error(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct azure_error *error = ctx;

	(void)err;
	if (!strcmp(path, "Error/Code"))
		snprintf(error->code, sizeof(error->code), "%s", text);
	else if (!strcmp(path, "Error/Message"))
		snprintf(error->message, sizeof(error->message), "%.*s", (int)strcspn(text, "\r\n"), text);
	return 0;
}

static void read_error(const struct remote_answer *answer, struct azure_error *ret_error)
{
	const char *code = remote_answer_header(answer, "x-ms-error-code");

	*ret_error = (struct azure_error){ 0 };
	if (answer->body.len)
		remote_xml_read(answer->body.data, answer->body.len, "Azure", take_error, ret_error, NULL);
	if (code)
		snprintf(ret_error->code, sizeof(ret_error->code), "%s", code);
}

static const struct meaning {
	const char *code;
	int error;
} meanings[] = {
	{ "BlobNotFound", ENOENT },
	{ "ConditionNotMet", ESTALE },
	{ "TargetConditionNotMet", ESTALE },
	{ "BlobAlreadyExists", ESTALE },
	{ "InvalidRange", EINVAL },
	{ "AuthenticationFailed", EACCES },
	{ "AuthorizationFailure", EACCES },
	{ "AuthorizationPermissionMismatch", EACCES },
	{ "AccountIsDisabled", EACCES },
	{ "ContainerNotFound", EIO },
	{ "ContainerBeingDeleted", EIO },
	{ "BlockCountExceedsLimit", EFBIG },
	{ "RequestBodyTooLarge", EFBIG },
	{ "ServerBusy", EAGAIN },
	{ "OperationTimedOut", EAGAIN },
	{ "PendingCopyOperation", EAGAIN },
};

static int error_of(const struct azure_error *error, long status)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (!strcmp(meanings[i].code, error->code))
			return meanings[i].error;
	if (remote_status_is_passing(status))
		return EAGAIN;
	switch (status) {
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 412:
		return ESTALE;
	case 416:
		return EINVAL;
	case 507:
		return ENOSPC;
	}
	return EIO;
}

/* A signature that is refused may only be too old; Azure does not always say so. */
static long long clock_difference(const struct remote_answer *answer)
{
	const char *date = remote_answer_header(answer, "date");
	time_t theirs = date ? curl_getdate(date, NULL) : -1;
	long long off = theirs < 0 ? 0 : time(NULL) - theirs;

	return off > CLOCK_SECONDS || off < -CLOCK_SECONDS ? off : 0;
}

int azure_answer_fail(const struct azure_call *call, const struct remote_answer *answer,
		      struct shale_err *err)
{
	const char *what = buf_str(&call->what);
	long long off = clock_difference(answer);
	struct azure_error error;
	int code;

	read_error(answer, &error);
	code = error_of(&error, answer->status);
	if (code == EACCES && off)
		return shale_err_set(err, code, "%s: Azure refuses the request: this machine's clock is %lld seconds %s Azure's",
				     what, off < 0 ? -off : off, off < 0 ? "behind" : "ahead of");
	if (code == ENOENT)
		return shale_err_set(err, code, "%s: no such object", what);
	if (!strcmp(error.code, "ContainerNotFound"))
		return shale_err_set(err, code, "%s: Azure has no container '%s'", what,
				     call->store->container);
	if (error.code[0])
		return shale_err_set(err, code, "%s: Azure says %s%s%s", what, error.code,
				     error.message[0] ? ": " : "", error.message);
	return shale_err_set(err, code, "%s: Azure answers with status %ld", what, answer->status);
}

int azure_call_run(struct azure_call *call, struct remote_answer *ret_answer, struct shale_err *err)
{
	struct remote_call http;

	if (azure_call_begin(call, &http, err) < 0 ||
	    remote_run(call->store->base.remote, &http, ret_answer, err) < 0)
		return -1;
	if (remote_answer_is_success(ret_answer))
		return 0;
	return azure_answer_fail(call, ret_answer, err);
}

bool azure_answer_is_partial(const struct remote_answer *answer)
{
	const char *status = remote_answer_header(answer, "x-ms-copy-status");

	return status && strcmp(status, "success");
}

int azure_answer_info(const struct azure_call *call, const struct remote_answer *answer,
		      struct remote_info *ret_info, struct shale_err *err)
{
	const char *length = remote_answer_header(answer, "content-length");
	const char *etag = remote_answer_header(answer, "etag");
	const char *date = remote_answer_header(answer, "last-modified");
	time_t mtime = date ? curl_getdate(date, NULL) : -1;
	char *end = NULL;

	*ret_info = (struct remote_info){ .mtime = mtime < 0 ? 0 : mtime };
	errno = 0;
	ret_info->size = length ? strtoull(length, &end, 10) : 0;
	if (!length || end == length || *end || errno)
		return shale_err_set(err, EIO, "%s: Azure does not say its size", buf_str(&call->what));
	if (etag && strlen(etag) < sizeof(ret_info->etag))
		memcpy(ret_info->etag, etag, strlen(etag) + 1);
	return 0;
}

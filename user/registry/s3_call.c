// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to S3: their URL, their signature, and what the answers mean; see s3.h. Called by s3_object.c
 * and s3_multipart.c.
 */
#include "registry/s3.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/remote_xml.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

void s3_call_param(struct s3_call *call, const char *name, const char *value)
{
	assert(call->param_count < REMOTE_MAX_PARAMS);
	if (value)
		call->params[call->param_count++] = (struct url_param){ name, value };
}

void s3_call_header(struct s3_call *call, const char *name, const char *value)
{
	assert(call->extra_count < S3_MAX_EXTRA);
	if (value)
		call->extra[call->extra_count++] = (struct sigv4_header){ name, value };
}

void s3_call_when(struct s3_call *call, const struct remote_when *when)
{
	if (!when)
		return;
	call->is_once = true;
	s3_call_header(call, "if-none-match", when->is_absent ? "*" : NULL);
	s3_call_header(call, "if-match", when->etag);
}

void s3_call_for_writing(struct s3_call *call)
{
	const struct s3_store *store = call->store;

	s3_call_header(call, "x-amz-acl", store->acl);
	s3_call_header(call, "x-amz-storage-class", store->storage_class);
	s3_call_header(call, "x-amz-server-side-encryption", store->encryption);
	s3_call_header(call, "x-amz-server-side-encryption-aws-kms-key-id", store->encryption_key);
}

/* The part that is signed: host, and all that is Amazon's. */
static bool is_signed(const char *name)
{
	return !strncmp(name, "x-amz-", 6);
}

static int add_signature(struct s3_call *call, struct sigv4_header *signed_headers, size_t count,
			 const char *hash, time_t now, struct remote_headers *headers,
			 struct shale_err *err)
{
	const struct s3_store *store = call->store;
	const struct sigv4_creds creds = { store->access_key, store->secret_key, store->region, "s3" };
	const struct sigv4_request request = {
		.method = call->method,
		.path = buf_str(&call->path),
		.query = buf_str(&call->query),
		.headers = signed_headers,
		.header_count = count,
		.payload = hash,
		.when = now,
	};
	__cleanup_buf struct buf value = BUF_INIT;

	if (sigv4_authorize(&creds, &request, &value, err) < 0)
		return -1;
	return remote_headers_add(headers, "authorization", buf_str(&value), err);
}

static int sign(void *ctx, const struct remote_call *http, struct remote_headers *headers,
		struct shale_err *err)
{
	struct s3_call *call = ctx;
	struct sigv4_header list[S3_MAX_EXTRA + 4];
	const char *hash = call->hash ? call->hash : EMPTY_HASH;
	time_t now = time(NULL);
	char date[SIGV4_DATE];
	size_t count = 0;

	/* Made for another method, as remote_stream_open() does: none is. */
	assert(!strcmp(http->method, call->method));
	sigv4_date(now, date);
	list[count++] = (struct sigv4_header){ "x-amz-date", date };
	list[count++] = (struct sigv4_header){ "x-amz-content-sha256", hash };
	if (call->store->session_token)
		list[count++] = (struct sigv4_header){ "x-amz-security-token",
						       call->store->session_token };
	for (size_t i = 0; i < call->extra_count; i++)
		if (is_signed(call->extra[i].name))
			list[count++] = call->extra[i];
	for (size_t i = 0; i < count; i++)
		if (remote_headers_add(headers, list[i].name, list[i].value, err) < 0)
			return -1;
	for (size_t i = 0; i < call->extra_count; i++)
		if (!is_signed(call->extra[i].name) &&
		    remote_headers_add(headers, call->extra[i].name, call->extra[i].value, err) < 0)
			return -1;
	/* curl sends the Host. */
	list[count++] = (struct sigv4_header){ "host", call->store->url.host };
	return add_signature(call, list, count, hash, now, headers, err);
}

struct s3_error {
	char code[64];
	char message[256];
	char region[64];
};

static int take_error(void *ctx, const char *path, const char *text, struct shale_err *err)
{
	struct s3_error *error = ctx;

	(void)err;
	if (!strcmp(path, "Error/Code"))
		snprintf(error->code, sizeof(error->code), "%s", text);
	else if (!strcmp(path, "Error/Message"))
		snprintf(error->message, sizeof(error->message), "%s", text);
	else if (!strcmp(path, "Error/Region"))
		snprintf(error->region, sizeof(error->region), "%s", text);
	return 0;
}

/* A HEAD has no body, and a proxy's page is no XML: then the status has to do. */
static void read_error(const struct remote_answer *answer, struct s3_error *ret_error)
{
	const char *region = remote_answer_header(answer, "x-amz-bucket-region");

	*ret_error = (struct s3_error){ 0 };
	if (answer->body.len)
		remote_xml_read(answer->body.data, answer->body.len, "S3", take_error, ret_error, NULL);
	if (region && !ret_error->region[0])
		snprintf(ret_error->region, sizeof(ret_error->region), "%s", region);
}

/* Errors that go by: some come with a status that would not say so, or even with 200. */
static const char *const passing_codes[] = {
	"InternalError", "SlowDown",	    "RequestTimeout",	"ServiceUnavailable",
	"OperationAborted", "ConditionalRequestConflict", "Busy", "503 SlowDown",
};

static bool is_passing(const char *code)
{
	for (size_t i = 0; i < sizeof(passing_codes) / sizeof(*passing_codes); i++)
		if (!strcmp(passing_codes[i], code))
			return true;
	return false;
}

static bool judge(void *ctx, const struct remote_answer *answer, unsigned int attempts)
{
	struct s3_error error;

	(void)ctx, (void)attempts;
	if (!answer->body.len || answer->status == 404)
		return false;
	if (remote_answer_is_success(answer) && !memmem(answer->body.data, answer->body.len, "<Error", 6))
		return false;
	read_error(answer, &error);
	return is_passing(error.code);
}

static const struct meaning {
	const char *code;
	int error;
} meanings[] = {
	{ "NoSuchKey", ENOENT },
	{ "NoSuchUpload", ENOENT },
	{ "PreconditionFailed", ESTALE },
	{ "InvalidRange", EINVAL },
	{ "AccessDenied", EACCES },
	{ "InvalidAccessKeyId", EACCES },
	{ "SignatureDoesNotMatch", EACCES },
	{ "ExpiredToken", EACCES },
	{ "InvalidToken", EACCES },
	{ "AuthorizationHeaderMalformed", EACCES },
	{ "RequestTimeTooSkewed", EACCES },
	{ "NoSuchBucket", EIO },
	{ "NotImplemented", ENOTSUP },
	{ "QuotaExceeded", EDQUOT },
	{ "EntityTooLarge", EFBIG },
	{ "XMinioStorageFull", ENOSPC },
};

static int error_of(const struct s3_error *error, long status)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(*meanings); i++)
		if (!strcmp(meanings[i].code, error->code))
			return meanings[i].error;
	if (remote_status_is_passing(status) || is_passing(error->code))
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
	case 501:
		return ENOTSUP;
	case 507:
		return ENOSPC;
	}
	return EIO;
}

/* How far our clock is from the store's: what a refusal for the time is about. */
static int fail_for_time(const struct s3_call *call, const struct remote_answer *answer,
			 struct shale_err *err)
{
	const char *date = remote_answer_header(answer, "date");
	time_t theirs = date ? curl_getdate(date, NULL) : -1;
	long long off = time(NULL) - theirs;

	if (theirs < 0)
		return shale_err_set(err, EACCES, "%s: S3 refuses the request's time: is this machine's clock right?",
				     buf_str(&call->what));
	return shale_err_set(err, EACCES,
			     "%s: S3 refuses the request's time: this machine's clock is %lld seconds %s S3's",
			     buf_str(&call->what), off < 0 ? -off : off, off < 0 ? "behind" : "ahead of");
}

int s3_answer_fail(const struct s3_call *call, const struct remote_answer *answer,
		   struct shale_err *err)
{
	const char *what = buf_str(&call->what);
	struct s3_error error;
	int code;

	read_error(answer, &error);
	code = error_of(&error, answer->status);
	if (!strcmp(error.code, "RequestTimeTooSkewed"))
		return fail_for_time(call, answer, err);
	if (code == ENOENT)
		return shale_err_set(err, code, "%s: no such object", what);
	if (!strcmp(error.code, "NoSuchBucket"))
		return shale_err_set(err, code, "%s: S3 has no bucket '%s'", what, call->store->bucket);
	if (error.region[0] && strcmp(error.region, call->store->region))
		return shale_err_set(err, code, "%s: the bucket is in region '%s', not '%s'", what,
				     error.region, call->store->region);
	if (error.code[0])
		return shale_err_set(err, code, "%s: S3 says %s: %s", what, error.code, error.message);
	return shale_err_set(err, code, "%s: S3 answers with status %ld", what, answer->status);
}

static int make_path(struct s3_call *call)
{
	const struct s3_store *store = call->store;

	if (buf_adds(&call->path, store->url.path) < 0 ||
	    (store->is_path_style && (buf_addc(&call->path, '/') < 0 ||
				      remote_url_encode(&call->path, store->bucket, false) < 0)))
		return -1;
	if (!call->key)
		return store->is_path_style ? 0 : buf_addc(&call->path, '/');
	if (buf_addc(&call->path, '/') < 0)
		return -1;
	return remote_url_encode(&call->path, call->key, true);
}

int s3_call_begin(struct s3_call *call, struct remote_call *ret_call, struct shale_err *err)
{
	struct remote_store *store = &call->store->base;
	const char *name = call->key ? remote_store_path(store, call->key) : call->store->bucket;

	if (buf_adds(&call->what, name) < 0 || make_path(call) < 0 ||
	    remote_url_query(&call->query, call->params, call->param_count) < 0 ||
	    remote_url_origin(&call->store->url, &call->url) < 0 ||
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
		.judge = judge,
		.ctx = call,
		.is_once = call->is_once,
		.stall_seconds = call->is_work ? S3_WORK_SECONDS : 0,
		.limit_seconds = call->is_once ? REMOTE_ONCE_SECONDS : 0,
	};
	return 0;
}

void s3_call_end(struct s3_call *call)
{
	buf_release(&call->path);
	buf_release(&call->query);
	buf_release(&call->url);
	buf_release(&call->what);
}

int s3_call_run(struct s3_call *call, struct remote_answer *ret_answer, struct shale_err *err)
{
	struct remote_call http;

	if (s3_call_begin(call, &http, err) < 0 ||
	    remote_run(call->store->base.remote, &http, ret_answer, err) < 0)
		return -1;
	if (!remote_answer_is_success(ret_answer))
		return s3_answer_fail(call, ret_answer, err);
	/* An error that came up while the store kept us waiting, after its 200. */
	if (call->is_work && ret_answer->body.len &&
	    memmem(ret_answer->body.data, ret_answer->body.len, "<Error", 6))
		return s3_answer_fail(call, ret_answer, err);
	return 0;
}

int s3_answer_info(const struct s3_call *call, const struct remote_answer *answer,
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
		return shale_err_set(err, EIO, "%s: S3 does not say its size", buf_str(&call->what));
	if (etag && strlen(etag) < sizeof(ret_info->etag))
		memcpy(ret_info->etag, etag, strlen(etag) + 1);
	return 0;
}

int64_t s3_parse_time(const char *text)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t time = end && (*end == '.' || *end == 'Z') ? timegm(&tm) : -1;

	return time < 0 ? 0 : time;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to Swift and what their answers mean; see swift.h. Called by swift_object.c, swift_pieces.c and
 * drv_swift.c.
 */
#include "registry/swift.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* How often one request may find its token refused: once for one that has ended, once more for bad luck. */
#define MAX_REFUSALS 2

void swift_call_param(struct swift_call *call, const char *name, const char *value)
{
	assert(call->param_count < REMOTE_MAX_PARAMS);
	if (value)
		call->params[call->param_count++] = (struct url_param){ name, value };
}

void swift_call_header(struct swift_call *call, const char *name, const char *value)
{
	assert(call->header_count < SWIFT_MAX_HEADERS);
	if (value)
		call->headers[call->header_count++] = (struct swift_header){ name, value };
}

static int add_headers(void *ctx, const struct remote_call *http, struct remote_headers *headers,
		       struct shale_err *err)
{
	struct swift_call *call = ctx;
	struct swift_session session;

	(void)http;
	if (swift_session_get(call->store, &session, err) < 0)
		return -1;
	free(call->token);
	call->token = strdup(session.token);
	if (!call->token)
		return shale_err_errno(err, "%s", buf_str(&call->what));
	if (remote_headers_add(headers, "x-auth-token", call->token, err) < 0)
		return -1;
	for (size_t i = 0; i < call->header_count; i++)
		if (remote_headers_add(headers, call->headers[i].name, call->headers[i].value, err) < 0)
			return -1;
	return 0;
}

/* A token that has ended, and a write that came with an older time than what is there. */
static bool judge(void *ctx, const struct remote_answer *answer, unsigned int attempts)
{
	struct swift_call *call = ctx;

	if (answer->status == 401 && call->token) {
		swift_session_drop(call->store, call->token);
		return attempts <= MAX_REFUSALS;
	}
	return !call->is_once && !call->is_info && call->key &&
	       ((answer->status == 202 && !strcmp(call->method, "PUT")) ||
		(answer->status == 409 && !strcmp(call->method, "DELETE")));
}

int swift_call_begin(struct swift_call *call, struct remote_call *ret_call, struct shale_err *err)
{
	struct swift_store *store = call->store;
	const char *name = call->key ? remote_store_path(&store->base, call->key) : store->container;
	struct swift_session session;

	if (swift_session_get(store, &session, err) < 0)
		return -1;
	if (buf_adds(&call->what, name) < 0 || remote_url_origin(&session.url, &call->url) < 0)
		return shale_err_errno(err, "%s", name);
	if (call->is_info) {
		if (buf_adds(&call->url, "/info") < 0)
			return shale_err_errno(err, "%s", name);
	} else if (buf_adds(&call->url, session.url.path) < 0 || buf_addc(&call->url, '/') < 0 ||
		   remote_url_encode(&call->url, store->container, false) < 0 ||
		   (call->key && (buf_addc(&call->url, '/') < 0 ||
				  remote_url_encode(&call->url, call->key, true) < 0)) ||
		   (call->param_count && buf_addc(&call->url, '?') < 0) ||
		   remote_url_query(&call->url, call->params, call->param_count) < 0) {
		return shale_err_errno(err, "%s", name);
	}
	*ret_call = (struct remote_call){
		.method = call->method,
		.url = buf_str(&call->url),
		.what = buf_str(&call->what),
		.body = call->body,
		.max = call->max,
		.sign = add_headers,
		.judge = judge,
		.ctx = call,
		.is_once = call->is_once,
		.stall_seconds = call->is_work ? SWIFT_WORK_SECONDS : 0,
		.limit_seconds = call->is_once ? REMOTE_ONCE_SECONDS : 0,
	};
	return 0;
}

void swift_call_end(struct swift_call *call)
{
	buf_release(&call->url);
	buf_release(&call->what);
	free(call->token);
}

static int error_of(const struct swift_call *call, long status)
{
	switch (status) {
	case 202:
	case 409:
		return EAGAIN;
	case 401:
	case 403:
		return EACCES;
	case 404:
		return ENOENT;
	case 412:
		return ESTALE;
	case 413:
		/* Middleware for quotas says it so; objects are never larger than allowed. */
		return EDQUOT;
	case 416:
		return EINVAL;
	case 507:
		return ENOSPC;
	}
	(void)call;
	return remote_status_is_passing(status) ? EAGAIN : EIO;
}

/* The first line of a page that says what is wrong. */
static void first_line(const struct remote_answer *answer, char *line, size_t size)
{
	const char *text = buf_str(&answer->body);

	snprintf(line, size, "%.*s", (int)strcspn(text, "\r\n"), text);
	if (line[0] == '<' || !line[0])
		line[0] = '\0';
}

int swift_answer_fail(const struct swift_call *call, const struct remote_answer *answer,
		      struct shale_err *err)
{
	const char *what = buf_str(&call->what);
	int code = error_of(call, answer->status);
	char line[160];

	if (answer->status == 404 && !call->key)
		return shale_err_set(err, code, "Swift has no container '%s'", what);
	if (answer->status == 404)
		return shale_err_set(err, code, "%s: no such object", what);
	if (answer->status == 202 || answer->status == 409)
		return shale_err_set(err, code, "%s: Swift has it with a time that lies ahead: are the clocks of its proxies right?",
				     what);
	first_line(answer, line, sizeof(line));
	return shale_err_set(err, code, "%s: Swift answers with status %ld%s%s", what, answer->status,
			     line[0] ? ": " : "", line);
}

int swift_call_run(struct swift_call *call, struct remote_answer *ret_answer, struct shale_err *err)
{
	struct remote_call http;

	if (swift_call_begin(call, &http, err) < 0 ||
	    remote_run(call->store->base.remote, &http, ret_answer, err) < 0)
		return -1;
	if (remote_answer_is_success(ret_answer) &&
	    !(ret_answer->status == 202 && call->key && !strcmp(call->method, "PUT")))
		return 0;
	return swift_answer_fail(call, ret_answer, err);
}

int swift_answer_info(const struct swift_call *call, const struct remote_answer *answer,
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
		return shale_err_set(err, EIO, "%s: Swift does not say its size", buf_str(&call->what));
	if (etag && strlen(etag) < sizeof(ret_info->etag))
		memcpy(ret_info->etag, etag, strlen(etag) + 1);
	return 0;
}

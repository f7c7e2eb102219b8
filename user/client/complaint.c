// SPDX-License-Identifier: GPL-2.0-only
/*
 * Failures of requests in words; see complaint.h and remote_fail(). A status's reason is our own table's:
 * what the server calls it is not sent over HTTP/2.
 */
#include "client/complaint.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/remote.h"
#include "store/json.h"

/* Of a message that is shown. */
#define COMPLAINT_MAX_TEXT 300

static const struct {
	long status;
	int code;
	const char *reason;
} statuses[] = {
	{ 400, EPROTO, "bad request" },
	{ 401, EACCES, "unauthorized" },
	{ 403, EACCES, "access denied" },
	{ 404, ENOENT, "not found" },
	{ 405, EOPNOTSUPP, "not allowed" },
	{ 408, ETIMEDOUT, "time-out" },
	{ 413, EFBIG, "too large" },
	{ 416, EPROTO, "no such range" },
	{ 429, EBUSY, "too many requests" },
	{ 500, EREMOTEIO, "internal server error" },
	{ 502, EREMOTEIO, "bad gateway" },
	{ 503, EREMOTEIO, "service unavailable" },
	{ 504, EREMOTEIO, "gateway time-out" },
};

int complaint_code(long status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].code;
	return EPROTO;
}

static const char *reason_of(long status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].reason;
	return "unexpected answer";
}

int complaint_parse(const void *data, size_t len, struct buf *out)
{
	__cleanup_json json_t *json = NULL;
	const char *code = NULL;
	const char *message = NULL;
	const json_t *first;

	if (!len || json_parse_object(data, len, "its answer", &json, NULL) < 0)
		return 0;
	first = json_array_get(json_object_get(json, "errors"), 0);
	code = json_string_value(json_object_get(first, "code"));
	message = json_string_value(json_object_get(first, "message"));
	/* Token servers have their own form. */
	if (!first)
		message = json_string_value(json_object_get(json, "details"));
	if (code && buf_addf(out, ": %.*s", COMPLAINT_MAX_TEXT, code) < 0)
		return -1;
	return message && *message ? buf_addf(out, ": %.*s", COMPLAINT_MAX_TEXT, message) : 0;
}

/* "host:port" of a URL; what is no URL is shown as it is. */
static int host_len(const char *url, const char **ret_host)
{
	const char *host = strstr(url, "://");

	*ret_host = host ? host + 3 : url;
	return strcspn(*ret_host, "/?#");
}

int remote_fail(const struct web_request *request, struct shale_err *err)
{
	const char *url = request->final_url ? request->final_url : request->url;
	__cleanup_buf struct buf details = BUF_INIT;
	const char *host;
	int len = host_len(url, &host);

	if (request->has_failed) {
		shale_err_set(err, request->err.code, "%.*s: %s", len, host, request->err.msg);
	} else {
		complaint_parse(request->answer.data, request->answer.len, &details);
		shale_err_set(err, complaint_code(request->status), "%.*s: %ld %s%s", len, host,
			      request->status, reason_of(request->status), buf_str(&details));
	}
	if (request->tries > 1)
		shale_err_wrap(err, "gave up after %u tries", request->tries);
	return -1;
}

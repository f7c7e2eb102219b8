// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of faults; see fault.h. What the storage says when it fails is for the log, not for the
 * client. Called by the handlers.
 */
#include "registry/fault.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/quota_rules.h"
#include "registry/reg.h"

/* Seconds after which a client may try again what the storage could not do. */
#define RETRY_SECONDS "5"

static const struct row {
	unsigned int status;
	const char *code;
	const char *message;
} rows[FAULT_COUNT] = {
	[FAULT_BLOB_UNKNOWN] = { 404, "BLOB_UNKNOWN", "blob unknown to registry" },
	[FAULT_BLOB_UPLOAD_INVALID] = { 400, "BLOB_UPLOAD_INVALID", "blob upload invalid" },
	[FAULT_BLOB_UPLOAD_UNKNOWN] = { 404, "BLOB_UPLOAD_UNKNOWN",
					"blob upload unknown to registry" },
	[FAULT_DENIED] = { 403, "DENIED", "requested access to the resource is denied" },
	[FAULT_DIGEST_INVALID] = { 400, "DIGEST_INVALID",
				   "provided digest did not match uploaded content" },
	[FAULT_MANIFEST_BLOB_UNKNOWN] = { 404, "MANIFEST_BLOB_UNKNOWN",
					  "manifest references a manifest or blob unknown to registry" },
	[FAULT_MANIFEST_INVALID] = { 400, "MANIFEST_INVALID", "manifest invalid" },
	[FAULT_MANIFEST_TOO_LARGE] = { 413, "SIZE_INVALID", "manifest too large" },
	[FAULT_MANIFEST_UNKNOWN] = { 404, "MANIFEST_UNKNOWN", "manifest unknown to registry" },
	[FAULT_NAME_INVALID] = { 400, "NAME_INVALID", "invalid repository name" },
	[FAULT_NAME_UNKNOWN] = { 404, "NAME_UNKNOWN", "repository name not known to registry" },
	[FAULT_PAGINATION_INVALID] = { 400, "PAGINATION_NUMBER_INVALID",
				       "invalid number of results requested" },
	[FAULT_RANGE_INVALID] = { 416, "RANGE_INVALID", "invalid content range" },
	[FAULT_SIZE_INVALID] = { 400, "SIZE_INVALID",
				 "provided length did not match content length" },
	[FAULT_TAG_INVALID] = { 400, "TAG_INVALID", "manifest tag invalid" },
	[FAULT_TOO_MANY] = { 429, "TOOMANYREQUESTS", "too many requests" },
	[FAULT_UNAUTHORIZED] = { 401, "UNAUTHORIZED", "authentication required" },
	[FAULT_UNAVAILABLE] = { 503, "UNAVAILABLE", "service unavailable" },
	[FAULT_NO_ROOM] = { 507, "UNAVAILABLE", "the storage has no room left" },
	/* Clients show the message and not the detail. */
	[FAULT_QUOTA] = { 403, "DENIED", NULL },
	[FAULT_UNKNOWN] = { 500, "UNKNOWN", "unknown error" },
	[FAULT_UNSUPPORTED] = { 405, "UNSUPPORTED", "The operation is unsupported." },
	[FAULT_BAD_REQUEST] = { 400, "UNSUPPORTED", "the request cannot be understood" },
	[FAULT_NOT_FOUND] = { 404, "UNSUPPORTED", "there is nothing here" },
	[FAULT_URI_TOO_LONG] = { 414, "UNSUPPORTED", "the request asks for too much at once" },
};

static int print_body(struct buf *buf, const struct row *row, const char *detail)
{
	json_t *json = json_pack("{s:[{s:s, s:s, s:o*}]}", "errors", "code", row->code, "message",
				 row->message ? row->message : detail, "detail",
				 detail ? json_string(detail) : NULL);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int ret = text ? buf_adds(buf, text) : -1;

	free(text);
	json_decref(json);
	return ret;
}

static void send_row(struct call *call, enum fault fault, const char *detail)
{
	const struct row *row = &rows[fault];
	__cleanup_buf struct buf body = BUF_INIT;

	call_answer(call, row->status);
	call->fault = row->code;
	if (row->status == 503 || row->status == 429)
		httpd_add_field(call->http, "Retry-After", RETRY_SECONDS);
	if (print_body(&body, row, detail) < 0)
		return;
	httpd_add_field(call->http, "Content-Type", "application/json");
	httpd_send_buf(call->http, &body);
}

void fault_send(struct call *call, enum fault fault, const char *fmt, ...)
{
	char detail[512];
	va_list ap;

	if (!fmt) {
		send_row(call, fault, NULL);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);
	send_row(call, fault, detail);
}

void fault_send_err(struct call *call, const struct shale_err *err, enum fault absent)
{
	static const struct {
		int code;
		enum fault fault;
	} faults[] = {
		{ ENOSPC, FAULT_NO_ROOM }, { EDQUOT, FAULT_NO_ROOM }, { EAGAIN, FAULT_UNAVAILABLE },
		{ EBUSY, FAULT_TOO_MANY },
	};
	enum fault fault = FAULT_UNKNOWN;

	if (err->code == ENOENT) {
		send_row(call, absent, NULL);
		return;
	}
	if (err->code == QUOTA_EXCEEDED) {
		send_row(call, FAULT_QUOTA, err->msg);
		return;
	}
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (faults[i].code == err->code)
			fault = faults[i].fault;
	send_row(call, fault, NULL);
	free(call->error);
	call->error = strdup(err->msg);
}

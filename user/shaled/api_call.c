// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request through the daemon: understood, its version looked at, handed to the handler of its route, and
 * logged. Called by the HTTP server through api_call_ops; see httpd/server.h for the steps.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "httpd/log.h"
#include "shaled/api_events.h"
#include "shaled/api_load.h"
#include "shaled/api_registry.h"
#include "shaled/api_stream.h"
#include "store/json.h"
#include "store/ref.h"

const char *api_get(const struct api_call *call, const char *key)
{
	return target_get(&call->target, key);
}

bool api_get_bool(const struct api_call *call, const char *key, bool otherwise)
{
	const char *value = api_get(call, key);

	return value ? api_value_is_true(value) : otherwise;
}

void api_answer(struct api_call *call, unsigned int status)
{
	httpd_answer(call->http, status);
	httpd_add_field(call->http, "Api-Version", "1.%d", API_MAX_MINOR);
	httpd_add_field(call->http, "Docker-Experimental", "false");
	httpd_add_field(call->http, "Ostype", "linux");
	httpd_add_field(call->http, "Server", "Shale/" SHALE_VERSION " (linux)");
}

void api_answer_text(struct api_call *call, unsigned int status, char *text)
{
	struct buf body = BUF_INIT;

	if (!text || buf_addf(&body, "%s\n", text) < 0) {
		free(text);
		api_fail(call, 500, "out of memory");
		return;
	}
	free(text);
	api_answer(call, status);
	httpd_add_field(call->http, "Content-Type", "application/json");
	httpd_send_buf(call->http, &body);
}

void api_answer_json(struct api_call *call, unsigned int status, json_t *json)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	json_decref(json);
	api_answer_text(call, status, text);
}

void api_answer_empty(struct api_call *call, unsigned int status)
{
	api_answer(call, status);
}

void api_answer_done(struct api_call *call)
{
	api_answer_empty(call, call->was_so ? 304 : 204);
}

/* Text of others may be in it, which need not be UTF-8. */
static json_t *message_json(const char *text)
{
	json_t *json = json_pack("{s:s}", "message", text);
	__cleanup_free char *plain = NULL;

	if (json)
		return json;
	plain = strdup(text);
	for (char *at = plain; at && *at; at++)
		if ((unsigned char)*at >= 0x7f)
			*at = '?';
	return plain ? json_pack("{s:s}", "message", plain) : NULL;
}

void api_fail(struct api_call *call, unsigned int status, const char *fmt, ...)
{
	struct buf body = BUF_INIT;
	char *text = NULL;
	json_t *json;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->error, sizeof(call->error), fmt, ap);
	va_end(ap);
	api_answer(call, status);
	json = message_json(call->error);
	if (json)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text && buf_addf(&body, "%s\n", text) == 0) {
		httpd_add_field(call->http, "Content-Type", "application/json");
		httpd_send_buf(call->http, &body);
	}
	free(text);
}

void api_fail_err(struct api_call *call, const struct shale_err *err)
{
	api_fail(call, api_fault_status(err->code), "%s", err->msg);
}

int api_no_image(const char *name, struct shale_err *err)
{
	struct ref ref;

	if (strncmp(name, "sha256:", 7) && ref_parse(name, &ref, NULL) == 0)
		return shale_err_set(err, ENOENT, "No such image: %s", ref_shown(&ref).text);
	return shale_err_set(err, ENOENT, "No such image: %s", name);
}

void api_fail_image(struct api_call *call, const char *name, const struct shale_err *err)
{
	struct shale_err none;
	struct ref ref;

	if (err->code == EINVAL && ref_parse(name, &ref, NULL) < 0) {
		api_fail(call, 400, "invalid reference format: %s", err->msg);
		return;
	}
	if (err->code == ENOENT) {
		api_no_image(name, &none);
		err = &none;
	}
	api_fail_err(call, err);
}

/* As docker: a body needs its type, no body needs none. */
static bool is_json_type(struct api_call *call)
{
	static const char json[] = "application/json";
	const char *type = httpd_field(call->http, "Content-Type");

	if (type && !strncasecmp(type, json, strlen(json)) && strchr("; \t", type[strlen(json)]))
		return true;
	api_fail(call, 400, "unsupported Content-Type header (%.100s): must be 'application/json'",
		 type ? type : "");
	return false;
}

bool api_body_json(struct api_call *call, json_t **ret_json)
{
	struct shale_err err = { 0 };

	if (!call->body.len) {
		*ret_json = json_object();
		if (!*ret_json)
			api_fail(call, 500, "out of memory");
		return *ret_json;
	}
	if (!is_json_type(call))
		return false;
	if (json_parse_object(call->body.data, call->body.len, "the body", ret_json, &err) == 0)
		return true;
	api_fail(call, 400, "invalid JSON: %s", err.msg);
	return false;
}

/* So short that it can be answered where the network is waited for. */
static bool call_is_quick(struct httpd_request *http)
{
	const char *target = httpd_target(http);
	size_t len = strlen(target);

	return len >= strlen("/_ping") && !strcmp(target + len - strlen("/_ping"), "/_ping");
}

static bool check_version(struct api_call *call)
{
	if (call->minor < API_MIN_MINOR)
		api_fail(call, 400,
			 "client version %.20s is too old. Minimum supported API version is 1.%d, please "
			 "upgrade your client to a newer version",
			 call->target.segments[0] + 1, API_MIN_MINOR);
	else if (call->minor > API_MAX_MINOR)
		api_fail(call, 400,
			 "client version %.20s is too new. Maximum supported API version is 1.%d",
			 call->target.segments[0] + 1, API_MAX_MINOR);
	else
		return true;
	return false;
}

static bool find_route(struct api_call *call)
{
	size_t first;

	if (!target_parse(httpd_target(call->http), &call->target)) {
		api_fail(call, 400, "the path or the query is malformed");
		return false;
	}
	call->minor = API_MAX_MINOR;
	first = api_version_parse(call->target.segments[0], &call->minor);
	if (first && !check_version(call))
		return false;
	switch (api_route_find(&call->target, first, httpd_method(call->http), &call->route,
			       call->name)) {
	case API_FOUND:
		return true;
	case API_FOUND_LONG:
		api_fail(call, 400, "the name is longer than %d bytes", API_MAX_NAME - 1);
		break;
	case API_FOUND_NONE:
		api_fail(call, 404, "page not found");
		break;
	}
	return false;
}

static void call_begin(struct httpd_request *http)
{
	struct api_call *call = calloc(1, sizeof(*call));

	if (!call) {
		httpd_answer(http, 503);
		return;
	}
	call->api = httpd_owner(http);
	call->http = http;
	httpd_set_ctx(http, call);
	httpd_peer_process(http, &call->peer);
	if (find_route(call) && call->route->begin)
		call->route->begin(call);
}

static void collect(struct api_call *call, const void *data, size_t len)
{
	if (call->body.len + len > API_MAX_JSON)
		api_fail(call, 413, "the body is larger than %u bytes", API_MAX_JSON);
	else if (buf_add(&call->body, data, len) < 0)
		api_fail(call, 500, "out of memory");
}

void api_ignore_body(struct api_call *call, size_t len)
{
	call->ignored += len;
	if (call->ignored > API_MAX_IGNORED)
		api_fail(call, 413, "the body is larger than %u bytes", API_MAX_IGNORED);
}

static void call_body(struct httpd_request *http, const void *data, size_t len)
{
	struct api_call *call = httpd_ctx(http);

	switch (call->route->takes) {
	case API_BODY_JSON:
		collect(call, data, len);
		break;
	case API_BODY_BYTES:
		call->route->body(call, data, len);
		break;
	case API_BODY_NONE:
		api_ignore_body(call, len);
		break;
	}
}

/* Called again when a stream has something to say, which the handler may have started. */
static void call_end(struct httpd_request *http)
{
	struct api_call *call = httpd_ctx(http);

	if (!call->has_run)
		call->route->run(call);
	call->has_run = true;
	api_stream_answer(call);
}

static void log_request(const struct api_call *call, bool is_whole)
{
	enum log_level level = httpd_status(call->http) >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
	struct buf line = BUF_INIT;
	char seconds[32];

	/* Each command begins with one. */
	if (call_is_quick(call->http))
		level = LOG_LEVEL_DEBUG;
	if (!log_wants(level))
		return;
	log_begin(&line, level, is_whole ? "answered" : "the client has gone");
	log_field(&line, "method", httpd_method(call->http));
	log_field(&line, "target", httpd_target(call->http));
	log_number(&line, "status", httpd_status(call->http));
	log_number(&line, "received", httpd_body_received(call->http));
	log_number(&line, "sent", httpd_answer_length(call->http));
	if (call->peer.pid) {
		log_number(&line, "pid", call->peer.pid);
		log_number(&line, "uid", call->peer.uid);
	}
	snprintf(seconds, sizeof(seconds), "%.6f", httpd_seconds(call->http));
	log_field(&line, "seconds", seconds);
	log_field(&line, "error", call->error);
	log_end(&line);
}

static void call_finish(struct httpd_request *http, bool is_whole)
{
	struct api_call *call = httpd_ctx(http);

	if (!call)
		return;
	api_events_forget(call);
	shale_waiter_end(call->waiter);
	api_load_finish(call);
	api_stream_finish(call);
	api_load_free(call);
	if (call->registry)
		api_registry_release(call->registry);
	free(call->registry);
	log_request(call, is_whole);
	/* It may have had a password. */
	if (call->body.data)
		explicit_bzero(call->body.data, call->body.len);
	buf_release(&call->body);
	target_release(&call->target);
	free(call->path_stat);
	free(call);
}

const struct httpd_ops api_call_ops = {
	.is_quick = call_is_quick,
	.begin = call_begin,
	.body = call_body,
	.end = call_end,
	.finish = call_finish,
};

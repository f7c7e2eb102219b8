// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of a daemon; see dockapi.h. Builds requests, keeps the connection, and tells good answers from errors. Called by
 * the shale program's verbs.
 */
#include "dockapi/dockapi.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "dockapi/http.h"
#include "dockapi/message.h"
#include "store/json.h"

struct dockapi {
	char *path; /* of the socket, or NULL: then there is only fd */
	int fd;	    /* -1: not connected */
	bool is_used;
	struct http_wait wait;
	char version[16];
};

/* A call at work. */
struct answering {
	struct dockapi_call *call;
	char *offered_version;
};

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "preparing a request: out of memory");
}

static struct dockapi *api_new(int fd, const struct dockapi_opts *opts, struct shale_err *err)
{
	struct dockapi *api = calloc(1, sizeof(*api));

	if (!api) {
		no_memory(err);
		return NULL;
	}
	api->fd = fd;
	if (opts)
		api->wait = (struct http_wait){ opts->is_cancelled, opts->arg };
	snprintf(api->version, sizeof(api->version), DOCKAPI_VERSION);
	return api;
}

void dockapi_close(struct dockapi *api)
{
	if (!api)
		return;
	fd_closep(&api->fd);
	free(api->path);
	free(api);
}

const char *dockapi_version(const struct dockapi *api)
{
	return api->version;
}

static int connect_path(struct dockapi *api, struct shale_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = -1;

	if (strlen(api->path) >= sizeof(address.sun_path))
		return shale_err_set(err, ENAMETOOLONG, "%s is too long for a socket's path", api->path);
	memcpy(address.sun_path, api->path, strlen(api->path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return shale_err_errno(err, "cannot connect to the daemon at %s", api->path);
	api->fd = steal_fd(&fd);
	api->is_used = false;
	return 0;
}

static int add_escaped(struct buf *out, const char *text, const char *also)
{
	int ret = 0;

	for (; !ret && *text; text++)
		if (isalnum((unsigned char)*text) || strchr("-._~", *text) || strchr(also, *text))
			ret = buf_addc(out, *text);
		else
			ret = buf_addf(out, "%%%02X", (unsigned char)*text);
	return ret;
}

int dockapi_path(struct dockapi_call *call, struct shale_err *err, const char *format, ...)
{
	__cleanup_buf struct buf path = BUF_INIT;
	va_list ap;
	int ret = 0;

	va_start(ap, format);
	for (; !ret && *format; format++) {
		if (format[0] != '%' || format[1] != 's') {
			ret = buf_addc(&path, *format);
			continue;
		}
		ret = add_escaped(&path, va_arg(ap, const char *), "/:@");
		format++;
	}
	va_end(ap);
	free(call->path);
	call->path = ret ? NULL : buf_steal(&path);
	return call->path ? 0 : no_memory(err);
}

int dockapi_query(struct dockapi_call *call, const char *key, const char *value,
		  struct shale_err *err)
{
	struct buf *query = &call->query;

	if (!value)
		return 0;
	if (buf_addf(query, "%c%s=", query->len ? '&' : '?', key) || add_escaped(query, value, ""))
		return no_memory(err);
	return 0;
}

int dockapi_header(struct dockapi_call *call, const char *name, const char *value,
		   struct shale_err *err)
{
	if (strpbrk(value, "\r\n"))
		return shale_err_set(err, EINVAL, "a line end in what is sent as %s", name);
	return buf_addf(&call->headers, "%s: %s\r\n", name, value) ? no_memory(err) : 0;
}

void dockapi_call_release(struct dockapi_call *call)
{
	free(call->path);
	call->path = NULL;
	buf_release(&call->answer);
	buf_release(&call->query);
	buf_release(&call->headers);
}

static bool is_good(const struct dockapi_call *call)
{
	return call->status >= 200 && call->status < 300;
}

static int take_head(void *arg, long status, const char *fields, struct shale_err *err)
{
	struct answering *answering = arg;
	const char *version;
	size_t len = 0;

	(void)err;
	answering->call->status = status;
	version = answering->offered_version ? http_field(fields, "Api-Version", &len) : NULL;
	if (version)
		snprintf(answering->offered_version, sizeof(((struct dockapi *)0)->version), "%.*s",
			 (int)len, version);
	return 0;
}

static int take_body(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct dockapi_call *call = ((struct answering *)arg)->call;
	size_t max = is_good(call) ? DOCKAPI_MAX_ANSWER : DOCKAPI_MAX_ERROR;

	if (is_good(call) && call->sink)
		return call->sink(call->sink_arg, data, len, err);
	if (call->answer.len + len > max)
		return shale_err_set(err, EFBIG, "the daemon answers with more than %zu bytes", max);
	return buf_add(&call->answer, data, len) ? shale_err_errno(err, "reading an answer") : 0;
}

/* The connection may have been closed since it was last used: then it is worth another one. */
static int exchange(struct dockapi *api, const struct http_request *request,
		    const struct http_sink *sink, struct shale_err *err)
{
	struct http_outcome outcome = { 0 };
	bool was_used = api->is_used;
	int ret;

	if (api->fd < 0 && !api->path)
		return shale_err_set(err, ECONNRESET, "the daemon has gone away");
	if (api->fd < 0 && connect_path(api, err))
		return -1;
	was_used = api->is_used;
	ret = http_exchange(api->fd, request, sink, &api->wait, &outcome, err);
	api->is_used = true;
	if (!outcome.is_reusable) {
		close(api->fd);
		api->fd = -1;
	}
	if (ret && was_used && api->path && outcome.is_unanswered && err->code == ECONNRESET &&
	    !request->source)
		return exchange(api, request, sink, err);
	return ret;
}

static int send_call(struct dockapi *api, struct dockapi_call *call, const char *version,
		     char *offered_version, struct shale_err *err)
{
	struct answering answering = { call, offered_version };
	struct http_sink sink = { take_head, take_body, &answering };
	struct http_request request = { .source = call->source, .source_arg = call->source_arg };
	__cleanup_buf struct buf head = BUF_INIT;
	__cleanup_free char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;

	request.has_no_answer_body = !strcmp(call->method, "HEAD");
	if (call->body && !body)
		return no_memory(err);
	if (call->source || call->body)
		request.body = body;
	else if (!strcmp(call->method, "POST"))
		request.body = "";
	request.body_len = request.body ? strlen(request.body) : 0;
	if (buf_addf(&head, "%s %s%s%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: shale/" SHALE_VERSION
			    "\r\n%s", call->method, version, call->path, buf_str(&call->query),
		     buf_str(&call->headers)) ||
	    (call->body && buf_adds(&head, "Content-Type: application/json\r\n")) ||
	    (call->source && buf_adds(&head, "Content-Type: application/x-tar\r\n")))
		return no_memory(err);
	request.head = buf_str(&head);
	return exchange(api, &request, &sink, err);
}

int dockapi_perform(struct dockapi *api, struct dockapi_call *call, struct shale_err *err)
{
	struct shale_err unread;
	char version[sizeof(api->version) + 2];

	snprintf(version, sizeof(version), "/v%s", api->version);
	if (send_call(api, call, version, NULL, err ? err : &unread))
		return -1;
	return is_good(call) ? 0 : dockapi_complain(call->status, &call->answer, err);
}

int dockapi_json(struct dockapi *api, struct dockapi_call *call, json_t **ret_json,
		 struct shale_err *err)
{
	if (dockapi_perform(api, call, err))
		return -1;
	return dockapi_parse(buf_str(&call->answer), call->answer.len, ret_json, err);
}

static int take_messages(void *arg, const void *data, size_t len, struct shale_err *err)
{
	return dockapi_messages_add(arg, data, len, err);
}

int dockapi_stream(struct dockapi *api, struct dockapi_call *call, dockapi_message_fn each,
		   void *arg, struct shale_err *err)
{
	struct dockapi_messages messages = { .each = each, .arg = arg };
	int ret;

	call->sink = take_messages;
	call->sink_arg = &messages;
	ret = dockapi_perform(api, call, err);
	if (!ret)
		ret = dockapi_messages_end(&messages, err);
	buf_release(&messages.line);
	return ret;
}

/* "1.47" as a number to compare; 0 for what is no version. */
static unsigned int version_number(const char *text)
{
	unsigned int major, minor;
	int end = 0;

	if (sscanf(text, "%3u.%4u%n", &major, &minor, &end) != 2 || text[end])
		return 0;
	return major * 10000 + minor;
}

/* Takes the daemon's version where it is older than ours. */
static int agree(struct dockapi *api, const char *offered, struct shale_err *err)
{
	unsigned int version = version_number(offered);

	if (!version || version < version_number(DOCKAPI_MIN_VERSION))
		return shale_err_set(err, EPROTO,
				     "the daemon speaks version %s of the API: " DOCKAPI_MIN_VERSION
				     " is the oldest that will do", *offered ? offered : "none");
	if (version < version_number(DOCKAPI_VERSION))
		memcpy(api->version, offered, sizeof(api->version));
	return 0;
}

/* Its path is the same in all versions, so that it has none. */
static int ping(struct dockapi *api, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("HEAD");
	char offered[sizeof(api->version)] = "";

	if (dockapi_path(&call, err, "/_ping") || send_call(api, &call, "", offered, err))
		return -1;
	if (!is_good(&call))
		return dockapi_complain(call.status, &call.answer, err);
	return agree(api, offered, err);
}

int dockapi_open(const char *path, const struct dockapi_opts *opts, struct dockapi **ret_api,
		 struct shale_err *err)
{
	__cleanup_dockapi struct dockapi *api = api_new(-1, opts, err);

	if (!api)
		return -1;
	api->path = strdup(path);
	if (!api->path)
		return no_memory(err);
	if (ping(api, err))
		return -1;
	*ret_api = steal_ptr(api);
	return 0;
}

int dockapi_open_fd(int fd, const struct dockapi_opts *opts, struct dockapi **ret_api,
		    struct shale_err *err)
{
	*ret_api = api_new(fd, opts, err);
	if (*ret_api)
		return 0;
	close(fd);
	return -1;
}

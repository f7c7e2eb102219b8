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

/* The daemon hands its connection over. */
#define STATUS_UPGRADED 101

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
	buf_release(&call->field);
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
	const char *version, *wanted = NULL;
	size_t len = 0;

	answering->call->status = status;
	if (answering->call->wanted_field)
		wanted = http_field(fields, answering->call->wanted_field, &len);
	if (wanted && buf_add(&answering->call->field, wanted, len))
		return no_memory(err);
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

static int be_connected(struct dockapi *api, struct shale_err *err)
{
	if (api->fd >= 0)
		return 0;
	if (!api->path)
		return shale_err_set(err, ECONNRESET, "the daemon has gone away");
	return connect_path(api, err);
}

/* The connection may have been closed since it was last used: then it is worth another one. */
static int exchange(struct dockapi *api, const struct http_request *request,
		    const struct http_sink *sink, struct shale_err *err)
{
	struct http_outcome outcome = { 0 };
	bool was_used;
	int ret;

	if (be_connected(api, err))
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

/* A request, and what it points at. */
struct composed {
	struct http_request request;
	struct buf head;
	char *body;
};

#define __cleanup_composed __attribute__((cleanup(composed_release)))

static void composed_release(struct composed *composed)
{
	buf_release(&composed->head);
	free(composed->body);
}

static int compose(const struct dockapi_call *call, const char *version, struct composed *composed,
		   struct shale_err *err)
{
	struct http_request *request = &composed->request;
	struct buf *head = &composed->head;

	request->source = call->source;
	request->source_arg = call->source_arg;
	request->has_no_answer_body = !strcmp(call->method, "HEAD");
	composed->body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	if (call->body && !composed->body)
		return no_memory(err);
	if (call->source || call->body)
		request->body = composed->body;
	else if (!strcmp(call->method, "POST"))
		request->body = "";
	request->body_len = request->body ? strlen(request->body) : 0;
	if (buf_addf(head, "%s %s%s%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: shale/" SHALE_VERSION
			    "\r\n%s", call->method, version, call->path, buf_str(&call->query),
		     buf_str(&call->headers)) ||
	    (call->body && buf_adds(head, "Content-Type: application/json\r\n")) ||
	    (call->source && buf_adds(head, "Content-Type: application/x-tar\r\n")))
		return no_memory(err);
	request->head = buf_str(head);
	return 0;
}

static int send_call(struct dockapi *api, struct dockapi_call *call, const char *version,
		     char *offered_version, struct shale_err *err)
{
	struct answering answering = { call, offered_version };
	struct http_sink sink = { take_head, take_body, &answering };
	__cleanup_composed struct composed composed = { .head = BUF_INIT };

	if (compose(call, version, &composed, err))
		return -1;
	return exchange(api, &composed.request, &sink, err);
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

struct dockapi_pending {
	struct dockapi *api;
	struct answering answering;
	struct http_exchange *exchange;
};

static void forget_connection(struct dockapi *api)
{
	fd_closep(&api->fd);
	api->fd = -1;
}

/* Over a connection that nothing was asked over yet: it cannot have been closed for having waited. */
static int open_pending(struct dockapi *api, struct dockapi_call *call, bool takes_upgrade,
			struct dockapi_pending *pending, struct shale_err *err)
{
	struct http_sink sink = { take_head, take_body, &pending->answering };
	__cleanup_composed struct composed composed = { .head = BUF_INIT };
	char version[sizeof(api->version) + 2];

	if (api->path && api->is_used)
		forget_connection(api);
	if (be_connected(api, err))
		return -1;
	snprintf(version, sizeof(version), "/v%s", api->version);
	if (compose(call, version, &composed, err))
		return -1;
	composed.request.takes_upgrade = takes_upgrade;
	pending->api = api;
	pending->answering.call = call;
	api->is_used = true;
	return http_exchange_open(api->fd, &composed.request, &sink, &api->wait, &pending->exchange, err);
}

void dockapi_abandon(struct dockapi_pending *pending)
{
	if (!pending)
		return;
	if (pending->exchange)
		http_exchange_close(pending->exchange, NULL);
	forget_connection(pending->api);
	free(pending);
}

int dockapi_pending_fd(const struct dockapi_pending *pending)
{
	return pending->api->fd;
}

int dockapi_end(struct dockapi_pending *pending, struct shale_err *err)
{
	const struct dockapi_call *call = pending->answering.call;
	int ret = http_exchange_until_end(pending->exchange, err);

	if (!ret && !is_good(call))
		ret = dockapi_complain(call->status, &call->answer, err);
	dockapi_abandon(pending);
	return ret;
}

int dockapi_begin(struct dockapi *api, struct dockapi_call *call, struct dockapi_pending **ret_pending,
		  struct shale_err *err)
{
	struct dockapi_pending *pending = calloc(1, sizeof(*pending));

	if (!pending)
		return no_memory(err);
	pending->api = api;
	if (open_pending(api, call, false, pending, err) || http_exchange_until_head(pending->exchange, err)) {
		dockapi_abandon(pending);
		return -1;
	}
	if (!is_good(call))
		return dockapi_end(pending, err);
	*ret_pending = pending;
	return 0;
}

int dockapi_upgrade(struct dockapi *api, struct dockapi_call *call, int *ret_fd, struct shale_err *err)
{
	struct dockapi_pending pending = { 0 };
	int ret;

	if (dockapi_header(call, "Connection", "Upgrade", err) || dockapi_header(call, "Upgrade", "tcp", err))
		return -1;
	ret = open_pending(api, call, true, &pending, err);
	if (!ret)
		ret = http_exchange_until_end(pending.exchange, err);
	if (pending.exchange)
		http_exchange_close(pending.exchange, NULL);
	if (!ret && call->status == STATUS_UPGRADED) {
		*ret_fd = steal_fd(&api->fd);
		return 0;
	}
	forget_connection(api);
	if (ret)
		return -1;
	return is_good(call) ? shale_err_set(err, EPROTO, "the daemon does not hand its connection over")
			     : dockapi_complain(call->status, &call->answer, err);
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

int dockapi_again(const struct dockapi *api, struct dockapi **ret_api, struct shale_err *err)
{
	const struct dockapi_opts opts = { api->wait.is_cancelled, api->wait.arg };
	__cleanup_dockapi struct dockapi *again = NULL;

	if (!api->path)
		return shale_err_set(err, ENOTCONN, "this daemon has one connection only");
	again = api_new(-1, &opts, err);
	if (!again)
		return -1;
	again->path = strdup(api->path);
	if (!again->path)
		return no_memory(err);
	memcpy(again->version, api->version, sizeof(again->version));
	*ret_api = steal_ptr(again);
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

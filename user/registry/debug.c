// SPDX-License-Identifier: GPL-2.0-only
/*
 * The debug server; see debug.h. As distribution has it: /debug/health says what is wrong, and the
 * configuration says where the metrics are. Started and stopped by serve.c; call.c counts here.
 */
#include "registry/debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/listen.h"
#include "registry/metrics.h"
#include "registry/metrics_process.h"

struct debug {
	struct reg *reg;
	const struct settings *settings;
	struct httpd *httpd;
};

/* Distribution's names for what a request was for. */
static const char *const resource_names[RESOURCE_COUNT] = {
	[RESOURCE_NONE] = "none",
	[RESOURCE_BASE] = "base",
	[RESOURCE_CATALOG] = "catalog",
	[RESOURCE_DISCOVER] = "discover",
	[RESOURCE_TAGS] = "tags",
	[RESOURCE_MANIFEST] = "manifest",
	[RESOURCE_BLOB] = "blob",
	[RESOURCE_UPLOADS] = "blob_upload",
	[RESOURCE_UPLOAD] = "blob_upload_chunk",
	[RESOURCE_REFERRERS] = "referrers",
};

static const char *method_name(const struct call *call)
{
	static const char *const names[][2] = {
		{ "GET", "get" },     { "HEAD", "head" },     { "POST", "post" },
		{ "PUT", "put" },     { "PATCH", "patch" },   { "DELETE", "delete" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i][0], httpd_method(call->http)))
			return names[i][1];
	return "other";
}

void debug_count_call(const struct call *call)
{
	struct metrics *metrics = call->reg->metrics;
	const char *name = resource_names[call->route.resource];
	const char *method = method_name(call);
	char code[16];

	if (!metrics)
		return;
	snprintf(code, sizeof(code), "%u", httpd_status(call->http));
	metrics_count(metrics, METRIC_HTTP_REQUESTS, 1, (const char *[]){ name, code, method });
	metric_observe(metrics_series(metrics, METRIC_HTTP_DURATION, (const char *[]){ name, method }),
		       httpd_seconds(call->http) * 1e9);
	metric_observe(metrics_series(metrics, METRIC_HTTP_REQUEST_SIZE, &name),
		       httpd_body_received(call->http));
	metric_observe(metrics_series(metrics, METRIC_HTTP_RESPONSE_SIZE, &name),
		       httpd_answer_length(call->http));
}

static struct metrics *storage_metrics;

static void observe_storage(const char *driver, const char *action, uint64_t ns)
{
	metric_observe(metrics_series(storage_metrics, METRIC_STORAGE_ACTION,
				      (const char *[]){ driver, action }),
		       ns);
}

void debug_measure_storage(struct metrics *metrics)
{
	storage_metrics = metrics;
	bucket_observe(observe_storage);
}

static void send_text(struct httpd_request *http, unsigned int status, const char *type,
		      struct buf *body)
{
	httpd_answer(http, status);
	httpd_add_field(http, "Content-Type", "%s", type);
	httpd_send_buf(http, body);
}

static void send_health(struct httpd_request *http, const struct debug *debug)
{
	__cleanup_buf struct buf body = BUF_INIT;
	bool is_sick = atomic_load(&debug->reg->is_sick);

	if (is_sick)
		buf_addf(&body, "{\"storagedriver_%s\":\"the storage fails its checks\"}\n",
			 debug->settings->driver);
	else
		buf_adds(&body, "{}\n");
	send_text(http, is_sick ? 503 : 200, "application/json", &body);
}

static void send_metrics(struct httpd_request *http, const struct debug *debug)
{
	__cleanup_buf struct buf body = BUF_INIT;

	if (metrics_render(debug->reg->metrics, &body, NULL) < 0 || metrics_process(&body) < 0)
		httpd_answer(http, 503);
	else
		send_text(http, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

static bool is_path(struct httpd_request *http, const char *path)
{
	const char *target = httpd_target(http);
	size_t len = strlen(path);

	return !strncmp(target, path, len) && (!target[len] || target[len] == '?');
}

static bool debug_is_quick(struct httpd_request *http)
{
	(void)http;
	return true;
}

static void debug_begin(struct httpd_request *http)
{
	const struct debug *debug = httpd_owner(http);

	if (strcmp(httpd_method(http), "GET") && !httpd_is_head(http))
		httpd_answer(http, 405);
	else if (is_path(http, "/debug/health"))
		send_health(http, debug);
	else if (debug->settings->has_metrics && is_path(http, debug->settings->metrics_path))
		send_metrics(http, debug);
	else
		httpd_answer(http, 404);
}

static void debug_body(struct httpd_request *http, const void *data, size_t len)
{
	(void)http, (void)data, (void)len;
}

static void debug_end(struct httpd_request *http)
{
	(void)http;
}

static void debug_finish(struct httpd_request *http, bool is_whole)
{
	(void)http, (void)is_whole;
}

static const struct httpd_ops debug_ops = {
	.is_quick = debug_is_quick,
	.begin = debug_begin,
	.body = debug_body,
	.end = debug_end,
	.finish = debug_finish,
};

static int debug_listen(struct debug *debug, struct shale_err *err)
{
	struct httpd_limits limits = httpd_limits_default;
	int fd;

	limits.threads = limits.workers = 1;
	limits.connections = 64;
	limits.drain_seconds = 1;
	if (httpd_start(&debug_ops, debug, &limits, &debug->httpd, err) < 0)
		return -1;
	fd = listen_open(debug->settings->debug_address, 0600, err);
	return fd < 0 ? -1 : httpd_listen(debug->httpd, fd, NULL, err);
}

int debug_start(struct reg *reg, const struct settings *settings, struct debug **ret_debug,
		struct shale_err *err)
{
	struct debug *debug;

	*ret_debug = NULL;
	if (!settings->debug_address)
		return 0;
	debug = calloc(1, sizeof(*debug));
	if (!debug)
		return shale_err_set(err, ENOMEM, "no memory for the debug server");
	debug->reg = reg;
	debug->settings = settings;
	if (debug_listen(debug, err) < 0) {
		debug_stop(debug);
		return shale_err_wrap(err, "http.debug.addr");
	}
	log_text(LOG_LEVEL_INFO, "server", "health and metrics on %s", settings->debug_address);
	*ret_debug = debug;
	return 0;
}

void debug_stop(struct debug *debug)
{
	if (!debug)
		return;
	httpd_stop(debug->httpd);
	free(debug);
}

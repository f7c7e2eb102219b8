// SPDX-License-Identifier: GPL-2.0-only
/*
 * Health and metrics over HTTP; see debug.h. Started and stopped by serve.c.
 */
#include "registry/debug.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "httpd/listen.h"
#include "registry/meter.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
/* Prometheus and a few probes. */
#define CONNECTIONS 64

struct debug {
	struct reg *reg;
	struct httpd *httpd;
	const char *metrics_path; /* NULL: not shown */
};

static void send_text(struct httpd_request *http, unsigned int status, const char *type,
		      struct buf *body)
{
	httpd_answer(http, status);
	httpd_add_field(http, "Content-Type", "%s", type);
	httpd_add_field(http, "Cache-Control", "no-store");
	httpd_send_buf(http, body);
}

/* As distribution: an object of the checks that fail. What failed is in the log. */
static void send_health(struct debug *debug, struct httpd_request *http)
{
	bool is_sick = atomic_load(&debug->reg->is_sick);
	__cleanup_buf struct buf body = BUF_INIT;

	buf_adds(&body,
		 is_sick ? "{\"storagedriver\":\"the storage has failed its last checks\"}" : "{}");
	send_text(http, is_sick ? 503 : 200, "application/json", &body);
}

static void send_metrics(struct debug *debug, struct httpd_request *http)
{
	__cleanup_buf struct buf body = BUF_INIT;
	struct shale_err err = {0};

	if (metrics_render(meter_metrics(debug->reg->meter), &body, &err) < 0)
		httpd_answer(http, 503);
	else
		send_text(http, 200, METRICS_TYPE, &body);
}

static bool is_at(struct httpd_request *http, const char *path)
{
	const char *target = httpd_target(http);
	size_t len = path ? strlen(path) : 0;

	return path && !strncmp(target, path, len) && (!target[len] || target[len] == '?');
}

static bool is_quick(struct httpd_request *http)
{
	(void)http;
	return true;
}

static void begin(struct httpd_request *http)
{
	struct debug *debug = httpd_owner(http);

	if (strcmp(httpd_method(http), "GET") && !httpd_is_head(http))
		httpd_answer(http, 405);
	else if (is_at(http, "/debug/health"))
		send_health(debug, http);
	else if (is_at(http, debug->metrics_path))
		send_metrics(debug, http);
	else
		httpd_answer(http, 404);
}

static void ignore_body(struct httpd_request *http, const void *data, size_t len)
{
	(void)http;
	(void)data;
	(void)len;
}

static void end(struct httpd_request *http)
{
	(void)http;
}

static void finish(struct httpd_request *http, bool is_whole)
{
	(void)http;
	(void)is_whole;
}

static const struct httpd_ops ops = {
	.is_quick = is_quick,
	.begin = begin,
	.body = ignore_body,
	.end = end,
	.finish = finish,
};

static int start_listening(struct debug *debug, const char *address, struct shale_err *err)
{
	int fd = listen_open(address, 0, err);
	char text[256] = "?";

	if (fd < 0)
		return -1;
	listen_describe(fd, text, sizeof(text));
	if (httpd_listen(debug->httpd, fd, NULL, err) < 0)
		return -1;
	log_text(LOG_LEVEL_INFO, "debug", "listening on %s", text);
	return 0;
}

int debug_start(struct reg *reg, const struct settings *settings, struct debug **ret_debug,
		struct shale_err *err)
{
	struct httpd_limits limits = settings->limits;
	struct debug *debug;

	*ret_debug = NULL;
	if (!settings->debug_address)
		return 0;
	debug = calloc(1, sizeof(*debug));
	if (!debug)
		return shale_err_set(err, ENOMEM, "http.debug");
	limits.connections = CONNECTIONS;
	limits.threads = 1;
	limits.workers = 1;
	limits.drain_seconds = 1;
	debug->reg = reg;
	debug->metrics_path = settings->has_metrics ? settings->metrics_path : NULL;
	if (httpd_start(&ops, debug, &limits, &debug->httpd, err) < 0) {
		free(debug);
		return shale_err_wrap(err, "http.debug");
	}
	if (start_listening(debug, settings->debug_address, err) < 0) {
		debug_stop(debug);
		return shale_err_wrap(err, "http.debug");
	}
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

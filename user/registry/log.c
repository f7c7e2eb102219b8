// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log; see log.h. Values are escaped as JSON in both forms, so that no client writes lines of its own.
 * Called from everywhere in this program.
 */
#include "registry/log.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "registry/reg.h"

static struct {
	enum log_level level;
	bool is_json;
	bool has_access;
} setup = { LOG_LEVEL_INFO, false, true };

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level level, bool is_json, bool has_access)
{
	setup.level = level;
	setup.is_json = is_json;
	setup.has_access = has_access;
}

static void add_escaped(struct buf *line, const char *value)
{
	buf_addc(line, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_addf(line, "\\%c", *value);
		else if ((unsigned char)*value < ' ' || (unsigned char)*value >= 0x7f)
			buf_addf(line, "\\u%04x", (unsigned char)*value);
		else
			buf_addc(line, *value);
	}
	buf_addc(line, '"');
}

static void add_field(struct buf *line, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(line, setup.is_json ? "%s\"%s\":" : "%s%s=",
		 line->len > 1 ? (setup.is_json ? "," : " ") : "", key);
	add_escaped(line, value);
}

static void add_number(struct buf *line, const char *key, unsigned long long value)
{
	buf_addf(line, setup.is_json ? ",\"%s\":%llu" : " %s=%llu", key, value);
}

static void begin_line(struct buf *line, enum log_level level, const char *text)
{
	struct timespec now;
	struct tm tm;
	char time[64];
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	len = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
	snprintf(time + len, sizeof(time) - len, ".%06ldZ", now.tv_nsec / 1000);
	if (setup.is_json)
		buf_addc(line, '{');
	add_field(line, "time", time);
	add_field(line, "level", levels[level]);
	add_field(line, "msg", text);
}

static void end_line(struct buf *line)
{
	buf_adds(line, setup.is_json ? "}\n" : "\n");
	/* There is nobody to tell when the log cannot be written. */
	if (fs_write_full(STDERR_FILENO, buf_str(line), line->len) < 0)
		return;
}

void log_text(enum log_level level, const char *what, const char *fmt, ...)
{
	__cleanup_buf struct buf line = BUF_INIT;
	char text[1024];
	va_list ap;

	if (level > setup.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	begin_line(&line, level, text);
	add_field(&line, "of", what);
	end_line(&line);
}

static void add_peer(struct buf *line, const struct sockaddr *peer)
{
	char host[INET6_ADDRSTRLEN] = "";
	char text[INET6_ADDRSTRLEN + 10];

	if (!peer)
		return;
	if (peer->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)peer;

		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, sizeof(text), "%s:%u", host, ntohs(in->sin_port));
	} else if (peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const void *)peer;

		inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof(host));
		snprintf(text, sizeof(text), "[%s]:%u", host, ntohs(in->sin6_port));
	} else {
		return;
	}
	add_field(line, "http.request.remoteaddr", text);
}

void log_call(const struct call *call, bool is_whole)
{
	enum log_level level = call->error ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
	__cleanup_buf struct buf line = BUF_INIT;
	char seconds[32];

	if (level > setup.level || (!setup.has_access && !call->error))
		return;
	begin_line(&line, level, is_whole ? "response completed" : "connection lost");
	add_field(&line, "http.request.method", httpd_method(call->http));
	add_field(&line, "http.request.uri", httpd_target(call->http));
	add_field(&line, "http.request.useragent", call->agent);
	add_peer(&line, (const struct sockaddr *)&call->peer);
	add_field(&line, "auth.user.name", call->actor);
	add_number(&line, "http.response.status", httpd_status(call->http));
	add_number(&line, "http.response.written", httpd_answer_length(call->http));
	add_number(&line, "http.request.received", httpd_body_received(call->http));
	snprintf(seconds, sizeof(seconds), "%.6fs", httpd_seconds(call->http));
	add_field(&line, "http.response.duration", seconds);
	add_field(&line, "err.code", call->fault);
	add_field(&line, "err.detail", call->error ? call->error : call->reason);
	end_line(&line);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of requests; see log.h. Called by call.c.
 */
#include "registry/log.h"

#include <stdio.h>

#include "registry/reg.h"

static bool has_calls = true;

void log_setup_calls(bool has_access)
{
	has_calls = has_access;
}

void log_call(const struct call *call, bool is_whole)
{
	enum log_level level = call->error ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;
	struct buf line = BUF_INIT;
	char seconds[32];
	char peer[64];

	if (!log_wants(level) || (!has_calls && !call->error))
		return;
	log_begin(&line, level, is_whole ? "response completed" : "connection lost");
	log_field(&line, "http.request.method", httpd_method(call->http));
	log_field(&line, "http.request.uri", httpd_target(call->http));
	log_field(&line, "http.request.useragent", call->agent);
	call_print_peer(call, peer, sizeof(peer));
	log_field(&line, "http.request.remoteaddr", peer);
	log_field(&line, "auth.user.name", call->actor);
	log_number(&line, "http.response.status", httpd_status(call->http));
	log_number(&line, "http.response.written", httpd_answer_length(call->http));
	log_number(&line, "http.request.received", httpd_body_received(call->http));
	snprintf(seconds, sizeof(seconds), "%.6fs", httpd_seconds(call->http));
	log_field(&line, "http.response.duration", seconds);
	log_field(&line, "err.code", call->fault);
	log_field(&line, "err.detail", call->error ? call->error : call->reason);
	log_end(&line);
}

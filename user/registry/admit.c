// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door; see admit.h. Who may do what is decided in access.c and, for its own tokens, in issuer.c;
 * this turns a request into their question and their answer into the client's. Called by call.c for each
 * request, after its path is understood and before anything is looked up.
 */
#include "registry/admit.h"

#include <string.h>
#include <strings.h>

#include "registry/form.h"
#include "registry/gate.h"

static const char *client_scheme(struct call *call)
{
	const char *proto = httpd_field(call->http, "X-Forwarded-Proto");

	if (proto)
		return strcasecmp(proto, "https") ? "http" : "https";
	return httpd_is_tls(call->http) ? "https" : "http";
}

/* The base and the extensions belong to nobody; what the method wants of the rest is distribution's. */
static size_t wanted_grants(struct call *call, struct grant *wanted)
{
	const char *from = target_get(&call->target, "from");
	enum resource resource = call->route.resource;

	if (resource == RESOURCE_BASE || (resource == RESOURCE_DISCOVER && !call->route.repo[0]))
		return 0;
	if (!target_get(&call->target, "mount") || !from || !name_is_repo(from))
		from = NULL;
	return access_want(httpd_method(call->http),
			   resource == RESOURCE_CATALOG ? NULL : call->route.repo, from, wanted);
}

static void send_verdict(struct call *call, const struct access_answer *answer)
{
	switch (answer->verdict) {
	case ACCESS_ALLOWED:
		break;
	case ACCESS_UNKNOWN:
		fault_send(call, FAULT_UNAUTHORIZED, NULL);
		if (answer->challenge)
			httpd_add_field(call->http, "WWW-Authenticate", "%s", answer->challenge);
		break;
	case ACCESS_DENIED:
		fault_send(call, FAULT_DENIED, NULL);
		break;
	case ACCESS_BUSY:
		fault_send(call, FAULT_UNAVAILABLE, NULL);
		break;
	}
}

bool admit(struct call *call)
{
	struct gate *gate = call->reg->gate;
	struct grant wanted[2];
	struct access_request request = {
		.authorization = httpd_field(call->http, "Authorization"),
		.scheme = client_scheme(call),
		.host = httpd_field(call->http, "Host"),
		.wanted = wanted,
		.now = time(NULL),
	};
	struct access_answer answer = { 0 };
	bool is_allowed;

	if (!gate)
		return true;
	request.count = wanted_grants(call, wanted);
	access_decide(&gate->access, &request, &answer);
	is_allowed = answer.verdict == ACCESS_ALLOWED;
	snprintf(call->actor, sizeof(call->actor), "%s", answer.actor);
	if (!is_allowed)
		snprintf(call->reason, sizeof(call->reason), "%s", answer.reason);
	send_verdict(call, &answer);
	access_answer_release(&answer);
	return is_allowed;
}

static bool is_path(struct httpd_request *http, const char *path)
{
	const char *target = httpd_target(http);
	size_t len = path ? strlen(path) : 0;

	return path && !strncmp(target, path, len) && (!target[len] || target[len] == '?');
}

static void send_token(struct call *call, struct form *form)
{
	struct issuer_request request = {
		.method = httpd_method(call->http),
		.authorization = httpd_field(call->http, "Authorization"),
		.form = form,
		.now = time(NULL),
	};
	struct issuer_answer answer = { 0 };

	issuer_handle(&call->reg->gate->issuer, &request, &answer);
	snprintf(call->actor, sizeof(call->actor), "%s", answer.actor);
	snprintf(call->reason, sizeof(call->reason), "%s", answer.reason);
	httpd_answer(call->http, answer.status);
	httpd_add_field(call->http, "Content-Type", "application/json");
	httpd_add_field(call->http, "Cache-Control", "no-store");
	if (answer.challenge)
		httpd_add_field(call->http, "WWW-Authenticate", "%s", answer.challenge);
	httpd_send_buf(call->http, &answer.body);
	issuer_answer_release(&answer);
}

static void answer_token(struct call *call, const char *text, size_t len)
{
	struct form form = { 0 };
	struct shale_err err = { 0 };

	if (form_parse(text, len, &form, &err) < 0)
		fault_send(call, FAULT_BAD_REQUEST, "%s", err.msg);
	else
		send_token(call, &form);
	form_release(&form);
}

static void token_body(struct call *call, const void *data, size_t len)
{
	if (call->body.len + len > FORM_MAX_BYTES)
		fault_send(call, FAULT_MANIFEST_TOO_LARGE, "more than %u bytes", FORM_MAX_BYTES);
	else if (buf_add(&call->body, data, len) < 0)
		fault_send(call, FAULT_UNAVAILABLE, NULL);
}

static void token_end(struct call *call)
{
	answer_token(call, buf_str(&call->body), call->body.len);
}

static void begin_token(struct call *call)
{
	static const struct handler with_body = { .body = token_body, .end = token_end };
	const char *query = strchr(httpd_target(call->http), '?');

	call->handler = &with_body;
	if (!strcmp(httpd_method(call->http), "POST"))
		return;
	answer_token(call, query ? query + 1 : "", query ? strlen(query + 1) : 0);
}

static void send_keys(struct call *call)
{
	__cleanup_buf struct buf body = BUF_INIT;
	struct shale_err err = { 0 };

	if (issuer_publish(&call->reg->gate->issuer, &body, &err) < 0) {
		fault_send_err(call, &err, FAULT_UNKNOWN);
		return;
	}
	httpd_answer(call->http, 200);
	httpd_add_field(call->http, "Content-Type", "application/json");
	httpd_send_buf(call->http, &body);
}

bool admit_special(struct call *call)
{
	const struct gate *gate = call->reg->gate;

	if (!gate || !gate->has_issuer)
		return false;
	if (is_path(call->http, gate->token_path))
		begin_token(call);
	else if (is_path(call->http, gate->jwks_path))
		send_keys(call);
	else
		return false;
	return true;
}

bool admit_may_sleep(struct reg *reg, struct httpd_request *http)
{
	if (!reg->gate)
		return false;
	if (reg->gate->has_issuer && is_path(http, reg->gate->token_path))
		return true;
	return access_may_sleep(&reg->gate->access, httpd_field(http, "Authorization"));
}

bool admit_is_open(struct reg *reg)
{
	return !reg->gate || (reg->gate->access.mode == ACCESS_OPEN && !reg->gate->access.policy);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to one repository; see remote.h. Credentials are only looked for when the registry asks, and
 * only given where nobody can listen, unless plain http was asked for. How a failure reads is in
 * complaint.c. Called by pull.c, fetch.c and push.c.
 */
#include "client/remote.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "client/bearer.h"

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

void remote_close(struct remote *remote)
{
	free(remote->base);
	free(remote->authorization);
	free(remote->refresh_token);
	tlsdir_release(&remote->tlsdir);
	creds_release(&remote->creds);
	buf_release(&remote->scopes);
	*remote = (struct remote){ 0 };
}

int remote_add_scope(struct remote *remote, const char *repository, const char *actions,
		     struct shale_err *err)
{
	if (remote->scopes.len > REMOTE_MAX_SCOPES)
		return shale_err_set(err, E2BIG, "too many repositories at once");
	if (buf_addf(&remote->scopes, "%srepository:%s:%s", remote->scopes.len ? " " : "",
		     repository, actions) < 0)
		return shale_err_errno(err, "asking for a token");
	free(remote->authorization);
	remote->authorization = NULL;
	return 0;
}

int remote_set_url(const struct remote *remote, struct web_request *request,
		   struct shale_err *err, const char *fmt, ...)
{
	__cleanup_buf struct buf url = BUF_INIT;
	char tail[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(tail, sizeof(tail), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(tail))
		return shale_err_set(err, ENAMETOOLONG, "the URL would be too long");
	if (buf_addf(&url, "%s/v2/%s/%s", remote->base, remote->origin.repository, tail) < 0)
		return shale_err_errno(err, "preparing a request");
	free(request->url);
	request->url = buf_steal(&url);
	request->tls = &remote->tls;
	return request->url ? 0 : shale_err_errno(err, "preparing a request");
}

static int find_creds(struct remote *remote, struct shale_err *err)
{
	if (remote->has_creds)
		return 0;
	if (creds_find(remote->opts, remote->origin.host, remote->origin.repository,
		       &remote->creds, err) < 0)
		return shale_err_wrap(err, "credentials for %s", remote->origin.host);
	remote->has_creds = true;
	return 0;
}

/* Credentials over plain http are everybody's. */
static int check_secrecy(const struct remote *remote, const char *url, struct shale_err *err)
{
	if (!web_is_plain(url) || remote->is_insecure || creds_are_empty(&remote->creds))
		return 0;
	return shale_err_set(err, EACCES, "credentials are not sent over plain http to %.200s",
			     url);
}

static int use_basic(struct remote *remote, struct shale_err *err)
{
	if (!remote->creds.username)
		return shale_err_set(err, EACCES, "%s: asks for a user and a password",
				     remote->origin.host);
	if (check_secrecy(remote, remote->base, err) < 0)
		return -1;
	free(remote->authorization);
	remote->authorization = bearer_basic(&remote->creds, err);
	remote->expires = 0;
	return remote->authorization ? 0 : -1;
}

static int use_token(struct remote *remote, const char *token, time_t expires,
		     struct shale_err *err)
{
	__cleanup_buf struct buf line = BUF_INIT;

	if (buf_addf(&line, "Bearer %s", token) < 0)
		return shale_err_errno(err, "keeping a token");
	free(remote->authorization);
	remote->authorization = buf_steal(&line);
	remote->expires = expires;
	return remote->authorization ? 0 : shale_err_errno(err, "keeping a token");
}

/* A try of a token request, the verdict as of remote_judge(); never asks for a token itself. */
static int run_plainly(struct remote *remote, struct web_request *request, struct shale_err *err)
{
	enum remote_verdict verdict = REMOTE_AGAIN;
	uint64_t msec = 0;

	for (;;) {
		if (web_perform(remote->web, request, err) < 0)
			return -1;
		if (!request->has_failed && request->status == 401)
			return remote_fail(request, err);
		if (remote_judge(remote, request, 0, &verdict, &msec, err) < 0)
			return -1;
		if (verdict == REMOTE_GOOD)
			return 0;
		if (web_sleep(remote->web, msec, err) < 0)
			return -1;
	}
}

static const char *scopes_of(const struct remote *remote)
{
	return remote->scopes.len ? buf_str(&remote->scopes) : remote->challenge.scope;
}

static int fetch_token(struct remote *remote, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	__cleanup_bearer struct bearer bearer = { 0 };
	const char *realm = remote->challenge.realm;
	struct bearer_wish wish = {
		.challenge = &remote->challenge,
		.creds = &remote->creds,
		.scopes = scopes_of(remote),
		.wants_refresh = remote->wants_refresh,
	};

	request.tls = &remote->tls;
	if (check_secrecy(remote, realm, err) < 0 || bearer_ask(&wish, &request, err) < 0)
		return -1;
	if (run_plainly(remote, &request, err) < 0)
		return shale_err_wrap(err, "asking for a token");
	if (bearer_parse(buf_str(&request.answer), request.answer.len, &bearer, err) < 0)
		return shale_err_wrap(err, "%.200s", realm);
	if (remote->wants_refresh && bearer.refresh_token) {
		free(remote->refresh_token);
		remote->refresh_token = steal_ptr(bearer.refresh_token);
	}
	return use_token(remote, bearer.token, monotonic() + bearer.seconds, err);
}

static int authorize(struct remote *remote, struct shale_err *err)
{
	if (find_creds(remote, err) < 0)
		return -1;
	if (remote->challenge.scheme == ANSWER_BASIC)
		return use_basic(remote, err);
	if (!remote->creds.registry_token)
		return fetch_token(remote, err);
	if (check_secrecy(remote, remote->base, err) < 0)
		return -1;
	return use_token(remote, remote->creds.registry_token, 0, err);
}

static bool is_stale(const struct remote *remote)
{
	return !remote->authorization ||
	       (remote->expires && monotonic() + REMOTE_TOKEN_MARGIN >= remote->expires);
}

int remote_prepare(struct remote *remote, struct web_request *request, struct shale_err *err)
{
	bool is_ours = web_same_host(remote->base, request->url);

	if (remote->challenge.scheme && is_ours && is_stale(remote) && authorize(remote, err) < 0)
		return -1;
	free(request->authorization);
	request->authorization = NULL;
	if (!remote->authorization || !is_ours)
		return 0;
	request->authorization = strdup(remote->authorization);
	return request->authorization ? 0 : shale_err_errno(err, "preparing a request");
}

static bool is_passing(long status)
{
	static const long statuses[] = { 408, 425, 429, 500, 502, 503, 504 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (status == statuses[i])
			return true;
	return false;
}

/* The wait grows with each try, and a little differs, so that many clients do not come back at once. */
static uint64_t backoff(unsigned int tries)
{
	uint64_t msec = REMOTE_FIRST_WAIT_MSEC;
	struct timespec now;

	while (tries-- > 1 && msec < REMOTE_MAX_WAIT_MSEC)
		msec *= 2;
	if (msec > REMOTE_MAX_WAIT_MSEC)
		msec = REMOTE_MAX_WAIT_MSEC;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return msec - msec / 4 * (now.tv_nsec / 1000 % 1000) / 1000;
}

static int wait_as_told(const struct web_request *request, uint64_t *msec, struct shale_err *err)
{
	const char *after = web_value(request, WEB_RETRY_AFTER);
	uint64_t seconds = 0;

	if (!after || !answer_parse_retry(after, time(NULL), &seconds))
		return 0;
	if (seconds > REMOTE_MAX_RETRY_AFTER) {
		remote_fail(request, err);
		return shale_err_wrap(err, "asks to come back in %llu seconds",
				      (unsigned long long)seconds);
	}
	if (seconds * 1000 > *msec)
		*msec = seconds * 1000;
	return 0;
}

/* The token may have expired, or the challenge is new: once more with an answer to it. */
static int take_challenge(struct remote *remote, struct web_request *request,
			  struct shale_err *err)
{
	const char *text = web_value(request, WEB_AUTHENTICATE);

	if (!text || !web_same_host(remote->base, request->url) || request->is_abroad)
		return remote_fail(request, err);
	if (request->challenges++ >= REMOTE_MAX_CHALLENGES)
		return remote_fail(request, err);
	/* Who sent user and password sends the same again. */
	if (request->authorization && remote->challenge.scheme == ANSWER_BASIC)
		return remote_fail(request, err);
	if (answer_parse_challenge(text, &remote->challenge, err) < 0)
		return shale_err_wrap(err, "%s", remote->origin.endpoint);
	free(remote->authorization);
	remote->authorization = NULL;
	return 0;
}

static unsigned int max_tries(const struct remote *remote)
{
	return remote->opts->tries ? remote->opts->tries : REMOTE_TRIES;
}

int remote_judge(struct remote *remote, struct web_request *request, long accepted,
		 enum remote_verdict *ret_verdict, uint64_t *ret_msec, struct shale_err *err)
{
	*ret_verdict = REMOTE_AGAIN;
	*ret_msec = 0;
	if (request->has_failed && !request->may_succeed)
		return remote_fail(request, err);
	if (!request->has_failed && (request->status / 100 == 2 || request->status == accepted)) {
		request->tries = request->challenges = 0;
		*ret_verdict = REMOTE_GOOD;
		return 0;
	}
	if (!request->has_failed && request->status == 401)
		return take_challenge(remote, request, err);
	if (!request->has_failed && !is_passing(request->status))
		return remote_fail(request, err);
	if (++request->tries >= max_tries(remote))
		return remote_fail(request, err);
	*ret_msec = backoff(request->tries);
	return request->has_failed ? 0 : wait_as_told(request, ret_msec, err);
}

int remote_request(struct remote *remote, struct web_request *request, long accepted,
		   struct shale_err *err)
{
	enum remote_verdict verdict = REMOTE_AGAIN;
	uint64_t msec = 0;

	for (;;) {
		if (remote_prepare(remote, request, err) < 0 ||
		    web_perform(remote->web, request, err) < 0 ||
		    remote_judge(remote, request, accepted, &verdict, &msec, err) < 0)
			return -1;
		if (verdict == REMOTE_GOOD)
			return 0;
		if (msec && web_sleep(remote->web, msec, err) < 0)
			return -1;
	}
}

static int set_base(struct remote *remote, const char *scheme, struct shale_err *err)
{
	__cleanup_buf struct buf base = BUF_INIT;

	if (buf_addf(&base, "%s://%s", scheme, remote->origin.endpoint) < 0)
		return shale_err_errno(err, "connecting");
	free(remote->base);
	remote->base = buf_steal(&base);
	return remote->base ? 0 : shale_err_errno(err, "connecting");
}

/* GET /v2/, which says whether this is a registry and what it wants to know. */
static int ping(struct remote *remote, struct web_request *request, struct shale_err *err)
{
	__cleanup_buf struct buf url = BUF_INIT;

	if (buf_addf(&url, "%s/v2/", remote->base) < 0)
		return shale_err_errno(err, "connecting");
	free(request->url);
	request->url = buf_steal(&url);
	request->tls = &remote->tls;
	/* What it says beyond its headers is of no interest. */
	request->max_answer = WEB_MAX_ERROR_BODY;
	return web_perform(remote->web, request, err);
}

static int learn(struct remote *remote, struct web_request *request, enum remote_verdict *verdict,
		 uint64_t *msec, struct shale_err *err)
{
	/* 404: a registry that has repositories only. */
	if (!request->has_failed && request->status == 401) {
		*verdict = REMOTE_GOOD;
		return take_challenge(remote, request, err);
	}
	return remote_judge(remote, request, 404, verdict, msec, err);
}

/* https, and where that is not spoken http, if it may be. */
int remote_connect(struct remote *remote, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	enum remote_verdict verdict = REMOTE_AGAIN;
	bool may_be_plain = remote->is_insecure;
	uint64_t msec = 0;

	if (remote->base)
		return 0;
	if (set_base(remote, "https", err) < 0)
		return -1;
	for (;;) {
		if (ping(remote, &request, err) < 0)
			return -1;
		if (may_be_plain && request.has_failed && request.is_refused) {
			may_be_plain = false;
			if (set_base(remote, "http", err) < 0)
				return -1;
			continue;
		}
		if (learn(remote, &request, &verdict, &msec, err) < 0)
			return -1;
		if (verdict == REMOTE_GOOD)
			return 0;
		if (web_sleep(remote->web, msec, err) < 0)
			return -1;
	}
}

int remote_init(const struct remote_wish *wish, struct remote *ret_remote, struct shale_err *err)
{
	struct remote remote = {
		.web = wish->web,
		.opts = wish->opts,
		.origin = *wish->origin,
		.is_insecure = wish->is_insecure || wish->opts->is_insecure ||
			       origin_is_local(wish->origin->endpoint),
		.takes_schema1 = wish->takes_schema1 || wish->opts->takes_schema1,
	};

	if (tlsdir_load(wish->opts->certs_dir, remote.origin.endpoint, &remote.tlsdir, err) < 0)
		goto fail;
	remote.tls = (struct web_tls){
		.is_insecure = remote.is_insecure,
		.roots = remote.tlsdir.roots.data,
		.roots_len = remote.tlsdir.roots.len,
		.cert = remote.tlsdir.cert,
		.key = remote.tlsdir.key,
	};
	if (wish->actions && remote_add_scope(&remote, remote.origin.repository, wish->actions,
					      err) < 0)
		goto fail;
	*ret_remote = remote;
	return 0;
fail:
	remote_close(&remote);
	return -1;
}

int remote_open(const struct remote_wish *wish, struct remote *ret_remote, struct shale_err *err)
{
	struct remote remote;

	if (remote_init(wish, &remote, err) < 0)
		return -1;
	if (remote_connect(&remote, err) < 0) {
		remote_close(&remote);
		return -1;
	}
	*ret_remote = remote;
	return 0;
}

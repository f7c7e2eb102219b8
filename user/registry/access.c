// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decisions; see access.h. What is not clearly allowed is refused, with a challenge that says what
 * would help. The words of challenges are those of distribution, since clients parse them.
 */
#include "registry/access.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/authorization.h"
#include "registry/jwt.h"
#include "store/json.h"

/* A name of 253 letters, a port. */
#define HOST_MAX 260

static const struct verb {
	const char *method;
	unsigned int actions;
} verbs[] = {
	{"GET", GRANT_PULL},
	{"HEAD", GRANT_PULL},
	{"POST", GRANT_PULL | GRANT_PUSH},
	{"PUT", GRANT_PULL | GRANT_PUSH},
	{"PATCH", GRANT_PULL | GRANT_PUSH},
	{"DELETE", GRANT_DELETE},
};

/* A method that is not known wants everything. */
static unsigned int actions_of(const char *method)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (!strcmp(method, verbs[i].method))
			return verbs[i].actions;
	return GRANT_ANY;
}

size_t access_want(const char *method, const char *repository, const char *from,
		   struct grant ret_wanted[2])
{
	if (!repository) {
		grant_init(&ret_wanted[0], GRANT_REGISTRY, "catalog", GRANT_ANY);
		return 1;
	}
	grant_init(&ret_wanted[0], GRANT_REPOSITORY, repository, actions_of(method));
	if (!from)
		return 1;
	grant_init(&ret_wanted[1], GRANT_REPOSITORY, from, GRANT_PULL);
	return 2;
}

void access_answer_release(struct access_answer *answer)
{
	free(answer->challenge);
	answer->challenge = NULL;
}

static void answer_set(struct access_answer *answer, enum access_verdict verdict,
		       const char *reason)
{
	answer->verdict = verdict;
	snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}

/* name="value", a quoted-string of RFC 9110. */
static int add_quoted(struct buf *buf, const char *name, const char *value)
{
	buf_addf(buf, "%s=\"", name);
	for (; *value; value++) {
		if (strchr("\"\\", *value))
			buf_addc(buf, '\\');
		buf_addc(buf, *value);
	}
	return buf_addc(buf, '"');
}

/* What a client says it called us is put into a URL only when it can be nothing but a host. */
static bool is_host(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789.-_:[]";
	size_t len = host ? strnlen(host, HOST_MAX + 1) : 0;

	return len && len <= HOST_MAX && strspn(host, letters) == len;
}

static int add_realm(const struct access *access, const struct access_request *request,
		     struct buf *buf)
{
	__cleanup_buf struct buf url = BUF_INIT;

	if (access->realm)
		return add_quoted(buf, "realm", access->realm);
	if (buf_addf(&url, "%s://%s%s", request->scheme,
		     is_host(request->host) ? request->host : "localhost", access->path) < 0)
		return -1;
	return add_quoted(buf, "realm", url.data);
}

static int add_scope(const struct access_request *request, struct buf *buf)
{
	buf_adds(buf, ",scope=\"");
	for (size_t i = 0; i < request->count; i++) {
		if (i)
			buf_addc(buf, ' ');
		grant_add_scope(&request->wanted[i], buf);
	}
	return buf_addc(buf, '"');
}

/* @error: of RFC 6750, or NULL. */
static int add_challenge(const struct access *access, const struct access_request *request,
			 const char *error, struct buf *buf)
{
	if (access->mode == ACCESS_HTPASSWD) {
		buf_adds(buf, "Basic ");
		return add_quoted(buf, "realm", access->realm);
	}
	if (buf_adds(buf, "Bearer ") < 0 || add_realm(access, request, buf) < 0 ||
	    buf_addc(buf, ',') < 0 || add_quoted(buf, "service", access->service) < 0)
		return -1;
	if (request->count && add_scope(request, buf) < 0)
		return -1;
	return error ? buf_addf(buf, ",error=\"%s\"", error) : 0;
}

static void ask(const struct access *access, const struct access_request *request,
		const char *error, const char *reason, struct access_answer *answer)
{
	__cleanup_buf struct buf challenge = BUF_INIT;

	if (add_challenge(access, request, error, &challenge) < 0) {
		answer_set(answer, ACCESS_BUSY, "out of memory");
		return;
	}
	answer->challenge = buf_steal(&challenge);
	answer_set(answer, answer->challenge ? ACCESS_UNKNOWN : ACCESS_BUSY, reason);
}

static bool policy_covers(const struct policy *policy, const char *user, const struct grant *wanted)
{
	if (wanted->type == GRANT_REGISTRY)
		return !strcmp(wanted->name, "catalog") && policy_may_list(policy, user);
	return grant_covers(policy_actions(policy, user, wanted->name), wanted->actions);
}

static bool policy_covers_all(const struct access *access, const char *user,
			      const struct access_request *request)
{
	for (size_t i = 0; i < request->count; i++)
		if (!policy_covers(access->policy, user, &request->wanted[i]))
			return false;
	return true;
}

static void decide_open(const struct access *access, const struct access_request *request,
			const struct authorization *who, struct access_answer *answer)
{
	(void)who;
	if (!access->policy || policy_covers_all(access, NULL, request))
		answer_set(answer, ACCESS_ALLOWED, "");
	else
		answer_set(answer, ACCESS_DENIED, "the policy does not allow it to anybody");
}

/*
 * /v2/ is refused to who does not say who they are even where the policy lets everybody pull: it is
 * where clients learn that there are passwords.
 */
static void decide_stranger(const struct access *access, const struct access_request *request,
			    struct access_answer *answer)
{
	if (request->count && access->policy && policy_covers_all(access, NULL, request))
		answer_set(answer, ACCESS_ALLOWED, "");
	else
		ask(access, request, NULL, "no credentials", answer);
}

static void decide_known(const struct access *access, const struct access_request *request,
			 const char *user, struct access_answer *answer)
{
	snprintf(answer->actor, sizeof(answer->actor), "%s", user);
	if (!access->policy || policy_covers_all(access, user[0] ? user : NULL, request))
		answer_set(answer, ACCESS_ALLOWED, "");
	else
		answer_set(answer, ACCESS_DENIED, "the policy does not allow it");
}

static void decide_htpasswd(const struct access *access, const struct access_request *request,
			    const struct authorization *who, struct access_answer *answer)
{
	if (who->kind == AUTHORIZATION_NONE) {
		decide_stranger(access, request, answer);
		return;
	}
	if (who->kind != AUTHORIZATION_BASIC) {
		ask(access, request, NULL, "not Basic credentials", answer);
		return;
	}
	switch (htpasswd_check(access->htpasswd, who->user, who->password)) {
	case HTPASSWD_RIGHT:
		decide_known(access, request, who->user, answer);
		break;
	case HTPASSWD_WRONG:
		ask(access, request, NULL, "wrong user or password", answer);
		break;
	case HTPASSWD_BUSY:
		answer_set(answer, ACCESS_BUSY, "too many logins at once");
		break;
	}
}

static bool token_covers_all(const json_t *claims, const struct access_request *request)
{
	const json_t *list = json_object_get(claims, "access");

	for (size_t i = 0; i < request->count; i++)
		if (!grant_covers(grant_held(list, &request->wanted[i]),
				  request->wanted[i].actions))
			return false;
	return true;
}

/* A token without a subject is of somebody who has not logged in. */
static int subject_of(const json_t *claims, const char **ret_subject)
{
	if (json_get_text(claims, "sub", true, "token", ret_subject, NULL) < 0 ||
	    (*ret_subject && strlen(*ret_subject) > HTPASSWD_MAX_USER))
		return -1;
	if (!*ret_subject)
		*ret_subject = "";
	return 0;
}

static void decide_token(const struct access *access, const struct access_request *request,
			 const struct authorization *who, struct access_answer *answer)
{
	const struct jwt_rules rules = {access->keys,	access->algorithms,
					access->issuer, access->service,
					"JWT",		request->now};
	__cleanup_json json_t *claims = NULL;
	struct shale_err err = {0};
	const char *subject;

	if (who->kind != AUTHORIZATION_BEARER) {
		ask(access, request, NULL, "no token", answer);
		return;
	}
	if (jwt_verify(who->token, who->token_len, &rules, &claims, &err) < 0) {
		ask(access, request, "invalid_token", err.msg, answer);
		return;
	}
	if (subject_of(claims, &subject) < 0) {
		ask(access, request, "invalid_token", "token: no usable subject", answer);
		return;
	}
	if (!token_covers_all(claims, request)) {
		ask(access, request, "insufficient_scope", "the token does not grant it", answer);
		return;
	}
	decide_known(access, request, subject, answer);
}

static void (*const deciders[])(const struct access *access, const struct access_request *request,
				const struct authorization *who, struct access_answer *answer) = {
	[ACCESS_OPEN] = decide_open,
	[ACCESS_HTPASSWD] = decide_htpasswd,
	[ACCESS_TOKEN] = decide_token,
};

void access_decide(const struct access *access, const struct access_request *request,
		   struct access_answer *ret_answer)
{
	__cleanup(authorization_clear) struct authorization who;

	memset(ret_answer, 0, sizeof(*ret_answer));
	authorization_parse(request->authorization, &who);
	deciders[access->mode](access, request, &who, ret_answer);
}

bool access_may_sleep(const struct access *access, const char *authorization)
{
	__cleanup(authorization_clear) struct authorization who;

	if (access->mode != ACCESS_HTPASSWD)
		return false;
	authorization_parse(authorization, &who);
	return who.kind == AUTHORIZATION_BASIC &&
	       !htpasswd_is_known(access->htpasswd, who.user, who.password);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The token service; see issuer.h. A request is read into one struct whichever of the two ways it
 * came, its user is found out, and one function grants. What is asked for and not allowed is left
 * out of the token, which is no error: the registry will say what is missing.
 */
#include "registry/issuer.h"

#include <errno.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/authorization.h"
#include "registry/b64.h"
#include "registry/grant.h"
#include "registry/jwt.h"
#include "store/json.h"

#define TYPE_ACCESS  "JWT"
#define TYPE_REFRESH "refresh+jwt"

/* What is asked for, by whom. */
struct wish {
	const struct issuer *issuer;
	const struct issuer_request *request;
	struct grants grants;
	char user[HTPASSWD_MAX_USER + 1]; /* "": not logged in */
	bool refresh;			  /* a refresh token is wanted, too */
	const char *old_refresh;	  /* and the one that was used, or NULL */
};

void issuer_answer_release(struct issuer_answer *answer)
{
	buf_release(&answer->body);
}

static int answer_json(struct issuer_answer *answer, unsigned int status, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	buf_clear(&answer->body);
	answer->status = text && buf_adds(&answer->body, text) == 0 ? status : 500;
	free(text);
	return -1;
}

/* The reason may quote the request, which may be anything; JSON and the log want text. */
static const char *note_reason(struct issuer_answer *answer, const char *reason)
{
	size_t i;

	for (i = 0; reason[i] && i < sizeof(answer->reason) - 1; i++)
		answer->reason[i] = reason[i] >= ' ' && reason[i] < 0x7f ? reason[i] : '?';
	answer->reason[i] = '\0';
	return answer->reason;
}

/* RFC 6749 5.2, for OAuth2. */
static int refuse_oauth(struct issuer_answer *answer, unsigned int status, const char *error,
			const char *reason)
{
	return answer_json(answer, status,
			   json_pack("{s:s, s:s}", "error", error, "error_description",
				     note_reason(answer, reason)));
}

/* The registry's own form, for GET. */
static int refuse(struct issuer_answer *answer, unsigned int status, const char *code,
		  const char *reason)
{
	return answer_json(answer, status,
			   json_pack("{s:[{s:s, s:s}]}", "errors", "code", code, "message",
				     note_reason(answer, reason)));
}

static int refuse_login(struct issuer_answer *answer, const char *reason)
{
	answer->challenge = "Basic realm=\"shale token service\"";
	return refuse(answer, 401, "UNAUTHORIZED", reason);
}

static int new_id(json_t *claims)
{
	__cleanup_buf struct buf text = BUF_INIT;
	unsigned char id[16];

	if (RAND_bytes(id, sizeof(id)) != 1 || b64_encode(B64_URL, id, sizeof(id), &text) < 0)
		return -1;
	return json_object_set_new(claims, "jti", json_string(text.data));
}

static int sign(const struct wish *wish, const char *type, json_t *claims, struct buf *ret_token)
{
	const struct jwk_ring *keys = wish->issuer->keys;

	if (!claims || new_id(claims) < 0)
		return -1;
	return jwt_sign(&keys->keys[keys->count - 1], type, claims, ret_token, NULL);
}

/* Narrows what was asked for to what the policy allows; grants without any action are left out. */
static json_t *grant_access(struct wish *wish)
{
	const struct policy *policy = wish->issuer->policy;
	const char *user = wish->user[0] ? wish->user : NULL;
	json_t *list = json_array();

	for (size_t i = 0; i < wish->grants.count; i++) {
		struct grant *grant = &wish->grants.list[i];
		unsigned int held;

		if (grant->type == GRANT_REGISTRY)
			held = !strcmp(grant->name, "catalog") && policy_may_list(policy, user)
				       ? GRANT_ANY
				       : 0;
		else
			held = policy_actions(policy, user, grant->name);
		/* '*' asked for by who may do less gives that. */
		if (!(held & GRANT_ANY))
			grant->actions = grant->actions & GRANT_ANY ? held : grant->actions & held;
		if (grant->actions)
			json_array_append_new(list, grant_to_json(grant));
	}
	return list;
}

static int add_access_token(struct wish *wish, struct buf *ret_token)
{
	const struct issuer *issuer = wish->issuer;
	json_int_t now = wish->request->now;
	__cleanup_json json_t *claims = json_pack(
		"{s:s, s:s, s:s, s:I, s:I, s:I, s:o}", "iss", issuer->name, "sub", wish->user,
		"aud", issuer->service, "exp", now + (json_int_t)issuer->expires, "nbf", now, "iat",
		now, "access", grant_access(wish));

	return sign(wish, TYPE_ACCESS, claims, ret_token);
}

static int add_refresh_token(const struct wish *wish, struct buf *ret_token)
{
	const struct issuer *issuer = wish->issuer;
	char print[HTPASSWD_PRINT + 1];
	__cleanup_json json_t *claims = NULL;

	if (!htpasswd_print(issuer->htpasswd, wish->user, print))
		return -1;
	claims = json_pack("{s:s, s:s, s:s, s:I, s:s}", "iss", issuer->name, "sub", wish->user,
			   "aud", issuer->service, "exp",
			   (json_int_t)wish->request->now + ISSUER_REFRESH_EXPIRES, "print", print);
	return sign(wish, TYPE_REFRESH, claims, ret_token);
}

static json_t *scope_text(const struct wish *wish)
{
	__cleanup_buf struct buf text = BUF_INIT;

	for (size_t i = 0; i < wish->grants.count; i++) {
		if (!wish->grants.list[i].actions)
			continue;
		if (text.len)
			buf_addc(&text, ' ');
		grant_add_scope(&wish->grants.list[i], &text);
	}
	return json_string(buf_str(&text));
}

static json_t *time_text(time_t now)
{
	char text[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

static void answer_grant(struct wish *wish, struct issuer_answer *answer)
{
	__cleanup_buf struct buf token = BUF_INIT;
	__cleanup_buf struct buf refresh = BUF_INIT;
	json_t *json;

	if (add_access_token(wish, &token) < 0 ||
	    (wish->refresh && !wish->old_refresh && add_refresh_token(wish, &refresh) < 0)) {
		refuse(answer, 500, "UNKNOWN", "no token could be made");
		return;
	}
	json = json_pack("{s:s, s:s, s:I, s:o, s:o}", "token", token.data, "access_token",
			 token.data, "expires_in", (json_int_t)wish->issuer->expires, "issued_at",
			 time_text(wish->request->now), "scope", scope_text(wish));
	if (wish->old_refresh || refresh.len)
		json_object_set_new(
			json, "refresh_token",
			json_string(wish->old_refresh ? wish->old_refresh : refresh.data));
	answer_json(answer, 200, json);
	snprintf(answer->actor, sizeof(answer->actor), "%s", wish->user);
}

static int read_scopes(const struct form *form, struct grants *grants, struct shale_err *err)
{
	for (size_t i = 0; i < form->count; i++) {
		const char *value = form->pairs[i].value;

		if (!strcmp(form->pairs[i].name, "scope") &&
		    grant_parse_scopes(value, strlen(value), grants, err) < 0)
			return -1;
	}
	return 0;
}

/* What both ways have; @err says what is wrong with the request. */
static int read_wish(struct wish *wish, struct shale_err *err)
{
	static const char *const once[] = {"service",	   "grant_type",    "username",
					   "password",	   "refresh_token", "access_type",
					   "offline_token"};
	const struct form *form = wish->request->form;
	const char *service = form_get(form, "service");

	for (size_t i = 0; i < sizeof(once) / sizeof(*once); i++)
		if (form_is_twice(form, once[i]))
			return shale_err_set(err, EINVAL, "'%s' is there twice", once[i]);
	if (service && strcmp(service, wish->issuer->service))
		return shale_err_set(err, EINVAL, "there is no service '%.100s' here", service);
	return read_scopes(form, &wish->grants, err);
}

static bool is_word(const char *text, const char *word)
{
	return text && !strcmp(text, word);
}

/* 0, or the answer is there. */
static int login(struct wish *wish, const char *user, const char *password,
		 struct issuer_answer *answer)
{
	switch (htpasswd_check(wish->issuer->htpasswd, user, password)) {
	case HTPASSWD_RIGHT:
		snprintf(wish->user, sizeof(wish->user), "%s", user);
		return 0;
	case HTPASSWD_WRONG:
		return refuse_login(answer, "wrong user or password");
	case HTPASSWD_BUSY:
		break;
	}
	return refuse(answer, 503, "UNAVAILABLE", "too many logins at once");
}

static void handle_get(struct wish *wish, struct issuer_answer *answer)
{
	__cleanup(authorization_clear) struct authorization who;
	struct shale_err err = {0};

	if (read_wish(wish, &err) < 0) {
		refuse(answer, 400, "UNSUPPORTED", err.msg);
		return;
	}
	authorization_parse(wish->request->authorization, &who);
	if (who.kind == AUTHORIZATION_BASIC) {
		if (login(wish, who.user, who.password, answer) < 0)
			return;
		wish->refresh = is_word(form_get(wish->request->form, "offline_token"), "true");
	} else if (who.kind != AUTHORIZATION_NONE) {
		refuse_login(answer, "not Basic credentials");
		return;
	}
	answer_grant(wish, answer);
}

static int use_password(struct wish *wish, struct issuer_answer *answer)
{
	const char *user = form_get(wish->request->form, "username");
	const char *password = form_get(wish->request->form, "password");

	if (!user || !password)
		return refuse_oauth(answer, 400, "invalid_request", "no username or no password");
	wish->refresh = is_word(form_get(wish->request->form, "access_type"), "offline");
	return login(wish, user, password, answer);
}

/* Only for as long as its user has the password that it was made with. */
static bool is_of_password(const struct wish *wish, const json_t *claims, const char *user)
{
	const char *held = json_string_value(json_object_get(claims, "print"));
	char print[HTPASSWD_PRINT + 1];

	return held && htpasswd_print(wish->issuer->htpasswd, user, print) && !strcmp(held, print);
}

static int use_refresh(struct wish *wish, struct issuer_answer *answer)
{
	const struct jwt_rules rules = {
		.keys = wish->issuer->keys,
		.algorithms = JWT_DEFAULT,
		.issuer = wish->issuer->name,
		.audience = wish->issuer->service,
		.type = TYPE_REFRESH,
		.now = wish->request->now,
	};
	const char *token = form_get(wish->request->form, "refresh_token");
	__cleanup_json json_t *claims = NULL;
	struct shale_err err = {0};
	const char *user;

	if (!token)
		return refuse_oauth(answer, 400, "invalid_request", "no refresh_token");
	if (jwt_verify(token, strlen(token), &rules, &claims, &err) < 0)
		return refuse_oauth(answer, 400, "invalid_grant", err.msg);
	user = json_string_value(json_object_get(claims, "sub"));
	if (!user || strlen(user) > HTPASSWD_MAX_USER || !is_of_password(wish, claims, user))
		return refuse_oauth(answer, 400, "invalid_grant",
				    "the refresh token's user or password has changed");
	snprintf(wish->user, sizeof(wish->user), "%s", user);
	wish->refresh = true;
	wish->old_refresh = token;
	return 0;
}

static const struct grant_type_info {
	const char *name;
	int (*use)(struct wish *wish, struct issuer_answer *answer);
} grant_types[] = {
	{"password", use_password},
	{"refresh_token", use_refresh},
};

static void handle_post(struct wish *wish, struct issuer_answer *answer)
{
	const char *type = form_get(wish->request->form, "grant_type");
	struct shale_err err = {0};

	if (read_wish(wish, &err) < 0) {
		refuse_oauth(answer, 400, "invalid_request", err.msg);
		return;
	}
	for (size_t i = 0; i < sizeof(grant_types) / sizeof(*grant_types); i++) {
		if (!is_word(type, grant_types[i].name))
			continue;
		if (grant_types[i].use(wish, answer) == 0)
			answer_grant(wish, answer);
		return;
	}
	refuse_oauth(answer, 400, "unsupported_grant_type", "neither password nor refresh_token");
}

void issuer_handle(const struct issuer *issuer, const struct issuer_request *request,
		   struct issuer_answer *ret_answer)
{
	struct wish *wish = calloc(1, sizeof(*wish));

	memset(ret_answer, 0, sizeof(*ret_answer));
	if (!wish) {
		refuse(ret_answer, 500, "UNKNOWN", "out of memory");
		return;
	}
	wish->issuer = issuer;
	wish->request = request;
	if (!strcmp(request->method, "GET"))
		handle_get(wish, ret_answer);
	else if (!strcmp(request->method, "POST"))
		handle_post(wish, ret_answer);
	else
		refuse(ret_answer, 405, "UNSUPPORTED", "tokens are asked for by GET and POST");
	free(wish);
}

int issuer_publish(const struct issuer *issuer, struct buf *buf, struct shale_err *err)
{
	__cleanup_json json_t *json = jwk_ring_to_json(issuer->keys);
	__cleanup_free char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!text || buf_adds(buf, text) < 0)
		return shale_err_set(err, ENOMEM, "the public keys");
	return 0;
}

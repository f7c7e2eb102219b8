// SPDX-License-Identifier: GPL-2.0-only
/*
 * Token requests and answers; see bearer.h. What a token says is for the registry alone: here it is
 * text that must fit into a header. Called by remote.c.
 */
#include "client/bearer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/base64.h"
#include "store/json.h"

#define BEARER_CLIENT "shale"

void bearer_release(struct bearer *bearer)
{
	free(bearer->token);
	free(bearer->refresh_token);
	*bearer = (struct bearer){ 0 };
}

static int check_token(const char *token, struct shale_err *err)
{
	if (strlen(token) > BEARER_MAX_TOKEN)
		return shale_err_set(err, EFBIG, "its token is longer than %u bytes",
				     BEARER_MAX_TOKEN);
	for (const char *at = token; *at; at++)
		if (*at <= ' ' || *at >= 0x7f)
			return shale_err_set(err, EPROTO, "its token is no token");
	return 0;
}

static int get_token(const json_t *json, const char **ret_token, struct shale_err *err)
{
	static const char *const fields[] = { "token", "access_token" };

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		if (json_get_text(json, fields[i], true, "its answer", ret_token, err) < 0)
			return -1;
		if (*ret_token && **ret_token)
			return check_token(*ret_token, err);
	}
	return shale_err_set(err, EPROTO, "its answer has no token");
}

int bearer_parse(const void *data, size_t len, struct bearer *ret_bearer, struct shale_err *err)
{
	struct bearer bearer = { .seconds = BEARER_SECONDS };
	__cleanup_json json_t *json = NULL;
	const char *refresh = NULL;
	const char *token = NULL;
	json_t *seconds;

	if (json_parse_object(data, len, "its answer", &json, err) < 0 ||
	    get_token(json, &token, err) < 0 ||
	    json_get_text(json, "refresh_token", true, "its answer", &refresh, err) < 0)
		return -1;
	if (refresh && strlen(refresh) > BEARER_MAX_TOKEN)
		return shale_err_set(err, EFBIG, "its token is longer than %u bytes",
				     BEARER_MAX_TOKEN);
	seconds = json_object_get(json, "expires_in");
	/* The protocol allows no less, and servers that say so mean "I do not know". */
	if (json_is_integer(seconds) && json_integer_value(seconds) > BEARER_SECONDS)
		bearer.seconds = json_integer_value(seconds);
	bearer.token = strdup(token);
	bearer.refresh_token = refresh && *refresh ? strdup(refresh) : NULL;
	if (!bearer.token || (refresh && *refresh && !bearer.refresh_token)) {
		bearer_release(&bearer);
		return shale_err_errno(err, "reading a token");
	}
	*ret_bearer = bearer;
	return 0;
}

static int add_escaped(struct buf *out, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, strlen(value));
	int ret;

	if (!escaped)
		return -1;
	ret = buf_addf(out, "%s%s=%s", out->len ? "&" : "", name, escaped);
	curl_free(escaped);
	return ret;
}

/* Each scope is a parameter of its own. */
static int add_scopes(struct buf *out, const char *scopes)
{
	while (*scopes) {
		size_t len = strcspn(scopes, " ");
		__cleanup_free char *scope = strndup(scopes, len);

		if (!scope || (len && add_escaped(out, "scope", scope) < 0))
			return -1;
		scopes += len + (scopes[len] == ' ');
	}
	return 0;
}

char *bearer_basic(const struct creds *creds, struct shale_err *err)
{
	__cleanup_buf struct buf plain = BUF_INIT;
	__cleanup_buf struct buf line = BUF_INIT;

	if (buf_addf(&plain, "%s:%s", creds->username ? creds->username : "",
		     creds->password ? creds->password : "") < 0 ||
	    buf_adds(&line, "Basic ") < 0 || base64_encode(plain.data, plain.len, &line) < 0) {
		shale_err_errno(err, "preparing credentials");
		return NULL;
	}
	return buf_steal(&line);
}

static int ask_by_get(const struct bearer_wish *wish, struct web_request *request,
		      struct shale_err *err)
{
	const struct answer_challenge *challenge = wish->challenge;
	__cleanup_buf struct buf query = BUF_INIT;
	__cleanup_buf struct buf url = BUF_INIT;

	if ((challenge->service[0] && add_escaped(&query, "service", challenge->service) < 0) ||
	    add_scopes(&query, wish->scopes) < 0 ||
	    add_escaped(&query, "client_id", BEARER_CLIENT) < 0 ||
	    (wish->wants_refresh && add_escaped(&query, "offline_token", "true") < 0) ||
	    buf_addf(&url, "%s%c%s", challenge->realm, strchr(challenge->realm, '?') ? '&' : '?',
		     buf_str(&query)) < 0)
		return shale_err_errno(err, "asking for a token");
	request->url = buf_steal(&url);
	if (!wish->creds->username)
		return 0;
	request->authorization = bearer_basic(wish->creds, err);
	return request->authorization ? 0 : -1;
}

static int ask_by_post(const struct bearer_wish *wish, struct web_request *request,
		       struct shale_err *err)
{
	__cleanup_buf struct buf form = BUF_INIT;

	if (add_escaped(&form, "grant_type", "refresh_token") < 0 ||
	    add_escaped(&form, "service", wish->challenge->service) < 0 ||
	    add_escaped(&form, "client_id", BEARER_CLIENT) < 0 ||
	    add_escaped(&form, "scope", wish->scopes) < 0 ||
	    add_escaped(&form, "refresh_token", wish->creds->identity_token) < 0)
		return shale_err_errno(err, "asking for a token");
	request->url = strdup(wish->challenge->realm);
	request->method = "POST";
	request->body_len = form.len;
	request->own_body = buf_steal(&form);
	request->body = request->own_body;
	if (!request->url || !request->body)
		return shale_err_errno(err, "asking for a token");
	return web_add_header(request, "Content-Type", "application/x-www-form-urlencoded", err);
}

int bearer_ask(const struct bearer_wish *wish, struct web_request *request,
	       struct shale_err *err)
{
	request->max_answer = BEARER_MAX_ANSWER;
	return wish->creds->identity_token ? ask_by_post(wish, request, err) :
					     ask_by_get(wish, request, err);
}

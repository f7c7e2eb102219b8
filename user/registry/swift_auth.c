// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens for Swift: version 1 of its own (tempauth and its kin) and version 3 of Keystone, by password. A
 * token is asked for when there is none, when it is about to end, and after it was refused; whoever finds it
 * so first gets the new one, the others wait. Called by swift_call.c.
 */
#include "registry/swift.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

static int v1_headers(void *ctx, const struct remote_call *call, struct remote_headers *headers,
		      struct shale_err *err)
{
	const struct swift_login *login = ctx;

	(void)call;
	if (remote_headers_add(headers, "x-auth-user", login->user, err) < 0)
		return -1;
	return remote_headers_add(headers, "x-auth-key", login->password, err);
}

static int keep_token(const struct swift_login *login, const char *token, const char *url,
		      struct swift_session *session, struct shale_err *err)
{
	if (!token || !*token || !url || !*url)
		return shale_err_set(err, EIO, "%s: the answer has no token or no address of Swift",
				     login->url);
	if (strlen(token) > SWIFT_MAX_TOKEN)
		return shale_err_set(err, EIO, "%s: the token is longer than %d bytes", login->url,
				     SWIFT_MAX_TOKEN);
	memcpy(session->token, token, strlen(token) + 1);
	return remote_url_parse(url, "Swift's own address", &session->url, err);
}

static int login_fail(const struct swift_login *login, const struct remote_answer *answer,
		      struct shale_err *err)
{
	if (answer->status == 401 || answer->status == 403)
		return shale_err_set(err, EACCES, "%s: user '%s' is refused with status %ld", login->url,
				     login->user, answer->status);
	return shale_err_set(err, remote_status_is_passing(answer->status) ? EAGAIN : EIO,
			     "%s: status %ld", login->url, answer->status);
}

static int login_v1(struct swift_store *store, struct swift_session *session, struct shale_err *err)
{
	const struct swift_login *login = &store->login;
	__cleanup_answer struct remote_answer answer = { 0 };
	const struct remote_call call = {
		.method = "GET", .url = login->url, .what = login->url, .body = REMOTE_NO_BODY,
		.max = SWIFT_MAX_ANSWER, .sign = v1_headers, .ctx = (void *)login,
	};
	const char *seconds;

	if (remote_run(store->base.remote, &call, &answer, err) < 0)
		return -1;
	if (!remote_answer_is_success(&answer))
		return login_fail(login, &answer, err);
	seconds = remote_answer_header(&answer, "x-auth-token-expires");
	if (seconds && strtol(seconds, NULL, 10) > 0)
		session->until = time(NULL) + strtol(seconds, NULL, 10);
	return keep_token(login, remote_answer_header(&answer, "x-auth-token"),
			  remote_answer_header(&answer, "x-storage-url"), session, err);
}

/* {"id": id} or {"name": name}, with the domain when one is given. Takes over nothing; NULL: no memory. */
static json_t *named(const char *id, const char *name, const char *domain_id, const char *domain)
{
	json_t *object = id ? json_pack("{s:s}", "id", id) : json_pack("{s:s}", "name", name);

	if (!object || id || (!domain_id && !domain))
		return object;
	if (json_object_set_new(object, "domain", named(domain_id, domain, NULL, NULL)) == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *v3_scope(const struct swift_login *login)
{
	if (login->trust_id)
		return json_pack("{s:{s:s}}", "OS-TRUST:trust", "id", login->trust_id);
	if (login->project_id || login->project)
		return json_pack("{s:o}", "project",
				 named(login->project_id, login->project,
				       login->project_domain_id ? login->project_domain_id
				       : login->project_domain ? NULL : login->user_domain_id,
				       login->project_domain ? login->project_domain : login->user_domain));
	return NULL;
}

static char *v3_request(const struct swift_login *login)
{
	__cleanup_json json_t *root = NULL;
	json_t *user = named(NULL, login->user, login->user_domain_id, login->user_domain);
	json_t *scope = v3_scope(login);

	if (!user || json_object_set_new(user, "password", json_string(login->password)) < 0) {
		json_decref(user);
		json_decref(scope);
		return NULL;
	}
	root = json_pack("{s:{s:{s:[s],s:{s:o}}}}", "auth", "identity", "methods", "password",
			 "password", "user", user);
	if (root && scope)
		json_object_set(json_object_get(root, "auth"), "scope", scope);
	json_decref(scope);
	return root ? json_dumps(root, JSON_COMPACT) : NULL;
}

static bool is_endpoint(const struct swift_login *login, const json_t *endpoint)
{
	const char *region = json_text(endpoint, "region_id");

	if (!*region)
		region = json_text(endpoint, "region");
	return !strcmp(json_text(endpoint, "interface"), login->interface) &&
	       (!login->region || !strcmp(region, login->region));
}

/* The address of the object store in a token's catalog; NULL when it has none. */
static const char *find_endpoint(const struct swift_login *login, const json_t *token)
{
	const json_t *catalog = json_object_get(token, "catalog");
	const json_t *service, *endpoint;
	size_t i, j;

	json_array_foreach(catalog, i, service) {
		if (strcmp(json_text(service, "type"), "object-store"))
			continue;
		json_array_foreach(json_object_get(service, "endpoints"), j, endpoint)
			if (is_endpoint(login, endpoint))
				return json_text(endpoint, "url");
	}
	return NULL;
}

static time_t parse_until(const char *text)
{
	struct tm tm = { 0 };

	return strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

static int read_v3(const struct swift_login *login, const struct remote_answer *answer,
		   struct swift_session *session, struct shale_err *err)
{
	__cleanup_json json_t *root = NULL;
	const json_t *token;
	const char *url;

	if (json_parse_object(buf_str(&answer->body), answer->body.len, login->url, &root, err) < 0)
		return -1;
	token = json_object_get(root, "token");
	url = find_endpoint(login, token);
	if (!url)
		return shale_err_set(err, EIO, "%s: the catalog has no %s object-store%s%s", login->url,
				     login->interface, login->region ? " in region " : "",
				     login->region ? login->region : "");
	session->until = parse_until(json_text(token, "expires_at"));
	return keep_token(login, remote_answer_header(answer, "x-subject-token"), url, session, err);
}

static int json_headers(void *ctx, const struct remote_call *call, struct remote_headers *headers,
			struct shale_err *err)
{
	(void)ctx, (void)call;
	if (remote_headers_add(headers, "content-type", "application/json", err) < 0)
		return -1;
	return remote_headers_add(headers, "accept", "application/json", err);
}

static int login_v3(struct swift_store *store, struct swift_session *session, struct shale_err *err)
{
	const struct swift_login *login = &store->login;
	__cleanup_answer struct remote_answer answer = { 0 };
	__cleanup_free char *request = v3_request(login);
	__cleanup_buf struct buf url = BUF_INIT;
	size_t len = strlen(login->url);
	const bool has_version = len >= 3 && !strcmp(login->url + len - 3, "/v3");
	struct remote_call call = {
		.method = "POST", .what = login->url, .max = JSON_MAX_BYTES, .sign = json_headers,
		.body = { .data = request, .fd = -1, .len = request ? strlen(request) : 0 },
	};
	int ret;

	if (!request || buf_addf(&url, "%s%s/auth/tokens", login->url, has_version ? "" : "/v3") < 0)
		return shale_err_set(err, ENOMEM, "%s: no memory to log in", login->url);
	call.url = buf_str(&url);
	ret = remote_run(store->base.remote, &call, &answer, err);
	explicit_bzero(request, call.body.len);
	if (ret < 0)
		return -1;
	if (answer.status != 201)
		return login_fail(login, &answer, err);
	return read_v3(login, &answer, session, err);
}

static bool is_good(const struct swift_session *session)
{
	return session->token[0] &&
	       (!session->until || session->until - time(NULL) > SWIFT_TOKEN_MARGIN);
}

int swift_session_get(struct swift_store *store, struct swift_session *ret_session,
		      struct shale_err *err)
{
	struct swift_session session = { 0 };
	int ret = 0;

	pthread_mutex_lock(&store->lock);
	if (!is_good(&store->session)) {
		ret = store->login.version == 3 ? login_v3(store, &session, err)
						: login_v1(store, &session, err);
		if (ret == 0)
			store->session = session;
	}
	if (ret == 0)
		*ret_session = store->session;
	pthread_mutex_unlock(&store->lock);
	return ret < 0 ? shale_err_wrap(err, "logging in to Swift") : 0;
}

void swift_session_drop(struct swift_store *store, const char *token)
{
	pthread_mutex_lock(&store->lock);
	/* Another may have got a new one since. */
	if (!strcmp(store->session.token, token))
		store->session.token[0] = '\0';
	pthread_mutex_unlock(&store->lock);
}

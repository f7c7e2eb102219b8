// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs login and logout: whether a registry knows somebody, and where that is kept. They need no
 * store.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/remote.h"
#include "store/ref.h"

/* The host as image names have it; people also give a URL. */
static int login_host(const char *host, struct origin *ret_origin, struct shale_err *err)
{
	__cleanup_buf struct buf name = BUF_INIT;
	const char *plain = host ? host : "docker.io";
	struct ref ref;

	if (!strncmp(plain, "https://", 8))
		plain += 8;
	else if (!strncmp(plain, "http://", 7))
		plain += 7;
	/* The part that names an image's registry, seen by whether an image there has a name. */
	if (buf_addf(&name, "%.*s/x", (int)strcspn(plain, "/"), plain) < 0)
		return shale_err_errno(err, "%s", plain);
	if (ref_parse(buf_str(&name), &ref, NULL) < 0 || origin_of_ref(&ref, ret_origin, NULL) < 0 ||
	    (strncmp(ref.name, plain, strlen(ret_origin->host)) && strcmp(ret_origin->host, "docker.io")))
		return shale_err_set(err, EINVAL, "'%.200s' is no registry", plain);
	return 0;
}

static int check_login(const struct shale_registry_opts *registry, const struct origin *origin,
		       char **ret_token, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	__cleanup_remote struct remote remote = { 0 };
	struct web_opts opts = { .stall_seconds = registry->stall_seconds };
	__attribute__((cleanup(web_closep))) struct web *web = NULL;
	struct remote_wish wish = { .opts = registry, .origin = origin };
	__cleanup_buf struct buf url = BUF_INIT;

	if (web_open(&opts, &web, err) < 0)
		return -1;
	wish.web = web;
	if (remote_init(&wish, &remote, err) < 0)
		return -1;
	remote.wants_refresh = ret_token;
	if (remote_connect(&remote, err) < 0)
		return -1;
	if (buf_addf(&url, "%s/v2/", remote.base) < 0)
		return shale_err_errno(err, "logging in");
	request.url = buf_steal(&url);
	request.tls = &remote.tls;
	request.max_answer = WEB_MAX_ERROR_BODY;
	if (remote_request(&remote, &request, 404, err) < 0)
		return -1;
	if (ret_token)
		*ret_token = steal_ptr(remote.refresh_token);
	return 0;
}

static int check_user(const struct shale_registry_opts *registry, const struct origin *origin,
		      char **ret_token, struct shale_err *err)
{
	if (!registry->identity_token &&
	    (!registry->username || !*registry->username || !registry->password))
		return shale_err_set(err, EINVAL, "a user and a password are needed");
	if (registry->username && strchr(registry->username, ':'))
		return shale_err_set(err, EINVAL, "a user's name has no ':'");
	if (check_login(registry, origin, ret_token, err) < 0)
		return shale_err_wrap(err, "cannot log in to %s", origin->host);
	return 0;
}

int shale_login_check(const struct shale_registry_opts *registry, const char *host,
		      char **ret_identity_token, struct shale_err *err)
{
	struct origin origin;
	char *token = NULL;

	if (login_host(host, &origin, err) < 0 || check_user(registry, &origin, &token, err) < 0)
		return -1;
	*ret_identity_token = token;
	return 0;
}

int shale_login(const struct shale_registry_opts *registry, const char *host,
		struct shale_err *err)
{
	struct creds creds = {
		.username = (char *)registry->username,
		.password = (char *)registry->password,
	};
	struct origin origin;

	if (login_host(host, &origin, err) < 0)
		return -1;
	/* What is kept is these two. */
	if (!registry->username || !registry->password)
		return shale_err_set(err, EINVAL, "a user and a password are needed");
	if (check_user(registry, &origin, NULL, err) < 0)
		return -1;
	return creds_store(registry, origin.host, &creds, err);
}

int shale_logout(const struct shale_registry_opts *registry, const char *host,
		 struct shale_err *err)
{
	struct origin origin;

	if (login_host(host, &origin, err) < 0)
		return -1;
	return creds_erase(registry, origin.host, err);
}

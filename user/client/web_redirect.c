// SPDX-License-Identifier: GPL-2.0-only
/*
 * Redirects and what is known of URLs; see web_redirect.h and web.h. Credentials are for the host the
 * request was made for: another host, another port or another scheme is somebody else, also when a
 * later redirect leads back.
 */
#include "client/web_redirect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct url_parts {
	char *scheme;
	char *host;
	char *port;
};

static void parts_release(struct url_parts *parts)
{
	curl_free(parts->scheme);
	curl_free(parts->host);
	curl_free(parts->port);
}

static void url_cleanupp(CURLU **url)
{
	curl_url_cleanup(*url);
}

static bool parts_of(const char *text, struct url_parts *ret_parts)
{
	__attribute__((cleanup(url_cleanupp))) CURLU *url = curl_url();

	return url && !curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) &&
	       !curl_url_get(url, CURLUPART_SCHEME, &ret_parts->scheme, 0) &&
	       !curl_url_get(url, CURLUPART_HOST, &ret_parts->host, 0) &&
	       !curl_url_get(url, CURLUPART_PORT, &ret_parts->port, CURLU_DEFAULT_PORT);
}

bool web_same_host(const char *url, const char *other)
{
	__attribute__((cleanup(parts_release))) struct url_parts a = { 0 };
	__attribute__((cleanup(parts_release))) struct url_parts b = { 0 };

	return parts_of(url, &a) && parts_of(other, &b) && !strcasecmp(a.scheme, b.scheme) &&
	       !strcasecmp(a.host, b.host) && !strcmp(a.port, b.port);
}

bool web_is_plain(const char *url)
{
	return !strncasecmp(url, "http://", 7);
}

static bool is_http(const char *url)
{
	return web_is_plain(url) || !strncasecmp(url, "https://", 8);
}

char *web_resolve(const char *base, const char *target, struct shale_err *err)
{
	__attribute__((cleanup(url_cleanupp))) CURLU *url = curl_url();
	char *text = NULL;
	char *copy;

	if (!url || curl_url_set(url, CURLUPART_URL, base, 0) ||
	    curl_url_set(url, CURLUPART_URL, target, 0) ||
	    curl_url_get(url, CURLUPART_URL, &text, 0)) {
		shale_err_set(err, EPROTO, "'%.200s' is no URL", target);
		return NULL;
	}
	copy = strdup(text);
	curl_free(text);
	if (!copy)
		shale_err_errno(err, "following '%.200s'", target);
	return copy;
}

bool web_redirect_is_due(const struct web_request *request)
{
	static const long statuses[] = { 301, 302, 303, 307, 308 };

	if (strcmp(request->method, "GET") && strcmp(request->method, "HEAD"))
		return false;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (request->status == statuses[i])
			return true;
	return false;
}

int web_redirect(struct web_request *request)
{
	const char *from = request->final_url ? request->final_url : request->url;
	const char *target = web_value(request, WEB_LOCATION);
	bool is_insecure = request->tls && request->tls->is_insecure;
	char *to;

	if (!target)
		return shale_err_set(&request->err, EPROTO, "redirects to nowhere");
	if (++request->redirects > WEB_MAX_REDIRECTS)
		return shale_err_set(&request->err, ELOOP, "redirects more than %d times",
				     WEB_MAX_REDIRECTS);
	to = web_resolve(from, target, &request->err);
	if (!to)
		return shale_err_wrap(&request->err, "redirects");
	if (!is_http(to)) {
		shale_err_set(&request->err, EPROTO, "redirects to '%.200s'", to);
		free(to);
		return -1;
	}
	if (web_is_plain(to) && !web_is_plain(from) && !is_insecure) {
		shale_err_set(&request->err, EPROTO, "redirects from https to '%.200s'", to);
		free(to);
		return -1;
	}
	if (!web_same_host(request->url, to))
		request->is_abroad = true;
	free(request->final_url);
	request->final_url = to;
	return 0;
}

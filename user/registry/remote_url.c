// SPDX-License-Identifier: GPL-2.0-only
/*
 * URLs of object stores; see remote_url.h. Called by the drivers of S3, Swift and Azure, and by the
 * signers.
 */
#include "registry/remote_url.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HTTPS_PORT 443
#define HTTP_PORT  80

static bool is_unreserved(unsigned char c)
{
	return isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

int remote_url_encode(struct buf *buf, const char *text, bool keep_slash)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		char code[3] = { '%', digits[*at >> 4], digits[*at & 15] };
		bool is_plain = is_unreserved(*at) || (keep_slash && *at == '/');

		if (buf_add(buf, is_plain ? (const char *)at : code, is_plain ? 1 : 3) < 0)
			return -1;
	}
	return 0;
}

struct encoded_param {
	char *name;
	char *value;
};

static void encoded_release(struct encoded_param (*list)[REMOTE_MAX_PARAMS])
{
	for (size_t i = 0; i < REMOTE_MAX_PARAMS; i++) {
		free((*list)[i].name);
		free((*list)[i].value);
	}
}

static int encoded_compare(const void *a, const void *b)
{
	const struct encoded_param *left = a;
	const struct encoded_param *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : strcmp(left->value, right->value);
}

static char *encode_one(const char *text)
{
	__cleanup_buf struct buf buf = BUF_INIT;

	if (remote_url_encode(&buf, text, false) < 0)
		return NULL;
	return buf_steal(&buf);
}

int remote_url_query(struct buf *buf, const struct url_param *params, size_t count)
{
	__attribute__((cleanup(encoded_release))) struct encoded_param list[REMOTE_MAX_PARAMS] = { 0 };

	if (count > REMOTE_MAX_PARAMS) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < count; i++) {
		list[i].name = encode_one(params[i].name);
		list[i].value = encode_one(params[i].value);
		if (!list[i].name || !list[i].value)
			return -1;
	}
	qsort(list, count, sizeof(*list), encoded_compare);
	for (size_t i = 0; i < count; i++)
		if (buf_addf(buf, "%s%s=%s", i ? "&" : "", list[i].name, list[i].value) < 0)
			return -1;
	return 0;
}

static const char *skip_scheme(const char *text, bool *ret_tls)
{
	*ret_tls = strncasecmp(text, "http://", 7) != 0;
	if (!*ret_tls)
		return text + 7;
	return strncasecmp(text, "https://", 8) ? text : text + 8;
}

/* An IPv6 address in brackets, or letters, digits, dots and hyphens; and a port. */
static bool host_is_good(const char *host, size_t len)
{
	const char *port = memrchr(host, ':', len);
	const char *close = memchr(host, ']', len);
	size_t name_len = port && (!close || port > close) ? (size_t)(port - host) : len;
	bool is_address = name_len > 2 && host[0] == '[' && host[name_len - 1] == ']';

	if (!name_len || len - name_len > sizeof(":65535") - 1 || len - name_len == 1)
		return false;
	for (size_t i = name_len + 1; i < len; i++)
		if (!isdigit((unsigned char)host[i]))
			return false;
	for (size_t i = is_address; i < name_len - is_address; i++)
		if (!isalnum((unsigned char)host[i]) && !strchr(is_address ? ":." : "-._", host[i]))
			return false;
	return true;
}

/* Clients leave the scheme's own port out of the Host header, over which requests are signed. */
static void drop_own_port(struct remote_url *url)
{
	char *port = strrchr(url->host, ':');
	unsigned long own = url->is_tls ? HTTPS_PORT : HTTP_PORT;

	if (port && !strchr(port, ']') && strtoul(port + 1, NULL, 10) == own)
		*port = '\0';
}

int remote_url_parse(const char *text, const char *what, struct remote_url *ret_url,
		     struct shale_err *err)
{
	struct remote_url url = { 0 };
	const char *host = skip_scheme(text, &url.is_tls);
	size_t host_len = strcspn(host, "/?#");
	const char *path = host + host_len;
	size_t path_len = strlen(path);

	if (strstr(host, "://"))
		return shale_err_set(err, EINVAL, "%s: '%.100s' is neither http nor https", what, text);
	if (host_len >= sizeof(url.host) || !host_is_good(host, host_len))
		return shale_err_set(err, EINVAL, "%s: '%.100s' has no good host", what, text);
	if (strpbrk(path, "?#% \t\r\n") || path_len >= sizeof(url.path))
		return shale_err_set(err, EINVAL, "%s: the path of '%.100s' is not plain", what, text);
	while (path_len && path[path_len - 1] == '/')
		path_len--;
	memcpy(url.host, host, host_len);
	memcpy(url.path, path, path_len);
	drop_own_port(&url);
	*ret_url = url;
	return 0;
}

int remote_url_origin(const struct remote_url *url, struct buf *buf)
{
	return buf_addf(buf, "%s://%s", url->is_tls ? "https" : "http", url->host);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Authorization headers; see authorization.h.
 */
#include "registry/authorization.h"

#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/b64.h"

static bool is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

/* user:password, decoded. Nothing on either side of the colon is nobody. */
static enum authorization_kind split_basic(const struct buf *text, struct authorization *ret)
{
	const char *colon = text->len ? memchr(text->data, ':', text->len) : NULL;
	size_t user, password;

	if (!colon)
		return AUTHORIZATION_BAD;
	user = colon - text->data;
	password = text->len - user - 1;
	if (!user && !password)
		return AUTHORIZATION_NONE;
	if (!user || user > HTPASSWD_MAX_USER || password > HTPASSWD_MAX_PASSWORD ||
	    !is_clean(text->data, user) || memchr(colon + 1, '\0', password))
		return AUTHORIZATION_BAD;
	memcpy(ret->user, text->data, user);
	memcpy(ret->password, colon + 1, password);
	return AUTHORIZATION_BASIC;
}

static enum authorization_kind parse_basic(const char *value, size_t len, struct authorization *ret)
{
	__cleanup_buf struct buf text = BUF_INIT;
	enum authorization_kind kind;

	if (b64_decode(B64_PADDED, value, len, &text) < 0)
		return AUTHORIZATION_BAD;
	kind = split_basic(&text, ret);
	if (text.data)
		OPENSSL_cleanse(text.data, text.cap);
	return kind;
}

static enum authorization_kind parse_bearer(const char *value, size_t len,
					    struct authorization *ret)
{
	if (!len || strcspn(value, " \t,") < len)
		return AUTHORIZATION_BAD;
	ret->token = value;
	ret->token_len = len;
	return AUTHORIZATION_BEARER;
}

static const struct scheme {
	const char *name;
	enum authorization_kind (*parse)(const char *value, size_t len, struct authorization *ret);
} schemes[] = {
	{"Basic", parse_basic},
	{"Bearer", parse_bearer},
};

void authorization_parse(const char *header, struct authorization *ret_authorization)
{
	size_t name, len;
	const char *value;

	memset(ret_authorization, 0, sizeof(*ret_authorization));
	if (!header)
		return;
	ret_authorization->kind = AUTHORIZATION_BAD;
	if (strnlen(header, AUTHORIZATION_MAX + 1) > AUTHORIZATION_MAX)
		return;
	name = strcspn(header, " ");
	value = header + name + strspn(header + name, " ");
	len = strlen(value);
	while (len && value[len - 1] == ' ')
		len--;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(*schemes); i++)
		if (strlen(schemes[i].name) == name && !strncasecmp(header, schemes[i].name, name))
			ret_authorization->kind = schemes[i].parse(value, len, ret_authorization);
}

void authorization_clear(struct authorization *authorization)
{
	OPENSSL_cleanse(authorization, sizeof(*authorization));
}

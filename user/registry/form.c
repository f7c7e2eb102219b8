// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forms; see form.h. Called by the token service.
 */
#include "registry/form.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Never longer than the text. NULL: broken, or out of memory. */
static char *form_decode(const char *text, size_t len)
{
	__cleanup_free char *out = malloc(len + 1);
	char *at = out;

	for (size_t i = 0; out && i < len; i++, at++) {
		*at = text[i] == '+' ? ' ' : text[i];
		if (text[i] == '%') {
			int high = len - i > 2 ? hex_value(text[i + 1]) : -1;
			int low = len - i > 2 ? hex_value(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return NULL;
			*at = high << 4 | low;
			i += 2;
		}
		if (!*at)
			return NULL;
	}
	if (at)
		*at = '\0';
	return steal_ptr(out);
}

static int parse_pair(const char *text, size_t len, struct form *form, struct shale_err *err)
{
	const char *equals = memchr(text, '=', len);
	size_t name = equals ? (size_t)(equals - text) : len;
	struct form_pair *pair = &form->pairs[form->count];

	if (form->count == FORM_MAX_PAIRS)
		return shale_err_set(err, E2BIG, "more than %d parameters", FORM_MAX_PAIRS);
	pair->name = form_decode(text, name);
	pair->value = equals ? form_decode(equals + 1, len - name - 1) : strdup("");
	form->count++;
	if (!pair->name || !pair->value)
		return shale_err_set(err, EINVAL, "parameter %zu is not URL-encoded", form->count);
	return 0;
}

int form_parse(const char *text, size_t len, struct form *form, struct shale_err *err)
{
	if (len > FORM_MAX_BYTES)
		return shale_err_set(err, EFBIG, "more than %u bytes of parameters",
				     FORM_MAX_BYTES);
	while (len) {
		const char *and = memchr(text, '&', len);
		size_t pair = and? (size_t)(and-text) : len;

		if (pair && parse_pair(text, pair, form, err) < 0)
			return -1;
		pair += and? 1 : 0;
		text += pair;
		len -= pair;
	}
	return 0;
}

int form_add(struct form *form, const char *name, const char *value, struct shale_err *err)
{
	struct form_pair *pair = &form->pairs[form->count];

	if (form->count == FORM_MAX_PAIRS)
		return shale_err_set(err, E2BIG, "more than %d parameters", FORM_MAX_PAIRS);
	pair->name = strdup(name);
	pair->value = strdup(value ? value : "");
	form->count++;
	return pair->name && pair->value ? 0 : shale_err_set(err, ENOMEM, "parameters");
}

void form_release(struct form *form)
{
	for (size_t i = 0; i < form->count; i++) {
		if (form->pairs[i].value)
			OPENSSL_cleanse(form->pairs[i].value, strlen(form->pairs[i].value));
		free(form->pairs[i].name);
		free(form->pairs[i].value);
	}
	memset(form, 0, sizeof(*form));
}

const char *form_get(const struct form *form, const char *name)
{
	for (size_t i = 0; i < form->count; i++)
		if (!strcmp(form->pairs[i].name, name))
			return form->pairs[i].value;
	return NULL;
}

bool form_is_twice(const struct form *form, const char *name)
{
	size_t seen = 0;

	for (size_t i = 0; i < form->count; i++)
		seen += !strcmp(form->pairs[i].name, name);
	return seen > 1;
}

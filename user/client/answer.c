// SPDX-License-Identifier: GPL-2.0-only
/*
 * Header parsers; see answer.h. The grammar is RFC 9110's: tokens, quoted strings with backslashes,
 * lists separated by commas. Called by remote.c, fetch.c and upload.c.
 */
#include "client/answer.h"

#include <curl/curl.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

static size_t token_len(const char *at)
{
	size_t len = 0;

	while (isalnum((unsigned char)at[len]) || (at[len] && strchr("!#$%&'*+-.^_`|~", at[len])))
		len++;
	return len;
}

/* A token or a quoted string into @out; the place after it, NULL when it is neither or too long. */
static const char *read_value(const char *at, char *out, size_t len)
{
	size_t used = 0;

	if (*at != '"') {
		size_t token = token_len(at);

		/* Old registries do not quote URLs. */
		while (at[token] && !strchr(" \t,;\"\n", at[token]))
			token++;
		if (!token || token >= len)
			return NULL;
		memcpy(out, at, token);
		out[token] = '\0';
		return at + token;
	}
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		if (used + 1 >= len)
			return NULL;
		out[used++] = *at;
	}
	out[used] = '\0';
	return *at ? at + 1 : NULL;
}

static enum answer_scheme scheme_of(const char *name, size_t len)
{
	if (len == 5 && !strncasecmp(name, "Basic", len))
		return ANSWER_BASIC;
	if (len == 6 && !strncasecmp(name, "Bearer", len))
		return ANSWER_BEARER;
	return ANSWER_NONE;
}

/* Whether a "name=value" begins here, and not the next challenge's scheme. */
static bool is_param(const char *at)
{
	size_t len = token_len(at);

	return len && *skip_blanks(at + len) == '=';
}

static const char *read_param(const char *at, struct answer_challenge *challenge)
{
	struct {
		const char *name;
		char *value;
	} known[] = {
		{ "realm", challenge->realm },
		{ "service", challenge->service },
		{ "scope", challenge->scope },
	};
	char value[ANSWER_MAX_VALUE];
	size_t len = token_len(at);
	const char *name = at;

	at = read_value(skip_blanks(skip_blanks(at + len) + 1), value, sizeof(value));
	for (size_t i = 0; at && i < sizeof(known) / sizeof(*known); i++)
		if (strlen(known[i].name) == len && !strncasecmp(name, known[i].name, len))
			memcpy(known[i].value, value, strlen(value) + 1);
	return at;
}

/* One challenge with its parameters; NULL at what is no such thing. */
static const char *read_challenge(const char *at, struct answer_challenge *ret_challenge)
{
	size_t len = token_len(at);

	*ret_challenge = (struct answer_challenge){ .scheme = scheme_of(at, len) };
	if (!len)
		return NULL;
	at = skip_blanks(at + len);
	while (is_param(at)) {
		at = read_param(at, ret_challenge);
		if (!at)
			return NULL;
		at = skip_blanks(at);
		if (*at != ',')
			break;
		at = skip_blanks(at + 1);
		/* What follows the comma is the next challenge. */
		if (!is_param(at))
			return at;
	}
	/* Another scheme's "token68": over to the next challenge. */
	while (*at && *at != ',' && *at != '\n' && !ret_challenge->scheme)
		at++;
	return at;
}

int answer_parse_challenge(const char *text, struct answer_challenge *ret_challenge,
			   struct shale_err *err)
{
	struct answer_challenge best = { .scheme = ANSWER_NONE };
	struct answer_challenge one;
	const char *at = text;

	while (at && *(at += strspn(at, " \t,\n"))) {
		at = read_challenge(at, &one);
		if (at && one.scheme > best.scheme)
			best = one;
	}
	if (!best.scheme)
		return shale_err_set(err, EPROTO,
				     "asks for an authentication we do not know: '%.200s'", text);
	if (best.scheme == ANSWER_BEARER && !best.realm[0])
		return shale_err_set(err, EPROTO, "asks for a token and does not say from where");
	*ret_challenge = best;
	return 0;
}

/* A decimal number that fits; NULL otherwise. */
static const char *read_number(const char *at, uint64_t *ret_number)
{
	uint64_t number = 0;
	const char *start = at;

	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, *at - '0', &number))
			return NULL;
	*ret_number = number;
	return at == start ? NULL : at;
}

bool answer_parse_retry(const char *text, time_t now, uint64_t *ret_seconds)
{
	uint64_t seconds;
	const char *end;
	time_t when;

	text = skip_blanks(text);
	end = read_number(text, &seconds);
	if (end && !*skip_blanks(end)) {
		*ret_seconds = seconds;
		return true;
	}
	when = curl_getdate(text, NULL);
	if (when == -1)
		return false;
	*ret_seconds = when > now ? when - now : 0;
	return true;
}

bool answer_parse_range(const char *text, struct answer_range *ret_range)
{
	struct answer_range range = { .total = UINT64_MAX };
	const char *at = skip_blanks(text);

	if (strncasecmp(at, "bytes", 5))
		return false;
	at = read_number(skip_blanks(at + 5), &range.first);
	if (!at || *at != '-')
		return false;
	at = read_number(at + 1, &range.last);
	if (!at || *at != '/')
		return false;
	at = at[1] == '*' ? at + 2 : read_number(at + 1, &range.total);
	if (!at || *skip_blanks(at) || range.last < range.first || range.last >= range.total)
		return false;
	*ret_range = range;
	return true;
}

bool answer_parse_upload(const char *text, uint64_t *ret_bytes)
{
	const char *at = skip_blanks(text);
	uint64_t first;
	uint64_t last;

	if (!strncasecmp(at, "bytes=", 6))
		at += 6;
	at = read_number(at, &first);
	if (!at || first || *at != '-')
		return false;
	at = read_number(at + 1, &last);
	if (!at || *skip_blanks(at) || last == UINT64_MAX)
		return false;
	/* "0-0" is what an upload that has nothing yet says as well as one of one byte. */
	*ret_bytes = last ? last + 1 : 0;
	return true;
}

/* Parameters of a link value: is rel=next among them? The place after them. */
static const char *read_link_params(const char *at, bool *ret_next)
{
	char value[ANSWER_MAX_VALUE];

	*ret_next = false;
	for (at = skip_blanks(at); *at == ';'; at = skip_blanks(at)) {
		const char *name = at = skip_blanks(at + 1);
		size_t len = token_len(at);

		at = skip_blanks(at + len);
		if (*at != '=')
			continue;
		at = read_value(skip_blanks(at + 1), value, sizeof(value));
		if (!at)
			return NULL;
		if (len == 3 && !strncasecmp(name, "rel", 3) && !strcasecmp(value, "next"))
			*ret_next = true;
	}
	return at;
}

bool answer_parse_link(const char *text, char *ret_target, size_t len)
{
	const char *at = text;
	bool is_next;

	for (;;) {
		const char *target = at + strspn(at, " \t,\n");
		const char *end = *target == '<' ? strchr(target, '>') : NULL;

		if (!end)
			return false;
		at = read_link_params(end + 1, &is_next);
		if (!at || (*at && *at != ',' && *at != '\n'))
			return false;
		if (!is_next)
			continue;
		if ((size_t)(end - target - 1) >= len)
			return false;
		memcpy(ret_target, target + 1, end - target - 1);
		ret_target[end - target - 1] = '\0';
		return true;
	}
}

void answer_media_type(const char *text, char *ret_type, size_t len)
{
	size_t used = 0;

	for (text = skip_blanks(text); *text && !strchr("; \t", *text) && used + 1 < len; text++)
		ret_type[used++] = tolower((unsigned char)*text);
	ret_type[used] = '\0';
}

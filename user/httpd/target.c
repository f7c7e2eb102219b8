// SPDX-License-Identifier: GPL-2.0-only
/*
 * Paths, queries and ranges; see target.h. Called with what clients send, so each function either
 * understands all of it or refuses it.
 */
#include "httpd/target.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* In place. In a query a '+' is a blank. */
static bool decode(char *text, bool is_query)
{
	char *to = text;
	int high;
	int low;

	for (const char *at = text; *at; at++) {
		char c = *at;

		if (c == '%') {
			high = hex_digit(at[1]);
			low = high < 0 ? -1 : hex_digit(at[2]);
			if (low < 0)
				return false;
			c = high << 4 | low;
			at += 2;
		} else if (c == '+' && is_query) {
			c = ' ';
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return false;
		*to++ = c;
	}
	*to = '\0';
	return true;
}

static bool parse_path(char *path, struct target *target)
{
	char *next;

	for (; path; path = next) {
		next = strchr(path, '/');
		if (next)
			*next++ = '\0';
		if (target->segment_count == TARGET_MAX_SEGMENTS || !decode(path, false))
			return false;
		target->segments[target->segment_count++] = path;
	}
	return true;
}

static bool parse_query(char *query, struct target *target)
{
	char *value;
	char *next;

	for (; query; query = next) {
		next = strchr(query, '&');
		if (next)
			*next++ = '\0';
		if (!*query)
			continue;
		value = strchr(query, '=');
		if (value)
			*value++ = '\0';
		if (target->pair_count == TARGET_MAX_PAIRS || !decode(query, true) ||
		    (value && !decode(value, true)))
			return false;
		target->pairs[target->pair_count++] =
			(struct target_pair){ query, value ? value : "" };
	}
	return true;
}

bool target_parse(const char *text, struct target *ret_target)
{
	struct target target = { 0 };
	char *query;

	if (*text != '/')
		return false;
	target.text = strdup(text + 1);
	if (!target.text)
		return false;
	query = strchr(target.text, '?');
	if (query)
		*query++ = '\0';
	if (!parse_path(target.text, &target) || !parse_query(query, &target)) {
		free(target.text);
		return false;
	}
	*ret_target = target;
	return true;
}

void target_release(struct target *target)
{
	free(target->text);
	target->text = NULL;
}

const char *target_get(const struct target *target, const char *key)
{
	for (size_t i = 0; i < target->pair_count; i++)
		if (!strcmp(target->pairs[i].key, key))
			return target->pairs[i].value;
	return NULL;
}

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~/", c));
}

int target_encode(struct buf *buf, const char *text)
{
	for (; *text; text++) {
		if (is_unreserved(*text) ? buf_addc(buf, *text) < 0 :
					   buf_addf(buf, "%%%02X", (unsigned char)*text) < 0)
			return -1;
	}
	return 0;
}

/* Digits up to something else; false when there are none or they do not fit. */
static bool parse_number(const char **at, uint64_t *ret_value)
{
	const char *start = *at;
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value))
			return false;
	*ret_value = value;
	return *at > start;
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

static enum range_answer parse_suffix(const char *at, uint64_t size, uint64_t *ret_first,
				      uint64_t *ret_last)
{
	uint64_t count;

	if (!parse_number(&at, &count) || *skip_blanks(at))
		return RANGE_WHOLE;
	if (!count || !size)
		return RANGE_BAD;
	*ret_first = count < size ? size - count : 0;
	*ret_last = size - 1;
	return RANGE_PART;
}

/* What the grammar does not know is ignored; what it knows and cannot be had is an error. */
enum range_answer range_parse(const char *text, uint64_t size, uint64_t *ret_first,
			      uint64_t *ret_last)
{
	static const char unit[] = "bytes=";
	uint64_t last = UINT64_MAX;
	uint64_t first;

	if (!text || strncasecmp(text, unit, strlen(unit)))
		return RANGE_WHOLE;
	text = skip_blanks(text + strlen(unit));
	if (strchr(text, ','))
		return RANGE_WHOLE;
	if (*text == '-')
		return parse_suffix(text + 1, size, ret_first, ret_last);
	if (!parse_number(&text, &first) || *text++ != '-')
		return RANGE_WHOLE;
	if (*text && *skip_blanks(text) && !parse_number(&text, &last))
		return RANGE_WHOLE;
	if (*skip_blanks(text))
		return RANGE_WHOLE;
	if (last < first || first >= size)
		return RANGE_BAD;
	*ret_first = first;
	*ret_last = last < size ? last : size - 1;
	return RANGE_PART;
}

bool range_parse_content(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	uint64_t whole;

	if (!strncasecmp(text, "bytes ", 6) || !strncasecmp(text, "bytes=", 6))
		text = skip_blanks(text + 6);
	if (!parse_number(&text, ret_first) || *text++ != '-' || !parse_number(&text, ret_last))
		return false;
	if (*text == '/') {
		text++;
		if (*text == '*')
			text++;
		else if (!parse_number(&text, &whole))
			return false;
	}
	return !*text && *ret_first <= *ret_last && *ret_last < UINT64_MAX;
}

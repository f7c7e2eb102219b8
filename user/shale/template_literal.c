// SPDX-License-Identifier: GPL-2.0-only
/*
 * Literals in templates, by Go's rules: "text" with backslashes, `text` without, 'x', and numbers. Called by
 * template_parse.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shale/template_node.h"

#define NO_MEMORY  "out of memory"
#define BAD_ESCAPE "a backslash that means nothing"
#define BAD_UTF8   "text that is not UTF-8"
#define BAD_QUOTE  "a quote that does not end"
#define BAD_NUMBER "a number that is none"

static const struct {
	char letter;
	char meaning;
} escapes[] = {
	{ 'a', '\a' }, { 'b', '\b' },  { 'f', '\f' },  { 'n', '\n' },  { 'r', '\r' },
	{ 't', '\t' }, { 'v', '\v' },  { '\\', '\\' }, { '\'', '\'' }, { '"', '"' },
};

static int add_code_point(struct buf *out, unsigned long code)
{
	const char bytes[] = { 0xf0 | code >> 18, 0x80 | (code >> 12 & 0x3f),
			       0x80 | (code >> 6 & 0x3f), 0x80 | (code & 0x3f) };

	if (code < 0x80)
		return buf_addc(out, code);
	if (code < 0x800)
		return buf_addc(out, 0xc0 | code >> 6) || buf_addc(out, bytes[3]) ? -1 : 0;
	if (code < 0x10000)
		return buf_addc(out, 0xe0 | code >> 12) || buf_add(out, bytes + 2, 2) ? -1 : 0;
	return buf_add(out, bytes, sizeof(bytes));
}

/* The digits of an escape. What is no character is refused, and a NUL, which no text here can have. */
static const char *take_code(const char **at, size_t digits, int base, struct buf *out)
{
	char text[9] = "";
	unsigned long code;
	char *end = text;

	for (size_t i = 0; i < digits && (*at)[i]; i++)
		text[i] = (*at)[i];
	code = isxdigit((unsigned char)*text) ? strtoul(text, &end, base) : 0;
	if (!code || (size_t)(end - text) != digits || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000) || (digits < 4 && code >= 0x80))
		return BAD_ESCAPE;
	*at += digits;
	return add_code_point(out, code) ? NO_MEMORY : NULL;
}

/* What follows a backslash. */
static const char *take_escape(const char **at, struct buf *out)
{
	char c = **at;

	if (c >= '0' && c <= '7')
		return take_code(at, 3, 8, out);
	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++)
		if (escapes[i].letter == c) {
			++*at;
			return buf_addc(out, escapes[i].meaning) ? NO_MEMORY : NULL;
		}
	if (c != 'x' && c != 'u' && c != 'U')
		return BAD_ESCAPE;
	++*at;
	return take_code(at, c == 'x' ? 2 : c == 'u' ? 4 : 8, 16, out);
}

static const char *take_quoted(const char **at, struct buf *out)
{
	char quote = *(*at)++;
	const char *why;

	while (**at != quote) {
		if (!**at || **at == '\n')
			return BAD_QUOTE;
		if (**at != '\\') {
			if (buf_addc(out, *(*at)++))
				return NO_MEMORY;
			continue;
		}
		++*at;
		why = take_escape(at, out);
		if (why)
			return why;
	}
	++*at;
	return NULL;
}

static json_t *make_string(const char *text, size_t len, const char **ret_why)
{
	json_t *value = json_stringn(text, len);

	if (!value)
		*ret_why = BAD_UTF8;
	return value;
}

static json_t *take_string(const char **at, const char **ret_why)
{
	__cleanup_buf struct buf text = BUF_INIT;

	*ret_why = take_quoted(at, &text);
	return *ret_why ? NULL : make_string(buf_str(&text), text.len, ret_why);
}

static json_t *take_raw_string(const char **at, const char **ret_why)
{
	const char *text = *at + 1;
	const char *close = strchr(text, '`');

	if (!close) {
		*ret_why = BAD_QUOTE;
		return NULL;
	}
	*at = close + 1;
	return make_string(text, close - text, ret_why);
}

/* The number of the first character of a text that is known to be UTF-8. */
static json_int_t first_code(const char *text, size_t *ret_len)
{
	unsigned char first = *text;
	size_t len = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	json_int_t code = len == 1 ? first : first & (0x7f >> len);

	for (size_t i = 1; i < len; i++)
		code = code << 6 | (text[i] & 0x3f);
	*ret_len = len;
	return code;
}

static json_t *take_character(const char **at, const char **ret_why)
{
	__cleanup_json json_t *text = take_string(at, ret_why);
	json_int_t code;
	size_t len;

	if (!text)
		return NULL;
	code = first_code(json_string_value(text), &len);
	if (code && json_string_length(text) == len)
		return json_integer(code);
	*ret_why = "not one character in ''";
	return NULL;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static json_t *take_number(const char **at, const char **ret_why)
{
	char *whole_end, *real_end;
	long long whole;
	double real;

	errno = 0;
	*ret_why = BAD_NUMBER;
	whole = strtoll(*at, &whole_end, 0);
	if (!errno && !is_word_char(*whole_end)) {
		*at = whole_end;
		return json_integer(whole);
	}
	errno = 0;
	real = strtod(*at, &real_end);
	if (errno || is_word_char(*real_end) || real_end <= whole_end)
		return NULL;
	*at = real_end;
	return json_real(real);
}

json_t *template_literal(const char **at, const char **ret_why)
{
	const char *text = *at;

	*ret_why = *text ? "no value begins like this" : "it does not end";
	if (*text == '"')
		return take_string(at, ret_why);
	if (*text == '`')
		return take_raw_string(at, ret_why);
	if (*text == '\'')
		return take_character(at, ret_why);
	if (*text == '+' || *text == '-')
		text++;
	return isdigit((unsigned char)*text) ? take_number(at, ret_why) : NULL;
}

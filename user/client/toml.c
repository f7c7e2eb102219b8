// SPDX-License-Identifier: GPL-2.0-only
/*
 * The TOML reader; see toml.h. One pass, nothing is kept but the place and the current table's name. Called
 * by mirrors.c.
 */
#include "client/toml.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct toml {
	const char *at;
	const char *end;
	const char *what;
	unsigned int line;
	char table[TOML_MAX_TEXT];
	char key[TOML_MAX_TEXT];
	char text[TOML_MAX_TEXT];
	int (*item)(void *arg, const struct toml_item *item, struct shale_err *err);
	void *arg;
	struct shale_err *err;
};

static int fail(struct toml *toml, const char *why)
{
	return shale_err_set(toml->err, EINVAL, "%s: line %u: %s", toml->what, toml->line, why);
}

static char peek(const struct toml *toml)
{
	return toml->at < toml->end ? *toml->at : '\0';
}

static void skip_blanks(struct toml *toml)
{
	while (peek(toml) == ' ' || peek(toml) == '\t')
		toml->at++;
}

static void skip_comment(struct toml *toml)
{
	skip_blanks(toml);
	if (peek(toml) != '#')
		return;
	while (toml->at < toml->end && *toml->at != '\n')
		toml->at++;
}

/* Blanks, comments and line ends. */
static void skip_lines(struct toml *toml)
{
	for (;;) {
		skip_comment(toml);
		if (peek(toml) == '\r')
			toml->at++;
		if (peek(toml) != '\n')
			return;
		toml->line++;
		toml->at++;
	}
}

static int end_line(struct toml *toml)
{
	skip_comment(toml);
	if (peek(toml) == '\r')
		toml->at++;
	if (toml->at == toml->end || *toml->at == '\n')
		return 0;
	return fail(toml, "something is left at the end of the line");
}

static int add_char(struct toml *toml, char *out, size_t *used, char c)
{
	if (*used + 1 >= TOML_MAX_TEXT)
		return fail(toml, "a text is too long");
	out[(*used)++] = c;
	out[*used] = '\0';
	return 0;
}

static int read_escape(struct toml *toml, char *ret_char)
{
	static const char from[] = "btnfr\"\\";
	static const char to[] = "\b\t\n\f\r\"\\";
	const char *found = peek(toml) ? strchr(from, peek(toml)) : NULL;

	if (!found)
		return fail(toml, "an escape that is not supported");
	*ret_char = to[found - from];
	return 0;
}

static int read_string(struct toml *toml, char *out)
{
	char quote = *toml->at++;
	size_t used = 0;

	out[0] = '\0';
	if (toml->end - toml->at >= 2 && toml->at[0] == quote && toml->at[1] == quote)
		return fail(toml, "strings of several lines are not supported");
	for (; toml->at < toml->end && *toml->at != quote; toml->at++) {
		char c = *toml->at;

		if ((unsigned char)c < ' ' && c != '\t')
			return fail(toml, "a string does not end in its line");
		if (c == '\\' && quote == '"') {
			toml->at++;
			if (read_escape(toml, &c) < 0)
				return -1;
		}
		if (add_char(toml, out, &used, c) < 0)
			return -1;
	}
	if (toml->at == toml->end)
		return fail(toml, "a string does not end");
	toml->at++;
	return 0;
}

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* A key, of which parts joined by dots are one. */
static int read_key(struct toml *toml, char *out)
{
	size_t used = 0;

	out[0] = '\0';
	skip_blanks(toml);
	if (peek(toml) == '"' || peek(toml) == '\'')
		return read_string(toml, out);
	while (is_bare(peek(toml)) || peek(toml) == '.')
		if (add_char(toml, out, &used, *toml->at++) < 0)
			return -1;
	return used ? 0 : fail(toml, "a key is missing");
}

static int give(struct toml *toml, struct toml_item *item)
{
	item->line = toml->line;
	item->table = toml->table;
	return toml->item(toml->arg, item, toml->err);
}

static int read_table(struct toml *toml)
{
	struct toml_item item = { .kind = TOML_TABLE };

	toml->at++;
	if (peek(toml) == '[') {
		toml->at++;
		item.kind = TOML_TABLE_ELEMENT;
	}
	if (read_key(toml, toml->table) < 0)
		return -1;
	skip_blanks(toml);
	for (int i = 0; i <= (item.kind == TOML_TABLE_ELEMENT); i++) {
		if (peek(toml) != ']')
			return fail(toml, "']' is missing");
		toml->at++;
	}
	return end_line(toml) < 0 ? -1 : give(toml, &item);
}

static int read_array(struct toml *toml)
{
	struct toml_item item = { .kind = TOML_ARRAY, .key = toml->key };
	size_t count = 0;

	toml->at++;
	if (give(toml, &item) < 0)
		return -1;
	item.kind = TOML_ELEMENT;
	item.text = toml->text;
	for (;;) {
		skip_lines(toml);
		if (peek(toml) == ']')
			break;
		if (peek(toml) != '"' && peek(toml) != '\'')
			return fail(toml, "only strings are supported in arrays");
		if (++count > TOML_MAX_ELEMENTS)
			return fail(toml, "an array is too long");
		if (read_string(toml, toml->text) < 0 || give(toml, &item) < 0)
			return -1;
		skip_lines(toml);
		if (peek(toml) == ',')
			toml->at++;
		else if (peek(toml) != ']')
			return fail(toml, "',' or ']' is missing");
	}
	toml->at++;
	return 0;
}

static int read_number(struct toml *toml, struct toml_item *item)
{
	bool is_negative = *toml->at == '-';
	const char *start;

	if (*toml->at == '-' || *toml->at == '+')
		toml->at++;
	for (start = toml->at; peek(toml) >= '0' && peek(toml) <= '9'; toml->at++)
		if (__builtin_mul_overflow(item->integer, 10, &item->integer) ||
		    __builtin_add_overflow(item->integer, *toml->at - '0', &item->integer))
			return fail(toml, "a number is too large");
	if (toml->at == start)
		return fail(toml, "a value that is not supported");
	if (is_negative)
		item->integer = -item->integer;
	item->kind = TOML_INTEGER;
	return give(toml, item);
}

static bool take_word(struct toml *toml, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(toml->end - toml->at) < len || strncmp(toml->at, word, len))
		return false;
	if (toml->at + len < toml->end && is_bare(toml->at[len]))
		return false;
	toml->at += len;
	return true;
}

static int read_value(struct toml *toml)
{
	struct toml_item item = { .key = toml->key, .text = toml->text };

	skip_blanks(toml);
	switch (peek(toml)) {
	case '"':
	case '\'':
		item.kind = TOML_STRING;
		return read_string(toml, toml->text) < 0 ? -1 : give(toml, &item);
	case '[':
		return read_array(toml);
	case 't':
	case 'f':
		item.kind = TOML_BOOLEAN;
		item.boolean = take_word(toml, "true");
		if (!item.boolean && !take_word(toml, "false"))
			return fail(toml, "a value that is not supported");
		return give(toml, &item);
	default:
		if (toml->at == toml->end)
			return fail(toml, "a value is missing");
		return read_number(toml, &item);
	}
}

static int read_line(struct toml *toml)
{
	if (peek(toml) == '[')
		return read_table(toml);
	if (read_key(toml, toml->key) < 0)
		return -1;
	skip_blanks(toml);
	if (peek(toml) != '=')
		return fail(toml, "'=' is missing");
	toml->at++;
	return read_value(toml) < 0 ? -1 : end_line(toml);
}

int toml_parse(const char *text, size_t len, const char *what,
	       int (*item)(void *arg, const struct toml_item *item, struct shale_err *err), void *arg,
	       struct shale_err *err)
{
	struct toml toml = {
		.at = text,
		.end = text + len,
		.what = what,
		.line = 1,
		.item = item,
		.arg = arg,
		.err = err,
	};

	if (len > TOML_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s: larger than %u bytes", what, TOML_MAX_BYTES);
	if (len && memchr(text, '\0', len))
		return shale_err_set(err, EINVAL, "%s: not a text", what);
	for (;;) {
		skip_lines(&toml);
		if (toml.at == toml.end)
			return 0;
		if (read_line(&toml) < 0)
			return -1;
	}
}

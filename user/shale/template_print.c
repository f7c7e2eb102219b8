// SPDX-License-Identifier: GPL-2.0-only
/*
 * How Go prints values, by itself and with the verbs of printf. Called by template.c and template_call.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shale/template_node.h"

/* A wider column is a mistake; Go's limit is a million. */
#define PRINT_MAX_WIDTH 10000

static int print_nested(const json_t *value, struct buf *out);

static int print_list(const json_t *list, struct buf *out)
{
	int ret = buf_addc(out, '[');

	for (size_t i = 0; !ret && i < json_array_size(list); i++) {
		if (i)
			ret = buf_addc(out, ' ');
		if (!ret)
			ret = print_nested(json_array_get(list, i), out);
	}
	return ret ? ret : buf_addc(out, ']');
}

/* Go prints a map in the order of its keys. */
static int print_map(const json_t *map, struct buf *out)
{
	const char **keys = template_sorted_keys(map);
	int ret = keys ? buf_adds(out, "map[") : -1;

	for (size_t i = 0; !ret && keys[i]; i++) {
		ret = buf_addf(out, "%s%s:", i ? " " : "", keys[i]);
		if (!ret)
			ret = print_nested(json_object_get(map, keys[i]), out);
	}
	free(keys);
	return ret ? ret : buf_addc(out, ']');
}

/* With as few digits as tell the number from its neighbours. */
static int print_real(double real, struct buf *out)
{
	char text[40];
	int digits = 6;

	do
		snprintf(text, sizeof(text), "%.*g", digits, real);
	while (strtod(text, NULL) != real && ++digits <= 17);
	return buf_adds(out, text);
}

static int print_nested(const json_t *value, struct buf *out)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return print_map(value, out);
	case JSON_ARRAY:
		return print_list(value, out);
	case JSON_STRING:
		return buf_add(out, json_string_value(value), json_string_length(value));
	case JSON_INTEGER:
		return buf_addf(out, "%lld", (long long)json_integer_value(value));
	case JSON_REAL:
		return print_real(json_real_value(value), out);
	case JSON_TRUE:
	case JSON_FALSE:
		return buf_adds(out, json_is_true(value) ? "true" : "false");
	case JSON_NULL:
		break;
	}
	return buf_adds(out, "<nil>");
}

int template_print(const json_t *value, struct buf *out)
{
	return json_is_null(value) ? buf_adds(out, "<no value>") : print_nested(value, out);
}

/* "%-08.3d" */
struct print_spec {
	char flags[8]; /* as C has them, each once */
	int width;
	int precision; /* -1: none */
	char verb;
};

static const char *type_name(const json_t *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "map[string]interface {}",
		[JSON_ARRAY] = "[]interface {}",
		[JSON_STRING] = "string",
		[JSON_INTEGER] = "int",
		[JSON_REAL] = "float64",
		[JSON_TRUE] = "bool",
		[JSON_FALSE] = "bool",
		[JSON_NULL] = "<nil>",
	};

	return names[json_typeof(value)];
}

/* What Go prints for a verb that does not fit: %!d(string=x). */
static int print_bad_verb(const struct print_spec *spec, const json_t *value, struct buf *out)
{
	int ret = buf_addf(out, "%%!%c(%s", spec->verb, type_name(value));

	if (!ret && !json_is_null(value))
		ret = buf_addc(out, '=') || print_nested(value, out) ? -1 : 0;
	return ret ? ret : buf_addc(out, ')');
}

static size_t count_chars(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += (*text & 0xc0) != 0x80;
	return count;
}

static bool has_flag(const struct print_spec *spec, char flag)
{
	return strchr(spec->flags, flag) != NULL;
}

/* Width and precision count characters. */
static int print_padded(const struct print_spec *spec, const char *text, struct buf *out)
{
	size_t len = strlen(text);
	size_t chars = count_chars(text);
	int pad;

	if (spec->precision >= 0 && chars > (size_t)spec->precision) {
		chars = spec->precision;
		len = 0;
		for (size_t left = chars; left; len++)
			left -= (text[len + 1] & 0xc0) != 0x80;
	}
	pad = (size_t)spec->width > chars ? spec->width - (int)chars : 0;
	if (has_flag(spec, '-'))
		return buf_add(out, text, len) || buf_addf(out, "%*s", pad, "") ? -1 : 0;
	for (; has_flag(spec, '0') && pad; pad--)
		if (buf_addc(out, '0'))
			return -1;
	return buf_addf(out, "%*s", pad, "") || buf_add(out, text, len) ? -1 : 0;
}

/* Quoted text is up to four times as long, and quoting it again and again has no end: it is cut where it is refused. */
static int quote(const char *text, struct buf *out)
{
	static const char letters[] = "abtnvfr";
	int ret = buf_addc(out, '"');

	for (; !ret && *text && out->len <= TEMPLATE_MAX_TEXT; text++) {
		bool is_letter = *text >= '\a' && *text <= '\r';

		if (*text == '"' || *text == '\\' || is_letter)
			ret = buf_addc(out, '\\') ||
			      buf_addc(out, is_letter ? letters[*text - '\a'] : *text) ? -1 : 0;
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			ret = buf_addf(out, "\\x%02x", (unsigned char)*text);
		else
			ret = buf_addc(out, *text);
	}
	return ret ? ret : buf_addc(out, '"');
}

static int print_text(const struct print_spec *spec, const char *text, struct buf *out)
{
	__cleanup_buf struct buf changed = BUF_INIT;
	int ret = 0;

	if (spec->verb == 'q')
		ret = quote(text, &changed);
	else if (spec->verb == 'x' || spec->verb == 'X')
		for (const char *at = text; !ret && *at && changed.len <= TEMPLATE_MAX_TEXT; at++)
			ret = buf_addf(&changed, spec->verb == 'x' ? "%02x" : "%02X",
				       (unsigned char)*at);
	else
		ret = buf_adds(&changed, text);
	return ret ? ret : print_padded(spec, buf_str(&changed), out);
}

/* A number by C's own printf, whose flags are Go's. */
static int print_number(const struct print_spec *spec, const json_t *value, struct buf *out)
{
	bool is_real = json_is_real(value);
	char format[32];

	snprintf(format, sizeof(format), "%%%s%s%s%s%c", spec->flags, spec->width ? "*" : "",
		 spec->precision < 0 ? "" : ".*", is_real ? "" : "ll",
		 spec->verb != 'v' ? spec->verb : is_real ? 'g' : 'd');
#define PRINT(number)                                                                              \
	(spec->width && spec->precision >= 0 ?                                                     \
		 buf_addf(out, format, spec->width, spec->precision, number) :                     \
	 spec->width	      ? buf_addf(out, format, spec->width, number) :                       \
	 spec->precision >= 0 ? buf_addf(out, format, spec->precision, number) :                   \
				buf_addf(out, format, number))
	return is_real ? PRINT(json_real_value(value)) : PRINT((long long)json_integer_value(value));
#undef PRINT
}

static const char *verbs_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return "svqxX";
	case JSON_INTEGER:
		return "dvxXo";
	case JSON_REAL:
		return "veEfFgG";
	case JSON_TRUE:
	case JSON_FALSE:
		return "vt";
	case JSON_OBJECT:
	case JSON_ARRAY:
		return "vs";
	case JSON_NULL:
		break;
	}
	return "v";
}

static int print_value(const struct print_spec *spec, const json_t *value, struct buf *out)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (spec->verb == 'T')
		return print_padded(spec, type_name(value), out);
	if (!strchr(verbs_of(value), spec->verb))
		return print_bad_verb(spec, value, out);
	if (json_is_string(value))
		return print_text(spec, json_string_value(value), out);
	if (json_is_number(value) && !(json_is_real(value) && spec->verb == 'v'))
		return print_number(spec, value, out);
	return print_nested(value, &text) || print_padded(spec, buf_str(&text), out) ? -1 : 0;
}

static int take_spec_number(const char **at, int *ret_number)
{
	int number = 0;

	while (isdigit((unsigned char)**at) && number <= PRINT_MAX_WIDTH)
		number = number * 10 + *(*at)++ - '0';
	*ret_number = number;
	return number <= PRINT_MAX_WIDTH ? 0 : -1;
}

/* Behind the '%'; -1 for what is no verb. */
static int take_spec(const char **at, struct print_spec *spec)
{
	size_t count = 0;

	*spec = (struct print_spec){ .precision = -1 };
	for (; **at && strchr("+-# 0", **at); ++*at)
		if (!has_flag(spec, **at))
			spec->flags[count++] = **at;
	if (take_spec_number(at, &spec->width))
		return -1;
	if (**at == '.') {
		++*at;
		if (take_spec_number(at, &spec->precision))
			return -1;
	}
	spec->verb = **at;
	*at += spec->verb != '\0';
	return isalpha((unsigned char)spec->verb) || spec->verb == '%' ? 0 : -1;
}

static int print_extra(size_t argc, json_t *const *argv, struct buf *out)
{
	int ret = buf_adds(out, "%!(EXTRA ");

	for (size_t i = 0; !ret && i < argc; i++) {
		ret = buf_addf(out, "%s%s", i ? ", " : "", type_name(argv[i]));
		if (!ret && !json_is_null(argv[i]))
			ret = buf_addc(out, '=') || print_nested(argv[i], out) ? -1 : 0;
	}
	return ret ? ret : buf_addc(out, ')');
}

int template_printf(struct template_run *run, size_t argc, json_t *const *argv, struct buf *out)
{
	const char *at = json_string_value(argv[0]);
	struct print_spec spec;
	size_t next = 1;
	int ret = 0;

	if (!at)
		return shale_err_set(run->err, EINVAL, "printf with a format that is no text");
	while (!ret && *at && out->len <= TEMPLATE_MAX_TEXT) {
		if (*at != '%') {
			ret = buf_addc(out, *at++);
			continue;
		}
		at++;
		if (take_spec(&at, &spec))
			return shale_err_set(run->err, EINVAL, "printf with a '%%' that means nothing");
		if (spec.verb == '%')
			ret = buf_addc(out, '%');
		else if (next < argc)
			ret = print_value(&spec, argv[next++], out);
		else
			ret = buf_addf(out, "%%!%c(MISSING)", spec.verb);
	}
	if (!ret && next < argc)
		ret = print_extra(argc - next, argv + next, out);
	return ret ? template_no_memory(run->err) : 0;
}

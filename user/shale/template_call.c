// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions of templates: Go's own, and those docker adds. A table with how many arguments each takes, which
 * the parser has checked. Called by template.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/template_node.h"

/* Pieces of one split. */
#define SPLIT_MAX 100000

static int fail(struct template_run *run, const char *what)
{
	return shale_err_set(run->err, EINVAL, "%s", what);
}

static int give(struct template_run *run, json_t *value, json_t **ret_value)
{
	*ret_value = value;
	return value ? 0 : template_no_memory(run->err);
}

/* Long texts are work, too. */
static int give_limited(struct template_run *run, const char *text, size_t len, size_t max,
			json_t **ret_value)
{
	if (len > max)
		return shale_err_set(run->err, E2BIG, "a text of more than %zu bytes", max);
	run->steps += len / 64;
	return give(run, json_stringn(text, len), ret_value);
}

static int give_text(struct template_run *run, const char *text, size_t len, json_t **ret_value)
{
	return give_limited(run, text, len, TEMPLATE_MAX_TEXT, ret_value);
}

static int give_buf(struct template_run *run, const struct buf *text, json_t **ret_value)
{
	return give_text(run, buf_str(text), text->len, ret_value);
}

/* A row as a whole is written by docker for web pages, too. */
static int escape_html(const char *text, struct buf *out)
{
	int ret = 0;

	for (; !ret && *text; text++)
		ret = strchr("<>&", *text) ? buf_addf(out, "\\u%04x", *text) : buf_addc(out, *text);
	return ret;
}

static int call_json(struct template_run *run, size_t argc, json_t *const *argv,
		     json_t **ret_value)
{
	__cleanup_free char *text = json_dumps(argv[0], JSON_COMPACT | JSON_ENCODE_ANY);
	__cleanup_buf struct buf escaped = BUF_INIT;

	(void)argc;
	if (!text)
		return template_no_memory(run->err);
	if (!run->has_row || argv[0] != run->slots[0])
		return give_limited(run, text, strlen(text), TEMPLATE_MAX_JSON, ret_value);
	if (escape_html(text, &escaped))
		return template_no_memory(run->err);
	return give_limited(run, buf_str(&escaped), escaped.len, TEMPLATE_MAX_JSON, ret_value);
}

static int call_len(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	const json_t *value = argv[0];
	size_t len = json_is_array(value) ? json_array_size(value) : json_object_size(value);

	(void)argc;
	if (json_is_string(value))
		len = json_string_length(value);
	else if (!json_is_array(value) && !json_is_object(value) && !json_is_null(value))
		return fail(run, "len of what has no length");
	return give(run, json_integer(len), ret_value);
}

static int change_case(struct template_run *run, const json_t *value,
		       int (*change)(int c, bool is_first), json_t **ret_value)
{
	__cleanup_buf struct buf out = BUF_INIT;
	bool is_first = true;

	if (!json_is_string(value))
		return fail(run, "lower, upper and title are for text");
	for (const char *at = json_string_value(value); *at; at++) {
		if (buf_addc(&out, isascii(*at) ? change(*at, is_first) : *at))
			return template_no_memory(run->err);
		/* To Go a word begins behind whatever is no letter, digit or underscore. */
		is_first = isascii(*at) && !isalnum((unsigned char)*at) && *at != '_';
	}
	return give_buf(run, &out, ret_value);
}

static int to_lower(int c, bool is_first)
{
	(void)is_first;
	return tolower(c);
}

static int to_upper(int c, bool is_first)
{
	(void)is_first;
	return toupper(c);
}

static int to_title(int c, bool is_first)
{
	return is_first ? toupper(c) : c;
}

static int call_lower(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	(void)argc;
	return change_case(run, argv[0], to_lower, ret_value);
}

static int call_upper(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	(void)argc;
	return change_case(run, argv[0], to_upper, ret_value);
}

static int call_title(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	(void)argc;
	return change_case(run, argv[0], to_title, ret_value);
}

static int call_join(struct template_run *run, size_t argc, json_t *const *argv,
		     json_t **ret_value)
{
	__cleanup_buf struct buf out = BUF_INIT;

	(void)argc;
	if (!json_is_array(argv[0]) && !json_is_null(argv[0]))
		return fail(run, "join of what is no list");
	if (!json_is_string(argv[1]))
		return fail(run, "join with what is no text");
	for (size_t i = 0; i < json_array_size(argv[0]); i++) {
		if ((i && buf_adds(&out, json_string_value(argv[1]))) ||
		    template_print(json_array_get(argv[0], i), &out))
			return template_no_memory(run->err);
		if (out.len > TEMPLATE_MAX_TEXT)
			break;
	}
	return give_buf(run, &out, ret_value);
}

static size_t char_len(const char *text)
{
	size_t len = 1;

	while ((text[len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* Where the next separator is, at or behind the end if there is none; without a separator each character is a piece. */
static size_t piece_len(const char *text, const char *separator)
{
	const char *found = *separator ? strstr(text, separator) : text + char_len(text);

	return found ? (size_t)(found - text) : strlen(text);
}

static int call_split(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	const char *text = json_string_value(argv[0]);
	const char *separator = json_string_value(argv[1]);
	__cleanup_json json_t *list = json_array();
	size_t len;

	(void)argc;
	if (!text || !separator)
		return fail(run, "split is for text");
	while (*text || *separator) {
		len = piece_len(text, separator);
		run->steps++;
		if (json_array_append_new(list, json_stringn(text, len)))
			return template_no_memory(run->err);
		if (json_array_size(list) > SPLIT_MAX)
			return shale_err_set(run->err, E2BIG, "split makes more than %d pieces",
					     SPLIT_MAX);
		if (!text[len])
			break;
		text += len + strlen(separator);
	}
	*ret_value = json_incref(list);
	return 0;
}

static bool take_count(const json_t *value, size_t max, size_t *ret_count)
{
	json_int_t count = json_integer_value(value);

	*ret_count = count;
	return json_is_integer(value) && count >= 0 && (size_t)count <= max;
}

static int call_pad(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	__cleanup_buf struct buf out = BUF_INIT;
	size_t before, after;

	(void)argc;
	if (!json_is_string(argv[0]) || !take_count(argv[1], TEMPLATE_MAX_BYTES, &before) ||
	    !take_count(argv[2], TEMPLATE_MAX_BYTES, &after))
		return fail(run, "pad takes a text and two numbers");
	if (json_string_length(argv[0]) &&
	    buf_addf(&out, "%*s%s%*s", (int)before, "", json_string_value(argv[0]), (int)after, ""))
		return template_no_memory(run->err);
	return give_buf(run, &out, ret_value);
}

/* Bytes, as docker counts them, but no part of a character. */
static int call_truncate(struct template_run *run, size_t argc, json_t *const *argv,
			 json_t **ret_value)
{
	const char *text = json_string_value(argv[0]);
	size_t len;

	(void)argc;
	if (!text || !take_count(argv[1], SIZE_MAX / 2, &len))
		return fail(run, "truncate takes a text and a number");
	if (json_string_length(argv[0]) < len)
		len = json_string_length(argv[0]);
	while (len && (text[len] & 0xc0) == 0x80)
		len--;
	return give_text(run, text, len, ret_value);
}

/* A key that a map does not have is Go's empty value. */
static json_t *index_one(struct template_run *run, const json_t *value, const json_t *key)
{
	json_t *found = NULL;
	char text[32];
	size_t at;

	if (json_is_array(value)) {
		if (take_count(key, json_array_size(value), &at))
			found = json_array_get(value, at);
		if (found)
			return json_incref(found);
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(key));
		shale_err_set(run->err, EINVAL, "the list has no element %.100s",
			      json_is_string(key) ? json_string_value(key) : text);
		return NULL;
	}
	if (!json_is_object(value) && !json_is_null(value)) {
		fail(run, "index of what is neither list nor map");
		return NULL;
	}
	if (json_is_string(key))
		found = json_object_get(value, json_string_value(key));
	return found ? json_incref(found) : json_string("");
}

static int call_index(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	__cleanup_json json_t *value = json_incref(argv[0]);
	json_t *found;

	for (size_t i = 1; i < argc; i++) {
		found = index_one(run, value, argv[i]);
		if (!found)
			return -1;
		json_decref(value);
		value = found;
	}
	*ret_value = json_incref(value);
	return 0;
}

static int call_slice(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	bool is_list = json_is_array(argv[0]);
	size_t len = is_list ? json_array_size(argv[0]) : json_string_length(argv[0]);
	size_t begin = 0, end = len;
	json_t *list;

	if (!is_list && !json_is_string(argv[0]))
		return fail(run, "slice of what is neither list nor text");
	if ((argc > 1 && !take_count(argv[1], len, &begin)) ||
	    (argc > 2 && !take_count(argv[2], len, &end)) || begin > end)
		return fail(run, "slice of what is not there");
	if (!is_list) {
		*ret_value = json_stringn(json_string_value(argv[0]) + begin, end - begin);
		return *ret_value ? 0 : fail(run, "slice of a part of a character");
	}
	list = json_array();
	for (; begin < end; begin++, run->steps++)
		json_array_append(list, json_array_get(argv[0], begin));
	return give(run, list, ret_value);
}

bool template_is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) != 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

static int call_not(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	(void)argc;
	return give(run, json_boolean(!template_is_true(argv[0])), ret_value);
}

static int incompatible(struct template_run *run)
{
	return fail(run, "what is compared is not of one kind");
}

/* Less than, equal to or greater than 0. */
static int compare(struct template_run *run, const json_t *a, const json_t *b, int *ret_order)
{
	double left, right;

	if (json_is_string(a) && json_is_string(b)) {
		*ret_order = strcmp(json_string_value(a), json_string_value(b));
	} else if (json_is_integer(a) && json_is_integer(b)) {
		*ret_order = (json_integer_value(a) > json_integer_value(b)) -
			     (json_integer_value(a) < json_integer_value(b));
	} else if (json_is_number(a) && json_is_number(b)) {
		left = json_number_value(a);
		right = json_number_value(b);
		*ret_order = (left > right) - (left < right);
	} else {
		return incompatible(run);
	}
	return 0;
}

/* What has no order can be equal all the same, and nothing is equal to nothing only. */
static int is_equal(struct template_run *run, const json_t *a, const json_t *b, bool *ret_equal)
{
	int order = 1;

	*ret_equal = json_is_null(a) && json_is_null(b);
	if (json_is_null(a) || json_is_null(b))
		return 0;
	if (json_is_boolean(a) && json_is_boolean(b)) {
		*ret_equal = json_is_true(a) == json_is_true(b);
		return 0;
	}
	if (compare(run, a, b, &order))
		return -1;
	*ret_equal = !order;
	return 0;
}

/* The first is equal to one of the others. */
static int call_eq(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	bool equal = false;

	for (size_t i = 1; !equal && i < argc; i++)
		if (is_equal(run, argv[0], argv[i], &equal))
			return -1;
	return give(run, json_boolean(equal), ret_value);
}

static int call_ne(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	bool equal;

	(void)argc;
	if (is_equal(run, argv[0], argv[1], &equal))
		return -1;
	return give(run, json_boolean(!equal), ret_value);
}

static int call_lt(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	int order;

	(void)argc;
	if (compare(run, argv[0], argv[1], &order))
		return -1;
	return give(run, json_boolean(order < 0), ret_value);
}

static int call_le(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	int order;

	(void)argc;
	if (compare(run, argv[0], argv[1], &order))
		return -1;
	return give(run, json_boolean(order <= 0), ret_value);
}

static int call_gt(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	int order;

	(void)argc;
	if (compare(run, argv[0], argv[1], &order))
		return -1;
	return give(run, json_boolean(order > 0), ret_value);
}

static int call_ge(struct template_run *run, size_t argc, json_t *const *argv, json_t **ret_value)
{
	int order;

	(void)argc;
	if (compare(run, argv[0], argv[1], &order))
		return -1;
	return give(run, json_boolean(order >= 0), ret_value);
}

/* Blanks between values stand where neither is text; println has them everywhere. */
static int print_all(struct template_run *run, size_t argc, json_t *const *argv, bool is_line,
		     json_t **ret_value)
{
	__cleanup_buf struct buf out = BUF_INIT;
	bool has_blank;

	for (size_t i = 0; i < argc; i++) {
		has_blank = i && (is_line ||
				  (!json_is_string(argv[i]) && !json_is_string(argv[i - 1])));
		if ((has_blank && buf_addc(&out, ' ')) || template_print(argv[i], &out))
			return template_no_memory(run->err);
		if (out.len > TEMPLATE_MAX_TEXT)
			break;
	}
	if (is_line && buf_addc(&out, '\n'))
		return template_no_memory(run->err);
	return give_buf(run, &out, ret_value);
}

static int call_print(struct template_run *run, size_t argc, json_t *const *argv,
		      json_t **ret_value)
{
	return print_all(run, argc, argv, false, ret_value);
}

static int call_println(struct template_run *run, size_t argc, json_t *const *argv,
			json_t **ret_value)
{
	return print_all(run, argc, argv, true, ret_value);
}

static int call_printf(struct template_run *run, size_t argc, json_t *const *argv,
		       json_t **ret_value)
{
	__cleanup_buf struct buf out = BUF_INIT;

	if (template_printf(run, argc, argv, &out))
		return -1;
	return give_buf(run, &out, ret_value);
}

#define MANY TEMPLATE_MAX_ARGUMENTS

static const struct template_function functions[] = {
	{ "and", 1, MANY, false, NULL },
	{ "or", 1, MANY, false, NULL },
	{ "not", 1, 1, false, call_not },
	{ "eq", 2, MANY, false, call_eq },
	{ "ne", 2, 2, false, call_ne },
	{ "lt", 2, 2, false, call_lt },
	{ "le", 2, 2, false, call_le },
	{ "gt", 2, 2, false, call_gt },
	{ "ge", 2, 2, false, call_ge },
	{ "len", 1, 1, false, call_len },
	{ "index", 1, MANY, false, call_index },
	{ "slice", 1, 3, false, call_slice },
	{ "print", 0, MANY, false, call_print },
	{ "printf", 1, MANY, false, call_printf },
	{ "println", 0, MANY, false, call_println },
	{ "json", 1, 1, true, call_json },
	{ "split", 2, 2, true, call_split },
	{ "join", 2, 2, true, call_join },
	{ "title", 1, 1, true, call_title },
	{ "lower", 1, 1, true, call_lower },
	{ "upper", 1, 1, true, call_upper },
	{ "pad", 3, 3, true, call_pad },
	{ "truncate", 2, 2, true, call_truncate },
};

const struct template_function *template_function_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
			return &functions[i];
	return NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Templates; see template.h. Parsed once into parts, rendered once for each object. Called by
 * format.c for lists and by cmd_inspect.c.
 */
#include "shale/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPEN  "{{"
#define CLOSE "}}"

typedef int (*function_fn)(const json_t *value, const char *argument, struct buf *out,
			   struct shale_err *err);

struct template_function {
	const char *name; /* "" for an action that is only a path */
	bool has_argument;
	function_fn call;
};

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "out of memory");
}

static int print_value(const json_t *value, struct buf *out);

static int print_list(const json_t *list, struct buf *out)
{
	int ret = buf_addc(out, '[');

	for (size_t i = 0; !ret && i < json_array_size(list); i++) {
		if (i)
			ret = buf_addc(out, ' ');
		if (!ret)
			ret = print_value(json_array_get(list, i), out);
	}
	return ret ? ret : buf_addc(out, ']');
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Go prints a map in the order of its keys. */
static int print_map(const json_t *map, struct buf *out)
{
	const char **keys = calloc(json_object_size(map) + 1, sizeof(*keys));
	size_t count = 0;
	json_t *value;
	const char *key;
	int ret = keys ? buf_adds(out, "map[") : -1;

	if (!keys)
		return -1;
	json_object_foreach ((json_t *)map, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; !ret && i < count; i++) {
		ret = buf_addf(out, "%s%s:", i ? " " : "", keys[i]);
		if (!ret)
			ret = print_value(json_object_get(map, keys[i]), out);
	}
	free(keys);
	return ret ? ret : buf_addc(out, ']');
}

static int print_value(const json_t *value, struct buf *out)
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
		return buf_addf(out, "%g", json_real_value(value));
	case JSON_TRUE:
	case JSON_FALSE:
		return buf_adds(out, json_is_true(value) ? "true" : "false");
	case JSON_NULL:
		break;
	}
	return buf_adds(out, "<no value>");
}

static int call_print(const json_t *value, const char *argument, struct buf *out,
		      struct shale_err *err)
{
	(void)argument;
	return print_value(value, out) ? no_memory(err) : 0;
}

static int call_json(const json_t *value, const char *argument, struct buf *out,
		     struct shale_err *err)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	int ret = text ? buf_adds(out, text) : -1;

	(void)argument;
	free(text);
	return ret ? no_memory(err) : 0;
}

static int call_len(const json_t *value, const char *argument, struct buf *out,
		    struct shale_err *err)
{
	size_t len = json_is_array(value) ? json_array_size(value) : json_object_size(value);

	(void)argument;
	if (json_is_string(value))
		len = json_string_length(value);
	else if (!json_is_array(value) && !json_is_object(value) && !json_is_null(value))
		return shale_err_set(err, EINVAL, "len of what has no length");
	return buf_addf(out, "%zu", len) ? no_memory(err) : 0;
}

static int change_case(const json_t *value, int (*change)(int), struct buf *out,
		       struct shale_err *err)
{
	if (!json_is_string(value))
		return shale_err_set(err, EINVAL, "lower and upper are for text");
	for (const char *at = json_string_value(value); *at; at++)
		if (buf_addc(out, isascii(*at) ? change(*at) : *at))
			return no_memory(err);
	return 0;
}

static int call_lower(const json_t *value, const char *argument, struct buf *out,
		      struct shale_err *err)
{
	(void)argument;
	return change_case(value, tolower, out, err);
}

static int call_upper(const json_t *value, const char *argument, struct buf *out,
		      struct shale_err *err)
{
	(void)argument;
	return change_case(value, toupper, out, err);
}

static int call_join(const json_t *value, const char *argument, struct buf *out,
		     struct shale_err *err)
{
	if (!json_is_array(value) && !json_is_null(value))
		return shale_err_set(err, EINVAL, "join of what is no list");
	for (size_t i = 0; i < json_array_size(value); i++)
		if ((i && buf_adds(out, argument)) || print_value(json_array_get(value, i), out))
			return no_memory(err);
	return 0;
}

static int call_index(const json_t *value, const char *argument, struct buf *out,
		      struct shale_err *err)
{
	const json_t *found = json_object_get(value, argument);
	size_t at = strtoull(argument, NULL, 10);

	if (json_is_array(value)) {
		if (strspn(argument, "0123456789") != strlen(argument) ||
		    at >= json_array_size(value))
			return shale_err_set(err, EINVAL, "the list has no element %s", argument);
		found = json_array_get(value, at);
	} else if (!json_is_object(value) && !json_is_null(value)) {
		return shale_err_set(err, EINVAL, "index of what is neither list nor map");
	}
	/* A key that a map does not have is Go's empty value. */
	return found && print_value(found, out) ? no_memory(err) : 0;
}

static const struct template_function functions[] = {
	{ "", false, call_print },	{ "json", false, call_json },	{ "len", false, call_len },
	{ "lower", false, call_lower }, { "upper", false, call_upper }, { "join", true, call_join },
	{ "index", true, call_index },
};

static const struct template_function *function_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++)
		if (strlen(functions[i].name) == len && !strncmp(functions[i].name, name, len))
			return &functions[i];
	return NULL;
}

static struct template_part *part_add(struct template *template, struct shale_err *err)
{
	if (template->count < TEMPLATE_MAX_PARTS)
		return &template->parts[template->count++];
	shale_err_set(err, E2BIG, "more than %d pieces", TEMPLATE_MAX_PARTS);
	return NULL;
}

static int add_text(struct template *template, const char *text, size_t len, struct shale_err *err)
{
	struct template_part *part;

	if (!len)
		return 0;
	part = part_add(template, err);
	if (!part)
		return -1;
	part->text = strndup(text, len);
	return part->text ? 0 : no_memory(err);
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at;
}

/* ".A.B", up to a blank; "." is the whole. */
static size_t path_len(const char *at, const char *end)
{
	size_t len = 0;

	while (at + len < end && (isalnum((unsigned char)at[len]) || strchr("._", at[len])))
		len++;
	return *at == '.' && (len == 1 || at[len - 1] != '.') ? len : 0;
}

/* A number, or text in quotes of either kind; without what a backslash could mean. */
static const char *take_argument(const char *at, const char *end, char **ret_argument)
{
	const char *close;
	size_t len = 0;

	if (*at == '"' || *at == '`') {
		close = memchr(at + 1, *at, end - at - 1);
		if (!close || memchr(at, '\\', close - at))
			return NULL;
		*ret_argument = strndup(at + 1, close - at - 1);
		return close + 1;
	}
	while (at + len < end && isdigit((unsigned char)at[len]))
		len++;
	*ret_argument = strndup(at, len);
	return len ? at + len : NULL;
}

static int refuse(const char *text, size_t len, struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "'" OPEN "%.*s" CLOSE "' is not understood",
			     len > 200 ? 200 : (int)len, text);
}

static int add_action(struct template *template, const char *text, size_t len,
		      struct shale_err *err)
{
	const char *end = text + len;
	const char *at = skip_blanks(text, end);
	struct template_part *part = part_add(template, err);
	size_t word = 0;

	if (!part)
		return -1;
	while (at + word < end && isalpha((unsigned char)at[word]))
		word++;
	part->function = function_find(at, word);
	at = skip_blanks(at + word, end);
	word = at < end ? path_len(at, end) : 0;
	if (!part->function || !word)
		return refuse(text, len, err);
	part->text = strndup(at, word);
	at = skip_blanks(at + word, end);
	if (part->function->has_argument) {
		at = at < end ? take_argument(at, end, &part->argument) : NULL;
		if (!at)
			return refuse(text, len, err);
		if (!part->argument)
			return no_memory(err);
	}
	if (skip_blanks(at, end) != end)
		return refuse(text, len, err);
	return part->text ? 0 : no_memory(err);
}

int template_parse(const char *text, struct template *ret_template, struct shale_err *err)
{
	const char *open, *close;

	*ret_template = (struct template){ 0 };
	if (strlen(text) > TEMPLATE_MAX_BYTES)
		return shale_err_set(err, E2BIG, "longer than %d bytes", TEMPLATE_MAX_BYTES);
	for (; (open = strstr(text, OPEN)); text = close + strlen(CLOSE)) {
		close = strstr(open, CLOSE);
		if (!close)
			return shale_err_set(err, EINVAL, "'" OPEN "' without '" CLOSE "'");
		if (add_text(ret_template, text, open - text, err) ||
		    add_action(ret_template, open + strlen(OPEN), close - open - strlen(OPEN), err))
			return -1;
	}
	return add_text(ret_template, text, strlen(text), err);
}

static const json_t *value_find(const json_t *value, const char *path, struct shale_err *err)
{
	char key[256];
	size_t len;

	while (value && *path == '.' && path[1]) {
		len = strcspn(++path, ".");
		if (len >= sizeof(key))
			break;
		memcpy(key, path, len);
		key[len] = '\0';
		value = json_object_get(value, key);
		path += len;
		if (!value)
			shale_err_set(err, ENOENT, "there is no field '%s'", key);
	}
	return value;
}

int template_render(const struct template *template, const json_t *value, struct buf *out,
		    struct shale_err *err)
{
	for (size_t i = 0; i < template->count; i++) {
		const struct template_part *part = &template->parts[i];
		const json_t *found;

		if (!part->function) {
			if (buf_adds(out, part->text))
				return no_memory(err);
			continue;
		}
		found = value_find(value, part->text, err);
		if (!found || part->function->call(found, part->argument, out, err))
			return -1;
	}
	return 0;
}

void template_release(struct template *template)
{
	for (size_t i = 0; i < template->count; i++) {
		free(template->parts[i].text);
		free(template->parts[i].argument);
	}
	template->count = 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON from outside, within limits; see json.h. jansson does the parsing and refuses what is not
 * UTF-8; duplicate keys are refused too, since two readers could take different ones.
 */
#include "store/json.h"

#include <errno.h>
#include <string.h>

/* Checked before jansson recurses. Brackets within strings do not count. */
static bool is_too_deep(const char *data, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '[') && ++depth > JSON_MAX_DEPTH)
			return true;
		else if (!in_string && (c == '}' || c == ']') && depth)
			depth--;
	}
	return false;
}

static int json_parse(const void *data, size_t len, const char *what, json_t **ret_json,
		      struct shale_err *err)
{
	json_error_t why;

	if (len > JSON_MAX_BYTES)
		return shale_err_set(err, EFBIG, "%s: larger than %u bytes", what, JSON_MAX_BYTES);
	if (is_too_deep(data, len))
		return shale_err_set(err, EINVAL, "%s: nested deeper than %u", what,
				     JSON_MAX_DEPTH);
	*ret_json = json_loadb(data, len, JSON_REJECT_DUPLICATES, &why);
	if (*ret_json)
		return 0;
	return shale_err_set(err, EINVAL, "%s: not JSON: %s at line %d", what, why.text, why.line);
}

int json_parse_object(const void *data, size_t len, const char *what, json_t **ret_json,
		      struct shale_err *err)
{
	json_t *json;

	if (json_parse(data, len, what, &json, err) < 0)
		return -1;
	if (!json_is_object(json)) {
		json_decref(json);
		return shale_err_set(err, EINVAL, "%s: not a JSON object", what);
	}
	*ret_json = json;
	return 0;
}

int json_parse_array(const void *data, size_t len, const char *what, json_t **ret_json,
		     struct shale_err *err)
{
	json_t *json;

	if (json_parse(data, len, what, &json, err) < 0)
		return -1;
	if (!json_is_array(json)) {
		json_decref(json);
		return shale_err_set(err, EINVAL, "%s: not a JSON array", what);
	}
	*ret_json = json;
	return 0;
}

/* A field that is null counts as missing, as it does for the programs which write these. */
static int get_field(const json_t *object, const char *field, bool optional, const char *what,
		     json_t **ret_value, struct shale_err *err)
{
	json_t *value = json_object_get(object, field);

	if (json_is_null(value))
		value = NULL;
	if (!value && !optional)
		return shale_err_set(err, EINVAL, "%s: no field '%s'", what, field);
	*ret_value = value;
	return 0;
}

int json_get_text(const json_t *object, const char *field, bool optional, const char *what,
		  const char **ret_text, struct shale_err *err)
{
	json_t *value = NULL;

	if (get_field(object, field, optional, what, &value, err) < 0)
		return -1;
	if (value && !json_is_string(value))
		return shale_err_set(err, EINVAL, "%s: field '%s' is not a string", what, field);
	*ret_text = value ? json_string_value(value) : NULL;
	return 0;
}

int json_get_size(const json_t *object, const char *field, const char *what, uint64_t *ret_size,
		  struct shale_err *err)
{
	json_t *value = NULL;

	if (get_field(object, field, false, what, &value, err) < 0)
		return -1;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return shale_err_set(err, EINVAL, "%s: field '%s' is not a size", what, field);
	*ret_size = json_integer_value(value);
	return 0;
}

int json_get_object(const json_t *object, const char *field, bool optional, const char *what,
		    json_t **ret_object, struct shale_err *err)
{
	json_t *value = NULL;

	if (get_field(object, field, optional, what, &value, err) < 0)
		return -1;
	if (value && !json_is_object(value))
		return shale_err_set(err, EINVAL, "%s: field '%s' is not an object", what, field);
	*ret_object = value;
	return 0;
}

int json_get_array(const json_t *object, const char *field, size_t max, bool optional,
		   const char *what, json_t **ret_array, struct shale_err *err)
{
	json_t *value = NULL;

	if (get_field(object, field, optional, what, &value, err) < 0)
		return -1;
	if (value && !json_is_array(value))
		return shale_err_set(err, EINVAL, "%s: field '%s' is not an array", what, field);
	if (json_array_size(value) > max)
		return shale_err_set(err, E2BIG, "%s: field '%s' has more than %zu elements", what,
				     field, max);
	*ret_array = value;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values; see api_value.h. Called by the handlers with what clients send.
 */
#include "shaled/api_value.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "store/json.h"

/* Nanoseconds have as many digits. */
#define FRACTION_DIGITS 9

bool api_value_is_true(const char *text)
{
	static const char *const untrue[] = { "", "0", "no", "false", "none" };
	size_t len;

	if (!text)
		return false;
	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	for (size_t i = 0; i < sizeof(untrue) / sizeof(*untrue); i++)
		if (strlen(untrue[i]) == len && !strncasecmp(text, untrue[i], len))
			return false;
	return true;
}

static bool take_fraction(const char **at, int64_t *ret_nanoseconds)
{
	int64_t value = 0;
	int digits = 0;

	*ret_nanoseconds = 0;
	if (**at != '.')
		return true;
	for (++*at; **at >= '0' && **at <= '9'; ++*at, digits++)
		if (digits < FRACTION_DIGITS)
			value = value * 10 + (**at - '0');
	if (!digits)
		return false;
	for (; digits < FRACTION_DIGITS; digits++)
		value *= 10;
	*ret_nanoseconds = value;
	return true;
}

/* "Z", "+01:00", or nothing, which is UTC as well. */
static bool take_zone(const char **at, int64_t *seconds)
{
	int hours, minutes;
	char sign = **at;

	if (!sign)
		return true;
	if (sign == 'Z') {
		++*at;
		return true;
	}
	if ((sign != '+' && sign != '-') || sscanf(*at + 1, "%2d:%2d", &hours, &minutes) != 2 ||
	    strlen(*at) != strlen("+01:00") || hours < 0 || minutes < 0)
		return false;
	*seconds -= (sign == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	*at += strlen(*at);
	return true;
}

static bool parse_date(const char *text, int64_t *ret_seconds, int64_t *ret_nanoseconds)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		struct tm tm = { 0 };
		const char *at = strptime(text, forms[i], &tm);
		int64_t seconds;

		if (!at)
			continue;
		seconds = timegm(&tm);
		if (!take_fraction(&at, ret_nanoseconds) || !take_zone(&at, &seconds) || *at)
			return false;
		*ret_seconds = seconds;
		return true;
	}
	return false;
}

bool api_value_time(const char *text, int64_t *ret_seconds, int64_t *ret_nanoseconds)
{
	const char *at;
	char *end;

	if ((*text < '0' || *text > '9') && *text != '-')
		return false;
	errno = 0;
	*ret_seconds = strtoll(text, &end, 10);
	at = end;
	if (!errno && end != text && take_fraction(&at, ret_nanoseconds) && !*at)
		return true;
	return parse_date(text, ret_seconds, ret_nanoseconds);
}

static const struct {
	const char *name;
	int64_t milliseconds;
} units[] = { { "ms", 1 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 } };

static bool parse_duration(const char *text, int64_t *ret_seconds)
{
	int64_t total = 0;
	char *end;

	if (!*text)
		return false;
	for (; *text; text = end) {
		size_t digits = strspn(text, "0123456789.");
		size_t i = 0;
		double value = strtod(text, &end);

		if (!digits || end != text + digits)
			return false;
		while (i < 4 && strncmp(end, units[i].name, strlen(units[i].name)))
			i++;
		if (i == 4 || !(value >= 0 && value < INT32_MAX))
			return false;
		total += value * units[i].milliseconds;
		end += strlen(units[i].name);
	}
	*ret_seconds = total / 1000;
	return true;
}

bool api_value_until(const char *text, int64_t now, int64_t *ret_seconds)
{
	int64_t duration, nanoseconds;

	if (!parse_duration(text, &duration))
		return api_value_time(text, ret_seconds, &nanoseconds);
	*ret_seconds = now - duration;
	return true;
}

static int no_filter(struct shale_err *err)
{
	return shale_err_set(err, EINVAL, "invalid filter: it is no JSON object of filters");
}

/* The values of a key in either form, as a list. */
static int take_values(const json_t *given, json_t *list, struct shale_err *err)
{
	const char *text;
	json_t *value;
	size_t i;

	if (json_is_object(given)) {
		json_object_foreach((json_t *)given, text, value)
			if (json_is_true(value) && json_array_append_new(list, json_string(text)))
				return shale_err_set(err, ENOMEM, "reading filters");
		return 0;
	}
	if (!json_is_array(given))
		return no_filter(err);
	json_array_foreach(given, i, value)
		if (!json_is_string(value) || json_array_append(list, value))
			return no_filter(err);
	return 0;
}

int api_filters_parse(const char *text, json_t **ret_filters, struct shale_err *err)
{
	__cleanup_json json_t *filters = json_object();
	__cleanup_json json_t *given = NULL;
	const char *key;
	json_t *values;
	size_t count = 0;

	if (!filters)
		return shale_err_set(err, ENOMEM, "reading filters");
	if (text && strlen(text) > API_MAX_FILTER_BYTES)
		return shale_err_set(err, EINVAL, "invalid filter: longer than %d bytes",
				     API_MAX_FILTER_BYTES);
	if (text && *text && json_parse_object(text, strlen(text), "filters", &given, NULL) < 0)
		return no_filter(err);
	json_object_foreach(given, key, values) {
		json_t *list = json_array();

		if (!list || json_object_set_new(filters, key, list))
			return shale_err_set(err, ENOMEM, "reading filters");
		if (take_values(values, list, err) < 0)
			return -1;
		count += 1 + json_array_size(list);
		if (count > API_MAX_FILTERS)
			return shale_err_set(err, EINVAL, "invalid filter: more than %d values",
					     API_MAX_FILTERS);
	}
	*ret_filters = steal_ptr(filters);
	return 0;
}

int api_filters_check(const json_t *filters, const char *const *known, struct shale_err *err)
{
	const char *key;
	json_t *values;

	json_object_foreach((json_t *)filters, key, values) {
		size_t i = 0;

		while (known[i] && strcmp(known[i], key))
			i++;
		if (!known[i])
			return shale_err_set(err, EINVAL, "invalid filter '%.100s'", key);
	}
	return 0;
}

bool api_filters_have(const json_t *filters, const char *key)
{
	return json_array_size(json_object_get(filters, key));
}

const char *api_filters_get(const json_t *filters, const char *key, size_t i)
{
	return json_string_value(json_array_get(json_object_get(filters, key), i));
}

bool api_filters_allow(const json_t *filters, const char *key, const char *value)
{
	const char *wanted;

	for (size_t i = 0; (wanted = api_filters_get(filters, key, i)); i++)
		if (!strcmp(wanted, value))
			return true;
	return !api_filters_have(filters, key);
}

static bool is_word(const char *text, const char *const words[2])
{
	return !strcmp(text, words[0]) || !strcmp(text, words[1]);
}

int api_filters_bool(const json_t *filters, const char *key, bool *ret_value, struct shale_err *err)
{
	static const char *const yes[] = { "1", "true" };
	static const char *const no[] = { "0", "false" };
	bool is_yes = false, is_no = false;
	const char *text;

	for (size_t i = 0; (text = api_filters_get(filters, key, i)); i++) {
		is_yes |= is_word(text, yes);
		is_no |= is_word(text, no);
		if (!is_word(text, yes) && !is_word(text, no))
			return shale_err_set(err, EINVAL, "invalid filter '%s=[%.100s]'", key, text);
	}
	if (is_yes && is_no)
		return shale_err_set(err, EINVAL, "invalid filter '%s': both true and false", key);
	if (is_yes || is_no)
		*ret_value = is_yes;
	return 0;
}

static bool has_label(const json_t *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '=');
	__cleanup_free char *key = equals ? strndup(wanted, equals - wanted) : strdup(wanted);
	const json_t *value = key ? json_object_get(labels, key) : NULL;

	if (!value || !equals)
		return value;
	return json_is_string(value) && !strcmp(json_string_value(value), equals + 1);
}

bool api_filters_match_labels(const json_t *filters, const char *key, const json_t *labels)
{
	const char *wanted;

	for (size_t i = 0; (wanted = api_filters_get(filters, key, i)); i++)
		if (!has_label(labels, wanted))
			return false;
	return true;
}

bool api_filters_allow_labels(const json_t *filters, const json_t *labels)
{
	return api_filters_match_labels(filters, "label", labels) &&
	       (!api_filters_have(filters, "label!") ||
		!api_filters_match_labels(filters, "label!", labels));
}

/* "debian" is every tag of it, "debian:1*" some, "*" does not go over a slash. */
bool api_filters_match_name(const json_t *filters, const char *key, const char *name)
{
	const char *slash = strrchr(name, '/');
	const char *end = strpbrk(slash ? slash : name, ":@");
	__cleanup_free char *repository = end ? strndup(name, end - name) : strdup(name);
	const char *pattern;

	for (size_t i = 0; (pattern = api_filters_get(filters, key, i)); i++)
		if (!fnmatch(pattern, name, FNM_PATHNAME) ||
		    (repository && !fnmatch(pattern, repository, FNM_PATHNAME)))
			return true;
	return !api_filters_have(filters, key);
}

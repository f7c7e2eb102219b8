// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading `notifications:`; see notify_config.h. Called by notify.c at the start.
 */
#include "registry/notify_config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/json.h"

static const struct unit {
	const char *name;
	double ms;
} units[] = {
	{"ms", 1}, {"us", 1e-3}, {"ns", 1e-6}, {"s", 1e3}, {"m", 6e4}, {"h", 36e5},
};

static const struct unit *find_unit(const char *text)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strncmp(text, units[i].name, strlen(units[i].name)))
			return &units[i];
	return NULL;
}

static bool parse_duration(const char *text, double *ret_ms)
{
	double sum = 0;

	if (!*text)
		return false;
	while (*text) {
		const struct unit *unit;
		char *end;
		double number;

		if ((*text < '0' || *text > '9') && *text != '.')
			return false;
		number = strtod(text, &end);
		unit = find_unit(end);
		if (!unit || memchr(text, 'x', end - text) || memchr(text, 'e', end - text))
			return false;
		sum += number * unit->ms;
		text = end + strlen(unit->name);
	}
	*ret_ms = sum;
	return true;
}

bool notify_duration(const json_t *value, long *ret_ms)
{
	double ms = json_integer_value(value) * 1e3;

	if (!json_is_integer(value) &&
	    !(json_is_string(value) && parse_duration(json_string_value(value), &ms)))
		return false;
	if (!(ms >= 0 && ms <= NOTIFY_MAX_MS))
		return false;
	*ret_ms = ms > 0 && ms < 1 ? 1 : (long)ms;
	return true;
}

static int get_duration(const json_t *tree, const char *field, const char *what, long *ret_ms,
			struct shale_err *err)
{
	const json_t *value = json_object_get(tree, field);

	if (json_is_null(value) || !value || notify_duration(value, ret_ms))
		return 0;
	return shale_err_set(err, EINVAL, "%s.%s: not a time of up to an hour, as 500ms or 2s",
			     what, field);
}

static int get_count(const json_t *tree, const char *field, json_int_t max, const char *what,
		     json_int_t *ret_count, struct shale_err *err)
{
	const json_t *value = json_object_get(tree, field);

	if (!value || json_is_null(value))
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > max)
		return shale_err_set(err, EINVAL, "%s.%s: not a number from 1 to %lld", what, field,
				     (long long)max);
	*ret_count = json_integer_value(value);
	return 0;
}

static int get_flag(const json_t *tree, const char *field, const char *what, bool *ret_flag,
		    struct shale_err *err)
{
	const json_t *value = json_object_get(tree, field);

	if (value && !json_is_boolean(value) && !json_is_null(value))
		return shale_err_set(err, EINVAL, "%s.%s: neither true nor false", what, field);
	*ret_flag = json_is_true(value);
	return 0;
}

static int check_keys(const json_t *tree, const char *const *known, const char *what,
		      struct shale_err *err)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)tree, key, value) {
		const char *const *at = known;

		while (*at && strcmp(*at, key))
			at++;
		if (!*at)
			return shale_err_set(err, EINVAL, "%s: unknown key '%.100s'", what, key);
	}
	return 0;
}

/* Neither may end the line it goes on. */
static bool is_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int add_header(struct notify_endpoint *endpoint, const char *name, const json_t *value,
		      const char *what, struct shale_err *err)
{
	const char *text = json_string_value(value);

	if (!text || !is_line(text) || !name[0] || !is_line(name) || strpbrk(name, ": "))
		return shale_err_set(err, EINVAL, "%s.headers: '%.100s' is not a header", what,
				     name);
	if (endpoint->header_count == NOTIFY_MAX_HEADERS)
		return shale_err_set(err, E2BIG, "%s.headers: more than %d", what,
				     NOTIFY_MAX_HEADERS);
	if (asprintf(&endpoint->headers[endpoint->header_count], "%s: %s", name, text) < 0)
		return shale_err_set(err, ENOMEM, "%s.headers", what);
	endpoint->header_count++;
	return 0;
}

/* Each has a list of values, or one. */
static int read_headers(const json_t *tree, struct notify_endpoint *endpoint, const char *what,
			struct shale_err *err)
{
	json_t *headers, *values, *value;
	const char *name;
	size_t i;

	if (json_get_object(tree, "headers", true, what, &headers, err) < 0)
		return -1;
	json_object_foreach (headers, name, values) {
		if (!json_is_array(values) && add_header(endpoint, name, values, what, err) < 0)
			return -1;
		json_array_foreach (values, i, value)
			if (add_header(endpoint, name, value, what, err) < 0)
				return -1;
	}
	return 0;
}

static int read_types(const json_t *tree, const char *field, struct notify_endpoint *endpoint,
		      const char *what, struct shale_err *err)
{
	json_t *list, *value;
	size_t i;

	if (json_get_array(tree, field, NOTIFY_MAX_IGNORED, true, what, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, value) {
		if (!json_is_string(value) || endpoint->ignored_count == NOTIFY_MAX_IGNORED)
			return shale_err_set(err, EINVAL,
					     "%s.%s[%zu]: not a media type, or too many", what,
					     field, i);
		endpoint->ignored_types[endpoint->ignored_count++] = json_string_value(value);
	}
	return 0;
}

static int read_actions(const json_t *tree, struct notify_endpoint *endpoint, const char *what,
			struct shale_err *err)
{
	json_t *list, *value;
	size_t i;

	if (json_get_array(tree, "actions", NOTIFY_ACTIONS, true, what, &list, err) < 0)
		return -1;
	json_array_foreach (list, i, value) {
		const char *name = json_string_value(value);
		enum notify_action action = name ? notify_action_find(name) : NOTIFY_ACTIONS;

		if (action == NOTIFY_ACTIONS)
			return shale_err_set(err, EINVAL,
					     "%s.actions[%zu]: not pull, push, mount or delete",
					     what, i);
		endpoint->ignored_actions[action] = true;
	}
	return 0;
}

static int read_ignored(const json_t *tree, struct notify_endpoint *endpoint, const char *what,
			struct shale_err *err)
{
	static const char *const known[] = {"mediatypes", "actions", NULL};
	json_t *ignore;

	if (json_get_object(tree, "ignore", true, what, &ignore, err) < 0 ||
	    check_keys(ignore, known, what, err) < 0 ||
	    read_types(tree, "ignoredmediatypes", endpoint, what, err) < 0)
		return -1;
	if (!ignore)
		return 0;
	return read_types(ignore, "mediatypes", endpoint, what, err) < 0
		       ? -1
		       : read_actions(ignore, endpoint, what, err);
}

static bool is_web_url(const char *url)
{
	return !strncmp(url, "http://", 7) || !strncmp(url, "https://", 8);
}

static int read_endpoint(const json_t *tree, struct notify_endpoint *endpoint, bool *ret_disabled,
			 const char *what, struct shale_err *err)
{
	static const char *const known[] = {
		"name",	     "disabled", "url",	   "headers",		"timeout",
		"threshold", "backoff",	 "ignore", "ignoredmediatypes", NULL};
	json_int_t threshold = NOTIFY_DEFAULT_THRESHOLD;

	endpoint->timeout_ms = NOTIFY_DEFAULT_TIMEOUT_MS;
	endpoint->backoff_ms = NOTIFY_DEFAULT_BACKOFF_MS;
	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "%s: not a mapping", what);
	if (check_keys(tree, known, what, err) < 0 ||
	    json_get_text(tree, "name", false, what, &endpoint->name, err) < 0 ||
	    json_get_text(tree, "url", false, what, &endpoint->url, err) < 0 ||
	    get_flag(tree, "disabled", what, ret_disabled, err) < 0 ||
	    get_duration(tree, "timeout", what, &endpoint->timeout_ms, err) < 0 ||
	    get_duration(tree, "backoff", what, &endpoint->backoff_ms, err) < 0 ||
	    get_count(tree, "threshold", 1000000, what, &threshold, err) < 0 ||
	    read_headers(tree, endpoint, what, err) < 0 ||
	    read_ignored(tree, endpoint, what, err) < 0)
		return -1;
	endpoint->threshold = threshold;
	if (!is_web_url(endpoint->url) || !is_line(endpoint->url))
		return shale_err_set(err, EINVAL, "%s.url: neither http:// nor https://", what);
	return endpoint->timeout_ms ? 0
				    : shale_err_set(err, EINVAL, "%s.timeout: must not be 0", what);
}

static void endpoint_release(struct notify_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->header_count; i++)
		free(endpoint->headers[i]);
	memset(endpoint, 0, sizeof(*endpoint));
}

static int add_endpoint(const json_t *tree, struct notify_config *config, size_t i,
			struct shale_err *err)
{
	struct notify_endpoint *endpoint = &config->endpoints[config->count];
	bool is_disabled = false;
	char what[64];

	snprintf(what, sizeof(what), "notifications.endpoints[%zu]", i);
	config->count++;
	if (read_endpoint(tree, endpoint, &is_disabled, what, err) < 0)
		return -1;
	for (size_t j = 0; j + 1 < config->count; j++)
		if (!strcmp(config->endpoints[j].name, endpoint->name))
			return shale_err_set(err, EINVAL, "%s.name: '%.100s' is there twice", what,
					     endpoint->name);
	if (is_disabled) {
		endpoint_release(endpoint);
		config->count--;
	}
	return 0;
}

int notify_config_read(const json_t *tree, struct notify_config *ret_config, struct shale_err *err)
{
	static const char *const known[] = {"events", "endpoints", "maxpending", NULL};
	static const char *const known_events[] = {"includereferences", NULL};
	json_int_t max = NOTIFY_DEFAULT_PENDING;
	const char *what = "notifications";
	json_t *events, *list, *entry;
	size_t i;

	memset(ret_config, 0, sizeof(*ret_config));
	if (!json_is_object(tree))
		return shale_err_set(err, EINVAL, "%s: not a mapping", what);
	if (check_keys(tree, known, what, err) < 0 ||
	    json_get_object(tree, "events", true, what, &events, err) < 0 ||
	    check_keys(events, known_events, "notifications.events", err) < 0 ||
	    get_flag(events, "includereferences", "notifications.events",
		     &ret_config->with_references, err) < 0 ||
	    get_count(tree, "maxpending", 100000000, what, &max, err) < 0 ||
	    json_get_array(tree, "endpoints", NOTIFY_MAX_ENDPOINTS, true, what, &list, err) < 0)
		return -1;
	ret_config->max_pending = max;
	json_array_foreach (list, i, entry) {
		if (add_endpoint(entry, ret_config, i, err) < 0) {
			notify_config_release(ret_config);
			return -1;
		}
	}
	return 0;
}

void notify_config_release(struct notify_config *config)
{
	for (size_t i = 0; i < config->count; i++)
		endpoint_release(&config->endpoints[i]);
	config->count = 0;
}

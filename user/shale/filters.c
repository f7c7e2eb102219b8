// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filters; see filters.h. Which there are is the daemon's to say. Called by the verbs that list and prune.
 */
#include "shale/filters.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

int filters_add(struct filters *filters, const char *key, const char *value,
		struct shale_err *err)
{
	json_t *values;

	if (!filters->map)
		filters->map = json_object();
	values = json_object_get(filters->map, key);
	if (!values && json_object_set_new(filters->map, key, json_object()) == 0)
		values = json_object_get(filters->map, key);
	if (json_object_set_new(values, value, json_true()))
		return shale_err_set(err, EINVAL, "a filter that is not UTF-8");
	return 0;
}

/* docker has the key in small letters, without blanks around either. */
int filters_option(const struct cli *cli, const char *text, struct filters *filters)
{
	const char *equals = strchr(text, '=');
	__cleanup_free char *key = strndup(text, equals ? (size_t)(equals - text) : 0);
	struct shale_err err = { 0 };

	if (!equals)
		return cli_usage(cli, "--filter is KEY=VALUE, not '%s'", text);
	for (char *at = key; at && *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at += 'a' - 'A';
	if (!key || filters_add(filters, key, equals + 1, &err))
		return cli_usage(cli, "--filter: %s", key ? err.msg : "out of memory");
	return 0;
}

int filters_query(const struct filters *filters, struct dockapi_call *call, struct shale_err *err)
{
	__cleanup_free char *text = NULL;

	if (!filters->map)
		return 0;
	text = json_dumps(filters->map, JSON_COMPACT | JSON_SORT_KEYS);
	return text ? dockapi_query(call, "filters", text, err)
		    : shale_err_set(err, ENOMEM, "out of memory");
}

void filters_release(struct filters *filters)
{
	json_decref(filters->map);
	filters->map = NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The list of containers, by docker's filters.
 */
#include <errno.h>
#include <fnmatch.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_handlers.h"
#include "store/json.h"

static const char *const known_filters[] = { "ancestor", "before",  "exited", "health", "id",	"is-task",
					     "label",	 "label!",  "name",   "network", "since", "status",
					     "volume",	 "expose", "publish", NULL };

struct list_filter {
	const json_t *filters;
	const json_t *all;
	bool is_all;
	int64_t before, since; /* places in the list; -1: not given */
};

/* docker matches names as regular expressions; what is none fits nothing. */
static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool good;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	good = regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	return good;
}

static const char *name_of(const json_t *one)
{
	return json_string_value(json_array_get(json_object_get(one, "Names"), 0)) ?: "";
}

static bool fits_name(const json_t *filters, const json_t *one)
{
	const char *value;

	if (!api_filters_have(filters, "name"))
		return true;
	for (size_t i = 0; (value = api_filters_get(filters, "name", i)); i++)
		if (matches(value, name_of(one)) || matches(value, name_of(one) + 1))
			return true;
	return false;
}

static bool fits_id(const json_t *filters, const json_t *one)
{
	const char *value;

	if (!api_filters_have(filters, "id"))
		return true;
	for (size_t i = 0; (value = api_filters_get(filters, "id", i)); i++)
		if (!strncmp(json_text(one, "Id"), value, strlen(value)))
			return true;
	return false;
}

static bool is_image(const json_t *one, const char *value)
{
	const char *id = json_text(one, "ImageID"), *name = json_text(one, "Image");
	const size_t len = strlen(value);
	const char *hex = strchr(id, ':') ? strchr(id, ':') + 1 : id;

	return !strcmp(name, value) || !strcmp(id, value) || (len >= 4 && !strncmp(hex, value, len)) ||
	       (!strchr(value, ':') && !strncmp(name, value, len) && name[len] == ':');
}

static bool fits_ancestor(const json_t *filters, const json_t *one)
{
	const char *value;

	if (!api_filters_have(filters, "ancestor"))
		return true;
	for (size_t i = 0; (value = api_filters_get(filters, "ancestor", i)); i++)
		if (is_image(one, value))
			return true;
	return false;
}

static bool fits_exit(const json_t *filters, const json_t *one)
{
	char code[16];

	if (!api_filters_have(filters, "exited"))
		return true;
	snprintf(code, sizeof(code), "%d", (int)json_integer_value(json_object_get(one, "ExitCode")));
	return !strcmp(json_text(one, "State"), "exited") && api_filters_allow(filters, "exited", code);
}

static bool fits_volume(const json_t *filters, const json_t *one)
{
	const json_t *mount;
	size_t i;

	if (!api_filters_have(filters, "volume"))
		return true;
	json_array_foreach(json_object_get(one, "Mounts"), i, mount)
		if (api_filters_allow(filters, "volume", json_text(mount, "Name")) ||
		    api_filters_allow(filters, "volume", json_text(mount, "Destination")))
			return true;
	return false;
}

static bool fits_network(const json_t *filters, const json_t *one)
{
	const json_t *networks = json_object_get(json_object_get(one, "NetworkSettings"), "Networks");

	return api_filters_allow(filters, "network", json_object_iter_key(json_object_iter((json_t *)networks)));
}

static bool fits_state(const struct list_filter *filter, const json_t *one)
{
	const char *state = json_text(one, "State");

	if (api_filters_have(filter->filters, "status"))
		return api_filters_allow(filter->filters, "status", state);
	return filter->is_all || !strcmp(state, "running") || !strcmp(state, "paused");
}

/* What we never have: health checks, ports, swarm's tasks. */
static bool fits_absent(const json_t *filters)
{
	return api_filters_allow(filters, "health", "none") && api_filters_allow(filters, "is-task", "false") &&
	       !api_filters_have(filters, "expose") && !api_filters_have(filters, "publish");
}

static bool fits(const struct list_filter *filter, const json_t *one, size_t at)
{
	const json_t *filters = filter->filters;

	return fits_state(filter, one) && fits_name(filters, one) && fits_id(filters, one) &&
	       fits_ancestor(filters, one) && fits_exit(filters, one) && fits_volume(filters, one) &&
	       fits_network(filters, one) && fits_absent(filters) &&
	       api_filters_allow_labels(filters, json_object_get(one, "Labels")) &&
	       (filter->before < 0 || (int64_t)at > filter->before) &&
	       (filter->since < 0 || (int64_t)at < filter->since);
}

/* Where in the list, which is newest first, a container stands; -1 and err: nowhere. */
static int64_t place_of(const json_t *all, const char *name, struct shale_err *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach(all, i, one)
		if (!strcmp(name_of(one) + 1, name) || !strcmp(name_of(one), name) ||
		    (strlen(name) >= 4 && !strncmp(json_text(one, "Id"), name, strlen(name))))
			return i;
	shale_err_set(err, ENOENT, "No such container: %.300s", name);
	return -1;
}

static int take_places(struct list_filter *filter, struct shale_err *err)
{
	const char *before = api_filters_get(filter->filters, "before", 0);
	const char *since = api_filters_get(filter->filters, "since", 0);

	filter->before = filter->since = -1;
	if (before && (filter->before = place_of(filter->all, before, err)) < 0)
		return -1;
	if (since && (filter->since = place_of(filter->all, since, err)) < 0)
		return -1;
	/* Both are about ended ones as well. */
	filter->is_all |= before || since || api_filters_have(filter->filters, "exited");
	return 0;
}

static int check_status(const json_t *filters, struct shale_err *err)
{
	static const char *const words[] = { "created", "running", "paused", "restarting", "removing", "exited",
					     "dead" };
	const char *value;

	for (size_t i = 0; (value = api_filters_get(filters, "status", i)); i++) {
		bool is_known = false;

		for (size_t n = 0; n < sizeof(words) / sizeof(*words); n++)
			is_known |= !strcmp(words[n], value);
		if (!is_known)
			return shale_err_set(err, EINVAL, "invalid filter 'status=%.100s'", value);
	}
	return 0;
}

static json_t *choose(const struct list_filter *filter, size_t limit)
{
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach(filter->all, i, one) {
		if (!fits(filter, one, i) || json_array_size(out) >= limit)
			continue;
		json_object_del(one, "ExitCode");
		json_object_del(one, "CreatedAt");
		json_array_append(out, one);
	}
	return out;
}

static int load(struct api_call *call, json_t **ret_all, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);
	char *text;

	if (!containers || shale_containers_list(containers, api_get_bool(call, "size", false), &text, err) < 0)
		return -1;
	*ret_all = json_loads(text, 0, NULL);
	free(text);
	return *ret_all ? 0 : shale_err_set(err, ENOMEM, "out of memory");
}

void api_containers_list(struct api_call *call)
{
	const char *limit = api_get(call, "limit");
	const long count = limit ? strtol(limit, NULL, 10) : 0;
	__cleanup_json json_t *filters = NULL;
	__cleanup_json json_t *all = NULL;
	struct list_filter filter = { .is_all = api_get_bool(call, "all", false) || count > 0 };
	struct shale_err err = { 0 };

	if (api_filters_parse(api_get(call, "filters"), &filters, &err) == 0 &&
	    api_filters_check(filters, known_filters, &err) == 0 && check_status(filters, &err) == 0 &&
	    load(call, &all, &err) == 0) {
		filter.filters = filters;
		filter.all = all;
		if (take_places(&filter, &err) == 0) {
			api_answer_json(call, 200, choose(&filter, count > 0 ? (size_t)count : SIZE_MAX));
			return;
		}
	}
	api_fail_err(call, &err);
}

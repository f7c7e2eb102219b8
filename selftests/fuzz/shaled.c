// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the daemon's parsers: the first byte chooses a method and a target through the router, filters,
 * times and booleans of a query, the header X-Registry-Auth with the query's settings, or a volume's labels. What is
 * taken keeps the promises that the handlers rely on. Built and run by scripts/fuzz; its corpus is
 * selftests/corpus/shaled.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shaled/api_registry.h"
#include "shaled/api_route.h"
#include "shaled/api_value.h"
#include "store/json.h"
#include "store/ref.h"
#include "store/volume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void promise(bool kept)
{
	if (!kept)
		abort();
}

/* "GET /path?query" */
static void try_target(char *text)
{
	char *path = strchr(text, ' ');
	__cleanup_target struct target target = { 0 };
	const struct api_route *route = NULL;
	char name[API_MAX_NAME];
	unsigned int minor = 0;
	struct ref ref;
	size_t first;

	if (!path)
		return;
	*path++ = '\0';
	if (!target_parse(path, &target))
		return;
	first = api_version_parse(target.segments[0], &minor);
	promise(first || !minor);
	if (api_route_find(&target, first, text, &route, name) != API_FOUND)
		return;
	promise(!strcmp(route->method, text) && route->run && memchr(name, '\0', sizeof(name)));
	if (volume_is_name(name))
		promise(!strchr(name, '/') && *name != '.');
	if (ref_parse(name, &ref, NULL) == 0)
		promise(!strstr(ref.name, "..") || !strstr(ref.name, "../"));
}

static void try_filters(char *text)
{
	static const char *const known[] = { "label", "reference", "dangling", "until", NULL };
	__cleanup_json json_t *filters = NULL;
	struct shale_err err = { 0 };
	const char *until;
	int64_t seconds;
	bool value = false;

	if (api_filters_parse(text, &filters, &err) < 0) {
		promise(err.code > 0 && err.msg[0] && !filters);
		return;
	}
	promise(json_is_object(filters));
	if (api_filters_check(filters, known, &err) < 0)
		promise(err.code == EINVAL);
	if (api_filters_bool(filters, "dangling", &value, &err) < 0)
		promise(err.code == EINVAL);
	api_filters_match_name(filters, "reference", "registry.example:5000/a/b:1");
	api_filters_match_labels(filters, "label", filters);
	until = api_filters_get(filters, "until", 0);
	if (until)
		api_value_until(until, 1000000, &seconds);
}

static void try_value(char *text)
{
	int64_t seconds, nanoseconds = 0;

	api_value_is_true(text);
	if (api_value_time(text, &seconds, &nanoseconds))
		promise(nanoseconds >= 0 && nanoseconds < 1000000000);
	api_value_until(text, 1000000, &seconds);
}

/* A header, and behind a line's end a query. */
static void try_auth(char *text)
{
	__cleanup_target struct target target = { 0 };
	struct api_registry registry = { 0 };
	struct shale_err err = { 0 };
	char *query = strchr(text, '\n');

	if (query)
		*query++ = '\0';
	if (!query || !target_parse(query, &target))
		target = (struct target){ 0 };
	if (api_registry_parse(text, &target, &registry, &err) < 0) {
		promise(err.code == EINVAL && err.msg[0] && !registry.auth);
		return;
	}
	promise(registry.opts.is_anonymous && !registry.opts.auth_file);
	promise(!registry.opts.certs_dir || *registry.opts.certs_dir == '/');
	api_registry_release(&registry);
}

/* The header's content, without its encoding: most of what is random is no base64. */
static void try_auth_json(char *text)
{
	const struct target target = { 0 };
	struct api_registry registry = { 0 };
	struct shale_err err = { 0 };
	json_t *json = NULL;

	if (json_parse_object(text, strlen(text), "it", &json, NULL) < 0)
		return;
	if (api_registry_take(json, &target, &registry, &err) < 0) {
		promise(err.code == EINVAL);
		return;
	}
	promise(!registry.opts.username || *registry.opts.username);
	api_registry_release(&registry);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(char *) = { try_target, try_filters, try_value, try_auth,
						 try_auth_json };
	__cleanup_free char *text = NULL;

	if (!size)
		return 0;
	text = malloc(size);
	promise(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	tries[data[0] % 5](text);
	return 0;
}

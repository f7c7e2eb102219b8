// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the registry's parsers: the first byte chooses a path with its query through the
 * router, a range, a manifest, a configuration, or a hash's state. What is taken keeps the promises that
 * the handlers rely on. Built and run by scripts/fuzz; its corpus is selftests/corpus/reg_parse.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "httpd/target.h"
#include "registry/conf.h"
#include "registry/layout.h"
#include "registry/manifest.h"
#include "registry/route.h"
#include "fuzz.h"

/* No path of the layout leads out of it, whatever the request was. */
static void check_paths(const struct route *route)
{
	struct sum sum;

	promise(name_is_repo(route->repo));
	promise(bucket_path_is_valid(layout_repo(route->repo, "_manifests/tags").text));
	if (!route->last)
		return;
	if (name_is_tag(route->last))
		promise(bucket_path_is_valid(layout_tag(route->repo, route->last).text));
	if (!sum_parse(route->last, &sum))
		return;
	promise(bucket_path_is_valid(layout_blob(&sum).text));
	promise(bucket_path_is_valid(layout_referrer(route->repo, &sum, &sum).text));
}

static void try_target(const char *text, size_t size)
{
	__cleanup_target struct target target = { 0 };
	struct route route;

	(void)size;
	if (!target_parse(text, &target))
		return;
	promise(target.segment_count <= TARGET_MAX_SEGMENTS && target.pair_count <= TARGET_MAX_PAIRS);
	if (route_find(&target, "", &route) == ROUTE_FOUND && route.repo[0])
		check_paths(&route);
}

static void try_range(const char *text, size_t size)
{
	uint64_t first = 0;
	uint64_t last = 0;

	if (range_parse(text, size, &first, &last) == RANGE_PART)
		promise(first <= last && last < size);
	if (range_parse_content(text, &first, &last))
		promise(first <= last && last < UINT64_MAX);
}

static void try_manifest(const char *text, size_t size)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	const char *body = memchr(text, '\n', size);
	__cleanup_free char *type = body ? strndup(text, body - text) : NULL;
	size_t skip = body ? (size_t)(body + 1 - text) : 0;
	struct shale_err err = { 0 };
	struct sum sum;

	if (manifest_parse(type && *type ? type : NULL, text + skip, size - skip, &manifest, &err) < 0) {
		promise(err.code > 0 && err.msg[0]);
		return;
	}
	promise(manifest.type[0] && strchr(manifest.type, '/'));
	for (size_t i = 0; i < manifest.ref_count; i++)
		promise(sum_parse(manifest.refs[i].sum.text, &sum));
}

static void try_conf(const char *text, size_t size)
{
	struct shale_err err = { 0 };
	json_t *json = NULL;
	const char *address;

	if (conf_parse(text, size, &json, &err) < 0) {
		promise(err.code > 0 && err.msg[0] && !json);
		return;
	}
	promise(json_is_object(json));
	if (conf_check(json, NULL, &err) < 0)
		promise(err.msg[0]);
	conf_text(json, "http.addr", &address, &err);
	json_decref(json);
}

static void try_state(const char *text, size_t size)
{
	struct summer summer;
	struct sum sum;

	for (int kind = 0; kind < SUM_KINDS; kind++)
		if (summer_load(&summer, kind, 3, text, size)) {
			summer_update(&summer, text, size);
			summer_final(&summer, &sum);
			promise(sum_parse(sum.text, &sum));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const tries[])(const char *, size_t) = { try_target, try_range, try_manifest,
							       try_conf, try_state };
	__cleanup_free char *text = NULL;

	if (!size)
		return 0;
	text = fuzz_text(data, size);
	tries[data[0] % 5](text, size - 1);
	return 0;
}

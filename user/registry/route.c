// SPDX-License-Identifier: GPL-2.0-only
/*
 * The router; see route.h. A repository's name can have any of the resources' words as components, so
 * the end of the path decides. Called once for each request.
 */
#include "registry/route.h"

#include <stdio.h>
#include <string.h>

/* How a path ends, before and behind NULL: a word, or any segment. */
static const struct pattern {
	enum resource resource;
	const char *end[4];
	size_t count;
	bool has_last;
} patterns[] = {
	{ RESOURCE_TAGS, { "tags", "list" }, 2, false },
	{ RESOURCE_DISCOVER, { "_oci", "ext", "discover" }, 3, false },
	{ RESOURCE_UPLOADS, { "blobs", "uploads", "" }, 3, false },
	{ RESOURCE_UPLOADS, { "blobs", "uploads" }, 2, false },
	{ RESOURCE_UPLOAD, { "blobs", "uploads", NULL }, 3, true },
	{ RESOURCE_MANIFEST, { "manifests", NULL }, 2, true },
	{ RESOURCE_BLOB, { "blobs", NULL }, 2, true },
	{ RESOURCE_REFERRERS, { "referrers", NULL }, 2, true },
};

static bool has_end(const char *const *segments, size_t count, const struct pattern *pattern)
{
	if (count < pattern->count)
		return false;
	for (size_t i = 0; i < pattern->count; i++) {
		const char *want = pattern->end[i];
		const char *segment = segments[count - pattern->count + i];

		if (want ? strcmp(want, segment) : !*segment)
			return false;
	}
	return true;
}

/* An encoded slash within a segment would make two components of one. */
static bool join_name(const char *const *segments, size_t count, char *name)
{
	size_t len = 0;

	if (!count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strchr(segments[i], '/'))
			return false;
		len += snprintf(name + len, NAME_MAX_REPO + 1 - len, "%s%s", i ? "/" : "",
				segments[i]);
		if (len > NAME_MAX_REPO)
			return false;
	}
	return name_is_repo(name);
}

static enum resource find_fixed(const char *const *segments, size_t count)
{
	if (!count || (count == 1 && !*segments[0]))
		return RESOURCE_BASE;
	if (count == 1 && !strcmp(segments[0], "_catalog"))
		return RESOURCE_CATALOG;
	if (count == 3 && has_end(segments, count, &patterns[1]))
		return RESOURCE_DISCOVER;
	return RESOURCE_NONE;
}

/* Segments the prefix takes; SIZE_MAX when the path does not begin with it. */
static size_t skip_prefix(const struct target *target, const char *prefix)
{
	size_t count = 0;
	size_t len;

	while (*prefix == '/')
		prefix++;
	for (; *prefix; prefix += len + (prefix[len] == '/')) {
		len = strcspn(prefix, "/");
		if (count == target->segment_count ||
		    strlen(target->segments[count]) != len ||
		    strncmp(target->segments[count], prefix, len))
			return SIZE_MAX;
		count++;
	}
	return count;
}

enum route_answer route_find(const struct target *target, const char *prefix,
			     struct route *ret_route)
{
	size_t skip = skip_prefix(target, prefix);
	const char *const *segments = target->segments + skip + 1;
	const struct pattern *pattern = patterns;
	size_t count;

	*ret_route = (struct route){ 0 };
	if (skip >= target->segment_count || strcmp(target->segments[skip], "v2"))
		return ROUTE_NONE;
	count = target->segment_count - skip - 1;
	ret_route->resource = find_fixed(segments, count);
	if (ret_route->resource)
		return ROUTE_FOUND;
	while (!has_end(segments, count, pattern))
		if (++pattern == patterns + sizeof(patterns) / sizeof(*patterns))
			return ROUTE_NONE;
	ret_route->resource = pattern->resource;
	if (pattern->has_last)
		ret_route->last = segments[count - 1];
	if (!join_name(segments, count - pattern->count, ret_route->repo))
		return ROUTE_BAD_NAME;
	return ROUTE_FOUND;
}

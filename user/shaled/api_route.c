// SPDX-License-Identifier: GPL-2.0-only
/*
 * The router; see api_route.h. Called once for each request, with what the client sent.
 */
#include "shaled/api_route.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* More digits than any version has. */
#define VERSION_MAX_DIGITS 5

static size_t word_len(const char *path)
{
	return strcspn(path, "/");
}

static bool is_word(const char *path, const char *segment)
{
	size_t len = word_len(path);

	return strlen(segment) == len && !strncmp(path, segment, len);
}

static size_t count_words(const char *path)
{
	size_t count = 1;

	for (; *path; path++)
		count += *path == '/';
	return count;
}

static const char *next_word(const char *path)
{
	path += word_len(path);
	return path + (*path == '/');
}

/* An empty segment is none of a name. */
static bool join(const char *const *segments, size_t count, char *name, bool *ret_long)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		if (!*segments[i])
			return false;
		len += snprintf(name + len, API_MAX_NAME - len, "%s%s", i ? "/" : "", segments[i]);
		if (len < API_MAX_NAME)
			continue;
		*ret_long = true;
		return true;
	}
	return count;
}

/* The segments a path of the table has none of its own words for; 0: it does not fit. */
static size_t name_span(const char *path, size_t count)
{
	size_t words = count_words(path);

	if (strstr(path, "{name}"))
		return count >= words ? count - words + 1 : 0;
	return count == words;
}

static bool fits(const struct api_route *route, const char *const *segments, size_t count,
		 char *name, bool *ret_long)
{
	size_t span = name_span(route->path, count);
	const char *path = route->path;

	if (!span)
		return false;
	*name = '\0';
	for (size_t i = 0; i < count; path = next_word(path)) {
		if (*path == '{') {
			if (!join(segments + i, span, name, ret_long))
				return false;
			i += span;
		} else if (!is_word(path, segments[i++])) {
			return false;
		}
	}
	return true;
}

enum api_found api_route_find(const struct target *target, size_t first, const char *method,
			      const struct api_route **ret_route, char ret_name[API_MAX_NAME])
{
	const char *const *segments = target->segments + first;

	if (first >= target->segment_count)
		return API_FOUND_NONE;
	for (size_t i = 0; i < api_route_count; i++) {
		const struct api_route *route = &api_routes[i];
		bool is_long = false;

		if (strcmp(method, route->method) ||
		    !fits(route, segments, target->segment_count - first, ret_name, &is_long))
			continue;
		*ret_route = route;
		return is_long ? API_FOUND_LONG : API_FOUND;
	}
	return API_FOUND_NONE;
}

static bool take_number(const char **at, unsigned int *ret_number)
{
	const char *start = *at;
	unsigned int number = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		if (*at - start < VERSION_MAX_DIGITS)
			number = number * 10 + (**at - '0');
		else
			number = UINT_MAX / 16;
	*ret_number = number;
	return *at > start;
}

bool api_version_parse(const char *segment, unsigned int *ret_minor)
{
	unsigned int major, minor = 0;

	if (*segment++ != 'v' || !take_number(&segment, &major))
		return false;
	if (*segment == '.' && (++segment, !take_number(&segment, &minor)))
		return false;
	if (*segment)
		return false;
	*ret_minor = major > 1 ? UINT_MAX : major < 1 ? 0 : minor;
	return true;
}

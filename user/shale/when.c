// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times; see when.h. Called by cmd_events.c and cmd_system_prune.c.
 */
#include "shale/when.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

static const struct {
	char letter;
	int64_t seconds;
} duration_units[] = { { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

/* "1h30m" before now. */
static bool parse_duration(const char *text, int64_t now, int64_t *ret_time)
{
	int64_t total = 0;
	long long value;
	char *end;

	if (!*text)
		return false;
	for (; *text; text = end + 1) {
		size_t i = 0;

		errno = 0;
		value = strtoll(text, &end, 10);
		while (i < 3 && duration_units[i].letter != *end)
			i++;
		if (errno || end == text || value < 0 || i == 3 || value > INT32_MAX)
			return false;
		total += value * duration_units[i].seconds;
	}
	*ret_time = now - total;
	return true;
}

static const char *const time_formats[] = { "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S",
					    "%Y-%m-%dT%H:%M", "%Y-%m-%d" };

/* A day, a local time or one in UTC, or seconds since the epoch. */
static bool parse_date(const char *text, int64_t *ret_time)
{
	const char *end;
	char *digits;

	*ret_time = strtoll(text, &digits, 10);
	if (digits != text && !*digits && *ret_time > 0)
		return true;
	for (size_t i = 0; i < sizeof(time_formats) / sizeof(*time_formats); i++) {
		struct tm tm = { .tm_isdst = -1 };

		end = strptime(text, time_formats[i], &tm);
		if (!end || *end)
			continue;
		*ret_time = i == 0 ? timegm(&tm) : mktime(&tm);
		return *ret_time > 0;
	}
	return false;
}

bool when_parse(const char *text, int64_t now, int64_t *ret_when)
{
	return parse_duration(text, now, ret_when) || parse_date(text, ret_when);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times; see clock.h. Called by who writes down when something happened, and by who waits.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

void clock_print_now(char ret_text[CLOCK_TEXT])
{
	struct timespec now;
	struct tm tm;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	used = strftime(ret_text, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(ret_text + used, CLOCK_TEXT - used, ".%09ldZ", now.tv_nsec);
}

int64_t clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

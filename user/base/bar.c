// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bars; see bar.h.
 */
#include "base/bar.h"

#include <stdio.h>

#define BAR_WIDTH 50

static const char *short_size(uint64_t bytes, char *text, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = bytes;
	size_t unit = 0;

	for (; value >= 1000 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		value /= 1000;
	snprintf(text, size, "%.4g%s", value, units[unit]);
	return text;
}

void bar_print(uint64_t done, uint64_t total, char *text, size_t size)
{
	static const char full[] = "==================================================";
	char now[32], all[32];
	int width;

	if (!total) {
		snprintf(text, size, "%8s", short_size(done, now, sizeof(now)));
		return;
	}
	width = done >= total ? BAR_WIDTH : (int)((double)done / total * BAR_WIDTH);
	snprintf(text, size, "[%.*s>%*s] %8s/%s", width, full, BAR_WIDTH - width, "",
		 short_size(done, now, sizeof(now)), short_size(total, all, sizeof(all)));
}

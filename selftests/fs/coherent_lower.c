// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherent_lower.c - that a shared read-only mapping made of a file before anything was written to it shows
 * what is written then, in whatever way. The rest of the table of pairs is in coherent.c.
 */
#include "union.h"

#include "../coherent/coherent.h"

static const struct mapping_case {
	struct ktap_row row;
	const char *reader;
} cases[] = {
	{{"read", "a shared mapping of a lower file that was read shows every kind of write"}, "shared_old"},
	{{"unread", "a shared mapping of a lower file that was not read shows every kind of write"},
	 "shared_unread"},
	{{"proc", "a shared mapping of a lower file in another process shows every kind of write"},
	 "shared_proc"},
};

TEST_TABLE(mapping, struct mapping_case, cases, c)
{
	overlay_lacks("mappings of lower files that show writes");
	for (int i = 0; i < WRITERS; i++)
		if (pairs_can(&writers[i]))
			pairs_add(&writers[i], reader_named(c->reader), &states[0], i);
	pairs_run();
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherent.c - that whatever way a file is changed, whoever looks at it next, in whatever way, sees that: all
 * pairs of writers and readers (selftests/coherent), on files in each state. What a shared read-only mapping of
 * a file shows that was mapped before anything was written to it is in coherent_lower.c.
 */
#include "union.h"

#include "../coherent/coherent.h"

#include <sys/mman.h>

static bool is_of_lower(const struct reader *reader, const struct state *state)
{
	return state == &states[0] && (reader->traits & OLD) && (reader->traits & MAPPED) &&
	       reader->map == MAP_SHARED && !(reader->prot & PROT_WRITE);
}

TEST_TABLE(after, struct writer, writers, w)
{
	if (!pairs_can(w))
		SKIP("%s cannot do this", union_backing());
	for (int i = 0; i < READERS; i++)
		for (int j = 0; j < STATES; j++)
			if (!is_of_lower(&readers[i], &states[j]))
				pairs_add(w, &readers[i], &states[j], w - writers + i + j);
	pairs_run();
}

static struct range anywhere(struct range place)
{
	return place;
}

/* Also in the hole in the middle, where SEEK_DATA would have to know of it. */
static void apply_lie(struct model *m, struct range range)
{
	model_put(m, range.at, range.length, FRESH_BYTES);
	model_put(m, SIZE / 2, 100, FRESH_BYTES);
}

static const struct writer liar = {
	{"liar", "a write that is none"}, 0, O_WRONLY, 0, anywhere, write_nothing, apply_lie,
};

static bool can_tell(const struct reader *reader)
{
	return !(reader->traits & UNSPECIFIED) && !(reader->look == look_seek && seek_is_blind());
}

TEST(lie, "every reader notices when nothing was written")
{
	for (int i = 0; i < READERS; i++)
		if (can_tell(&readers[i]))
			pairs_add(&liar, &readers[i], &states[i % 2 ? 0 : STATES - 1], i);
	pairs_run_lying();
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * durable.h - which versions of a file a crash may leave; the rules are in expect.h.
 */
#ifndef SELFTESTS_CRASH_DURABLE_H
#define SELFTESTS_CRASH_DURABLE_H

#include "expect.h"
#include "stamp.h"

#define BLOCKS_MAX (CONTENT_MAX / BLOCK)

/* The oldest version that may still be there, for each thing of its own. */
struct durable {
	unsigned int block[BLOCKS_MAX];
	unsigned int size, attributes;
	size_t size_floor; /* the end of what was synced by range */
};

void durable_find(const struct model *model, int file, struct moment moment, struct durable *durable);

/* Does the step, when it has returned, make everything durable? Or its file, or a range of that? */
bool step_syncs_all(const struct step *step);
bool step_syncs_file(const struct step *step);
/* The names that its file got, too? */
bool step_syncs_names(const struct step *step);

#endif /* SELFTESTS_CRASH_DURABLE_H */

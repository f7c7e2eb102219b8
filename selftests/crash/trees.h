/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * trees.h - all trees of names that a crash may leave: what was synced, and any of the later steps; the rules
 * are in expect.h.
 */
#ifndef SELFTESTS_CRASH_TREES_H
#define SELFTESTS_CRASH_TREES_H

#include "expect.h"

/* Each doubles the number of trees. */
#define PENDING_MAX 12

struct trees {
	const struct model *model;
	unsigned int base; /* the version that was synced */
	unsigned int step[PENDING_MAX], count; /* later steps that change names */
	unsigned int must; /* a bit for each of them that a sync of a file or a directory covers */
	unsigned int next; /* which of them the next tree leaves out, a bit for each */
};

void trees_begin(struct trees *trees, const struct model *model, struct moment moment);
/* The first tree is the newest. False: there is no other. */
bool trees_next(struct trees *trees, struct names *ret_names);

#endif /* SELFTESTS_CRASH_TREES_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * replay.h - records one workload and tries its crash points: for each the disk is brought into the state in
 * which a crash may leave it, mounted, and what is in the union compared with what may be there.
 */
#ifndef SELFTESTS_CRASH_REPLAY_H
#define SELFTESTS_CRASH_REPLAY_H

#include "workload.h"
#include "world.h"

#include <stdint.h>
#include <time.h>

struct replay_options {
	size_t points_max;    /* chosen at random; 0: all */
	unsigned int subsets; /* states with a partly lost cache, for each epoch */
	uint64_t seed;
	time_t deadline;      /* none are begun after it; 0: there is none */
	/* To see that the harness can fail: steps that do not sync, as in run.h; the union mounted volatile while
	 * they run. Violations are counted, but not told. */
	bool is_lying, is_volatile;
};

struct replay_result {
	size_t points, violations;
};

/* Adds to RESULT. */
void replay_workload(struct world *world, const struct workload *workload,
		     const struct replay_options *options, struct replay_result *result);

/*
 * Can the harness fail? A workload of which nothing is synced, though it says so: by the steps, or by a
 * volatile mount. True if that was seen at some points, and not at the first ones, which are good.
 */
bool replay_control(struct world *world, bool by_mount, size_t points, struct replay_result *ret_result);

#endif /* SELFTESTS_CRASH_REPLAY_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * run.h - does a workload to the union that is mounted, with a mark in the record before each step.
 */
#ifndef SELFTESTS_CRASH_RUN_H
#define SELFTESTS_CRASH_RUN_H

#include "handles.h"
#include "model.h"
#include "world.h"

/*
 * Mark N means: N steps have returned, and the next one is about to begin. With IS_LYING nothing is synced
 * though the model says so, which must come out. HANDLES are those that are taken. Ends the program if a step fails.
 */
void run_steps(const struct world *world, const struct model *model, bool is_lying, struct handles *handles);

/* One step of them, without a mark, that may fail: 0 or an errno; EAGAIN if it came out short. */
int run_step(const struct world *world, const struct model *model, unsigned int number);

#endif /* SELFTESTS_CRASH_RUN_H */

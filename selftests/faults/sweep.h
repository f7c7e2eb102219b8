/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sweep.h - does the workloads of the crash harness (crash/table.c) again and again, and each time another one of all the
 * allocations in their system calls fails. A step that fails has done nothing or all it does, can be done again, and leaves
 * nothing behind.
 */
#ifndef SELFTESTS_FAULTS_SWEEP_H
#define SELFTESTS_FAULTS_SWEEP_H

#include <stdbool.h>
#include <time.h>

struct sweep_options {
	const char *fs;
	const char *workload; /* the first letters of its name; NULL: all */
	unsigned int trials;  /* of each workload, at random; 0: all allocations there are */
	unsigned int nth;     /* of each workload this allocation, and with trials so many from it on */
	unsigned long seed;
	time_t deadline; /* 0: none */
	bool is_verbose;      /* which steps fail, and in the kernel's log where */
	bool is_deceived; /* takes what failed for a success, which has to be noticed */
};

struct sweep_result {
	unsigned int workloads, allocations; /* that could fail */
	unsigned int faults, errors;	     /* that did; that made a step fail */
	unsigned int failures;
};

/* Adds to RESULT. False: this kernel cannot do it, or the filesystem stops the kernel where its allocations fail. */
bool sweep_run(const struct sweep_options *options, struct sweep_result *result);
/* Of a process that was killed. */
void sweep_cleanup(void);

#endif /* SELFTESTS_FAULTS_SWEEP_H */

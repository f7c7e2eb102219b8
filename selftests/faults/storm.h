/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * storm.h - a load of many workers (load.h) while allocations, requests to the disk or all of its writes fail. What fails has
 * to be told to who asked for it and may change nothing else; what was synced has to be there at the end.
 */
#ifndef SELFTESTS_FAULTS_STORM_H
#define SELFTESTS_FAULTS_STORM_H

#include <stdbool.h>
#include <time.h>

struct storm_options {
	const char *fs;
	unsigned long seed;
	unsigned int rounds; /* 0: until the deadline */
	time_t deadline;
	bool is_verbose;
};

struct storm_result {
	unsigned int rounds;
	unsigned long operations, faults; /* those that failed */
	unsigned int failures;		  /* rounds */
};

struct storm;

/* Kinds of storms; ends with NULL. */
extern const struct storm *const storms[];
const char *storm_name(const struct storm *storm);
/* Adds to RESULT. False: there is none of this kind here. */
bool storm_run(const struct storm *storm, const struct storm_options *options, struct storm_result *result);
/* The workers are told that a disk is sound which drops what is written: that has to be noticed. */
bool storm_control(const struct storm_options *options, struct storm_result *result);
/* Of a process that was killed. */
void storm_cleanup(void);

#endif /* SELFTESTS_FAULTS_STORM_H */

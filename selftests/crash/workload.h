/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * workload.h - what is done to the union while the recorder runs: a name and a line of text, made into
 * steps. Sizes are "64k", "4k+8" or plain numbers.
 *
 *	"write a 4k 100; fsync a; rename a e; sync"
 *
 * The verbs and what they take are the table at the start of workload.c; the workloads are in table.c, the
 * files they find in world.c. Each step must succeed.
 */
#ifndef SELFTESTS_CRASH_WORKLOAD_H
#define SELFTESTS_CRASH_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>

#define STEPS_MAX 48
#define PATH_SIZE 32

enum verb {
	/* change bytes */
	WRITE, DWRITE, SWRITE, DSWRITE, DSWRITE_ON, APPEND, STORE, STORE_ON, TRUNCATE, PUNCH, ZERO, ALLOCATE,
	COLLAPSE, INSERT, SCATTER, COPY,
	/* change names */
	CREATE, MAKEDIR, REMOVEDIR, LINK, UNLINK, RENAME, EXCHANGE,
	CHMOD, UTIMES,
	FSYNC, FDATASYNC, FILL, MSYNC, SYNCDIR, SYNCFS, SYNC, REMOUNT, READONLY, WRITEBACK, COMMIT, ELSEWHERE,
	HANDLE,
};

/* From one write of SCATTER to the next. */
#define SCATTER_STEP 8192UL

struct step {
	enum verb verb;
	char path[PATH_SIZE], to[PATH_SIZE];
	size_t offset, length, to_offset;
	unsigned int number; /* a mode, or seconds */
};

struct script {
	struct step step[STEPS_MAX];
	unsigned int count;
};

struct workload {
	const char *name;
	const char *script;
	const char *not_on; /* a filesystem that cannot do it, or NULL */
};

extern const struct workload workloads[];
extern const size_t workload_count;
/* Also good when things are right. */
extern const struct workload control_workload;

/* Is it done again and again, by another process, until the last step has ended? */
bool step_goes_on(const struct step *step);
void script_parse(struct script *script, const char *text);
/* For messages; the result is overwritten by the next call. */
const char *step_describe(const struct step *step);

#endif /* SELFTESTS_CRASH_WORKLOAD_H */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - oracle DIR OPERATIONS [SEED]
 *
 * Does OPERATIONS random operations on the contents of files in rounds of ROUND, the first with SEED, the
 * next with SEED + 1 and so on, below the directory DIR of the backing filesystem. Exit status: 0 when
 * nothing differed that is right on the bare filesystem, 1 when something did, 2 when it could not run.
 *
 * From the environment: SHALE_TEST_FSTYPE and SHALE_TEST_FS as in selftests/fs/union.h;
 * SHALE_ORACLE_STRICT, see excuse.c; SHALE_ORACLE_FORGET=N, the negative control, leaves the Nth write of each
 * round out of the model; SHALE_ORACLE_CHECK=N compares all files after every Nth step.
 */
#include "oracle.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <time.h>

#define ROUND	       2500
#define PROGRESS_EVERY 20 /* rounds */

static int mismatches, of_bare;

static void enter(const char *dir)
{
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die(dir);
	if (chdir(dir) < 0)
		die(dir);
	umask(0022);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("a mount namespace of our own");
}

/* Whether what differed does so on the bare filesystem: in the same step, or it may be something else. */
static bool is_bare_wrong(unsigned long seed)
{
	bool is_wrong, is_same;

	if (stage_is_bare())
		return false;
	printf("the same seed on the bare %s:\n", stage_backing());
	is_wrong = round_run_bare(seed, tally->step) == ROUND_DIFFERS;
	is_same = is_wrong && tally[1].step == tally->step;
	printf("on the bare %s this seed %s\n", stage_backing(),
	       is_same ? "differs as well" : is_wrong ? "differs earlier" : "is right");
	return is_same;
}

static void count_mismatch(unsigned long seed)
{
	if (is_bare_wrong(seed))
		of_bare++;
	else
		mismatches++;
}

static void print_summary(unsigned long first, unsigned long last)
{
	printf("oracle: %s on %s: %lu operations, seeds %lu to %lu: %d mismatches", stage_fstype(), stage_backing(),
	       tally->operations, first, last, mismatches);
	if (of_bare)
		printf(", and %d that the bare filesystem has as well", of_bare);
	printf("\n");
	tally_print();
}

static int run(unsigned long operations, unsigned long first)
{
	enum round_result result = ROUND_GOOD;
	unsigned long seed = first, steps;

	for (unsigned long done = 0; done < operations && !mismatches; done += steps) {
		steps = operations - done < ROUND ? operations - done : ROUND;
		result = round_run(seed, steps);
		if (result == ROUND_BROKEN)
			break;
		if (result == ROUND_DIFFERS)
			count_mismatch(seed);
		if (++seed % PROGRESS_EVERY == 0)
			printf("oracle: %s: %lu operations\n", stage_backing(), tally->operations);
		fflush(stdout);
	}
	print_summary(first, seed - (result != ROUND_BROKEN));
	return result == ROUND_BROKEN ? 2 : mismatches != 0;
}

int main(int argc, char **argv)
{
	unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 10) : (unsigned long)time(NULL) % 1000000;

	if (argc < 3) {
		fprintf(stderr, "usage: oracle DIR OPERATIONS [SEED]\n");
		return 2;
	}
	tally_init();
	enter(argv[1]);
	excuse_probe();
	return run(strtoul(argv[2], NULL, 10), seed);
}

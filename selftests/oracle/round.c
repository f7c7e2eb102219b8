// SPDX-License-Identifier: GPL-2.0-only
/*
 * round.c - a round: fresh layers, so many operations from one seed, everything compared, the union
 * unmounted. Each runs in a process of its own, whose end also ends all descriptors and mappings.
 */
#include "oracle.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* To find the step that broke what is found later: compares all files after each Nth. */
static void check_each(unsigned long step)
{
	const char *each = getenv("SHALE_ORACLE_CHECK");
	unsigned long state = chance_state();

	if (!each || !*each || step % strtoul(each, NULL, 10))
		return;
	check_all();
	chance_restore(state);
}

static void play(unsigned long seed, unsigned long steps)
{
	report_seed(seed);
	chance_seed(seed);
	mapping_init();
	stage_make();
	files_make(stage_lowest());
	files_share();
	stage_mount();
	files_remember_lower();
	for (unsigned long step = 1; step <= steps; step++) {
		op_step(step);
		check_each(step);
	}
	check_all();
	files_close();
	stage_umount();
}

static void play_and_exit(unsigned long seed, unsigned long steps, bool is_bare) __attribute__((noreturn));
static void play_and_exit(unsigned long seed, unsigned long steps, bool is_bare)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (is_bare) {
		stage_force_bare();
		unsetenv("SHALE_ORACLE_FORGET"); /* is the fault of the model, not of a filesystem */
		tally++;
	}
	play(seed, steps);
	fflush(stdout);
	_exit(ROUND_GOOD);
}

static enum round_result run(unsigned long seed, unsigned long steps, bool is_bare)
{
	int status;
	pid_t pid;

	stage_remove();
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		play_and_exit(seed, steps, is_bare);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	if (WIFSIGNALED(status))
		printf("BROKEN (seed %lu, step %lu): %s\n", seed, tally->step, strsignal(WTERMSIG(status)));
	stage_remove();
	return WIFSIGNALED(status) ? ROUND_BROKEN : (enum round_result)WEXITSTATUS(status);
}

enum round_result round_run(unsigned long seed, unsigned long steps)
{
	return run(seed, steps, false);
}

/* The same on the bare filesystem, to tell whose fault it is. */
enum round_result round_run_bare(unsigned long seed, unsigned long steps)
{
	return run(seed, steps, true);
}

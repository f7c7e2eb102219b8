// SPDX-License-Identifier: GPL-2.0-only
/*
 * sweep.c - one workload, one failing allocation after the other; see sweep.h. Files, steps and what must be there are the
 * crash harness's.
 */
#include "sweep.h"

#include "calls.h"
#include "inject.h"

#include "../crash/backing.h"
#include "../crash/expect.h"
#include "../crash/run.h"
#include "../crash/say.h"
#include "../crash/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NEVER	 1000000000U
#define TOLD_MAX 5

struct trial {
	const struct sweep_options *options;
	const struct workload *workload;
	struct sweep_result *result;
	struct world world;
	struct model *model;
	unsigned int nth, failures;
	unsigned int done; /* steps */
};

static bool failed(struct trial *t, const char *when, const char *why)
{
	t->result->failures++;
	if (t->failures++ < TOLD_MAX && !t->options->is_deceived)
		say("FAILED %s %s, allocation %u, step %u (%s), %s: %s", t->options->fs, t->workload->name, t->nth, t->done + 1,
		    t->done < t->model->script.count ? step_describe(&t->model->script.step[t->done]) : "end", when, why);
	return false;
}

static void step_say(struct trial *t, const char *what, int err)
{
	if (t->options->is_verbose && t->nth != NEVER)
		say("allocation %u, step %u (%s) %s: %s", t->nth, t->done + 1, step_describe(&t->model->script.step[t->done]), what,
		    err ? strerrorname_np(err) : "done");
}

/* ------------------------------------------------------------------ what must hold */

static bool is_shown(struct trial *t, unsigned int begun, const char *when)
{
	const struct moment moment = {.done = t->done, .begun = begun, .is_live = true};
	struct seen *seen = calloc(1, sizeof(*seen));
	char why[WHY_SIZE] = "it cannot be read";
	bool good = seen_read(seen, world_union()) && expect_holds(t->model, seen, moment, why);

	seen_free(seen);
	free(seen);
	return good || failed(t, when, why);
}

/* Want of memory while pages are read, made writable or written back is EIO to who waits for it, or SIGBUS. */
static bool is_error_right(struct trial *t, int err)
{
	if (err == ENOMEM || err == EAGAIN || (err == EIO && !step_is_of_names(&t->model->script.step[t->done])))
		return true;
	return failed(t, "it failed with", strerrorname_np(err));
}

static bool is_repeatable(const struct step *step)
{
	return step->verb != APPEND && step->verb != COLLAPSE && step->verb != INSERT;
}

static bool waits_for_disk(const struct step *step)
{
	return step->verb == SWRITE || step->verb == DSWRITE || (step->verb >= FSYNC && step->verb <= COMMIT);
}

/*
 * Done again, all of it is there; names had been made before that failed, and say so. Data that could not be written fails
 * every sync until the file is read from disk again, as kmod/mapio.c has it, and then it is not there.
 */
static bool is_done_again(struct trial *t, int err)
{
	const struct step *step = &t->model->script.step[t->done];
	int again;

	if (!is_repeatable(step))
		return true;
	again = run_step(&t->world, t->model, t->done);
	step_say(t, "again", again);
	if (again == err && waits_for_disk(step))
		return is_shown(t, t->done + 1, "after it failed again");
	t->done++;
	if (is_shown(t, t->done, "done again"))
		return true;
	t->done--;
	return false;
}

/* A mount that failed is made again. */
static bool after_error(struct trial *t, int err)
{
	t->result->errors++;
	step_say(t, "failed", err);
	if (t->options->is_deceived) {
		t->done++;
		return is_shown(t, t->done, "deceived");
	}
	if (t->model->script.step[t->done].verb == REMOUNT && !world_mount_union(&t->world))
		return failed(t, "afterwards", "it cannot be mounted");
	return is_error_right(t, err) && is_shown(t, t->done + 1, "after it failed") && is_done_again(t, err);
}

/* Cold, checked by fsck.shale, and writable. */
static bool is_there_after_remount(struct trial *t)
{
	unsigned int begun = t->done < t->model->script.count ? t->done + 1 : t->done;
	int fd;

	errno = 0;
	t->world.is_checked = true;
	if (!world_umount() || !world_mount(&t->world))
		return failed(t, "afterwards", "it cannot be mounted again");
	t->world.is_checked = false;
	if (world_work_count())
		failed(t, "after a remount", "something is left in the work directory");
	if (!is_shown(t, begun, "after a remount"))
		return false;
	fd = openat(AT_FDCWD, world_union(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || fsync(fd) < 0)
		failed(t, "after a remount", strerrorname_np(errno));
	return end_with(fd, 0) == 0;
}

/* ------------------------------------------------------------------ one trial */

static int step_once(void *trial)
{
	struct trial *t = trial;

	return run_step(&t->world, t->model, t->done);
}

/* Up to the step that fails, if there is one: only what is done for a step is counted. */
static bool steps_do(struct trial *t, unsigned int *left)
{
	for (t->done = 0; t->done < t->model->script.count; t->done++) {
		int err;

		inject_nth(*left);
		err = guarded(step_once, t);
		*left = inject_nth_end();
		if (err)
			return after_error(t, err);
		if (!*left)
			*left = NEVER;
	}
	return is_shown(t, t->done, "at the end");
}

/* How many allocations there were when the NTH failed. */
static unsigned int trial_run(struct trial *t, unsigned int nth)
{
	unsigned int left = nth;

	t->nth = nth;
	image_restore(&t->world.disk, t->world.base);
	errno = 0;
	if (!world_mount(&t->world))
		die("mount");
	if (steps_do(t, &left) && !t->options->is_deceived)
		is_there_after_remount(t);
	if (!world_umount())
		failed(t, "afterwards", "it cannot be unmounted");
	return NEVER - left;
}

/* ------------------------------------------------------------------ all of them */

static bool is_over(const struct sweep_options *options)
{
	return options->deadline && time(NULL) >= options->deadline;
}

static void workload_sweep(struct trial *t)
{
	unsigned int count, trials;

	t->failures = 0;
	model_build(t->model, t->workload->script);
	count = trial_run(t, NEVER);
	trials = t->options->trials && t->options->trials < count ? t->options->trials : count;
	if (t->options->nth && !t->options->trials)
		trials = 1;
	for (unsigned int i = 0; i < trials && !is_over(t->options); i++) {
		trial_run(t, t->options->nth ? t->options->nth + i : trials == count ? i + 1 : 1 + (unsigned int)random() % count);
		t->result->faults++;
	}
	model_free(t->model);
	t->result->workloads++;
	t->result->allocations += count;
}

static bool is_selected(const struct sweep_options *options, const struct workload *workload)
{
	if (workload->not_on && !strcmp(workload->not_on, options->fs))
		return false;
	return !options->workload || !strncmp(workload->name, options->workload, strlen(options->workload));
}

bool sweep_run(const struct sweep_options *options, struct sweep_result *result)
{
	/* A recorder that wants memory is a disk that does not write. */
	const struct world_options world = {.fs = options->fs, .is_unrecorded = true};
	struct trial t = {.options = options, .result = result};

	/* btrfs stops the kernel, on purpose, where some of its own allocations fail; what has no disk is none of world's. */
	if (!inject_can() || (strcmp(options->fs, "ext4") && strcmp(options->fs, "xfs")))
		return false;
	if (options->is_verbose)
		inject_tell();
	srandom(options->seed);
	t.model = calloc(1, sizeof(*t.model));
	world_create(&t.world, &world);
	for (size_t i = 0; i < workload_count && !is_over(options); i++) {
		t.workload = &workloads[i];
		if (is_selected(options, t.workload))
			workload_sweep(&t);
	}
	world_remove(&t.world);
	free(t.model);
	return true;
}

void sweep_cleanup(void)
{
	world_cleanup();
	if (inject_can())
		inject_nth(0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * replay.c - records a workload and tries its crash points; see replay.h. Trying one changes the disk, by the
 * journal's recovery for a start. That goes through a recorder too, whose log says what to put back.
 */
#include "replay.h"

#include "expect.h"
#include "handles.h"
#include "kmsg.h"
#include "points.h"
#include "run.h"
#include "say.h"
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Violations told for each workload; all are counted. */
#define TOLD_MAX 5

struct replay {
	struct world *world;
	const struct workload *workload;
	const struct replay_options *options;
	struct model *model;
	struct handles handles;
	struct log log;
	unsigned char *now; /* the disk with the first NOW_AT writes, and no others */
	size_t now_at;
	size_t violations;
};

static void ranges_copy(const struct log *log, size_t from, size_t to, unsigned char *bytes,
			const unsigned char *source)
{
	for (size_t i = from; i < to; i++)
		memcpy(bytes + log->entry[i].offset, source + log->entry[i].offset, log->entry[i].size);
}

static struct moment moment_at(const struct replay *replay, size_t position)
{
	struct moment moment = {0};

	for (size_t i = 0; i < position; i++) {
		int mark = replay->log.entry[i].mark;

		if (mark < 0)
			continue;
		moment.done = mark;
		moment.begun = (unsigned int)mark < replay->model->script.count ? mark + 1U : (unsigned int)mark;
	}
	return moment;
}

/* ------------------------------------------------------------------ telling */

static void point_say(const struct replay *replay, const struct point *point, const char *why)
{
	struct moment moment = moment_at(replay, point->last);
	const struct step *step = moment.begun ? &replay->model->script.step[moment.begun - 1] : NULL;

	say("%s on %s, write %zu of %zu%s, %u of %u steps done, last begun \"%s\":", replay->workload->name,
	    replay->world->options.fs, point->end, replay->log.count, point->seed ? " and some before it lost" : "",
	    moment.done, replay->model->script.count, step ? step_describe(step) : "none");
	say("    %s", why);
}

static bool violated(struct replay *replay, const struct point *point, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static bool violated(struct replay *replay, const struct point *point, const char *fmt, ...)
{
	char why[WHY_SIZE + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (replay->violations < TOLD_MAX && !replay->options->is_lying && !replay->options->is_volatile)
		point_say(replay, point, why);
	return false;
}

/* ------------------------------------------------------------------ one point */

/* A word that no version has, in the middle; all else must stay. */
static bool can_write(const struct seen_name *name)
{
	static const unsigned char word[WORD] = "written";
	size_t size = name->stat.st_size, at = size / 2 / WORD * WORD;
	unsigned char *bytes = malloc(size + WORD), *got = malloc(size + WORD + 1);
	char path[128];
	bool good;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", world_union(), name->path);
	memcpy(bytes, name->bytes, size);
	memcpy(bytes + at, word, WORD);
	if (size < at + WORD)
		size = at + WORD;
	fd = open(path, O_RDWR | O_CLOEXEC);
	good = fd >= 0 && pwrite(fd, word, WORD, at) == (ssize_t)WORD &&
	       pread(fd, got, size + 1, 0) == (ssize_t)size && !memcmp(got, bytes, size);
	if (fd >= 0)
		close(fd);
	free(bytes);
	free(got);
	return good;
}

static bool can_write_all(struct replay *replay, const struct point *point, const struct seen *seen)
{
	for (unsigned int i = 0; i < seen->count; i++)
		if (seen->name[i].bytes && seen->name[i].stat.st_nlink == 1 && !can_write(&seen->name[i]))
			return violated(replay, point, "%s cannot be written", seen->name[i].path);
	return true;
}

static bool is_union_good(struct replay *replay, const struct point *point)
{
	char why[WHY_SIZE] = "";
	struct seen seen;
	bool good = false;

	if (world_work_count())
		return violated(replay, point, "%d things are left in the work directory", world_work_count());
	if (!seen_read(&seen, world_union()))
		violated(replay, point, "the union cannot be read");
	else if (!expect_holds(replay->model, &seen, moment_at(replay, point->end), why) ||
		 !expect_holds(replay->model, &seen, moment_at(replay, point->last), why))
		violated(replay, point, "%s", why);
	else if (!handles_hold(&replay->handles, replay->model, moment_at(replay, point->end), why) &&
		 !handles_hold(&replay->handles, replay->model, moment_at(replay, point->last), why))
		violated(replay, point, "%s", why);
	else
		good = can_write_all(replay, point, &seen);
	seen_free(&seen);
	return good;
}

static bool is_point_good(struct replay *replay, const struct point *point)
{
	char report[WHY_SIZE];
	bool good;

	kmsg_begin();
	if (!world_mount(replay->world))
		return violated(replay, point, "it cannot be mounted");
	good = is_union_good(replay, point);
	if (!world_umount())
		return violated(replay, point, "it cannot be unmounted");
	if (kmsg_has_report(report, sizeof(report)))
		return violated(replay, point, "the kernel says: %s", report);
	return good;
}

/* What recovery and checks have written. */
static void disk_restore(struct replay *replay)
{
	struct log changes;

	log_read(&changes, &replay->world->log);
	ranges_copy(&changes, 0, changes.count, replay->world->disk.bytes, replay->now);
	log_free(&changes);
}

static void now_advance(struct replay *replay, size_t to)
{
	for (; replay->now_at < to; replay->now_at++) {
		entry_apply(&replay->log.entry[replay->now_at], replay->now);
		entry_apply(&replay->log.entry[replay->now_at], replay->world->disk.bytes);
	}
}

static void point_try(struct replay *replay, const struct point *point, size_t number)
{
	/* Some of what fsck.shale repairs is found by the mount as well, so each gets half of the points alone. */
	replay->world->is_checked = world_is_shale() && number % 2;
	now_advance(replay, point->begin);
	point_apply(point, &replay->log, replay->world->disk.bytes);
	if (!is_point_good(replay, point))
		replay->violations++;
	disk_restore(replay);
	ranges_copy(&replay->log, point->begin, point->end, replay->world->disk.bytes, replay->now);
}

/* ------------------------------------------------------------------ the workload */

/* What the model says without a crash, so that a wrong model is not taken for a wrong module. */
static void live_check(struct replay *replay)
{
	unsigned int count = replay->model->script.count;
	struct moment moment = {.done = count, .begun = count, .is_live = true};
	char why[WHY_SIZE] = "";
	struct seen seen;

	errno = 0;
	if (!seen_read(&seen, world_union()) || !expect_holds(replay->model, &seen, moment, why) ||
	    !handles_hold(&replay->handles, replay->model, moment, why))
		die("%s on %s, without any crash: %s", replay->workload->name, replay->world->options.fs, why);
	seen_free(&seen);
}

static void record(struct replay *replay)
{
	replay->world->is_volatile = replay->options->is_volatile;
	replay->world->is_checked = false;
	if (!world_mount(replay->world))
		die("the world of %s cannot be mounted", replay->workload->name);
	run_steps(replay->world, replay->model, replay->options->is_lying, &replay->handles);
	live_check(replay);
	if (!world_umount())
		die("%s leaves the union busy", replay->workload->name);
	replay->world->is_volatile = false;
	log_read(&replay->log, &replay->world->log);
	ranges_copy(&replay->log, 0, replay->log.count, replay->world->disk.bytes, replay->now);
}

static bool is_late(const struct replay_options *options)
{
	return options->deadline && time(NULL) >= options->deadline;
}

static void points_try(struct replay *replay, struct replay_result *result)
{
	struct points points;

	points_find(&points, &replay->log, replay->options->subsets, replay->options->seed);
	if (replay->options->points_max)
		points_choose(&points, replay->options->points_max, replay->options->seed);
	for (size_t i = 0; i < points.count && !is_late(replay->options); i++) {
		point_try(replay, &points.point[i], i);
		result->points++;
	}
	result->violations += replay->violations;
	points_free(&points);
}

void replay_workload(struct world *world, const struct workload *workload,
		     const struct replay_options *options, struct replay_result *result)
{
	struct replay replay = {.world = world, .workload = workload, .options = options, .now = world->now};

	replay.model = malloc(sizeof(*replay.model));
	model_build(replay.model, workload->script);
	record(&replay);
	points_try(&replay, result);
	ranges_copy(&replay.log, 0, replay.log.count, world->now, world->base);
	ranges_copy(&replay.log, 0, replay.log.count, world->disk.bytes, world->base);
	log_free(&replay.log);
	model_free(replay.model);
	free(replay.model);
}

bool replay_control(struct world *world, bool by_mount, size_t points, struct replay_result *ret_result)
{
	const struct replay_options options = {
		.points_max = points,
		.subsets = 1,
		.seed = 1,
		.is_lying = !by_mount,
		.is_volatile = by_mount,
	};

	replay_workload(world, &control_workload, &options, ret_result);
	return ret_result->violations > 0 && ret_result->violations < ret_result->points;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - the crash points of all workloads; what selftests/crash/run starts in the virtual machine.
 *
 * crash [--fs ext4|xfs|btrfs]... [--points N] [--minutes N] [--subsets N] [--seed N] [--lower-apart]
 *	[--options MOUNT-OPTIONS] [WORKLOAD]...
 *
 * WORKLOAD: the first letters of names. --points and --minutes are for all together, a filesystem gets its
 * share. --lower-apart: the lower layers are on a filesystem of their own, so that promotion copies where it
 * would clone. Exit status 0 if there were points, no violations, and violations where there must be some.
 */
#include "replay.h"
#include "say.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILESYSTEMS_MAX 3
/* What makes the harness show that it can fail. */
#define CONTROL_POINTS 40

struct settings {
	const char *fs[FILESYSTEMS_MAX];
	int fs_count;
	size_t points;
	long minutes;
	struct replay_options replay;
	struct world_options world;
	char **patterns;
};

static bool is_selected(const struct settings *settings, const char *fs, const struct workload *workload)
{
	char **pattern = settings->patterns;

	if (workload->not_on && !strcmp(workload->not_on, fs))
		return false;
	if (!*pattern)
		return true;
	for (; *pattern; pattern++)
		if (!strncmp(workload->name, *pattern, strlen(*pattern)))
			return true;
	return false;
}

static size_t count_selected(const struct settings *settings)
{
	size_t count = 0;

	for (int fs = 0; fs < settings->fs_count; fs++)
		for (size_t i = 0; i < workload_count; i++)
			count += is_selected(settings, settings->fs[fs], &workloads[i]);
	return count;
}

/* Those that come later get what is left by those that had too few. */
static size_t share_of(const struct settings *settings, size_t used, size_t runs_left)
{
	size_t share = settings->points > used ? (settings->points - used) / runs_left : 1;

	return settings->points ? share ?: 1 : 0;
}

static void run_filesystem(struct settings *settings, size_t *runs_left, struct replay_result *total)
{
	const char *fs = settings->world.fs;
	struct replay_result result = {0};
	struct world world;
	size_t count = 0;

	world_create(&world, &settings->world);
	for (size_t i = 0; i < workload_count; i++) {
		struct replay_result one = {0};

		if (!is_selected(settings, fs, &workloads[i]))
			continue;
		settings->replay.points_max = share_of(settings, total->points + result.points, (*runs_left)--);
		replay_workload(&world, &workloads[i], &settings->replay, &one);
		say("%-6s %-12s %4zu points, %zu violations", fs, workloads[i].name, one.points, one.violations);
		result.points += one.points;
		result.violations += one.violations;
		count += one.points > 0;
	}
	world_remove(&world);
	printf("crash: %s: %zu workloads, %zu points, %zu violations\n", fs, count, result.points,
	       result.violations);
	fflush(stdout);
	total->points += result.points;
	total->violations += result.violations;
}

static bool control(const struct settings *settings, bool by_mount)
{
	struct replay_result result = {0};
	struct world world;
	bool is_seen;

	world_create(&world, &settings->world);
	is_seen = replay_control(&world, by_mount, CONTROL_POINTS, &result);
	world_remove(&world);
	printf("crash: %s: control, %s: %zu points, %zu violations%s\n", settings->world.fs,
	       by_mount ? "a volatile mount" : "steps that do not sync", result.points, result.violations,
	       is_seen ? ", as it must be some" : ": THE HARNESS DOES NOT SEE IT");
	fflush(stdout);
	return is_seen;
}

static void add_fs(struct settings *settings, const char *fs)
{
	errno = 0;
	if (settings->fs_count == FILESYSTEMS_MAX)
		die("more than %d filesystems", FILESYSTEMS_MAX);
	settings->fs[settings->fs_count++] = fs;
}

static void usage(void)
{
	fprintf(stderr, "usage: crash [--fs FS]... [--points N] [--minutes N] [--subsets N] [--seed N] "
			"[--lower-apart] [--options MOUNT-OPTIONS] [WORKLOAD]...\n");
	exit(2);
}

static void settings_parse(struct settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{"fs", 1, NULL, 'f'}, {"points", 1, NULL, 'p'}, {"minutes", 1, NULL, 'm'},
		{"subsets", 1, NULL, 's'}, {"seed", 1, NULL, 'r'}, {"lower-apart", 0, NULL, 'l'},
		{"options", 1, NULL, 'o'}, {NULL},
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (letter == 'f')
			add_fs(settings, optarg);
		else if (letter == 'p')
			settings->points = strtoul(optarg, NULL, 10);
		else if (letter == 'm')
			settings->minutes = strtol(optarg, NULL, 10);
		else if (letter == 's')
			settings->replay.subsets = strtoul(optarg, NULL, 10);
		else if (letter == 'r')
			settings->replay.seed = strtoull(optarg, NULL, 10);
		else if (letter == 'l')
			settings->world.is_lower_apart = true;
		else if (letter == 'o')
			settings->world.mount = optarg;
		else
			usage();
	}
	settings->patterns = argv + optind;
}

int main(int argc, char **argv)
{
	struct settings settings = {.replay = {.subsets = 2, .seed = 1}};
	static const char *const all[FILESYSTEMS_MAX] = {"ext4", "xfs", "btrfs"};
	struct replay_result total = {0};
	time_t start = time(NULL);
	bool is_seen = true;
	size_t runs;

	settings_parse(&settings, argc, argv);
	for (int i = 0; i < FILESYSTEMS_MAX && settings.fs_count == i; i++)
		add_fs(&settings, all[i]);
	runs = count_selected(&settings);
	for (int i = 0; i < settings.fs_count; i++) {
		if (settings.minutes)
			settings.replay.deadline = start + settings.minutes * 60 * (i + 1) / settings.fs_count;
		settings.world.fs = settings.fs[i];
		run_filesystem(&settings, &runs, &total);
		is_seen &= control(&settings, false) & (!world_is_shale() || control(&settings, true));
	}
	printf("crash: %zu points, %zu violations in %ld s\n", total.points, total.violations,
	       (long)(time(NULL) - start));
	return !total.points || total.violations || !is_seen;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c - faults in a virtual machine: what selftests/faults/run starts there.
 *
 * faults [--fs FS]... [--kind KIND]... [--minutes N] [--seed N] [--rounds N] [--trials N] [--workload NAME] [--verbose]
 *
 * KIND: the first letters of a storm, or of "sweep"; all that can be by default. NAME: the first letters of a workload of the
 * sweep. Exit status 0 if something failed and no expectation did, and if the control was noticed.
 */
#include "storm.h"
#include "sweep.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 8

struct settings {
	const char *kind[NAMES_MAX], *fs[NAMES_MAX];
	unsigned int kinds, filesystems;
	long minutes;
	struct storm_options options;
	struct sweep_options sweep;
};

static void usage(void) __attribute__((noreturn));
static void usage(void)
{
	fprintf(stderr, "usage: faults [--fs FS]... [--kind KIND]... [--minutes N] [--seed N] [--rounds N] [--trials N] "
			"[--workload NAME] [--nth N] [--verbose]\n");
	exit(2);
}

static void setting_parse(struct settings *s, int letter)
{
	if (letter == 'k' && s->kinds < NAMES_MAX)
		s->kind[s->kinds++] = optarg;
	else if (letter == 'f' && s->filesystems < NAMES_MAX)
		s->fs[s->filesystems++] = optarg;
	else if (letter == 'm')
		s->minutes = strtol(optarg, NULL, 10);
	else if (letter == 'r')
		s->options.rounds = strtoul(optarg, NULL, 10);
	else if (letter == 's')
		s->options.seed = strtoul(optarg, NULL, 10);
	else if (letter == 't')
		s->sweep.trials = strtoul(optarg, NULL, 10);
	else if (letter == 'w')
		s->sweep.workload = optarg;
	else if (letter == 'n')
		s->sweep.nth = strtoul(optarg, NULL, 10);
	else if (letter == 'v')
		s->options.is_verbose = s->sweep.is_verbose = true;
	else
		usage();
}

static void settings_parse(struct settings *s, int argc, char **argv)
{
	static const struct option options[] = {
		{"fs", 1, NULL, 'f'},	{"kind", 1, NULL, 'k'},	  {"minutes", 1, NULL, 'm'}, {"seed", 1, NULL, 's'},
		{"rounds", 1, NULL, 'r'}, {"trials", 1, NULL, 't'}, {"workload", 1, NULL, 'w'}, {"nth", 1, NULL, 'n'}, {"verbose", 0, NULL, 'v'},
		{NULL},
	};
	static const char *const all[] = {"ext4", "xfs", "btrfs"};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) >= 0)
		setting_parse(s, letter);
	if (argc != optind)
		usage();
	if (s->filesystems)
		return;
	memcpy(s->fs, all, sizeof(all));
	s->filesystems = sizeof(all) / sizeof(all[0]);
}

static bool is_selected(const struct settings *s, const char *kind)
{
	for (unsigned int i = 0; i < s->kinds; i++)
		if (!strncmp(kind, s->kind[i], strlen(s->kind[i])))
			return true;
	return !s->kinds;
}

static void result_say(const char *fs, const char *what, const struct storm_result *result, time_t start)
{
	printf("faults: %s, %s: %u rounds, %lu operations, %lu failed, %u FAILURES in %ld s\n", fs, what, result->rounds,
	       result->operations, result->faults, result->failures, (long)(time(NULL) - start));
	fflush(stdout);
}

/* Each kind gets the same part of the time. */
static void storm_one(struct settings *s, const struct storm *storm, unsigned int count, struct storm_result *total)
{
	struct storm_result one = {0};
	time_t start = time(NULL);

	s->options.deadline = start + s->minutes * 60 / count;
	if (!storm_run(storm, &s->options, &one))
		return;
	result_say(s->options.fs, storm_name(storm), &one, start);
	total->faults += one.faults;
	total->failures += one.failures;
}

static void sweep_one(struct settings *s, unsigned int count, struct storm_result *total)
{
	struct sweep_result one = {0};
	time_t start = time(NULL);

	s->sweep.fs = s->options.fs;
	s->sweep.seed = s->options.seed;
	s->sweep.deadline = start + s->minutes * 60 / count;
	if (!sweep_run(&s->sweep, &one))
		return;
	printf("faults: %s, sweep: %u workloads, %u of %u allocations failed, %u made a step fail, %u FAILURES in %ld s\n",
	       s->sweep.fs, one.workloads, one.faults, one.allocations, one.errors, one.failures,
	       (long)(time(NULL) - start));
	fflush(stdout);
	total->faults += one.errors;
	total->failures += one.failures;
}

static bool is_control_noticed(const struct settings *s)
{
	struct storm_options options = {.fs = s->options.fs, .seed = s->options.seed, .rounds = 3};
	struct storm_result result = {0};
	time_t start = time(NULL);

	storm_control(&options, &result);
	result_say(s->options.fs, "control, of which some must be", &result, start);
	return result.failures;
}

static void kinds_run(struct settings *s, unsigned int count, struct storm_result *total)
{
	for (int i = 0; storms[i]; i++)
		if (is_selected(s, storm_name(storms[i])))
			storm_one(s, storms[i], count, total);
	if (is_selected(s, "sweep"))
		sweep_one(s, count, total);
}

int main(int argc, char **argv)
{
	struct settings settings = {.minutes = 5, .options.seed = time(NULL), .sweep.trials = 10};
	struct storm_result total = {0};
	unsigned int count;
	bool is_noticed = true;

	settings_parse(&settings, argc, argv);
	count = is_selected(&settings, "sweep");
	for (int i = 0; storms[i]; i++)
		count += is_selected(&settings, storm_name(storms[i]));
	for (unsigned int i = 0; i < settings.filesystems; i++) {
		settings.options.fs = settings.fs[i];
		is_noticed &= settings.kinds || is_control_noticed(&settings);
		kinds_run(&settings, count ?: 1, &total);
	}
	printf("faults: %lu operations failed, %u FAILURES%s\n", total.faults, total.failures,
	       is_noticed ? "" : ", A CONTROL WAS NOT NOTICED");
	return !total.faults || total.failures || !is_noticed;
}

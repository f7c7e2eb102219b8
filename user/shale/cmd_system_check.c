// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system check: each finding as a line, and in the end how many there are. The exit status is 1
 * when something is wrong and stays so.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/registry_opts.h"
#include "shale/shale.h"

struct check_view {
	bool is_json;
	uint64_t counts[SHALE_FINDING_LEFT + 1];
};

static const char *const state_words[] = {
	[SHALE_FINDING_FOUND] = "found",
	[SHALE_FINDING_REPAIRED] = "repaired",
	[SHALE_FINDING_DROPPED] = "dropped",
	[SHALE_FINDING_LEFT] = "left",
};

static void print_json(const struct shale_finding *finding)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:s}", "Kind", finding->kind, "ID", finding->id,
				 "Problem", finding->problem, "State",
				 state_words[finding->state]);

	if (json && json_dumpf(json, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(json);
}

static void print_finding(void *arg, const struct shale_finding *finding)
{
	struct check_view *view = arg;

	view->counts[finding->state]++;
	if (view->is_json)
		print_json(finding);
	else if (finding->state == SHALE_FINDING_FOUND)
		printf("%s %s: %s\n", finding->kind, finding->id, finding->problem);
	else
		printf("%s %s: %s: %s\n", finding->kind, finding->id, finding->problem,
		       state_words[finding->state]);
}

static void print_sum(const struct check_view *view)
{
	const uint64_t *counts = view->counts;
	uint64_t all = counts[SHALE_FINDING_FOUND] + counts[SHALE_FINDING_REPAIRED] +
		       counts[SHALE_FINDING_DROPPED] + counts[SHALE_FINDING_LEFT];

	if (view->is_json)
		return;
	if (!all)
		puts("No problems found.");
	else
		printf("%" PRIu64 " problem%s found, %" PRIu64 " repaired, %" PRIu64 " dropped.\n",
		       all, all == 1 ? "" : "s", counts[SHALE_FINDING_REPAIRED],
		       counts[SHALE_FINDING_DROPPED]);
}

static int run_check(const struct cli *cli, struct shale_check_opts *check, bool is_json)
{
	struct check_view view = { .is_json = is_json };
	struct shale_opts opts = { .root = cli->root };
	struct shale_err err = { 0 };
	int ret;

	check->finding = print_finding;
	check->finding_arg = &view;
	ret = shale_check(&opts, check, &err);

	/* That something is wrong has been said. */
	if (ret < 0 && err.code != EUCLEAN)
		return cli_fail(&err);
	print_sum(&view);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int cmd_system_check(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "repair", no_argument, NULL, 'r' },
		{ "no-fetch", no_argument, NULL, 'n' },
		REGISTRY_LONGS,
		{ "format", required_argument, NULL, 'F' },
		{ 0 },
	};
	struct shale_registry_opts registry = { 0 };
	struct shale_check_opts check = { .registry = &registry };
	bool is_json = false;
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'r') {
			check.is_repairing = true;
		} else if (opt == 'n') {
			check.registry = NULL;
		} else if (opt != 'F') {
			status = registry_option(cli, opt, optarg, &registry);
			if (status)
				return status;
		}
		if (opt != 'F')
			continue;
		is_json = !strcmp(optarg, "json");
		if (!is_json && strcmp(optarg, "table"))
			return cli_usage(cli, "--format is 'table' or 'json', not '%s'", optarg);
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	return run_check(cli, &check, is_json);
}

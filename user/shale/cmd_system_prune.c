// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale system prune: asks, removes what is not used, and says what went as docker does.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shale/prune.h"
#include "shale/when.h"

#define WARNING                                                                                    \
	"WARNING! This will remove:\n"                                                             \
	"  - all writable layers that are not mounted\n"                                           \
	"  - all images %s\n%s"

struct system_prune {
	struct filters filters;
	bool is_all;
	bool takes_volumes;
};

/* What there is of times is checked here, since much would be gone before a daemon finds it wrong. */
static int take_filter(const struct cli *cli, const char *text, struct system_prune *prune)
{
	static const char until[] = "until=";
	int64_t when;

	if (!strncmp(text, until, strlen(until)) && !when_parse(text + strlen(until), time(NULL), &when))
		return cli_usage(cli, "--filter is 'until=' and a duration or a time, not '%s'", text);
	return filters_option(cli, text, &prune->filters);
}

static bool is_confirmed(const struct system_prune *prune)
{
	char warning[sizeof(WARNING) + 128];

	snprintf(warning, sizeof(warning), WARNING,
		 prune->is_all ? "that are not in use" : "without a name",
		 prune->takes_volumes ? "  - all anonymous volumes that are not used\n" : "");
	return fetch_is_confirmed(warning);
}

/* Writable layers first: they keep images in use. */
static int prune_all(const struct cli *cli, struct system_prune *system, struct prune *prune,
		     struct shale_err *err)
{
	if (prune_call(cli, "/containers/prune", &system->filters, prune, err))
		return -1;
	if (system->takes_volumes && prune_call(cli, "/volumes/prune", NULL, prune, err))
		return -1;
	if (filters_add(&system->filters, "dangling", system->is_all ? "false" : "true", err))
		return -1;
	return prune_call(cli, "/images/prune", &system->filters, prune, err);
}

static int run_prune(const struct cli *cli, struct system_prune *system)
{
	struct prune prune = { .reclaimed = 0 };
	struct shale_err err = { 0 };

	if (!system->takes_volumes || !system->filters.map) {
		if (prune_all(cli, system, &prune, &err))
			return cli_fail(&err);
		prune_print_total(&prune);
		return EXIT_SUCCESS;
	}
	return cli_usage(cli, "--volumes and --filter exclude each other");
}

int cmd_system_prune(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "all", no_argument, NULL, 'a' },
		{ "force", no_argument, NULL, 'f' },
		{ "volumes", no_argument, NULL, 'V' },
		{ "filter", required_argument, NULL, 'F' },
		{ 0 },
	};
	struct system_prune prune = { .is_all = false };
	bool force = false;
	int opt, status;

	while ((opt = cli_getopt(cli, argc, argv, ":af", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'a')
			prune.is_all = true;
		else if (opt == 'f')
			force = true;
		else if (opt == 'V')
			prune.takes_volumes = true;
		else if ((status = take_filter(cli, optarg, &prune)))
			return status;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (force || is_confirmed(&prune)) {
		status = run_prune(cli, &prune);
		filters_release(&prune.filters);
		return status;
	}
	fputs("shale: system prune was cancelled\n", stderr);
	return EXIT_FAILURE;
}

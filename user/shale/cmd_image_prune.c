// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale image prune: asks, and removes images that nobody uses.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shale/prune.h"

static int run_prune(const struct cli *cli, const struct filters *filters)
{
	struct prune prune = { .reclaimed = 0 };
	struct shale_err err = { 0 };

	if (prune_call(cli, "/images/prune", filters, &prune, &err))
		return cli_fail(&err);
	prune_print_total(&prune);
	return EXIT_SUCCESS;
}

int cmd_image_prune(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "all", no_argument, NULL, 'a' },
		{ "force", no_argument, NULL, 'f' },
		{ "filter", required_argument, NULL, 'F' },
		{ 0 },
	};
	__cleanup_filters struct filters filters = { NULL };
	bool all = false, force = false;
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":af", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'a')
			all = true;
		else if (opt == 'f')
			force = true;
		else if ((status = filters_option(cli, optarg, &filters)))
			return status;
	}
	if (optind < argc)
		return cli_usage(cli, "too many arguments");
	if (filters_add(&filters, "dangling", all ? "false" : "true", &err))
		return cli_fail(&err);
	if (force ||
	    fetch_is_confirmed(all ? "WARNING! This will remove all images without at least one container "
				     "associated to them." :
				     "WARNING! This will remove all dangling images."))
		return run_prune(cli, &filters);
	fputs("shale: image prune was cancelled\n", stderr);
	return EXIT_FAILURE;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale tag: gives an image one more name. As with docker, nothing is printed.
 */
#include <stdlib.h>

#include "shale/shale.h"

int cmd_tag(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	struct shale_opts opts = { 0 };
	struct shale_err err = { 0 };
	int status = 0;

	if (cli_getopt(cli, argc, argv, ":", longs, &status) != -1)
		return status;
	if (argc - optind != 2)
		return cli_usage(cli, "an image and the name to give it are needed");
	opts.root = cli->root;
	if (shale_tag(&opts, argv[optind], argv[optind + 1], &err) < 0)
		return cli_fail(&err);
	return EXIT_SUCCESS;
}

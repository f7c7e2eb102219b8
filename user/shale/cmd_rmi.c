// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale rmi: removes each image it is given and says what went, as docker does. One that cannot be
 * removed does not keep the others from it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "shale/shale.h"

static int print_removed(void *arg, const struct shale_event *event)
{
	(void)arg;
	if (event->kind == SHALE_EVENT_UNTAGGED)
		printf("Untagged: %s\n", event->name);
	if (event->kind == SHALE_EVENT_DELETED)
		printf("Deleted: %s\n", event->id);
	return 0;
}

int cmd_rmi(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "force", no_argument, NULL, 'f' },
		{ 0 },
	};
	struct shale_opts opts = { .progress = print_removed };
	struct shale_err err = { 0 };
	bool force = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":f", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		force = true;
	}
	if (optind == argc)
		return cli_usage(cli, "which image is to be removed?");
	opts.root = cli->root;
	for (; optind < argc; optind++)
		if (shale_rmi(&opts, argv[optind], force, &err) < 0)
			status = cli_fail(&err);
	return status;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale commit: an image of what changed in a writable layer. Prints its ID.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "shale/shale.h"

/* Instructions on one command line. */
#define COMMIT_MAX_CHANGES 256

static const struct option longs[] = {
	CLI_LONGS,
	{ "author", required_argument, NULL, 'a' },
	{ "change", required_argument, NULL, 'c' },
	{ "message", required_argument, NULL, 'm' },
	{ 0 },
};

int cmd_commit(struct cli *cli, int argc, char **argv)
{
	const char *changes[COMMIT_MAX_CHANGES];
	struct shale_commit_opts commit = { .changes = changes };
	struct shale_opts opts = { .root = NULL };
	struct shale_err err = { 0 };
	char id[SHALE_DIGEST_TEXT];
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":a:c:m:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'a')
			commit.author = optarg;
		else if (opt == 'm')
			commit.message = optarg;
		else if (commit.change_count < COMMIT_MAX_CHANGES)
			changes[commit.change_count++] = optarg;
		else
			return cli_usage(cli, "more than %d changes", COMMIT_MAX_CHANGES);
	}
	if (argc - optind != 1 && argc - optind != 2)
		return cli_usage(cli, "which writable layer, by its ID or where it is mounted?");
	opts.root = cli->root;
	commit.container = argv[optind];
	commit.name = argc - optind == 2 ? argv[optind + 1] : NULL;
	if (shale_commit(&opts, &commit, id, &err) < 0)
		return cli_fail(&err);
	puts(id);
	return EXIT_SUCCESS;
}

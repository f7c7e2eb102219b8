// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale load: docker's name for the import of what docker save or shale save wrote, from a file or
 * from standard input. The tar of a root directory is refused here.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "shale/load.h"

int cmd_load(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "input", required_argument, NULL, 'i' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct shale_import_opts import = { .source = "-", .only_images = true };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":i:q", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'i')
			import.source = optarg;
		else
			quiet = true;
	}
	if (argc != optind)
		return cli_usage(cli, "too many arguments; a file is given with -i");
	if (import.source[0] == '-' && !import.source[1] && isatty(STDIN_FILENO))
		return cli_usage(cli,
				 "standard input is a terminal: give a file with -i, or a pipe");
	return load_run(cli, &import, quiet ? LOAD_QUIET : LOAD_NAMES);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale load: docker's name for the import of what docker save or shale save wrote, from a file or
 * from standard input. The tar of a root directory is refused here.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shale/load.h"

static int load(const struct cli *cli, const char *source, enum load_says says,
		struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");

	/* Off a terminal docker has no progress either. */
	if (dockapi_path(&call, err, "/images/load") ||
	    dockapi_query(&call, "quiet", says == LOAD_QUIET || !isatty(STDOUT_FILENO) ? "1" : NULL,
			  err) ||
	    connection_open(cli, &connection, err))
		return -1;
	return load_send(&connection, &call, source, says, err);
}

int cmd_load(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "input", required_argument, NULL, 'i' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	const char *source = "-";
	struct shale_err err = { 0 };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":i:q", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'i')
			source = optarg;
		else
			quiet = true;
	}
	if (argc != optind)
		return cli_usage(cli, "too many arguments; a file is given with -i");
	if (!strcmp(source, "-") && isatty(STDIN_FILENO))
		return cli_usage(cli,
				 "standard input is a terminal: give a file with -i, or a pipe");
	return load(cli, source, quiet ? LOAD_QUIET : LOAD_NAMES, &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

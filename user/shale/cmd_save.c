// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale save: images as one tar, to standard output or into a file.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "shale/connection.h"
#include "shale/output.h"

struct saving {
	const struct cli *cli;
	char **names;
	size_t count;
	int fd;
};

static int write_piece(void *arg, const void *data, size_t len, struct shale_err *err)
{
	const struct saving *saving = arg;

	return fs_write_full(saving->fd, data, len) ? shale_err_errno(err, "cannot write the archive") : 0;
}

static int save_to(void *arg, int fd, struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	struct saving *saving = arg;

	saving->fd = fd;
	call.sink = write_piece;
	call.sink_arg = saving;
	if (dockapi_path(&call, err, "/images/get"))
		return -1;
	for (size_t i = 0; i < saving->count; i++)
		if (dockapi_query(&call, "names", saving->names[i], err))
			return -1;
	if (connection_open(saving->cli, &connection, err))
		return -1;
	return connection_perform(&connection, &call, err);
}

int cmd_save(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	const char *output = NULL;
	struct shale_err err = { 0 };
	struct saving saving = { .cli = cli };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":o:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		output = optarg;
	}
	if (optind == argc)
		return cli_usage(cli, "which image is to be saved?");
	if (!output && isatty(STDOUT_FILENO))
		return cli_usage(
			cli, "standard output is a terminal: give a file with -o, or redirect it");
	saving.names = argv + optind;
	saving.count = argc - optind;
	return output_write(output, save_to, &saving, &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

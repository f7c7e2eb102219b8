// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale export: all files of a container as one tar.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "shale/connection.h"
#include "shale/output.h"

struct exporting {
	const struct cli *cli;
	const char *name;
	int fd;
};

static int write_piece(void *arg, const void *data, size_t len, struct shale_err *err)
{
	const struct exporting *exporting = arg;

	return fs_write_full(exporting->fd, data, len) ? shale_err_errno(err, "cannot write the archive") : 0;
}

static int export_to(void *arg, int fd, struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	struct exporting *exporting = arg;

	exporting->fd = fd;
	call.sink = write_piece;
	call.sink_arg = exporting;
	if (dockapi_path(&call, err, "/containers/%s/export", exporting->name) ||
	    connection_open(exporting->cli, &connection, err))
		return -1;
	return connection_perform(&connection, &call, err);
}

int cmd_export(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "output", required_argument, NULL, 'o' },
		{ 0 },
	};
	struct exporting exporting = { .cli = cli };
	const char *output = NULL;
	struct shale_err err = { 0 };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":o:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		output = optarg;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one container is needed");
	if (!output && isatty(STDOUT_FILENO))
		return cli_usage(cli, "standard output is a terminal: give a file with -o, or redirect it");
	exporting.name = argv[optind];
	return output_write(output, export_to, &exporting, &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

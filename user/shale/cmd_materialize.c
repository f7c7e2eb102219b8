// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale materialize: makes each file it is given need no lower layer. One that fails does not keep the others from
 * it.
 */
#include "shale/shale.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "kapi/ioctl.h"
#include "shale/file.h"

static int materialize_file(const char *name, struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (file_open(name, O_RDWR, &fd, err) || ioctl_materialize(fd, err))
		return shale_err_wrap(err, "%s", name);
	return 0;
}

int cmd_materialize(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	struct shale_err err = { 0 };
	int status = EXIT_SUCCESS;

	if (cli_getopt(cli, argc, argv, ":", longs, &status) == CLI_DONE)
		return status;
	if (optind == argc)
		return cli_usage(cli, "which file?");
	for (; optind < argc; optind++)
		if (materialize_file(argv[optind], &err))
			status = cli_fail(&err);
	return status;
}

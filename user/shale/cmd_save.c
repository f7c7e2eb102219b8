// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale save: images as one tar, to standard output or into a file, which is there whole or not at
 * all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "shale/connection.h"

static int write_fd(void *arg, const void *data, size_t len, struct shale_err *err)
{
	return fs_write_full(*(int *)arg, data, len) ? shale_err_errno(err, "cannot write the archive") : 0;
}

static int save_to(const struct cli *cli, int fd, char **names, size_t count, struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	call.sink = write_fd;
	call.sink_arg = &fd;
	if (dockapi_path(&call, err, "/images/get"))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (dockapi_query(&call, "names", names[i], err))
			return -1;
	if (connection_open(cli, &connection, err))
		return -1;
	return connection_perform(&connection, &call, err);
}

/* What is no regular file (a pipe, /dev/null) is written as it is. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int save_to_special(const struct cli *cli, const char *path, char **names, size_t count,
			   struct shale_err *err)
{
	__cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return shale_err_errno(err, "cannot write %s", path);
	return save_to(cli, fd, names, count, err);
}

static int save_to_file(const struct cli *cli, const char *path, char **names, size_t count,
			struct shale_err *err)
{
	__cleanup_free char *temp = NULL;
	__cleanup_fd int fd = -1;

	if (is_special(path))
		return save_to_special(cli, path, names, count, err);
	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "cannot write %s", path);
	if (save_to(cli, fd, names, count, err) == 0) {
		if (fchmod(fd, 0600) == 0 && rename(temp, path) == 0)
			return 0;
		shale_err_errno(err, "cannot write %s", path);
	}
	unlink(temp);
	return -1;
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
	int opt, ret, status = 0;

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
	ret = output ? save_to_file(cli, output, argv + optind, argc - optind, &err)
		     : save_to(cli, STDOUT_FILENO, argv + optind, argc - optind, &err);
	return ret < 0 ? cli_fail(&err) : EXIT_SUCCESS;
}

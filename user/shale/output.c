// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output; see output.h. Called by cmd_save.c and cmd_export.c.
 */
#include "shale/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int write_special(const char *path, output_fn write, void *arg, struct shale_err *err)
{
	__cleanup_fd int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return shale_err_errno(err, "cannot write %s", path);
	return write(arg, fd, err);
}

static int write_file(const char *path, output_fn write, void *arg, struct shale_err *err)
{
	__cleanup_free char *temp = NULL;
	__cleanup_fd int fd = -1;

	if (asprintf(&temp, "%s.XXXXXX", path) < 0)
		return shale_err_set(err, ENOMEM, "out of memory");
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "cannot write %s", path);
	if (write(arg, fd, err) == 0) {
		if (fchmod(fd, 0600) == 0 && rename(temp, path) == 0)
			return 0;
		shale_err_errno(err, "cannot write %s", path);
	}
	unlink(temp);
	return -1;
}

int output_write(const char *path, output_fn write, void *arg, struct shale_err *err)
{
	if (!path)
		return write(arg, STDOUT_FILENO, err);
	return is_special(path) ? write_special(path, write, arg, err) : write_file(path, write, arg, err);
}

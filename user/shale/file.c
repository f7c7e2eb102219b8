// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opening of files; see file.h. Called by the verbs that are about single files.
 */
#include "shale/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int file_open(const char *name, int flags, int *ret_fd, struct shale_err *err)
{
	struct stat st;
	int fd;

	if (stat(name, &st))
		return shale_err_errno(err, "cannot be found");
	if (!S_ISREG(st.st_mode))
		return shale_err_set(err, S_ISDIR(st.st_mode) ? EISDIR : EINVAL, "is %s",
				     S_ISDIR(st.st_mode) ? "a directory" : "no regular file");
	fd = open(name, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return shale_err_errno(err, "cannot be opened");
	*ret_fd = fd;
	return 0;
}

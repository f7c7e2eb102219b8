// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of containers; see rootfs.h. Called by everybody who reads or writes in a root filesystem that is not his.
 */
#include "container/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

/* The kernel gives up, when something is renamed meanwhile, so often that it would be chance to see it once more. */
#define TRIES 64

int rootfs_open(int rootfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NONBLOCK | O_NOCTTY),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0; i++) {
		fd = syscall(SYS_openat2, rootfd, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd;
}

int rootfs_read_file(int rootfd, const char *path, size_t max, struct buf *buf, struct shale_err *err)
{
	__cleanup_fd int fd = rootfs_open(rootfd, path, O_RDONLY);
	char chunk[8192];
	struct stat st;
	ssize_t got;

	if (fd < 0 || fstat(fd, &st) < 0)
		return shale_err_errno(err, "%s", path);
	if (!S_ISREG(st.st_mode))
		return shale_err_set(err, EINVAL, "%s is no file", path);
	while ((got = read(fd, chunk, sizeof(chunk))) > 0) {
		if (buf->len + got > max)
			return shale_err_set(err, EFBIG, "%s has more than %zu bytes", path, max);
		if (buf_add(buf, chunk, got) < 0)
			return shale_err_errno(err, "%s", path);
	}
	return got < 0 ? shale_err_errno(err, "%s", path) : 0;
}

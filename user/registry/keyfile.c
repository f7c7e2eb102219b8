// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files of the configuration; see keyfile.h.
 */
#include "registry/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include "base/cleanup.h"

/* One byte more than allowed is asked for, to see whether there is one. */
static int read_up_to(int fd, size_t max, struct buf *buf)
{
	const size_t start = buf->len;
	ssize_t got = 1;

	while (got && buf->len - start <= max) {
		if (buf_reserve(buf, 4096) < 0)
			return -1;
		got = read(fd, buf->data + buf->len, 4096);
		if (got < 0 && errno != EINTR)
			return -1;
		buf->len += got > 0 ? got : 0;
		buf->data[buf->len] = '\0';
	}
	errno = EFBIG;
	return buf->len - start > max ? -1 : 0;
}

int keyfile_read(int dirfd, const char *path, size_t max, struct buf *buf, struct stat *ret_seen,
		 struct shale_err *err)
{
	/* O_NONBLOCK: a fifo must not stop us. */
	__cleanup_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat seen;

	if (fd < 0 || fstat(fd, &seen) < 0)
		return shale_err_errno(err, "%s", path);
	if (!S_ISREG(seen.st_mode))
		return shale_err_set(err, EINVAL, "%s: not a regular file", path);
	if (read_up_to(fd, max, buf) < 0)
		return errno == EFBIG
			       ? shale_err_set(err, EFBIG, "%s: larger than %zu bytes", path, max)
			       : shale_err_errno(err, "%s", path);
	if (ret_seen)
		*ret_seen = seen;
	return 0;
}

void keyfile_wipe(struct buf *buf)
{
	if (buf->data)
		OPENSSL_cleanse(buf->data, buf->cap);
	buf_release(buf);
}

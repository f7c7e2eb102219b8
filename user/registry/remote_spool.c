// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where pieces gather; see remote_spool.h. Called by remote_writer.c, and by drivers that put small pieces
 * together.
 */
#include "registry/remote_spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/fs.h"

static int spool_open(struct remote_spool *spool, const char *dir, struct shale_err *err)
{
	if (spool->fd < 0)
		spool->fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (spool->fd < 0)
		return shale_err_errno(err, "making a file in %s", dir);
	return spool->hasher.ctx ? 0 : hasher_init(&spool->hasher, err);
}

int remote_spool_write(struct remote_spool *spool, const char *dir, const void *data, size_t len,
		       struct shale_err *err)
{
	if (!len)
		return 0;
	if (spool_open(spool, dir, err) < 0)
		return -1;
	if (lseek(spool->fd, spool->len, SEEK_SET) < 0 || fs_write_full(spool->fd, data, len) < 0)
		return shale_err_errno(err, "writing to a file in %s", dir);
	hasher_update(&spool->hasher, data, len);
	spool->len += len;
	return 0;
}

int remote_spool_finish(struct remote_spool *spool, struct remote_body *ret_body,
			char ret_hash[SIGV4_HEX], struct shale_err *err)
{
	struct digest_text text;
	struct digest digest;

	if (!spool->hasher.ctx && hasher_init(&spool->hasher, err) < 0)
		return -1;
	hasher_final(&spool->hasher, &digest);
	text = digest_text(&digest);
	memcpy(ret_hash, digest_hex(&text), SIGV4_HEX);
	*ret_body = (struct remote_body){ .fd = spool->fd, .len = spool->len };
	return 0;
}

void remote_spool_clear(struct remote_spool *spool)
{
	hasher_release(&spool->hasher);
	spool->len = 0;
	/* The disk's room is given back; a failure only delays that. */
	if (spool->fd >= 0 && ftruncate(spool->fd, 0) < 0)
		errno = 0;
}

void remote_spool_release(struct remote_spool *spool)
{
	hasher_release(&spool->hasher);
	if (spool->fd >= 0)
		close(spool->fd);
	spool->fd = -1;
	spool->len = 0;
}

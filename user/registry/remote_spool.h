/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file without a name in which the bytes of a piece gather until it is sent, hashed on the way. So a
 * piece can be sent again when that fails, and memory does not depend on its size.
 */
#ifndef SHALE_REGISTRY_REMOTE_SPOOL_H
#define SHALE_REGISTRY_REMOTE_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/remote_http.h"
#include "registry/sigv4.h"
#include "store/digest.h"

struct remote_spool {
	int fd; /* -1 until there is a byte */
	uint64_t len;
	struct hasher hasher; /* of what is in it; ctx NULL: of nothing */
};

#define REMOTE_SPOOL_INIT { .fd = -1 }

/* ENOSPC and the like are in err; then the spool is as it was. */
int remote_spool_write(struct remote_spool *spool, const char *dir, const void *data, size_t len,
		       struct shale_err *err);
/* What is in it, to be sent; ret_hash is its SHA-256. Then it can only be cleared. */
int remote_spool_finish(struct remote_spool *spool, struct remote_body *ret_body,
			char ret_hash[SIGV4_HEX], struct shale_err *err);
/* Empties it and keeps the file. */
void remote_spool_clear(struct remote_spool *spool);
void remote_spool_release(struct remote_spool *spool);

#endif

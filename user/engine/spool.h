/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Takes the files out of an archive's outer tar, plain or compressed, into the session; or the
 * whole of it, as it is.
 */
#ifndef SHALE_ENGINE_SPOOL_H
#define SHALE_ENGINE_SPOOL_H

#include "engine/source.h"

struct spool {
	struct session *session;
	struct task *task;
	struct source *source; /* filled */
	int fd;
	uint64_t max_bytes; /* of one member */
	uint64_t total;	    /* bytes of the archive, for the progress */
	uint64_t done;
};

int spool_fill(struct spool *spool, struct shale_err *err);
/* Takes the whole as one member, under this path. */
int spool_whole(struct spool *spool, const char *path, struct shale_err *err);

#endif

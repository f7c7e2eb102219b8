/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a tar is that somebody wants to import: an archive of images, or the files of a root
 * directory. Its names tell; an archive's index may come last.
 */
#ifndef SHALE_ENGINE_PEEK_H
#define SHALE_ENGINE_PEEK_H

#include "engine/engine.h"

enum peek {
	PEEK_ARCHIVE, /* has an oci-layout or a manifest.json */
	PEEK_ROOTFS,
	PEEK_OTHER, /* empty, or not a tar at all */
};

/* Reads FD, which can be sought, from its beginning, and leaves it there. WHAT is for progress. */
int peek_tar(int fd, const char *what, struct task *task, enum peek *ret_peek,
	     struct shale_err *err);

#endif

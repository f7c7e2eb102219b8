/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trailer of an unfinished download: behind the blob's place in its file, at the next page, which parts
 * there are and how far each has come. Numbers are little-endian:
 *
 *	"shaledl\1" size count { start end done } * count
 */
#ifndef SHALE_CLIENT_DOWNLOAD_TRAILER_H
#define SHALE_CLIENT_DOWNLOAD_TRAILER_H

#include "client/download.h"

/* The whole trailer, for the parts as they are. */
int trailer_write(struct download *download, struct shale_err *err);
/* One part's done. */
int trailer_note(struct download *download, const struct download_part *part,
		 struct shale_err *err);
/* Takes the parts from the file; false, and nothing changed, when it has no trailer for this blob. */
bool trailer_read(struct download *download);

/* The bytes themselves, for tests and fuzzing: false for what no trailer can be. */
#define TRAILER_BYTES (8 * (3 + 3 * DOWNLOAD_MAX_PARTS))
bool trailer_parse(const void *data, size_t len, uint64_t size,
		   struct download_part *ret_parts, size_t *ret_count);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a container prints that has no terminal, as daemons send it: frames of a header (the stream, three zeros, and the
 * length, high byte first) and their bytes, in pieces of any size.
 */
#ifndef SHALE_DOCKAPI_FRAMES_H
#define SHALE_DOCKAPI_FRAMES_H

#include <stddef.h>

#include "base/err.h"

#define FRAMES_HEADER 8

enum frames_stream {
	FRAMES_STDIN,
	FRAMES_STDOUT,
	FRAMES_STDERR,
	FRAMES_ERROR, /* the daemon's own words: nothing follows */
};

struct frames {
	unsigned char header[FRAMES_HEADER];
	size_t header_len;
	size_t left; /* of the frame that is being read */
};

/* Some bytes of a stream; of no length when there is nothing but the beginning of a header. */
struct frames_piece {
	enum frames_stream stream;
	const char *data;
	size_t len;
};

/* Takes the next piece from what has come, which moves on behind it. EPROTO for a stream that there is not. */
int frames_next(struct frames *frames, const char **data, size_t *len, struct frames_piece *ret_piece,
		struct shale_err *err);

#endif

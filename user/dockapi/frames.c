// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames taken apart; see frames.h. Called by the shale command's verbs that show what containers print, and by the
 * fuzzer.
 */
#include "dockapi/frames.h"

#include <errno.h>

static int take_header(struct frames *frames, struct shale_err *err)
{
	const unsigned char *header = frames->header;

	if (header[0] > FRAMES_ERROR || header[1] || header[2] || header[3])
		return shale_err_set(err, EPROTO, "what the daemon sends of the container is not in frames");
	frames->left = (size_t)header[4] << 24 | header[5] << 16 | header[6] << 8 | header[7];
	frames->header_len = 0;
	return 0;
}

int frames_next(struct frames *frames, const char **data, size_t *len, struct frames_piece *ret_piece,
		struct shale_err *err)
{
	size_t step;

	for (; !frames->left && *len; ++*data, --*len) {
		frames->header[frames->header_len++] = **data;
		if (frames->header_len == FRAMES_HEADER && take_header(frames, err))
			return -1;
	}
	step = *len < frames->left ? *len : frames->left;
	*ret_piece = (struct frames_piece){ frames->header[0], *data, step };
	frames->left -= step;
	*data += step;
	*len -= step;
	return 0;
}

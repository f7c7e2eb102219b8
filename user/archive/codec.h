/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decompression of a stream by what its first bytes say: gzip (also several members), zstd (also
 * several frames), or nothing. Reads from a callback, so that the caller can count and hash.
 */
#ifndef SHALE_ARCHIVE_CODEC_H
#define SHALE_ARCHIVE_CODEC_H

#include <sys/types.h>

#include "base/err.h"

/* Bytes read, 0 at the end, -1 with err. */
typedef ssize_t (*codec_read_fn)(void *arg, void *data, size_t len, struct shale_err *err);

struct codec;

int codec_open(codec_read_fn read, void *arg, struct codec **ret_codec, struct shale_err *err);
/* The plain bytes: 0 only at the proper end of the stream, -1 with err. */
ssize_t codec_read(struct codec *codec, void *data, size_t len, struct shale_err *err);
/* "gzip", "zstd" or "none". */
const char *codec_name(const struct codec *codec);
void codec_close(struct codec *codec);

static inline void codec_closep(struct codec **codec)
{
	codec_close(*codec);
}

#endif

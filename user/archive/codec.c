// SPDX-License-Identifier: GPL-2.0-only
/*
 * The codecs, one table row each; see codec.h. isa-l inflates two to three times faster than zlib.
 * No limit on what comes out: the reader of a layer counts and stops. Called by the engine for
 * layers and for whole archives.
 */
#include "archive/codec.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define CODEC_INPUT (256 << 10)
/* 128 MiB, what zstd itself allows by default; a bigger window is a way to eat memory. */
#define CODEC_ZSTD_WINDOW_LOG 27

struct format;

struct codec {
	codec_read_fn read;
	void *arg;
	const struct format *format;
	bool at_end;	/* of the input */
	bool in_member; /* between the start and the end of a member or frame */
	bool had_member;
	size_t pos; /* input[pos..len) is unread */
	size_t len;
	struct inflate_state *inflate;
	ZSTD_DStream *zstd;
	unsigned char input[CODEC_INPUT];
};

struct format {
	const char *name;
	unsigned char magic[4];
	size_t magic_len;
	int (*open)(struct codec *codec);
	/* Some output, or none when it wants more input; -1 when the stream is corrupt. */
	ssize_t (*step)(struct codec *codec, void *data, size_t len);
};

static int gzip_open(struct codec *codec)
{
	codec->inflate = malloc(sizeof(*codec->inflate));
	if (!codec->inflate)
		return -1;
	isal_inflate_init(codec->inflate);
	codec->inflate->crc_flag = ISAL_GZIP;
	return 0;
}

static ssize_t gzip_step(struct codec *codec, void *data, size_t len)
{
	struct inflate_state *state = codec->inflate;
	int status;

	if (!codec->in_member) {
		isal_inflate_reset(state);
		state->crc_flag = ISAL_GZIP;
		codec->in_member = true;
	}
	state->next_in = codec->input + codec->pos;
	state->avail_in = codec->len - codec->pos;
	state->next_out = data;
	state->avail_out = len;
	status = isal_inflate(state);
	codec->pos = codec->len - state->avail_in;
	if (status != ISAL_DECOMP_OK && status != ISAL_END_INPUT && status != ISAL_OUT_OVERFLOW)
		return -1;
	if (state->block_state == ISAL_BLOCK_FINISH)
		codec->in_member = false;
	return len - state->avail_out;
}

static int zstd_open(struct codec *codec)
{
	codec->zstd = ZSTD_createDStream();
	if (!codec->zstd)
		return -1;
	ZSTD_DCtx_setParameter(codec->zstd, ZSTD_d_windowLogMax, CODEC_ZSTD_WINDOW_LOG);
	return 0;
}

static ssize_t zstd_step(struct codec *codec, void *data, size_t len)
{
	ZSTD_inBuffer in = { codec->input, codec->len, codec->pos };
	ZSTD_outBuffer out = { data, len, 0 };
	size_t status = ZSTD_decompressStream(codec->zstd, &out, &in);

	codec->pos = in.pos;
	if (ZSTD_isError(status))
		return -1;
	codec->in_member = status != 0;
	return out.pos;
}

static ssize_t plain_step(struct codec *codec, void *data, size_t len)
{
	size_t have = codec->len - codec->pos;

	if (len > have)
		len = have;
	memcpy(data, codec->input + codec->pos, len);
	codec->pos += len;
	return len;
}

static const struct format formats[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, gzip_open, gzip_step },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_open, zstd_step },
	{ "none", { 0 }, 0, NULL, plain_step },
};

/* Appends to what is unread until there are want bytes or the input ends. */
static int fill(struct codec *codec, size_t want, struct shale_err *err)
{
	ssize_t got;

	memmove(codec->input, codec->input + codec->pos, codec->len - codec->pos);
	codec->len -= codec->pos;
	codec->pos = 0;
	while (!codec->at_end && codec->len < want) {
		got = codec->read(codec->arg, codec->input + codec->len, CODEC_INPUT - codec->len,
				  err);
		if (got < 0)
			return -1;
		codec->at_end = !got;
		codec->len += got;
	}
	return 0;
}

static bool has_magic(const struct codec *codec, const struct format *format)
{
	return codec->len - codec->pos >= format->magic_len &&
	       !memcmp(codec->input + codec->pos, format->magic, format->magic_len);
}

int codec_open(codec_read_fn read, void *arg, struct codec **ret_codec, struct shale_err *err)
{
	__attribute__((cleanup(codec_closep))) struct codec *codec = malloc(sizeof(*codec));
	const struct format *format = formats;

	if (!codec)
		return shale_err_set(err, ENOMEM, "decompressing");
	memset(codec, 0, offsetof(struct codec, input));
	codec->read = read;
	codec->arg = arg;
	if (fill(codec, sizeof(format->magic), err) < 0)
		return -1;
	while (!has_magic(codec, format))
		format++;
	codec->format = format;
	if (format->open && format->open(codec) < 0)
		return shale_err_set(err, ENOMEM, "decompressing");
	*ret_codec = codec;
	codec = NULL;
	return 0;
}

static bool is_padding(const struct codec *codec)
{
	for (size_t i = codec->pos; i < codec->len; i++)
		if (codec->input[i])
			return false;
	return true;
}

/*
 * 1 when the stream goes on, 0 at its end. Writers may pad with zeros; anything else behind the last
 * member would be bytes that are in the blob's digest but in nobody's file.
 */
static int next_member(struct codec *codec, struct shale_err *err)
{
	if (fill(codec, sizeof(codec->format->magic), err) < 0)
		return -1;
	if (codec->len == codec->pos)
		return 0;
	if (has_magic(codec, codec->format))
		return 1;
	while (is_padding(codec) && !codec->at_end) {
		codec->pos = codec->len;
		if (fill(codec, 1, err) < 0)
			return -1;
	}
	if (is_padding(codec)) {
		codec->pos = codec->len;
		return 0;
	}
	return shale_err_set(err, EINVAL, "garbage after the end of the %s stream",
			     codec->format->name);
}

static ssize_t plain_read(struct codec *codec, void *data, size_t len, struct shale_err *err)
{
	if (codec->pos == codec->len && fill(codec, 1, err) < 0)
		return -1;
	return plain_step(codec, data, len);
}

ssize_t codec_read(struct codec *codec, void *data, size_t len, struct shale_err *err)
{
	const char *name = codec->format->name;
	size_t left;
	ssize_t put;
	int more;

	if (!codec->format->open)
		return plain_read(codec, data, len, err);
	for (;;) {
		if (!codec->in_member) {
			more = codec->had_member ? next_member(codec, err) : 1;
			if (more <= 0)
				return more;
			codec->had_member = true;
		}
		put = codec->format->step(codec, data, len);
		if (put < 0)
			return shale_err_set(err, EINVAL, "corrupt %s stream", name);
		if (put > 0)
			return put;
		if (!codec->in_member)
			continue;
		/* More than was left: a decoder may want input while it still has some. */
		left = codec->len - codec->pos;
		if (fill(codec, left + 1, err) < 0)
			return -1;
		if (codec->len == left)
			return shale_err_set(err, EINVAL, "truncated %s stream", name);
	}
}

const char *codec_name(const struct codec *codec)
{
	return codec->format->name;
}

void codec_close(struct codec *codec)
{
	if (!codec)
		return;
	free(codec->inflate);
	ZSTD_freeDStream(codec->zstd);
	free(codec);
}

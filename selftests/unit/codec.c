// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decompression, fed in pieces of every size, from streams made here with zlib's format by hand and
 * by libzstd: several members, padding, garbage, and ends that come too early.
 */
#include "ktap.h"

#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "archive/codec.h"

#define PLAIN 100000

struct stream {
	unsigned char *data;
	size_t len;
	size_t pos;
	size_t piece;
};

static unsigned char plain[PLAIN];

static void fill_plain(void)
{
	unsigned int x = 1;

	for (size_t i = 0; i < PLAIN; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = i % 3 ? x >> 28 : 'a';
	}
}

static void add_gzip(struct stream *stream)
{
	struct isal_zstream z;

	isal_deflate_init(&z);
	stream->data = realloc(stream->data, stream->len + 2 * PLAIN);
	ASSERT(stream->data);
	z.next_in = plain;
	z.avail_in = PLAIN;
	z.next_out = stream->data + stream->len;
	z.avail_out = 2 * PLAIN;
	z.end_of_stream = 1;
	z.gzip_flag = IGZIP_GZIP;
	ASSERT_EQ(isal_deflate(&z), COMP_OK);
	stream->len += 2 * PLAIN - z.avail_out;
}

static void add_zstd(struct stream *stream)
{
	size_t bound = ZSTD_compressBound(PLAIN);
	size_t got;

	stream->data = realloc(stream->data, stream->len + bound);
	ASSERT(stream->data);
	got = ZSTD_compress(stream->data + stream->len, bound, plain, PLAIN, 3);
	ASSERT(!ZSTD_isError(got));
	stream->len += got;
}

static void add_bytes(struct stream *stream, const void *data, size_t len)
{
	stream->data = realloc(stream->data, stream->len + len);
	ASSERT(stream->data);
	memcpy(stream->data + stream->len, data, len);
	stream->len += len;
}

static ssize_t stream_read(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct stream *stream = arg;

	(void)err;
	if (len > stream->piece)
		len = stream->piece;
	if (len > stream->len - stream->pos)
		len = stream->len - stream->pos;
	memcpy(data, stream->data + stream->pos, len);
	stream->pos += len;
	return len;
}

static ssize_t failing_read(void *arg, void *data, size_t len, struct shale_err *err)
{
	(void)arg;
	(void)data;
	(void)len;
	return shale_err_set(err, EIO, "the disk is gone");
}

/* Plain bytes, all of which repeat plain[]; -1 with err. */
static ssize_t decode(struct stream *stream, const char *name, struct shale_err *err)
{
	__attribute__((cleanup(codec_closep))) struct codec *codec = NULL;
	unsigned char out[3000];
	ssize_t total = 0;
	ssize_t got;

	stream->pos = 0;
	ASSERT_EQ(codec_open(stream_read, stream, &codec, err), 0);
	EXPECT_STREQ(codec_name(codec), name);
	while ((got = codec_read(codec, out, sizeof(out), err)) > 0)
		for (ssize_t i = 0; i < got; i++, total++)
			ASSERT_EQ(out[i], plain[total % PLAIN]);
	return got < 0 ? -1 : total;
}

static void expect_all(struct stream *stream, const char *name, ssize_t want)
{
	static const size_t pieces[] = { 1, 7, 4096, 1 << 20 };
	struct shale_err err = { 0 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		stream->piece = pieces[i];
		EXPECT_EQ(decode(stream, name, &err), want);
	}
	free(stream->data);
}

static void expect_refused(struct stream *stream, const char *name, const char *message)
{
	static const size_t pieces[] = { 1, 4096 };
	struct shale_err err = { 0 };

	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
		stream->piece = pieces[i];
		EXPECT_EQ(decode(stream, name, &err), -1);
		EXPECT_EQ(err.code, EINVAL);
		EXPECT_STREQ(err.msg, message);
	}
	free(stream->data);
}

typedef void (*add_fn)(struct stream *stream);

struct codec_case {
	struct ktap_row row;
	const char *name;
	add_fn add;
	const char *damage;
};

#define CODECS(ID, WHAT, DAMAGE)                                            \
	{ { ID "_gzip", "gzip: " WHAT }, "gzip", add_gzip, DAMAGE },        \
	{ { ID "_zstd", "zstd: " WHAT }, "zstd", add_zstd, DAMAGE }

static const struct codec_case good[] = {
	CODECS("one", "one member", ""),
	CODECS("three", "three members", "++"),
	CODECS("padded", "zeros at the end", "0"),
	CODECS("padded_much", "more zeros than a buffer", "00000000000000000000000000000000000000000"),
};

TEST_TABLE(reads, struct codec_case, good, c)
{
	static const unsigned char zeros[10000];
	struct stream stream = { 0 };
	ssize_t want = PLAIN;

	fill_plain();
	c->add(&stream);
	for (const char *at = c->damage; *at; at++) {
		if (*at == '0') {
			add_bytes(&stream, zeros, sizeof(zeros));
			continue;
		}
		c->add(&stream);
		want += PLAIN;
	}
	expect_all(&stream, c->name, want);
}

static const struct codec_case bad[] = { CODECS("bad", "damage is refused", "") };

TEST_TABLE(refuses, struct codec_case, bad, c)
{
	char truncated[64], corrupt[64], garbage[64];
	struct stream stream = { 0 };

	fill_plain();
	snprintf(truncated, sizeof(truncated), "truncated %s stream", c->name);
	snprintf(corrupt, sizeof(corrupt), "corrupt %s stream", c->name);
	snprintf(garbage, sizeof(garbage), "garbage after the end of the %s stream", c->name);
	c->add(&stream);
	stream.len--;
	expect_refused(&stream, c->name, truncated);
	stream = (struct stream){ 0 };
	c->add(&stream);
	stream.len = 5;
	expect_refused(&stream, c->name, truncated);
	stream = (struct stream){ 0 };
	c->add(&stream);
	add_bytes(&stream, "x", 1);
	expect_refused(&stream, c->name, garbage);
	stream = (struct stream){ 0 };
	c->add(&stream);
	add_bytes(&stream, "\0\0\0x", 4);
	expect_refused(&stream, c->name, garbage);
}

TEST(gzip_checksum, "gzip: a wrong checksum is refused")
{
	struct stream stream = { 0 };

	fill_plain();
	add_gzip(&stream);
	stream.data[stream.len - 6] ^= 1;
	expect_refused(&stream, "gzip", "corrupt gzip stream");
}

TEST(plain, "anything else is passed on as it is")
{
	struct stream stream = { 0 };

	fill_plain();
	add_bytes(&stream, plain, PLAIN);
	expect_all(&stream, "none", PLAIN);
}

TEST(nothing, "so is nothing")
{
	struct stream stream = { .data = malloc(1) };

	expect_all(&stream, "none", 0);
}

TEST(source_fails, "a failure of the source is the failure told")
{
	struct shale_err err = { 0 };
	struct codec *codec;

	EXPECT_EQ(codec_open(failing_read, NULL, &codec, &err), -1);
	EXPECT_EQ(err.code, EIO);
	EXPECT_STREQ(err.msg, "the disk is gone");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of decompression: input comes in pieces of a size its first byte says. The stream
 * ends, or is refused with a message, and never gives more at a time than was asked. Built and run by
 * scripts/fuzz; its corpus is selftests/corpus/codec.
 */
#include "archive/codec.h"
#include "fuzz.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A bomb is not a finding. */
#define OUTPUT_MAX (8 << 20)

struct input {
	const uint8_t *data;
	size_t left;
	size_t piece;
};

static ssize_t input_read(void *arg, void *data, size_t len, struct shale_err *err)
{
	struct input *input = arg;

	(void)err;
	if (len > input->piece)
		len = input->piece;
	if (len > input->left)
		len = input->left;
	memcpy(data, input->data, len);
	input->data += len;
	input->left -= len;
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__attribute__((cleanup(codec_closep))) struct codec *codec = NULL;
	struct shale_err err = { 0 };
	struct input input;
	char out[4096];
	size_t total = 0;
	ssize_t got;

	if (!size)
		return 0;
	input = (struct input){ data + 1, size - 1, data[0] + 1 };
	promise(codec_open(input_read, &input, &codec, &err) == 0);
	do {
		got = codec_read(codec, out, sizeof(out), &err);
		promise(got <= (ssize_t)sizeof(out));
		total += got > 0 ? got : 0;
	} while (got > 0 && total < OUTPUT_MAX);
	promise(got >= 0 || (err.code > 0 && err.msg[0]));
	return 0;
}

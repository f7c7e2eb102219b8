// SPDX-License-Identifier: GPL-2.0-only
/*
 * base64; see b64.h. Called for whatever a client's Authorization header, a token and a key file
 * carry, thus before anything is known of who sent it.
 */
#include "registry/b64.h"

#include <errno.h>
#include <stdint.h>

static const char *const alphabets[] = {
	[B64_PADDED] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	[B64_URL] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
};

static int letter_value(enum b64_variant variant, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabets[variant][62])
		return 62;
	return c == alphabets[variant][63] ? 63 : -1;
}

/* The padding is taken off; false when it is not the one this length has to have. */
static int strip_padding(const char *text, size_t *len)
{
	size_t whole = *len;

	if (whole % 4)
		return -1;
	for (int i = 0; i < 2 && *len && text[*len - 1] == '='; i++)
		(*len)--;
	return 0;
}

static int decode_group(enum b64_variant variant, const char *text, size_t len, unsigned char *out)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < len; i++) {
		int value = letter_value(variant, text[i]);

		if (value < 0)
			return -1;
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	out[0] = bits >> 16;
	out[1] = bits >> 8;
	out[2] = bits;
	/* What does not fill a byte must be zero. */
	return (len == 2 && bits & 0xffff) || (len == 3 && bits & 0xff) ? -1 : 0;
}

int b64_decode(enum b64_variant variant, const char *text, size_t len, struct buf *buf)
{
	const size_t before = buf->len;
	unsigned char out[3];

	if ((variant == B64_PADDED && strip_padding(text, &len) < 0) || len % 4 == 1)
		goto out_invalid;
	if (buf_reserve(buf, len / 4 * 3 + 3) < 0)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		size_t group = len - i < 4 ? len - i : 4;

		if (decode_group(variant, text + i, group, out) < 0)
			goto out_invalid;
		buf_add(buf, out, group - 1);
	}
	return 0;

out_invalid:
	buf->len = before;
	if (buf->data)
		buf->data[before] = '\0';
	errno = EINVAL;
	return -1;
}

int b64_encode(enum b64_variant variant, const void *data, size_t len, struct buf *buf)
{
	const unsigned char *bytes = data;
	const char *alphabet = alphabets[variant];

	if (buf_reserve(buf, len / 3 * 4 + 4) < 0)
		return -1;
	for (size_t i = 0; i < len; i += 3) {
		size_t group = len - i < 3 ? len - i : 3;
		uint32_t bits = (uint32_t)bytes[i] << 16;

		bits |= group > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
		bits |= group > 2 ? bytes[i + 2] : 0;
		for (size_t j = 0; j <= group; j++)
			buf_addc(buf, alphabet[bits >> (18 - 6 * j) & 63]);
		for (size_t j = group; variant == B64_PADDED && j < 3; j++)
			buf_addc(buf, '=');
	}
	return 0;
}

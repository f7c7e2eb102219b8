// SPDX-License-Identifier: GPL-2.0-only
/*
 * Base64; see base64.h. Padding may be left out, nothing else may: no blanks, no line ends. Called for
 * credentials (authfile.c, remote.c) and for the signatures of old manifests.
 */
#include "client/base64.h"

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool decode(const char *alphabet, const char *text, size_t len, struct buf *out)
{
	unsigned int bits = 0;
	unsigned int held = 0;

	for (int pad = 0; pad < 2 && len && text[len - 1] == '='; pad++)
		len--;
	if (len % 4 == 1)
		return false;
	for (size_t i = 0; i < len; i++) {
		const char *at = text[i] ? strchr(alphabet, text[i]) : NULL;

		if (!at)
			return false;
		bits = bits << 6 | (at - alphabet);
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (buf_addc(out, bits >> held & 0xff) < 0)
			return false;
	}
	return true;
}

bool base64_decode(const char *text, size_t len, struct buf *out)
{
	return decode(standard, text, len, out);
}

bool base64_decode_url(const char *text, size_t len, struct buf *out)
{
	return decode(for_urls, text, len, out);
}

static int encode(const char *alphabet, bool has_padding, const void *data, size_t len,
		  struct buf *out)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < len; i += 3) {
		unsigned int bits = at[i] << 16 | (i + 1 < len ? at[i + 1] << 8 : 0) |
				    (i + 2 < len ? at[i + 2] : 0);
		char four[4] = {
			alphabet[bits >> 18 & 63],
			alphabet[bits >> 12 & 63],
			i + 1 < len ? alphabet[bits >> 6 & 63] : '=',
			i + 2 < len ? alphabet[bits & 63] : '=',
		};
		size_t used = has_padding || len - i >= 3 ? 4 : len - i + 1;

		if (buf_add(out, four, used) < 0)
			return -1;
	}
	return 0;
}

int base64_encode(const void *data, size_t len, struct buf *out)
{
	return encode(standard, true, data, len, out);
}

int base64_encode_url(const void *data, size_t len, struct buf *out)
{
	return encode(for_urls, false, data, len, out);
}

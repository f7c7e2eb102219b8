/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base64 as HTTP and JOSE write it. Decoding is strict: no blanks, no bits left over in the last
 * letter, padding exactly as the variant has it, so that one value has one spelling.
 */
#ifndef SHALE_REGISTRY_B64_H
#define SHALE_REGISTRY_B64_H

#include <stddef.h>

#include "base/buf.h"

enum b64_variant {
	B64_PADDED, /* RFC 4648 section 4: Authorization: Basic, x5c */
	B64_URL,    /* section 5 without padding: JWT, JWK */
};

/* Append to buf. -1 with errno EINVAL: not base64; ENOMEM. */
int b64_decode(enum b64_variant variant, const char *text, size_t len, struct buf *buf);
int b64_encode(enum b64_variant variant, const void *data, size_t len, struct buf *buf);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Base64 as credentials and signatures have it: the usual alphabet with padding, and that of URLs
 * without.
 */
#ifndef SHALE_CLIENT_BASE64_H
#define SHALE_CLIENT_BASE64_H

#include <stdbool.h>

#include "base/buf.h"

/* Appends; false for what is not base64, and when memory is short. */
bool base64_decode(const char *text, size_t len, struct buf *out);
/* With '-' and '_', padding optional. */
bool base64_decode_url(const char *text, size_t len, struct buf *out);
int base64_encode(const void *data, size_t len, struct buf *out);
/* For URLs, without padding. */
int base64_encode_url(const void *data, size_t len, struct buf *out);

#endif

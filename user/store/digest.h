/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sha256 digests: their text form "sha256:<64 lower-case hex>" and a streaming hasher over
 * libcrypto. No other algorithm is accepted anywhere in the store.
 */
#ifndef SHALE_STORE_DIGEST_H
#define SHALE_STORE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define DIGEST_BYTES 32
#define DIGEST_HEX   (2 * DIGEST_BYTES)
#define DIGEST_TEXT  (sizeof("sha256:") - 1 + DIGEST_HEX)

struct digest {
	unsigned char sum[DIGEST_BYTES];
};

/* A digest printed into a buffer of its own; both keep the string inside the struct. */
struct digest_text {
	char text[DIGEST_TEXT + 1];
};

bool digest_is_equal(const struct digest *a, const struct digest *b);
int digest_compare(const void *a, const void *b);

/* "sha256:<hex>"; @what names the text in the message. */
int digest_parse(const char *text, const char *what, struct digest *ret_digest,
		 struct shale_err *err);
/* The 64 hex digits alone; false when they are not that. */
bool digest_parse_hex(const char *hex, struct digest *ret_digest);

struct digest_text digest_text(const struct digest *digest);
/* The hex digits of what digest_text() returned. */
const char *digest_hex(const struct digest_text *text);

struct hasher {
	void *ctx;
};

int hasher_init(struct hasher *hasher, struct shale_err *err);
void hasher_update(struct hasher *hasher, const void *data, size_t len);
/* May be called once; the hasher still has to be released. */
void hasher_final(struct hasher *hasher, struct digest *ret_digest);
void hasher_release(struct hasher *hasher);

int digest_of(const void *data, size_t len, struct digest *ret_digest, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Digests of the registry protocol, sha256 and sha512, and their hashers, whose state can be kept in
 * the storage and gone on with by another process. The store's digests (store/digest.h) know sha256
 * only, and that on purpose.
 */
#ifndef SHALE_REGISTRY_SUM_H
#define SHALE_REGISTRY_SUM_H

#include <openssl/sha.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum sum_kind {
	SUM_SHA256,
	SUM_SHA512,
	SUM_KINDS,
};

/* "sha512:" and 128 digits. */
#define SUM_MAX_TEXT (7 + 128)

struct sum {
	enum sum_kind kind;
	char text[SUM_MAX_TEXT + 1];
};

/* False: not a digest, or of an algorithm we do not compute. */
bool sum_parse(const char *text, struct sum *ret_sum);
/* The algorithm's name alone. */
bool sum_parse_kind(const char *name, enum sum_kind *ret_kind);
const char *sum_kind_name(enum sum_kind kind);
/* The digits behind the colon. */
const char *sum_hex(const struct sum *sum);
bool sum_is_equal(const struct sum *a, const struct sum *b);
void sum_of(enum sum_kind kind, const void *data, size_t len, struct sum *ret_sum);

struct summer {
	enum sum_kind kind;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	};
};

void summer_init(struct summer *summer, enum sum_kind kind);
void summer_update(struct summer *summer, const void *data, size_t len);
void summer_final(struct summer *summer, struct sum *ret_sum);

/*
 * The state as bytes, in the form distribution keeps it in (that of Go's hashes): four letters that name
 * the algorithm, the chaining values, the bytes of an unfinished block, how many bytes there were.
 */
int summer_save(const struct summer *summer, struct buf *buf);
/* False: not a state of that algorithm after exactly that many bytes. */
bool summer_load(struct summer *summer, enum sum_kind kind, unsigned long long bytes,
		 const void *data, size_t len);

#endif

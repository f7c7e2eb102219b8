// SPDX-License-Identifier: GPL-2.0-only
/*
 * Digests and hashers; see sum.h. Uses the hash structures of libcrypto directly: its newer interface
 * does the same work but gives no state away. Called wherever bytes come in or are named.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "registry/sum.h"

#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const struct kind {
	const char *name;
	size_t digits;
	const char *magic; /* of a saved state */
} kinds[SUM_KINDS] = {
	[SUM_SHA256] = { "sha256", 64, "sha\x03" },
	[SUM_SHA512] = { "sha512", 128, "sha\x07" },
};

#define MAGIC_LEN 4

bool sum_parse_kind(const char *name, enum sum_kind *ret_kind)
{
	for (int kind = 0; kind < SUM_KINDS; kind++)
		if (!strcmp(name, kinds[kind].name)) {
			*ret_kind = kind;
			return true;
		}
	return false;
}

const char *sum_kind_name(enum sum_kind kind)
{
	return kinds[kind].name;
}

static bool is_digits(const char *text, size_t count)
{
	return strlen(text) == count && strspn(text, "0123456789abcdef") == count;
}

bool sum_parse(const char *text, struct sum *ret_sum)
{
	for (int kind = 0; kind < SUM_KINDS; kind++) {
		size_t len = strlen(kinds[kind].name);

		if (strncmp(text, kinds[kind].name, len) || text[len] != ':')
			continue;
		if (!is_digits(text + len + 1, kinds[kind].digits))
			return false;
		ret_sum->kind = kind;
		snprintf(ret_sum->text, sizeof(ret_sum->text), "%s", text);
		return true;
	}
	return false;
}

const char *sum_hex(const struct sum *sum)
{
	return sum->text + strlen(kinds[sum->kind].name) + 1;
}

bool sum_is_equal(const struct sum *a, const struct sum *b)
{
	return a->kind == b->kind && !strcmp(a->text, b->text);
}

void summer_init(struct summer *summer, enum sum_kind kind)
{
	summer->kind = kind;
	if (kind == SUM_SHA256)
		SHA256_Init(&summer->sha256);
	else
		SHA512_Init(&summer->sha512);
}

void summer_update(struct summer *summer, const void *data, size_t len)
{
	if (summer->kind == SUM_SHA256)
		SHA256_Update(&summer->sha256, data, len);
	else
		SHA512_Update(&summer->sha512, data, len);
}

void summer_final(struct summer *summer, struct sum *ret_sum)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[SHA512_DIGEST_LENGTH];
	char *at = ret_sum->text;

	if (summer->kind == SUM_SHA256)
		SHA256_Final(bytes, &summer->sha256);
	else
		SHA512_Final(bytes, &summer->sha512);
	ret_sum->kind = summer->kind;
	at += snprintf(at, SUM_MAX_TEXT + 1, "%s:", kinds[summer->kind].name);
	for (size_t i = 0; i < kinds[summer->kind].digits / 2; i++) {
		*at++ = digits[bytes[i] >> 4];
		*at++ = digits[bytes[i] & 15];
	}
	*at = '\0';
}

void sum_of(enum sum_kind kind, const void *data, size_t len, struct sum *ret_sum)
{
	struct summer summer;

	summer_init(&summer, kind);
	summer_update(&summer, data, len);
	summer_final(&summer, ret_sum);
}

/* The wire forms; everything is big-endian. */
struct state256 {
	char magic[MAGIC_LEN];
	uint32_t h[8];
	unsigned char block[SHA256_CBLOCK];
	uint64_t bytes;
} __attribute__((packed));

struct state512 {
	char magic[MAGIC_LEN];
	uint64_t h[8];
	unsigned char block[SHA512_CBLOCK];
	uint64_t bytes;
} __attribute__((packed));

_Static_assert(sizeof(struct state256) == 108, "as Go marshals a sha256");
_Static_assert(sizeof(struct state512) == 204, "as Go marshals a sha512");

static int save256(const SHA256_CTX *ctx, struct buf *buf)
{
	uint64_t bits = (uint64_t)ctx->Nh << 32 | ctx->Nl;
	struct state256 state = { .bytes = htobe64(bits / 8) };

	memcpy(state.magic, kinds[SUM_SHA256].magic, MAGIC_LEN);
	for (int i = 0; i < 8; i++)
		state.h[i] = htobe32(ctx->h[i]);
	memcpy(state.block, ctx->data, ctx->num);
	return buf_add(buf, &state, sizeof(state));
}

static int save512(const SHA512_CTX *ctx, struct buf *buf)
{
	struct state512 state = { .bytes = htobe64(ctx->Nl / 8) };

	memcpy(state.magic, kinds[SUM_SHA512].magic, MAGIC_LEN);
	for (int i = 0; i < 8; i++)
		state.h[i] = htobe64(ctx->h[i]);
	memcpy(state.block, ctx->u.p, ctx->num);
	return buf_add(buf, &state, sizeof(state));
}

int summer_save(const struct summer *summer, struct buf *buf)
{
	if (summer->kind == SUM_SHA256)
		return save256(&summer->sha256, buf);
	return save512(&summer->sha512, buf);
}

static bool load256(SHA256_CTX *ctx, unsigned long long bytes, const struct state256 *state)
{
	if (memcmp(state->magic, kinds[SUM_SHA256].magic, MAGIC_LEN) ||
	    be64toh(state->bytes) != bytes || bytes >= UINT64_MAX / 8)
		return false;
	for (int i = 0; i < 8; i++)
		ctx->h[i] = be32toh(state->h[i]);
	ctx->Nh = bytes * 8 >> 32;
	ctx->Nl = bytes * 8;
	ctx->num = bytes % SHA256_CBLOCK;
	memcpy(ctx->data, state->block, ctx->num);
	return true;
}

static bool load512(SHA512_CTX *ctx, unsigned long long bytes, const struct state512 *state)
{
	if (memcmp(state->magic, kinds[SUM_SHA512].magic, MAGIC_LEN) ||
	    be64toh(state->bytes) != bytes || bytes >= UINT64_MAX / 8)
		return false;
	for (int i = 0; i < 8; i++)
		ctx->h[i] = be64toh(state->h[i]);
	ctx->Nh = 0;
	ctx->Nl = bytes * 8;
	ctx->num = bytes % SHA512_CBLOCK;
	memcpy(ctx->u.p, state->block, ctx->num);
	return true;
}

bool summer_load(struct summer *summer, enum sum_kind kind, unsigned long long bytes,
		 const void *data, size_t len)
{
	summer_init(summer, kind);
	if (kind == SUM_SHA256)
		return len == sizeof(struct state256) && load256(&summer->sha256, bytes, data);
	return len == sizeof(struct state512) && load512(&summer->sha512, bytes, data);
}

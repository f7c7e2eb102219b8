// SPDX-License-Identifier: GPL-2.0-only
/*
 * Digests and the hasher; see digest.h. libcrypto picks the CPU's sha instructions by itself. Called
 * wherever bytes enter the store or are read back from it.
 */
#include "store/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#define DIGEST_PREFIX "sha256:"

bool digest_is_equal(const struct digest *a, const struct digest *b)
{
	return !memcmp(a->sum, b->sum, DIGEST_BYTES);
}

int digest_compare(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_BYTES);
}

/* Only lower case: the text is also a file's name, which must be unique. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool digest_parse_hex(const char *hex, struct digest *ret_digest)
{
	struct digest digest;

	if (strnlen(hex, DIGEST_HEX + 1) != DIGEST_HEX)
		return false;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = hex_value(hex[2 * i]);
		int low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		digest.sum[i] = high << 4 | low;
	}
	*ret_digest = digest;
	return true;
}

int digest_parse(const char *text, const char *what, struct digest *ret_digest,
		 struct shale_err *err)
{
	const size_t prefix = strlen(DIGEST_PREFIX);

	if (!strncmp(text, DIGEST_PREFIX, prefix) && digest_parse_hex(text + prefix, ret_digest))
		return 0;
	return shale_err_set(err, EINVAL, "%s: '%.100s' is not a sha256 digest", what, text);
}

struct digest_text digest_text(const struct digest *digest)
{
	static const char digits[] = "0123456789abcdef";
	struct digest_text text = { DIGEST_PREFIX };
	char *at = text.text + strlen(DIGEST_PREFIX);

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		*at++ = digits[digest->sum[i] >> 4];
		*at++ = digits[digest->sum[i] & 15];
	}
	*at = '\0';
	return text;
}

const char *digest_hex(const struct digest_text *text)
{
	return text->text + strlen(DIGEST_PREFIX);
}

int hasher_init(struct hasher *hasher, struct shale_err *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return shale_err_set(err, ENOMEM, "libcrypto gives no sha256");
	}
	hasher->ctx = ctx;
	return 0;
}

void hasher_update(struct hasher *hasher, const void *data, size_t len)
{
	EVP_DigestUpdate(hasher->ctx, data, len);
}

void hasher_final(struct hasher *hasher, struct digest *ret_digest)
{
	EVP_DigestFinal_ex(hasher->ctx, ret_digest->sum, NULL);
}

void hasher_release(struct hasher *hasher)
{
	EVP_MD_CTX_free(hasher->ctx);
	hasher->ctx = NULL;
}

int digest_of(const void *data, size_t len, struct digest *ret_digest, struct shale_err *err)
{
	__attribute__((cleanup(hasher_release))) struct hasher hasher = { NULL };

	if (hasher_init(&hasher, err) < 0)
		return -1;
	hasher_update(&hasher, data, len);
	hasher_final(&hasher, ret_digest);
	return 0;
}

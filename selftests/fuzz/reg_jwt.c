// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of the registry's tokens. The first byte says whether the rest is a token as it
 * comes, or a header and claims with a NUL between, which the harness signs with a key of the ring so
 * that what is behind the signature is reached. Nothing may be accepted that is unsigned, for another
 * audience, or of another issuer. Built and run by scripts/fuzz; its corpus is selftests/corpus/reg_jwt.
 */
#include <errno.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "registry/b64.h"
#include "registry/jwt.h"
#include "fuzz.h"

static const char jwks[] =
	"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"k\":\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE\"},"
	"{\"kty\":\"OKP\",\"kid\":\"e\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"},"
	"{\"kty\":\"EC\",\"kid\":\"p\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";

static const struct jwk_ring *ring_get(void)
{
	static struct jwk_ring ring;

	if (!ring.count)
		promise(jwk_ring_add_jwks(&ring, jwks, strlen(jwks), "jwks", NULL) == 0);
	return &ring;
}

static void sign(const struct jwk_ring *ring, struct buf *token)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len;

	HMAC(EVP_sha256(), ring->keys[0].secret, ring->keys[0].secret_len,
	     (unsigned char *)token->data, token->len, mac, &len);
	buf_addc(token, '.');
	b64_encode(B64_URL, mac, len, token);
}

static void make_token(const uint8_t *data, size_t size, int raw, struct buf *token)
{
	const uint8_t *nul = memchr(data, 0, size);

	if (raw || !nul) {
		buf_add(token, data, size);
		return;
	}
	b64_encode(B64_URL, data, nul - data, token);
	buf_addc(token, '.');
	b64_encode(B64_URL, nul + 1, data + size - nul - 1, token);
	sign(ring_get(), token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct jwt_rules rules = { ring_get(), JWT_DEFAULT | JWT_BIT(JWT_HS256), "me", "reg",
					 "JWT",	     1700000000 };
	__cleanup_buf struct buf token = BUF_INIT;
	struct shale_err err = { 0 };
	json_t *claims;

	if (!size)
		return 0;
	make_token(data + 1, size - 1, data[0] & 1, &token);
	if (jwt_verify(buf_str(&token), token.len, &rules, &claims, &err) < 0) {
		promise((err.code == EACCES || err.code == EBADMSG) && err.msg[0]);
		return 0;
	}
	promise(token.len <= JWT_MAX_BYTES);
	promise(!strcmp(json_string_value(json_object_get(claims, "iss")), "me"));
	promise(json_number_value(json_object_get(claims, "exp")) >= rules.now - JWT_LEEWAY);
	json_decref(claims);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys, certificates and tokens for the tests of the registry's authentication. Nothing here is shared
 * with what is tested: tokens are put together by hand, so that they can be wrong in any way.
 */
#ifndef SELFTESTS_TOKENS_H
#define SELFTESTS_TOKENS_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>

enum token_signer {
	SIGN_NOTHING, /* an empty signature */
	SIGN_EC,
	SIGN_EC_DER, /* in DER, where JOSE wants r and s */
	SIGN_RSA,
	SIGN_PSS,
	SIGN_ED,
	SIGN_HMAC, /* with key.secret */
	SIGN_GARBAGE,
};

/* "EC", "P-384", "RSA", "RSA-1024", "ED25519" */
EVP_PKEY *token_key(const char *kind);

/*
 * header.claims.signature of the two texts as they are. @key: for HMAC NULL, then the secret counts.
 * The result is malloc'ed, as are those below.
 */
char *token_make(const char *header, const char *claims, enum token_signer signer, EVP_PKEY *key,
		 const void *secret, size_t secret_len);

/* A certificate of @key by @by, or self-signed; valid from a day before @now for @days. */
X509 *token_cert(const char *name, EVP_PKEY *key, const char *by_name, EVP_PKEY *by, long now, int days);
char *token_cert_pem(X509 *cert);
/* In base64, as in x5c. */
char *token_cert_b64(X509 *cert);
char *token_public_pem(EVP_PKEY *key);
char *token_base64(const void *data, size_t len, int url);

#endif

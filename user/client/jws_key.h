/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A public key as JSON has it (RFC 7517), and what a signature of it is worth: the key a manifest brings along
 * says that its bytes are as they were signed, and not by whom.
 */
#ifndef SHALE_CLIENT_JWS_KEY_H
#define SHALE_CLIENT_JWS_KEY_H

#include <jansson.h>
#include <openssl/evp.h>

#include "base/buf.h"
#include "base/err.h"

/* Of an RSA modulus: less is weak, more only costs time. */
#define JWS_KEY_RSA_MIN 2048
#define JWS_KEY_RSA_MAX 8192

struct jws_key {
	EVP_PKEY *key;
	size_t field; /* bytes of half a signature on a curve; 0: RSA */
};

#define __cleanup_jws_key __attribute__((cleanup(jws_key_release)))
void jws_key_release(struct jws_key *key);

/* EC on P-256, P-384 or P-521, or RSA. */
int jws_key_parse(const json_t *json, struct jws_key *ret_key, struct shale_err *err);
/* Of the certificate that is first in an "x5c": DER in base64. */
int jws_key_of_certificate(const char *text, struct jws_key *ret_key, struct shale_err *err);
/* ES256, ES384, ES512, RS256, RS384, RS512, each with the key it belongs to. EBADMSG when it does not fit. */
int jws_key_verify(const struct jws_key *key, const char *alg, const struct buf *data,
		   const struct buf *signature, struct shale_err *err);

#endif

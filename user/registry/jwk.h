/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keys that sign tokens, and the ring of those this server trusts: from a JWKS file, from
 * certificates in PEM, and the token service's own private keys. A key knows which signature
 * algorithms it may be used with, so that a token cannot choose another: an RSA key's public half
 * is no HMAC secret. Certificates of the ring are also the roots of chains that tokens carry.
 */
#ifndef SHALE_REGISTRY_JWK_H
#define SHALE_REGISTRY_JWK_H

#include <jansson.h>
#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Bits of RSA moduli: less is weak, more lets a key in a file cost milliseconds for each request.
 */
#define JWK_RSA_MIN 2048
#define JWK_RSA_MAX 8192
/* Keys and certificates together; rotation has two or three at a time. */
#define JWK_MAX_KEYS 64
/* A key ID is a thumbprint or a short name. */
#define JWK_MAX_KID 256
/* SHA-256 in base64url, and in libtrust's form of 12 groups of 4 letters. */
#define JWK_THUMBPRINT 43
#define JWK_LIBTRUST   59

enum jwk_kind {
	JWK_P256,
	JWK_P384,
	JWK_P521,
	JWK_RSA,
	JWK_ED25519,
	JWK_OCT,
};

struct jwk {
	enum jwk_kind kind;
	EVP_PKEY *key; /* NULL for JWK_OCT */
	unsigned char *secret;
	size_t secret_len;
	char kid[JWK_MAX_KID + 1];
	char alg[16];			     /* "": any that the kind allows */
	char thumbprint[JWK_THUMBPRINT + 1]; /* RFC 7638; "" for a secret */
	char libtrust[JWK_LIBTRUST +
		      1]; /* what distribution before 3.0 and its token servers use as kid */
};

struct jwk_ring {
	struct jwk keys[JWK_MAX_KEYS];
	size_t count;
	X509_STORE *roots; /* NULL: no certificate */
	size_t root_count;
};

void jwk_release(struct jwk *key);
void jwk_ring_init(struct jwk_ring *ring);
void jwk_ring_release(struct jwk_ring *ring);

/* One JWK. @err EPROTONOSUPPORT: of a kind, or for a use, that is none of ours; EINVAL: wrong. */
int jwk_parse(const json_t *json, const char *what, struct jwk *ret_key, struct shale_err *err);
/* Takes a reference of @key. @what is named when its kind is not supported. */
int jwk_from_pkey(EVP_PKEY *key, const char *what, struct jwk *ret_key, struct shale_err *err);
/* The public half as a JWK for publication; NULL for a secret or when out of memory. */
json_t *jwk_to_json(const struct jwk *key);

int jwk_ring_add_jwks(struct jwk_ring *ring, const void *data, size_t len, const char *what,
		      struct shale_err *err);
/* Every certificate of a PEM file: its key is trusted, and so is what it has signed. */
int jwk_ring_add_certs(struct jwk_ring *ring, const void *data, size_t len, const char *what,
		       struct shale_err *err);
int jwk_ring_add_private(struct jwk_ring *ring, const void *data, size_t len, const char *what,
			 struct shale_err *err);
/* {"keys":[...]} of all public halves. */
json_t *jwk_ring_to_json(const struct jwk_ring *ring);

/* By kid, thumbprint or libtrust's ID; NULL when nobody has it. */
const struct jwk *jwk_ring_find(const struct jwk_ring *ring, const char *kid);
/* A key of the ring with the same public half; NULL when there is none. */
const struct jwk *jwk_ring_find_same(const struct jwk_ring *ring, const struct jwk *key);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON web tokens in compact form: signing them, and verifying one that anybody may have written.
 * Nothing a token says is believed before its signature has been checked with a key of the ring;
 * the header only chooses which one.
 */
#ifndef SHALE_REGISTRY_JWT_H
#define SHALE_REGISTRY_JWT_H

#include <jansson.h>
#include <stdint.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "registry/jwk.h"

/* Tokens with three certificates and fifty grants stay below 8 KiB; servers refuse larger headers.
 */
#define JWT_MAX_BYTES (16u << 10)
/* Seconds by which clocks may differ, as in distribution. */
#define JWT_LEEWAY 60
/* Certificates in x5c. */
#define JWT_MAX_CHAIN 8

enum jwt_algorithm {
	JWT_ES256,
	JWT_ES384,
	JWT_ES512,
	JWT_RS256,
	JWT_RS384,
	JWT_RS512,
	JWT_PS256,
	JWT_PS384,
	JWT_PS512,
	JWT_EDDSA,
	JWT_HS256,
	JWT_HS384,
	JWT_HS512,
	JWT_ALGORITHMS,
};

#define JWT_BIT(algorithm) (1u << (algorithm))
/* Without a word in the configuration: all that need no shared secret. */
#define JWT_DEFAULT (JWT_BIT(JWT_HS256) - 1)

/* The bit of an algorithm's name; 0 when there is none. "none" has no bit. */
unsigned int jwt_algorithm_bit(const char *name);

struct jwt_rules {
	const struct jwk_ring *keys;
	unsigned int algorithms; /* JWT_BIT of each that is allowed */
	const char *issuer;
	const char *audience;
	const char *type; /* what typ must be; "JWT" may also be missing */
	time_t now;
};

/*
 * The claims of a token that keeps all the rules. @err EBADMSG: not a token at all; EACCES: one,
 * but not to be trusted; its message says why and is for the log, not for the client.
 */
int jwt_verify(const char *token, size_t len, const struct jwt_rules *rules, json_t **ret_claims,
	       struct shale_err *err);

/* Appends the token to buf. The key's kind chooses the algorithm, and its kid is named in the
 * header. */
int jwt_sign(const struct jwk *key, const char *type, const json_t *claims, struct buf *buf,
	     struct shale_err *err);

#endif

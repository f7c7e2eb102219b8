/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The built-in token service: it answers the requests for tokens that clients make after a
 * challenge of access.c, so that one server needs no second one beside it. Users come from an
 * htpasswd file, what they get from the policy. It speaks docker's GET and OAuth2's POST. Tokens
 * and refresh tokens are signed, nothing is kept: servers that share the key directory need share
 * nothing else.
 */
#ifndef SHALE_REGISTRY_ISSUER_H
#define SHALE_REGISTRY_ISSUER_H

#include <stddef.h>
#include <time.h>

#include "base/buf.h"
#include "registry/form.h"
#include "registry/htpasswd.h"
#include "registry/jwk.h"
#include "registry/policy.h"

/* Seconds that a token is good for. docker's token specification: never less than 60. */
#define ISSUER_MIN_EXPIRES     60
#define ISSUER_DEFAULT_EXPIRES 300
#define ISSUER_MAX_EXPIRES     86400
/* A refresh token, 30 days; it also ends when its user's password changes. */
#define ISSUER_REFRESH_EXPIRES (30 * 86400)

/* All is borrowed, and outlives every request. */
struct issuer {
	const char *name;    /* iss */
	const char *service; /* aud, and what clients must ask for */
	long expires;
	const struct jwk_ring *keys; /* the last one signs */
	struct htpasswd *htpasswd;
	const struct policy *policy; /* may be NULL */
};

struct issuer_request {
	const char *method;
	const char *authorization; /* the header's value, or NULL */
	const struct form *form;   /* the query of a GET, the body of a POST */
	time_t now;
};

struct issuer_answer {
	unsigned int status;   /* 200, 400, 401, 405, 500, 503 */
	struct buf body;       /* application/json */
	const char *challenge; /* WWW-Authenticate for 401, or NULL */
	char actor[HTPASSWD_MAX_USER + 1];
	char reason[256]; /* for the log */
};

/* Safe from any thread; may sleep in a password hash. Answers carry Cache-Control: no-store. */
void issuer_handle(const struct issuer *issuer, const struct issuer_request *request,
		   struct issuer_answer *ret_answer);
void issuer_answer_release(struct issuer_answer *answer);

/* The public keys as a JWKS document, appended to buf. */
int issuer_publish(const struct issuer *issuer, struct buf *buf, struct shale_err *err);

#endif

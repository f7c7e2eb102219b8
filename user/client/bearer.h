/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tokens of a registry's token server: the request that asks for one, and what is read from the answer.
 */
#ifndef SHALE_CLIENT_BEARER_H
#define SHALE_CLIENT_BEARER_H

#include <stdint.h>

#include "client/answer.h"
#include "client/creds.h"
#include "client/web.h"

/* A token goes into a header, and servers take headers of 8 KiB; some tokens of clouds are longer. */
#define BEARER_MAX_TOKEN (48u << 10)
/* Answers of token servers. */
#define BEARER_MAX_ANSWER (256u << 10)
/* How long a token is good when the answer does not say; the protocol's number. */
#define BEARER_SECONDS 60

struct bearer {
	char *token;
	char *refresh_token; /* or NULL */
	uint64_t seconds;    /* it is good for */
};

#define __cleanup_bearer __attribute__((cleanup(bearer_release)))
void bearer_release(struct bearer *bearer);

int bearer_parse(const void *data, size_t len, struct bearer *ret_bearer, struct shale_err *err);

/* What is asked for: "repository:N:pull", separated by blanks; may be empty. */
struct bearer_wish {
	const struct answer_challenge *challenge;
	const struct creds *creds;
	const char *scopes;
	bool wants_refresh; /* a refresh token as well, by GET */
};

/*
 * Fills the request: with a refresh token OAuth2's POST, otherwise GET with user and password or as
 * nobody.
 */
int bearer_ask(const struct bearer_wish *wish, struct web_request *request,
	       struct shale_err *err);

/* "Basic ..." of user and password; NULL with err. */
char *bearer_basic(const struct creds *creds, struct shale_err *err);

#endif

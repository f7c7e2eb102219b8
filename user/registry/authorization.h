/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Authorization header of a request: Basic with a user and a password, or Bearer with a token.
 * What it means is decided in access.c.
 */
#ifndef SHALE_REGISTRY_AUTHORIZATION_H
#define SHALE_REGISTRY_AUTHORIZATION_H

#include <stddef.h>

#include "registry/htpasswd.h"

/* "Bearer " and the longest token. */
#define AUTHORIZATION_MAX ((16u << 10) + 16)

enum authorization_kind {
	AUTHORIZATION_NONE, /* no header, or Basic with nothing in it, which some clients send */
	AUTHORIZATION_BASIC,
	AUTHORIZATION_BEARER,
	AUTHORIZATION_BAD, /* something else, or broken */
};

struct authorization {
	enum authorization_kind kind;
	char user[HTPASSWD_MAX_USER + 1];
	char password[HTPASSWD_MAX_PASSWORD + 1];
	const char *token; /* within the header */
	size_t token_len;
};

/* @header: the value, NULL when there is none. Wipe what comes out with authorization_clear(). */
void authorization_parse(const char *header, struct authorization *ret_authorization);
void authorization_clear(struct authorization *authorization);

#endif

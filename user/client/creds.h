/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who we are to a registry: user and password, or a token that stands for them. From the caller, from
 * docker's and podman's files (authfile.c), or from a credential helper (credhelper.c).
 */
#ifndef SHALE_CLIENT_CREDS_H
#define SHALE_CLIENT_CREDS_H

#include <stdbool.h>

#include "base/err.h"

/* Of a user name, a password or a token; tokens of cloud registries take a few KiB. */
#define CREDS_MAX_TEXT (64u << 10)

struct creds {
	char *username;
	char *password;
	char *identity_token; /* an OAuth2 refresh token */
	char *registry_token; /* to be sent as it is */
};

#define __cleanup_creds __attribute__((cleanup(creds_release)))
void creds_release(struct creds *creds);
bool creds_are_empty(const struct creds *creds);

/*
 * What is known for a host, as image names have it; for @repository, of which podman's files may tell.
 * Nothing known is success with empty credentials.
 */
int creds_find(const struct shale_registry_opts *opts, const char *host, const char *repository,
	       struct creds *ret_creds, struct shale_err *err);

/* Keep credentials where docker keeps them: with its helper, or in its file. */
int creds_store(const struct shale_registry_opts *opts, const char *host,
		const struct creds *creds, struct shale_err *err);
/* ENOENT when there are none. */
int creds_erase(const struct shale_registry_opts *opts, const char *host, struct shale_err *err);

#endif

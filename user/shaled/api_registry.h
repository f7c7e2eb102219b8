/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a request wants registries to be talked to: who it is, from the header X-Registry-Auth, and what podman's
 * and our own clients add to the query: tlsVerify, certDir, timeout, tries. The daemon's user has no part in
 * it: his files are not looked at.
 */
#ifndef SHALE_SHALED_API_REGISTRY_H
#define SHALE_SHALED_API_REGISTRY_H

#include <jansson.h>
#include <shale.h>

#include "base/err.h"
#include "httpd/target.h"

/* The header's text; identity tokens of some registries have 4 KiB. */
#define API_MAX_AUTH 16384

struct api_registry {
	struct shale_registry_opts opts;
	json_t *auth; /* which the options point into */
	char *host;   /* for who logs in: that the request names, or NULL */
};

/* AUTH and any value of the query may be absent. EINVAL. */
int api_registry_parse(const char *auth, const struct target *target, struct api_registry *ret_registry,
		       struct shale_err *err);
/* The same from the JSON object that the header has encoded, which is taken. */
int api_registry_take(json_t *auth, const struct target *target, struct api_registry *ret_registry,
		      struct shale_err *err);
void api_registry_release(struct api_registry *registry);

#endif

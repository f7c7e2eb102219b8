/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where an image comes from: the registry's host and the repository there, taken from an image name.
 * Text only; whether the host answers is remote.c's business.
 */
#ifndef SHALE_CLIENT_ORIGIN_H
#define SHALE_CLIENT_ORIGIN_H

#include <stdbool.h>

#include "store/ref.h"

struct origin {
	char host[REF_MAX_NAME + 1];	   /* as the name has it: docker.io, quay.io:443 */
	char endpoint[REF_MAX_NAME + 1];   /* host[:port] that serves it */
	char repository[REF_MAX_NAME + 1]; /* library/debian */
};

int origin_of_ref(const struct ref *ref, struct origin *ret_origin, struct shale_err *err);
/* What docker serves docker.io from; every other host is its own endpoint. */
const char *origin_endpoint(const char *host);

/* "host", "host:port" of a server on this machine: localhost, 127.0.0.0/8, [::1]. */
bool origin_is_local(const char *endpoint);
/* The key of docker's config.json: docker.io has an old one. */
const char *origin_key(const char *host);

#endif

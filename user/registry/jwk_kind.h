/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each kind of key is called, for jwk.c which reads and writes them and jwt.c which signs with
 * them.
 */
#ifndef SHALE_REGISTRY_JWK_KIND_H
#define SHALE_REGISTRY_JWK_KIND_H

#include "registry/jwk.h"

struct jwk_kind_info {
	const char *type;  /* kty */
	const char *curve; /* crv, or NULL */
	const char *group; /* libcrypto's name of it */
	size_t bytes;	   /* of a coordinate */
};

const struct jwk_kind_info *jwk_kind_info(enum jwk_kind kind);

#endif

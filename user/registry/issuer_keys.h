/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The token service's own keys: a directory of private keys in PEM. All of them verify tokens, and
 * the last by name signs them, so that keys are rotated by putting files there and removing them
 * (Documentation/registry-auth.md). The first start makes the first key.
 */
#ifndef SHALE_REGISTRY_ISSUER_KEYS_H
#define SHALE_REGISTRY_ISSUER_KEYS_H

#include "base/err.h"
#include "registry/jwk.h"

/* A private key of 8192 bits is 6.5 KB. */
#define ISSUER_KEY_MAX (32u << 10)

/*
 * Fills the ring; the signing key is its last one. Several servers may start on one empty
 * directory: one makes the key and all use it. @err also when others than the owner may read a key.
 */
int issuer_keys_load(const char *dir, struct jwk_ring *ring, struct shale_err *err);

#endif

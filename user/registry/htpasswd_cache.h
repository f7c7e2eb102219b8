/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bcrypt said lately, for htpasswd.c. Keys are HMACs, under a key of this process, of user,
 * password and the file's hash: memory holds no password, and a changed entry is another key.
 */
#ifndef SHALE_REGISTRY_HTPASSWD_CACHE_H
#define SHALE_REGISTRY_HTPASSWD_CACHE_H

#include <stdbool.h>
#include <time.h>

#include "registry/htpasswd.h"

/* Users that log in within the same five minutes and are not asked for bcrypt again. */
#define HTPASSWD_CACHE_SETS 1024
#define HTPASSWD_CACHE_WAYS 4

struct htpasswd_key {
	unsigned char sum[32];
};

struct htpasswd_cache;

struct htpasswd_cache *htpasswd_cache_new(void);
void htpasswd_cache_free(struct htpasswd_cache *cache);

void htpasswd_cache_key(const struct htpasswd_cache *cache, const char *user, const char *password,
			const char *hash, struct htpasswd_key *ret_key);
bool htpasswd_cache_find(struct htpasswd_cache *cache, const struct htpasswd_key *key, time_t now,
			 enum htpasswd_result *ret_result);
/* Takes the place of the entry of its set that ends first. */
void htpasswd_cache_add(struct htpasswd_cache *cache, const struct htpasswd_key *key, time_t now,
			enum htpasswd_result result);

#endif

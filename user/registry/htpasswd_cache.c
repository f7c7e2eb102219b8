// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of htpasswd_cache.h: a table of sets, as a CPU's cache has them, so that it never
 * grows. Wrong passwords only take places of wrong ones or of what has ended, so that whoever
 * guesses cannot push out who is in.
 */
#include "registry/htpasswd_cache.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

struct slot {
	struct htpasswd_key key;
	time_t ends;
	enum htpasswd_result result;
};

struct htpasswd_cache {
	unsigned char secret[32];
	pthread_mutex_t lock; /* slots */
	struct slot slots[HTPASSWD_CACHE_SETS][HTPASSWD_CACHE_WAYS];
};

struct htpasswd_cache *htpasswd_cache_new(void)
{
	struct htpasswd_cache *cache = calloc(1, sizeof(*cache));

	if (!cache || RAND_bytes(cache->secret, sizeof(cache->secret)) != 1) {
		free(cache);
		return NULL;
	}
	pthread_mutex_init(&cache->lock, NULL);
	return cache;
}

void htpasswd_cache_free(struct htpasswd_cache *cache)
{
	if (!cache)
		return;
	pthread_mutex_destroy(&cache->lock);
	OPENSSL_cleanse(cache, sizeof(*cache));
	free(cache);
}

/* The NULs between the three keep "a" and "bc" apart from "ab" and "c". */
void htpasswd_cache_key(const struct htpasswd_cache *cache, const char *user, const char *password,
			const char *hash, struct htpasswd_key *ret_key)
{
	char text[HTPASSWD_MAX_USER + HTPASSWD_MAX_PASSWORD + 128];
	int len = snprintf(text, sizeof(text), "%s%c%s%c%s", user, 0, password, 0, hash);

	HMAC(EVP_sha256(), cache->secret, sizeof(cache->secret), (unsigned char *)text, len,
	     ret_key->sum, NULL);
	OPENSSL_cleanse(text, sizeof(text));
}

static struct slot *set_of(struct htpasswd_cache *cache, const struct htpasswd_key *key)
{
	return cache->slots[(key->sum[0] << 8 | key->sum[1]) % HTPASSWD_CACHE_SETS];
}

bool htpasswd_cache_find(struct htpasswd_cache *cache, const struct htpasswd_key *key, time_t now,
			 enum htpasswd_result *ret_result)
{
	struct slot *set = set_of(cache, key);
	bool found = false;

	pthread_mutex_lock(&cache->lock);
	for (int i = 0; i < HTPASSWD_CACHE_WAYS && !found; i++) {
		found = set[i].ends > now &&
			!CRYPTO_memcmp(set[i].key.sum, key->sum, sizeof(key->sum));
		if (found)
			*ret_result = set[i].result;
	}
	pthread_mutex_unlock(&cache->lock);
	return found;
}

static bool may_replace(const struct slot *slot, time_t now, enum htpasswd_result result)
{
	return result == HTPASSWD_RIGHT || slot->ends <= now || slot->result == HTPASSWD_WRONG;
}

void htpasswd_cache_add(struct htpasswd_cache *cache, const struct htpasswd_key *key, time_t now,
			enum htpasswd_result result)
{
	struct slot *set = set_of(cache, key);
	struct slot *place = NULL;

	pthread_mutex_lock(&cache->lock);
	for (int i = 0; i < HTPASSWD_CACHE_WAYS; i++)
		if (may_replace(&set[i], now, result) && (!place || set[i].ends < place->ends))
			place = &set[i];
	if (place) {
		place->key = *key;
		place->result = result;
		place->ends =
			now + (result == HTPASSWD_RIGHT ? HTPASSWD_REMEMBER : HTPASSWD_REFUSE);
	}
	pthread_mutex_unlock(&cache->lock);
}

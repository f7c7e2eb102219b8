// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring of trusted keys; see jwk.h. Filled once from files, then only read, by any number of
 * threads.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/jwk.h"
#include "store/json.h"

void jwk_ring_init(struct jwk_ring *ring)
{
	memset(ring, 0, sizeof(*ring));
}

void jwk_ring_release(struct jwk_ring *ring)
{
	for (size_t i = 0; i < ring->count; i++)
		jwk_release(&ring->keys[i]);
	X509_STORE_free(ring->roots);
	jwk_ring_init(ring);
}

static bool is_named(const struct jwk *key, const char *kid)
{
	return !strcmp(key->kid, kid) || !strcmp(key->thumbprint, kid) ||
	       !strcmp(key->libtrust, kid);
}

const struct jwk *jwk_ring_find(const struct jwk_ring *ring, const char *kid)
{
	for (size_t i = 0; kid[0] && i < ring->count; i++)
		if (is_named(&ring->keys[i], kid))
			return &ring->keys[i];
	return NULL;
}

const struct jwk *jwk_ring_find_same(const struct jwk_ring *ring, const struct jwk *key)
{
	for (size_t i = 0; key->key && i < ring->count; i++)
		if (ring->keys[i].key && EVP_PKEY_eq(ring->keys[i].key, key->key) == 1)
			return &ring->keys[i];
	return NULL;
}

/* Takes *key over, also when it fails. The same key again is no error: bundle and JWKS may overlap.
 */
static int add_key(struct jwk_ring *ring, struct jwk *key, const char *what, struct shale_err *err)
{
	int ret = 0;

	if (key->kid[0] && jwk_ring_find(ring, key->kid))
		ret = shale_err_set(err, EINVAL, "%s: there is another key '%s'", what, key->kid);
	else if (ring->count == JWK_MAX_KEYS)
		ret = shale_err_set(err, E2BIG, "%s: more than %d keys", what, JWK_MAX_KEYS);
	if (ret < 0 || (!key->kid[0] && jwk_ring_find_same(ring, key))) {
		jwk_release(key);
		return ret;
	}
	ring->keys[ring->count++] = *key;
	return 0;
}

int jwk_ring_add_jwks(struct jwk_ring *ring, const void *data, size_t len, const char *what,
		      struct shale_err *err)
{
	__cleanup_json json_t *json = NULL;
	const size_t before = ring->count;
	json_t *keys, *entry;
	char name[512];
	size_t i;

	if (json_parse_object(data, len, what, &json, err) < 0 ||
	    json_get_array(json, "keys", JWK_MAX_KEYS, false, what, &keys, err) < 0)
		return -1;
	json_array_foreach (keys, i, entry) {
		struct shale_err why = {0};
		struct jwk key;

		snprintf(name, sizeof(name), "%s: keys[%zu]", what, i);
		if (jwk_parse(entry, name, &key, &why) < 0) {
			/* RFC 7517 5: what we do not know is not for us. */
			if (why.code == EPROTONOSUPPORT)
				continue;
			if (err)
				*err = why;
			return -1;
		}
		if (add_key(ring, &key, name, err) < 0)
			return -1;
	}
	return ring->count > before ? 0 : shale_err_set(err, EINVAL, "%s: no key to trust", what);
}

static int add_root(struct jwk_ring *ring, X509 *cert, const char *what, struct shale_err *err)
{
	struct jwk key;

	if (!ring->roots)
		ring->roots = X509_STORE_new();
	if (!ring->roots || X509_STORE_add_cert(ring->roots, cert) != 1)
		return shale_err_set(err, ENOMEM, "%s: cannot keep a certificate", what);
	if (++ring->root_count > JWK_MAX_KEYS)
		return shale_err_set(err, E2BIG, "%s: more than %d certificates", what,
				     JWK_MAX_KEYS);
	if (jwk_from_pkey(X509_get0_pubkey(cert), what, &key, err) < 0)
		return -1;
	return add_key(ring, &key, what, err);
}

/* No passphrase is asked for on a terminal: with none given, an encrypted key cannot be read. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

/* Whether reading stopped at the end of what is PEM, rather than at something broken. */
static bool is_pem_end(void)
{
	unsigned long code = ERR_peek_last_error();

	ERR_clear_error();
	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

int jwk_ring_add_certs(struct jwk_ring *ring, const void *data, size_t len, const char *what,
		       struct shale_err *err)
{
	BIO *bio = BIO_new_mem_buf(data, len);
	size_t found = 0;
	int ret = 0;
	X509 *cert;

	ERR_clear_error();
	while (ret == 0 && (cert = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL))) {
		ret = add_root(ring, cert, what, err);
		X509_free(cert);
		found++;
	}
	BIO_free(bio);
	if (ret == 0 && !is_pem_end())
		return shale_err_set(err, EINVAL, "%s: certificate %zu cannot be read", what,
				     found + 1);
	if (ret == 0 && !found)
		return shale_err_set(err, EINVAL, "%s: no certificate", what);
	return ret;
}

int jwk_ring_add_private(struct jwk_ring *ring, const void *data, size_t len, const char *what,
			 struct shale_err *err)
{
	BIO *bio = BIO_new_mem_buf(data, len);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	struct jwk key;
	int ret;

	BIO_free(bio);
	ERR_clear_error();
	if (!pkey)
		return shale_err_set(err, EINVAL, "%s: no private key in PEM", what);
	ret = jwk_from_pkey(pkey, what, &key, err);
	EVP_PKEY_free(pkey);
	return ret < 0 ? -1 : add_key(ring, &key, what, err);
}

json_t *jwk_ring_to_json(const struct jwk_ring *ring)
{
	json_t *keys = json_array();

	for (size_t i = 0; i < ring->count; i++)
		if (ring->keys[i].key)
			json_array_append_new(keys, jwk_to_json(&ring->keys[i]));
	return json_pack("{s:o}", "keys", keys);
}

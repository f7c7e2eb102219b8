// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys and the ring of trusted ones; see jwk.h. libcrypto checks that points are on their curve;
 * what it does not check, sizes above all, is checked here. Called when the configuration is read,
 * and by jwt.c for a key that a token itself carries.
 */
#include "registry/jwk.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/b64.h"
#include "registry/jwk_kind.h"
#include "store/json.h"

/* RFC 8017 allows more; no key in use has more than 65537. */
#define RSA_MAX_EXPONENT_BYTES 8
/* RFC 7518 3.2: no shorter than the hash. */
#define SECRET_MIN 32
#define SECRET_MAX 1024
/* The longest member: a modulus in base64url. */
#define MEMBER_MAX 4096

static const struct jwk_kind_info kinds[] = {
	[JWK_P256] = {"EC", "P-256", "prime256v1", 32},
	[JWK_P384] = {"EC", "P-384", "secp384r1", 48},
	[JWK_P521] = {"EC", "P-521", "secp521r1", 66},
	[JWK_RSA] = {"RSA", NULL, NULL, 0},
	[JWK_ED25519] = {"OKP", "Ed25519", NULL, 32},
	[JWK_OCT] = {"oct", NULL, NULL, 0},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

const struct jwk_kind_info *jwk_kind_info(enum jwk_kind kind)
{
	return &kinds[kind];
}

void jwk_release(struct jwk *key)
{
	EVP_PKEY_free(key->key);
	if (key->secret)
		OPENSSL_clear_free(key->secret, key->secret_len);
	*key = (struct jwk){0};
}

/* A member in base64url, of @want bytes unless that is 0. */
static int get_bytes(const json_t *json, const char *field, size_t want, const char *what,
		     struct buf *buf, struct shale_err *err)
{
	const char *text;

	buf_clear(buf);
	if (json_get_text(json, field, false, what, &text, err) < 0)
		return -1;
	if (strlen(text) > MEMBER_MAX || b64_decode(B64_URL, text, strlen(text), buf) < 0 ||
	    !buf->len)
		return shale_err_set(err, EINVAL, "%s: '%s' is not base64url", what, field);
	if (want && buf->len != want)
		return shale_err_set(err, EINVAL, "%s: '%s' has %zu bytes, not %zu", what, field,
				     buf->len, want);
	return 0;
}

static int key_from_params(const char *type, OSSL_PARAM_BLD *build, const char *what,
			   EVP_PKEY **ret_key, struct shale_err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	if (!key)
		return shale_err_set(err, EINVAL, "%s: not a valid %s key", what, type);
	*ret_key = key;
	return 0;
}

static int parse_ec(const json_t *json, const struct jwk_kind_info *info, const char *what,
		    EVP_PKEY **ret_key, struct shale_err *err)
{
	__cleanup_buf struct buf part = BUF_INIT;
	__cleanup_buf struct buf point = BUF_INIT;
	OSSL_PARAM_BLD *build;
	int ret = -1;

	buf_addc(&point, POINT_CONVERSION_UNCOMPRESSED);
	if (get_bytes(json, "x", info->bytes, what, &part, err) < 0)
		return -1;
	buf_add(&point, part.data, part.len);
	if (get_bytes(json, "y", info->bytes, what, &part, err) < 0)
		return -1;
	if (buf_add(&point, part.data, part.len) < 0 || point.len != 2 * info->bytes + 1)
		return shale_err_set(err, ENOMEM, "%s", what);
	build = OSSL_PARAM_BLD_new();
	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, info->group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len))
		ret = key_from_params("EC", build, what, ret_key, err);
	else
		shale_err_set(err, ENOMEM, "%s", what);
	OSSL_PARAM_BLD_free(build);
	return ret;
}

static int parse_rsa(const json_t *json, const struct jwk_kind_info *info, const char *what,
		     EVP_PKEY **ret_key, struct shale_err *err)
{
	__cleanup_buf struct buf n = BUF_INIT;
	__cleanup_buf struct buf e = BUF_INIT;
	BIGNUM *modulus = NULL, *exponent = NULL;
	OSSL_PARAM_BLD *build;
	int ret = -1;

	(void)info;
	if (get_bytes(json, "n", 0, what, &n, err) < 0 ||
	    get_bytes(json, "e", 0, what, &e, err) < 0)
		return -1;
	if (e.len > RSA_MAX_EXPONENT_BYTES)
		return shale_err_set(err, EINVAL, "%s: 'e' is too long", what);
	modulus = BN_bin2bn((unsigned char *)n.data, n.len, NULL);
	exponent = BN_bin2bn((unsigned char *)e.data, e.len, NULL);
	build = OSSL_PARAM_BLD_new();
	if (build && modulus && exponent &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent))
		ret = key_from_params("RSA", build, what, ret_key, err);
	else
		shale_err_set(err, ENOMEM, "%s", what);
	OSSL_PARAM_BLD_free(build);
	BN_free(modulus);
	BN_free(exponent);
	return ret;
}

static int parse_ed25519(const json_t *json, const struct jwk_kind_info *info, const char *what,
			 EVP_PKEY **ret_key, struct shale_err *err)
{
	__cleanup_buf struct buf x = BUF_INIT;

	if (get_bytes(json, "x", info->bytes, what, &x, err) < 0)
		return -1;
	*ret_key =
		EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (unsigned char *)x.data, x.len);
	return *ret_key ? 0 : shale_err_set(err, EINVAL, "%s: not a valid Ed25519 key", what);
}

static int parse_secret(const json_t *json, const char *what, struct jwk *key,
			struct shale_err *err)
{
	__cleanup_buf struct buf secret = BUF_INIT;
	int ret = 0;

	if (get_bytes(json, "k", 0, what, &secret, err) < 0)
		return -1;
	if (secret.len < SECRET_MIN || secret.len > SECRET_MAX)
		ret = shale_err_set(err, EINVAL, "%s: a secret of %zu bytes, not %d to %d", what,
				    secret.len, SECRET_MIN, SECRET_MAX);
	else if (!(key->secret = OPENSSL_memdup(secret.data, secret.len)))
		ret = shale_err_set(err, ENOMEM, "%s", what);
	else
		key->secret_len = secret.len;
	OPENSSL_cleanse(secret.data, secret.len);
	return ret;
}

static int find_kind(const char *type, const char *curve)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strcmp(type, kinds[i].type) &&
		    (!kinds[i].curve || (curve && !strcmp(curve, kinds[i].curve))))
			return i;
	return -1;
}

/* The kind of a key that libcrypto has read, from a certificate or a private key's file. */
static int kind_of_pkey(const EVP_PKEY *key)
{
	char group[64];

	if (EVP_PKEY_is_a(key, "RSA"))
		return JWK_RSA;
	if (EVP_PKEY_is_a(key, "ED25519"))
		return JWK_ED25519;
	if (!EVP_PKEY_is_a(key, "EC") ||
	    EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1)
		return -1;
	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].group && !strcmp(group, kinds[i].group))
			return i;
	return -1;
}

static int check_size(const struct jwk *key, const char *what, struct shale_err *err)
{
	int bits;

	if (key->kind != JWK_RSA)
		return 0;
	bits = EVP_PKEY_get_bits(key->key);
	if (bits >= JWK_RSA_MIN && bits <= JWK_RSA_MAX)
		return 0;
	return shale_err_set(err, EINVAL, "%s: an RSA key of %d bits, not %d to %d", what, bits,
			     JWK_RSA_MIN, JWK_RSA_MAX);
}

/* RFC 7638: the required members in the order of their names, hashed. */
static int fill_thumbprint(struct jwk *key)
{
	__cleanup_buf struct buf hash = BUF_INIT;
	unsigned char sum[SHA256_DIGEST_LENGTH];
	json_t *json = jwk_to_json(key);
	char *text;

	json_object_del(json, "kid");
	json_object_del(json, "use");
	text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(json);
	if (!text)
		return -1;
	SHA256((unsigned char *)text, strlen(text), sum);
	free(text);
	if (b64_encode(B64_URL, sum, sizeof(sum), &hash) < 0)
		return -1;
	memcpy(key->thumbprint, hash.data, JWK_THUMBPRINT + 1);
	return 0;
}

/* The first 240 bits of the hash of the key in DER, in base32, in groups of four letters. */
static int fill_libtrust(struct jwk *key)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	unsigned char sum[SHA256_DIGEST_LENGTH];
	unsigned char *der = NULL;
	int len = i2d_PUBKEY(key->key, &der);
	char *at = key->libtrust;

	if (len < 0)
		return -1;
	SHA256(der, len, sum);
	OPENSSL_free(der);
	for (size_t i = 0; i < 48; i++) {
		unsigned int pair = sum[i * 5 / 8] << 8 | sum[i * 5 / 8 + 1];

		if (i && i % 4 == 0)
			*at++ = ':';
		*at++ = letters[pair >> (11 - i * 5 % 8) & 31];
	}
	*at = '\0';
	return 0;
}

static int finish(struct jwk *key, const char *what, struct shale_err *err)
{
	if (check_size(key, what, err) < 0)
		return -1;
	if (key->key && (fill_thumbprint(key) < 0 || fill_libtrust(key) < 0))
		return shale_err_set(err, ENOMEM, "%s", what);
	return 0;
}

static int copy_member(const json_t *json, const char *field, const char *what, char *ret_text,
		       size_t size, struct shale_err *err)
{
	const char *text;

	if (json_get_text(json, field, true, what, &text, err) < 0)
		return -1;
	if (snprintf(ret_text, size, "%s", text ? text : "") >= (int)size)
		return shale_err_set(err, EINVAL, "%s: '%s' is too long", what, field);
	return 0;
}

static int parse_public(const json_t *json, const char *what, struct jwk *key,
			struct shale_err *err)
{
	static int (*const parsers[])(const json_t *, const struct jwk_kind_info *, const char *,
				      EVP_PKEY **, struct shale_err *) = {
		[JWK_P256] = parse_ec, [JWK_P384] = parse_ec,	      [JWK_P521] = parse_ec,
		[JWK_RSA] = parse_rsa, [JWK_ED25519] = parse_ed25519,
	};

	return parsers[key->kind](json, &kinds[key->kind], what, &key->key, err);
}

int jwk_parse(const json_t *json, const char *what, struct jwk *ret_key, struct shale_err *err)
{
	__cleanup(jwk_release) struct jwk key = {0};
	const char *type, *curve, *use;
	int kind;

	if (json_get_text(json, "kty", false, what, &type, err) < 0 ||
	    json_get_text(json, "crv", true, what, &curve, err) < 0 ||
	    json_get_text(json, "use", true, what, &use, err) < 0)
		return -1;
	kind = find_kind(type, curve);
	if (kind < 0 || (use && strcmp(use, "sig")))
		return shale_err_set(err, EPROTONOSUPPORT, "%s: not a key to sign with", what);
	key.kind = kind;
	if (copy_member(json, "kid", what, key.kid, sizeof(key.kid), err) < 0 ||
	    copy_member(json, "alg", what, key.alg, sizeof(key.alg), err) < 0)
		return -1;
	if ((kind == JWK_OCT ? parse_secret(json, what, &key, err)
			     : parse_public(json, what, &key, err)) < 0 ||
	    finish(&key, what, err) < 0)
		return -1;
	*ret_key = key;
	key = (struct jwk){0};
	return 0;
}

int jwk_from_pkey(EVP_PKEY *pkey, const char *what, struct jwk *ret_key, struct shale_err *err)
{
	__cleanup(jwk_release) struct jwk key = {0};
	int kind = kind_of_pkey(pkey);

	if (kind < 0)
		return shale_err_set(
			err, EPROTONOSUPPORT,
			"%s: neither RSA, Ed25519 nor one of the curves P-256, P-384 and P-521",
			what);
	key.kind = kind;
	EVP_PKEY_up_ref(pkey);
	key.key = pkey;
	if (finish(&key, what, err) < 0)
		return -1;
	*ret_key = key;
	key = (struct jwk){0};
	return 0;
}

static int set_number(json_t *json, const char *field, const EVP_PKEY *key, const char *param,
		      size_t width)
{
	__cleanup_buf struct buf text = BUF_INIT;
	unsigned char bytes[JWK_RSA_MAX / 8];
	BIGNUM *number = NULL;
	int ret = -1;

	if (EVP_PKEY_get_bn_param(key, param, &number) != 1)
		return -1;
	if (!width)
		width = BN_num_bytes(number);
	if (width <= sizeof(bytes) && BN_bn2binpad(number, bytes, width) == (int)width &&
	    b64_encode(B64_URL, bytes, width, &text) == 0)
		ret = json_object_set_new(json, field, json_string(text.data));
	BN_free(number);
	return ret;
}

static int set_raw(json_t *json, const EVP_PKEY *key)
{
	__cleanup_buf struct buf text = BUF_INIT;
	unsigned char raw[64];
	size_t len = sizeof(raw);

	if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1 ||
	    b64_encode(B64_URL, raw, len, &text) < 0)
		return -1;
	return json_object_set_new(json, "x", json_string(text.data));
}

static int set_public(json_t *json, const struct jwk *key)
{
	const struct jwk_kind_info *info = &kinds[key->kind];

	if (key->kind == JWK_ED25519)
		return set_raw(json, key->key);
	if (key->kind == JWK_RSA)
		return set_number(json, "n", key->key, OSSL_PKEY_PARAM_RSA_N, 0) |
		       set_number(json, "e", key->key, OSSL_PKEY_PARAM_RSA_E, 0);
	return set_number(json, "x", key->key, OSSL_PKEY_PARAM_EC_PUB_X, info->bytes) |
	       set_number(json, "y", key->key, OSSL_PKEY_PARAM_EC_PUB_Y, info->bytes);
}

json_t *jwk_to_json(const struct jwk *key)
{
	const struct jwk_kind_info *info = &kinds[key->kind];
	json_t *json;

	if (!key->key)
		return NULL;
	json = json_pack("{s:s, s:s, s:s}", "kty", info->type, "use", "sig", "kid",
			 key->kid[0] ? key->kid : key->thumbprint);
	if (info->curve)
		json_object_set_new(json, "crv", json_string(info->curve));
	if (!json || set_public(json, key) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

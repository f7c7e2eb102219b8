// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys and signatures over libcrypto; see jws_key.h. Called by jws.c.
 */
#include "client/jws_key.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/cleanup.h"
#include "client/base64.h"
#include "store/json.h"

static const struct {
	const char *crv;
	const char *group;
	size_t field;
} curves[] = {
	{ "P-256", "prime256v1", 32 },
	{ "P-384", "secp384r1", 48 },
	{ "P-521", "secp521r1", 66 },
};

static const struct {
	const char *alg;
	const char *hash;
	size_t field;
} algorithms[] = {
	{ "ES256", "SHA256", 32 }, { "ES384", "SHA384", 48 }, { "ES512", "SHA512", 66 },
	{ "RS256", "SHA256", 0 },  { "RS384", "SHA384", 0 },  { "RS512", "SHA512", 0 },
};

void jws_key_release(struct jws_key *key)
{
	EVP_PKEY_free(key->key);
	*key = (struct jws_key){ 0 };
}

static int key_number(const json_t *json, const char *field, struct buf *out, struct shale_err *err)
{
	const char *text = NULL;

	if (json_get_text(json, field, false, "jwk", &text, err) < 0)
		return -1;
	if (!*text || !base64_decode_url(text, strlen(text), out))
		return shale_err_set(err, EINVAL, "jwk: field '%s' is no number", field);
	return 0;
}

static int make_key(const char *type, OSSL_PARAM_BLD *build, struct jws_key *key,
		    struct shale_err *err)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	int ok = ctx && params && EVP_PKEY_fromdata_init(ctx) > 0 &&
		 EVP_PKEY_fromdata(ctx, &key->key, EVP_PKEY_PUBLIC_KEY, params) > 0;

	OSSL_PARAM_free(params);
	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : shale_err_set(err, EINVAL, "jwk: it is no key");
}

/* A number of a fixed size; short ones are taken as well, as some writers drop zeros in front. */
static int add_coordinate(const json_t *json, const char *field, size_t len, struct buf *point,
			  struct shale_err *err)
{
	__cleanup_buf struct buf number = BUF_INIT;

	if (key_number(json, field, &number, err) < 0)
		return -1;
	if (number.len > len)
		return shale_err_set(err, EINVAL, "jwk: field '%s' is too long", field);
	for (size_t i = number.len; i < len; i++)
		if (buf_addc(point, 0) < 0)
			return shale_err_errno(err, "jwk");
	return buf_add(point, number.data, number.len) < 0 ? shale_err_errno(err, "jwk") : 0;
}

static int parse_ec(const json_t *json, struct jws_key *key, struct shale_err *err)
{
	__cleanup_buf struct buf point = BUF_INIT;
	const char *crv = NULL;
	OSSL_PARAM_BLD *build;
	size_t i = 0;
	int ret = -1;

	if (json_get_text(json, "crv", false, "jwk", &crv, err) < 0)
		return -1;
	while (i < sizeof(curves) / sizeof(*curves) && strcmp(curves[i].crv, crv))
		i++;
	if (i == sizeof(curves) / sizeof(*curves))
		return shale_err_set(err, EINVAL, "jwk: unknown curve '%.50s'", crv);
	key->field = curves[i].field;
	if (buf_addc(&point, POINT_CONVERSION_UNCOMPRESSED) < 0)
		return shale_err_errno(err, "jwk");
	if (add_coordinate(json, "x", key->field, &point, err) < 0 ||
	    add_coordinate(json, "y", key->field, &point, err) < 0)
		return -1;
	build = OSSL_PARAM_BLD_new();
	if (build &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, curves[i].group, 0) &&
	    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point.data, point.len))
		ret = make_key("EC", build, key, err);
	else
		shale_err_set(err, ENOMEM, "jwk");
	OSSL_PARAM_BLD_free(build);
	return ret;
}

static int check_modulus(const struct jws_key *key, struct shale_err *err)
{
	int bits = EVP_PKEY_get_bits(key->key);

	if (bits >= JWS_KEY_RSA_MIN && bits <= JWS_KEY_RSA_MAX)
		return 0;
	return shale_err_set(err, EINVAL, "jwk: an RSA key of %d bits", bits);
}

static int parse_rsa(const json_t *json, struct jws_key *key, struct shale_err *err)
{
	__cleanup_buf struct buf exponent = BUF_INIT;
	__cleanup_buf struct buf modulus = BUF_INIT;
	OSSL_PARAM_BLD *build;
	BIGNUM *n;
	BIGNUM *e;
	int ret = -1;

	if (key_number(json, "n", &modulus, err) < 0 || key_number(json, "e", &exponent, err) < 0)
		return -1;
	/* Before anybody computes with them; exponents are 65537, or at most as long as OpenSSL allows. */
	if (modulus.len > JWS_KEY_RSA_MAX / 8 + 1 || exponent.len > 8)
		return shale_err_set(err, EINVAL, "jwk: an RSA key that is too long");
	build = OSSL_PARAM_BLD_new();
	n = BN_bin2bn((unsigned char *)modulus.data, modulus.len, NULL);
	e = BN_bin2bn((unsigned char *)exponent.data, exponent.len, NULL);
	if (build && n && e && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) &&
	    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e))
		ret = make_key("RSA", build, key, err);
	else
		shale_err_set(err, ENOMEM, "jwk");
	OSSL_PARAM_BLD_free(build);
	BN_free(n);
	BN_free(e);
	return ret < 0 ? -1 : check_modulus(key, err);
}

int jws_key_parse(const json_t *json, struct jws_key *ret_key, struct shale_err *err)
{
	__cleanup_jws_key struct jws_key key = { 0 };
	const char *kty = NULL;
	int ret;

	if (json_get_text(json, "kty", false, "jwk", &kty, err) < 0)
		return -1;
	if (!strcmp(kty, "EC"))
		ret = parse_ec(json, &key, err);
	else if (!strcmp(kty, "RSA"))
		ret = parse_rsa(json, &key, err);
	else
		ret = shale_err_set(err, EINVAL, "jwk: unknown kind of key '%.50s'", kty);
	if (ret < 0)
		return -1;
	*ret_key = key;
	key = (struct jws_key){ 0 };
	return 0;
}

static size_t field_of(EVP_PKEY *key)
{
	char group[64] = "";
	size_t len = 0;

	if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC ||
	    !EVP_PKEY_get_group_name(key, group, sizeof(group), &len))
		return 0;
	for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++)
		if (!strcmp(curves[i].group, group))
			return curves[i].field;
	return 0;
}

int jws_key_of_certificate(const char *text, struct jws_key *ret_key, struct shale_err *err)
{
	__cleanup_jws_key struct jws_key key = { 0 };
	__cleanup_buf struct buf der = BUF_INIT;
	const unsigned char *at;
	X509 *certificate;

	if (!base64_decode(text, strlen(text), &der))
		return shale_err_set(err, EINVAL, "x5c: it is not base64");
	at = (const unsigned char *)buf_str(&der);
	certificate = d2i_X509(NULL, &at, der.len);
	key.key = certificate ? X509_get_pubkey(certificate) : NULL;
	X509_free(certificate);
	if (!key.key)
		return shale_err_set(err, EINVAL, "x5c: it is no certificate");
	key.field = field_of(key.key);
	if (!key.field && EVP_PKEY_get_base_id(key.key) != EVP_PKEY_RSA)
		return shale_err_set(err, EINVAL, "x5c: unknown kind of key");
	if (!key.field && check_modulus(&key, err) < 0)
		return -1;
	*ret_key = key;
	key = (struct jws_key){ 0 };
	return 0;
}

/* r and s one after the other, as the DER that libcrypto wants. */
static int der_of_ec(const struct buf *signature, size_t field, struct buf *der)
{
	const unsigned char *bytes = (const unsigned char *)signature->data;
	ECDSA_SIG *sig;
	unsigned char *out = NULL;
	BIGNUM *r;
	BIGNUM *s;
	int len = -1;

	if (signature->len != 2 * field)
		return -1;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(bytes, field, NULL);
	s = BN_bin2bn(bytes + field, field, NULL);
	if (sig && r && s && ECDSA_SIG_set0(sig, r, s)) {
		r = s = NULL;
		len = i2d_ECDSA_SIG(sig, &out);
	}
	BN_free(r);
	BN_free(s);
	ECDSA_SIG_free(sig);
	if (len > 0 && buf_add(der, out, len) < 0)
		len = -1;
	OPENSSL_free(out);
	return len > 0 ? 0 : -1;
}

static bool is_signed(const struct jws_key *key, const char *hash, const struct buf *data,
		      const struct buf *signature)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx &&
		    EVP_DigestVerifyInit_ex(ctx, NULL, hash, NULL, NULL, key->key, NULL) > 0 &&
		    EVP_DigestVerify(ctx, (const unsigned char *)buf_str(signature), signature->len,
				     (const unsigned char *)buf_str(data), data->len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

int jws_key_verify(const struct jws_key *key, const char *alg, const struct buf *data,
		   const struct buf *signature, struct shale_err *err)
{
	__cleanup_buf struct buf der = BUF_INIT;
	size_t i = 0;

	while (i < sizeof(algorithms) / sizeof(*algorithms) && strcmp(algorithms[i].alg, alg))
		i++;
	if (i == sizeof(algorithms) / sizeof(*algorithms) || algorithms[i].field != key->field)
		return shale_err_set(err, EINVAL, "algorithm '%.50s' is not its key's", alg);
	if (key->field && der_of_ec(signature, key->field, &der) < 0)
		return shale_err_set(err, EBADMSG, "it is not of its key");
	if (!is_signed(key, algorithms[i].hash, data, key->field ? &der : signature))
		return shale_err_set(err, EBADMSG, "it is not of its key");
	return 0;
}

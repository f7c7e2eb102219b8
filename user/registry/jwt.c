// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens; see jwt.h. The order of verification is: size, three parts, header, key, algorithm
 * against key, signature, and only then the claims. Called by access.c for each request with a
 * token, and by issuer.c.
 */
#include "registry/jwt.h"

#include <errno.h>
#include <math.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "registry/b64.h"
#include "registry/jwk_kind.h"
#include "store/json.h"

struct algorithm {
	const char *name;
	const EVP_MD *(*md)(void);
	enum jwk_kind kind;
	bool pss;
};

static const struct algorithm algorithms[] = {
	[JWT_ES256] = {"ES256", EVP_sha256, JWK_P256, false},
	[JWT_ES384] = {"ES384", EVP_sha384, JWK_P384, false},
	[JWT_ES512] = {"ES512", EVP_sha512, JWK_P521, false},
	[JWT_RS256] = {"RS256", EVP_sha256, JWK_RSA, false},
	[JWT_RS384] = {"RS384", EVP_sha384, JWK_RSA, false},
	[JWT_RS512] = {"RS512", EVP_sha512, JWK_RSA, false},
	[JWT_PS256] = {"PS256", EVP_sha256, JWK_RSA, true},
	[JWT_PS384] = {"PS384", EVP_sha384, JWK_RSA, true},
	[JWT_PS512] = {"PS512", EVP_sha512, JWK_RSA, true},
	[JWT_EDDSA] = {"EdDSA", NULL, JWK_ED25519, false},
	[JWT_HS256] = {"HS256", EVP_sha256, JWK_OCT, false},
	[JWT_HS384] = {"HS384", EVP_sha384, JWK_OCT, false},
	[JWT_HS512] = {"HS512", EVP_sha512, JWK_OCT, false},
};

static int find_algorithm(const char *name)
{
	for (int i = 0; i < JWT_ALGORITHMS; i++)
		if (!strcmp(name, algorithms[i].name))
			return i;
	return -1;
}

unsigned int jwt_algorithm_bit(const char *name)
{
	int found = find_algorithm(name);

	return found < 0 ? 0 : JWT_BIT(found);
}

/* header.claims.signature, as they stand in the token. */
struct parts {
	const char *token;
	size_t signed_len; /* header, dot and claims */
	struct buf header;
	struct buf claims;
	struct buf signature;
};

static void parts_release(struct parts *parts)
{
	buf_release(&parts->header);
	buf_release(&parts->claims);
	buf_release(&parts->signature);
}

static int split_token(const char *token, size_t len, struct parts *parts, struct shale_err *err)
{
	const char *first, *second;

	if (len > JWT_MAX_BYTES)
		return shale_err_set(err, EBADMSG, "a token of more than %u bytes", JWT_MAX_BYTES);
	first = memchr(token, '.', len);
	second = first ? memchr(first + 1, '.', token + len - first - 1) : NULL;
	if (!second || b64_decode(B64_URL, token, first - token, &parts->header) < 0 ||
	    b64_decode(B64_URL, first + 1, second - first - 1, &parts->claims) < 0 ||
	    b64_decode(B64_URL, second + 1, token + len - second - 1, &parts->signature) < 0)
		return shale_err_set(err, EBADMSG, "not three parts in base64url");
	parts->token = token;
	parts->signed_len = second - token;
	return 0;
}

/* Whoever can sign may add what we do not understand; RFC 7515 4.1.11 says to refuse it. */
static int check_header(const json_t *header, const struct jwt_rules *rules, const char **ret_alg,
			struct shale_err *err)
{
	const char *type;

	if (json_object_get(header, "crit"))
		return shale_err_set(err, EACCES, "the header has 'crit'");
	if (json_get_text(header, "typ", true, "header", &type, err) < 0 ||
	    json_get_text(header, "alg", false, "header", ret_alg, err) < 0)
		return -1;
	if (strcasecmp(type ? type : "JWT", rules->type))
		return shale_err_set(err, EACCES, "type '%.40s' and not '%s'", type ? type : "JWT",
				     rules->type);
	return 0;
}

static X509 *cert_of_entry(const json_t *entry)
{
	__cleanup_buf struct buf der = BUF_INIT;
	const unsigned char *at;
	X509 *cert;

	if (!json_is_string(entry) ||
	    b64_decode(B64_PADDED, json_string_value(entry), json_string_length(entry), &der) < 0)
		return NULL;
	at = (unsigned char *)der.data;
	cert = at ? d2i_X509(NULL, &at, der.len) : NULL;
	if (cert && at != (unsigned char *)der.data + der.len) {
		X509_free(cert);
		return NULL;
	}
	return cert;
}

static int read_chain(const json_t *list, STACK_OF(X509) * chain, struct shale_err *err)
{
	json_t *entry;
	size_t i;

	if (!json_array_size(list) || json_array_size(list) > JWT_MAX_CHAIN)
		return shale_err_set(err, EACCES, "x5c: not 1 to %d certificates", JWT_MAX_CHAIN);
	json_array_foreach ((json_t *)list, i, entry) {
		X509 *cert = cert_of_entry(entry);

		if (!cert || !sk_X509_push(chain, cert)) {
			X509_free(cert);
			return shale_err_set(err, EACCES, "x5c: element %zu is no certificate", i);
		}
	}
	return 0;
}

/* Any certificate of the bundle ends a chain, self-signed or not, as for distribution. */
static int verify_chain(const struct jwt_rules *rules, STACK_OF(X509) * chain,
			struct shale_err *err)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	int ret = -1;

	if (!ctx ||
	    X509_STORE_CTX_init(ctx, rules->keys->roots, sk_X509_value(chain, 0), chain) != 1) {
		X509_STORE_CTX_free(ctx);
		return shale_err_set(err, ENOMEM, "x5c");
	}
	X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
	X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(ctx), JWT_MAX_CHAIN);
	X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx), rules->now);
	if (X509_verify_cert(ctx) == 1)
		ret = 0;
	else
		shale_err_set(err, EACCES, "x5c: %s",
			      X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
	X509_STORE_CTX_free(ctx);
	ERR_clear_error();
	return ret;
}

static void chain_freep(STACK_OF(X509) * *chain)
{
	sk_X509_pop_free(*chain, X509_free);
}

static int key_of_chain(const struct jwt_rules *rules, const json_t *list, struct jwk *ret_key,
			struct shale_err *err)
{
	__cleanup(chain_freep) STACK_OF(X509) *chain = sk_X509_new_null();

	if (!rules->keys->roots)
		return shale_err_set(err, EACCES, "x5c: no rootcertbundle to verify it with");
	if (!chain || read_chain(list, chain, err) < 0 || verify_chain(rules, chain, err) < 0)
		return -1;
	return jwk_from_pkey(X509_get0_pubkey(sk_X509_value(chain, 0)), "x5c", ret_key, err);
}

/* A key that comes with the token only says which of ours it is. */
static int key_of_jwk(const struct jwt_rules *rules, const json_t *json, const struct jwk **ret_key,
		      struct shale_err *err)
{
	__cleanup(jwk_release) struct jwk key = {0};

	if (!json_is_object(json) || jwk_parse(json, "jwk", &key, err) < 0)
		return shale_err_set(err, EACCES, "the header's jwk is no key");
	*ret_key = jwk_ring_find_same(rules->keys, &key);
	return *ret_key ? 0 : shale_err_set(err, EACCES, "the header's jwk is not a trusted key");
}

/*
 * The key that the header names, in the order of distribution: x5c, jwk, kid. *own is for one that
 * had to be made, and is released by the caller.
 */
static int choose_key(const json_t *header, const struct jwt_rules *rules, struct jwk *own,
		      const struct jwk **ret_key, struct shale_err *err)
{
	const json_t *jwk = json_object_get(header, "jwk");
	const json_t *chain = json_object_get(header, "x5c");
	const char *kid;

	if (!chain && jwk)
		chain = json_object_get(jwk, "x5c");
	if (chain) {
		*ret_key = own;
		return key_of_chain(rules, chain, own, err);
	}
	if (jwk)
		return key_of_jwk(rules, jwk, ret_key, err);
	if (json_get_text(header, "kid", true, "header", &kid, err) < 0)
		return -1;
	*ret_key = kid ? jwk_ring_find(rules->keys, kid) : NULL;
	if (*ret_key)
		return 0;
	return shale_err_set(err, EACCES, kid ? "no trusted key '%.100s'" : "no key is named", kid);
}

static int choose_algorithm(const char *name, const struct jwk *key, const struct jwt_rules *rules,
			    const struct algorithm **ret_algorithm, struct shale_err *err)
{
	int found = find_algorithm(name);

	if (found < 0 || !(rules->algorithms & JWT_BIT(found)))
		return shale_err_set(err, EACCES, "algorithm '%.40s' is not allowed", name);
	if (algorithms[found].kind != key->kind || (key->alg[0] && strcmp(key->alg, name)))
		return shale_err_set(err, EACCES, "algorithm '%s' is not for this key", name);
	*ret_algorithm = &algorithms[found];
	return 0;
}

static bool is_mac_right(const struct algorithm *algorithm, const struct jwk *key,
			 const struct parts *parts)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	return HMAC(algorithm->md(), key->secret, key->secret_len,
		    (const unsigned char *)parts->token, parts->signed_len, mac, &len) &&
	       parts->signature.len == len && !CRYPTO_memcmp(mac, parts->signature.data, len);
}

/* JOSE has r and s side by side, libcrypto wants them in DER. -1 when the length is wrong. */
static int ecdsa_to_der(const struct buf *raw, size_t width, unsigned char **ret_der)
{
	const unsigned char *bytes = (const unsigned char *)raw->data;
	ECDSA_SIG *sig;
	BIGNUM *r, *s;
	int len = -1;

	if (raw->len != 2 * width)
		return -1;
	sig = ECDSA_SIG_new();
	r = BN_bin2bn(bytes, width, NULL);
	s = BN_bin2bn(bytes + width, width, NULL);
	if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
		len = i2d_ECDSA_SIG(sig, ret_der);
	} else {
		BN_free(r);
		BN_free(s);
	}
	ECDSA_SIG_free(sig);
	return len;
}

static int set_pss(const struct algorithm *algorithm, EVP_PKEY_CTX *ctx)
{
	if (!algorithm->pss)
		return 0;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
			       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1
		       ? 0
		       : -1;
}

static bool is_signature_right(const struct algorithm *algorithm, const struct jwk *key,
			       const struct parts *parts)
{
	const unsigned char *sig = (const unsigned char *)parts->signature.data;
	size_t width = jwk_kind_info(key->kind)->group ? jwk_kind_info(key->kind)->bytes : 0;
	int len = parts->signature.len;
	unsigned char *der = NULL;
	EVP_PKEY_CTX *params;
	EVP_MD_CTX *ctx;
	bool right;

	if (key->kind == JWK_OCT)
		return is_mac_right(algorithm, key, parts);
	if (width)
		len = ecdsa_to_der(&parts->signature, width, &der);
	ctx = EVP_MD_CTX_new();
	right = len > 0 && ctx &&
		EVP_DigestVerifyInit(ctx, &params, algorithm->md ? algorithm->md() : NULL, NULL,
				     key->key) == 1 &&
		set_pss(algorithm, params) == 0 &&
		EVP_DigestVerify(ctx, width ? der : sig, len, (const unsigned char *)parts->token,
				 parts->signed_len) == 1;
	EVP_MD_CTX_free(ctx);
	OPENSSL_free(der);
	ERR_clear_error();
	return right;
}

static int verify_signature(const struct parts *parts, const struct jwt_rules *rules,
			    struct shale_err *err)
{
	__cleanup(jwk_release) struct jwk own = {0};
	__cleanup_json json_t *header = NULL;
	const struct algorithm *algorithm = NULL;
	const struct jwk *key = NULL;
	const char *name;

	if (json_parse_object(buf_str(&parts->header), parts->header.len, "header", &header, err) <
		    0 ||
	    check_header(header, rules, &name, err) < 0 ||
	    choose_key(header, rules, &own, &key, err) < 0 ||
	    choose_algorithm(name, key, rules, &algorithm, err) < 0)
		return -1;
	if (!is_signature_right(algorithm, key, parts))
		return shale_err_set(err, EACCES, "the signature is wrong");
	return 0;
}

/* A NumericDate; fractions are allowed, what no clock can show is not. */
static int get_time(const json_t *claims, const char *field, bool optional, double *ret_time,
		    struct shale_err *err)
{
	const json_t *value = json_object_get(claims, field);
	double number = json_number_value(value);

	if (!value && optional) {
		*ret_time = 0;
		return 0;
	}
	if (!json_is_number(value) || !isfinite(number) || number < 0 || number > 1e15)
		return shale_err_set(err, EACCES, "'%s' is not a time", field);
	*ret_time = number;
	return 0;
}

static int check_times(const json_t *claims, time_t now, struct shale_err *err)
{
	double expires, begins;

	if (get_time(claims, "exp", false, &expires, err) < 0 ||
	    get_time(claims, "nbf", true, &begins, err) < 0)
		return -1;
	if ((double)now > expires + JWT_LEEWAY)
		return shale_err_set(err, EACCES, "expired %.0f seconds ago", now - expires);
	if ((double)now < begins - JWT_LEEWAY)
		return shale_err_set(err, EACCES, "not valid for another %.0f seconds",
				     begins - now);
	return 0;
}

static bool is_text(const json_t *value, const char *text)
{
	return json_is_string(value) && json_string_length(value) == strlen(text) &&
	       !strcmp(json_string_value(value), text);
}

/* One text, or a list of which one element has to be it. */
static bool is_audience(const json_t *value, const char *audience)
{
	json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)value, i, entry)
		if (is_text(entry, audience))
			return true;
	return is_text(value, audience);
}

static int check_claims(const json_t *claims, const struct jwt_rules *rules, struct shale_err *err)
{
	if (!is_text(json_object_get(claims, "iss"), rules->issuer))
		return shale_err_set(err, EACCES, "not of issuer '%s'", rules->issuer);
	if (!is_audience(json_object_get(claims, "aud"), rules->audience))
		return shale_err_set(err, EACCES, "not for audience '%s'", rules->audience);
	return check_times(claims, rules->now, err);
}

static int verify_parts(const char *token, size_t len, const struct jwt_rules *rules,
			json_t **ret_claims, struct shale_err *err)
{
	__cleanup(parts_release) struct parts parts = {0};
	__cleanup_json json_t *claims = NULL;

	if (split_token(token, len, &parts, err) < 0 || verify_signature(&parts, rules, err) < 0 ||
	    json_parse_object(buf_str(&parts.claims), parts.claims.len, "claims", &claims, err) <
		    0 ||
	    check_claims(claims, rules, err) < 0)
		return -1;
	*ret_claims = steal_ptr(claims);
	return 0;
}

int jwt_verify(const char *token, size_t len, const struct jwt_rules *rules, json_t **ret_claims,
	       struct shale_err *err)
{
	struct shale_err why = {0};

	if (verify_parts(token, len, rules, ret_claims, &why) == 0)
		return 0;
	/* What the JSON getters refuse is no token. */
	return shale_err_set(err, why.code == EACCES || why.code == ENOMEM ? why.code : EBADMSG,
			     "token: %s", why.msg);
}

static int add_json_part(const json_t *json, struct buf *buf)
{
	char *text = json_dumps(json, JSON_COMPACT);
	int ret = text ? b64_encode(B64_URL, text, strlen(text), buf) : -1;

	free(text);
	return ret;
}

/* From DER to r and s side by side. */
static int add_ecdsa(const unsigned char *der, size_t len, size_t width, struct buf *buf)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, len);
	unsigned char raw[2 * 66];
	int ret = -1;

	if (sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, width) == (int)width &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + width, width) == (int)width)
		ret = b64_encode(B64_URL, raw, 2 * width, buf);
	ECDSA_SIG_free(sig);
	return ret;
}

static int add_signature(const struct algorithm *algorithm, const struct jwk *key, size_t start,
			 struct buf *buf)
{
	const struct jwk_kind_info *info = jwk_kind_info(key->kind);
	unsigned char sig[JWK_RSA_MAX / 8];
	size_t len = sizeof(sig);
	const unsigned char *text = (unsigned char *)buf->data + start;
	size_t text_len = buf->len - start;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ret = -1;

	if (ctx &&
	    EVP_DigestSignInit(ctx, NULL, algorithm->md ? algorithm->md() : NULL, NULL, key->key) ==
		    1 &&
	    EVP_DigestSign(ctx, sig, &len, text, text_len) == 1 && buf_addc(buf, '.') == 0)
		ret = info->group ? add_ecdsa(sig, len, info->bytes, buf)
				  : b64_encode(B64_URL, sig, len, buf);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ret;
}

static const struct algorithm *algorithm_of_key(const struct jwk *key)
{
	for (int i = 0; i < JWT_ALGORITHMS; i++)
		if (algorithms[i].kind == key->kind)
			return &algorithms[i];
	return NULL;
}

int jwt_sign(const struct jwk *key, const char *type, const json_t *claims, struct buf *buf,
	     struct shale_err *err)
{
	const struct algorithm *algorithm = algorithm_of_key(key);
	__cleanup_json json_t *header =
		json_pack("{s:s, s:s, s:s}", "typ", type, "alg", algorithm->name, "kid",
			  key->kid[0] ? key->kid : key->thumbprint);
	const size_t start = buf->len;

	if (!key->key || !header || add_json_part(header, buf) < 0 || buf_addc(buf, '.') < 0 ||
	    add_json_part(claims, buf) < 0 || add_signature(algorithm, key, start, buf) < 0)
		return shale_err_set(err, ENOMEM, "a token could not be signed");
	return 0;
}

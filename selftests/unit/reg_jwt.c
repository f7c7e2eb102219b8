// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tokens of the registry: what is accepted, and a table of the ways to get past the check. The keys
 * are made once, and the ring that is asked has all of them, so that each row fails for its own reason.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/jwk.h"
#include "registry/jwt.h"
#include "tokens.h"

#define NOW 1700000000L

static const char secret[] = "a secret of forty-one bytes for the tests";

static struct keys {
	EVP_PKEY *ec, *rsa, *ed, *p384, *stranger, *root, *leaf, *old;
	char *root_pem, *leaf_b64, *root_b64, *stranger_b64, *old_b64, *rsa_pem;
	char *stranger_jwk, *ec_jwk;
	struct jwk_ring *ring;
} keys;

static char *jwk_text(EVP_PKEY *pkey, const char *kid)
{
	struct jwk key;
	json_t *json;
	char *text;

	if (jwk_from_pkey(pkey, "test", &key, NULL) < 0)
		abort();
	json = jwk_to_json(&key);
	if (kid)
		json_object_set_new(json, "kid", json_string(kid));
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	jwk_release(&key);
	return text;
}

static void fill_ring(void)
{
	char *ec = jwk_text(keys.ec, "ec"), *rsa = jwk_text(keys.rsa, "rsa");
	char *ed = jwk_text(keys.ed, "ed"), *p384 = jwk_text(keys.p384, "p384");
	char *k = token_base64(secret, sizeof(secret) - 1, 1);
	struct shale_err err = { 0 };
	char *jwks;

	if (asprintf(&jwks,
		     "{\"keys\":[%s,%s,%s,%s,{\"kty\":\"oct\",\"kid\":\"hs\",\"k\":\"%s\"},"
		     "{\"kty\":\"new\",\"kid\":\"later\"}]}",
		     ec, rsa, ed, p384, k) < 0)
		abort();
	keys.ring = calloc(1, sizeof(*keys.ring));
	jwk_ring_init(keys.ring);
	if (jwk_ring_add_jwks(keys.ring, jwks, strlen(jwks), "jwks", &err) < 0 ||
	    jwk_ring_add_certs(keys.ring, keys.root_pem, strlen(keys.root_pem), "roots", &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	free(ec);
	free(rsa);
	free(ed);
	free(p384);
	free(k);
	free(jwks);
}

static void cert_texts(X509 *cert, char **pem, char **b64)
{
	if (pem)
		*pem = token_cert_pem(cert);
	*b64 = token_cert_b64(cert);
	X509_free(cert);
}

static void make_keys(void)
{
	if (keys.ring)
		return;
	keys.ec = token_key("EC");
	keys.rsa = token_key("RSA");
	keys.ed = token_key("ED25519");
	keys.p384 = token_key("P-384");
	keys.stranger = token_key("EC");
	keys.root = token_key("EC");
	keys.leaf = token_key("EC");
	keys.old = token_key("EC");
	cert_texts(token_cert("root", keys.root, NULL, NULL, NOW, 100), &keys.root_pem, &keys.root_b64);
	cert_texts(token_cert("leaf", keys.leaf, "root", keys.root, NOW, 100), NULL, &keys.leaf_b64);
	cert_texts(token_cert("root", keys.stranger, NULL, NULL, NOW, 100), NULL, &keys.stranger_b64);
	cert_texts(token_cert("old", keys.old, "root", keys.root, NOW - 86400 * 50, 2), NULL, &keys.old_b64);
	keys.rsa_pem = token_public_pem(keys.rsa);
	keys.stranger_jwk = jwk_text(keys.stranger, "ec");
	keys.ec_jwk = jwk_text(keys.ec, "whatever");
	fill_ring();
}

/* Made once: each test's process has a copy. */
void ktap_before(const struct ktap_test *test)
{
	(void)test;
	make_keys();
}

#define CLAIMS(MORE) \
	"{\"iss\":\"me\",\"aud\":\"reg\",\"sub\":\"bob\",\"exp\":1700000300,\"nbf\":1699999990" MORE "}"
#define GOOD   CLAIMS("")
#define HEADER(ALG, KID) "{\"typ\":\"JWT\",\"alg\":\"" ALG "\",\"kid\":\"" KID "\"}"

enum who { BY_EC, BY_RSA, BY_ED, BY_P384, BY_STRANGER, BY_LEAF, BY_OLD, BY_ROOT };

struct token_case {
	struct ktap_row row;
	const char *header; /* @L leaf, @R root, @S stranger's root, @O old in base64; @J stranger's, @E our JWK */
	const char *claims;
	enum token_signer signer;
	enum who who;
	const char *why; /* NULL: accepted; otherwise in the message */
	unsigned int algorithms;
};

#define HS (JWT_DEFAULT | JWT_BIT(JWT_HS256))

static const struct token_case tokens[] = {
	{ { "es256", "ES256 by kid" }, HEADER("ES256", "ec"), GOOD, SIGN_EC, BY_EC },
	{ { "rs256", "RS256" }, HEADER("RS256", "rsa"), GOOD, SIGN_RSA, BY_RSA },
	{ { "ps256", "PS256" }, HEADER("PS256", "rsa"), GOOD, SIGN_PSS, BY_RSA },
	{ { "eddsa", "EdDSA" }, HEADER("EdDSA", "ed"), GOOD, SIGN_ED, BY_ED },
	{ { "hs256", "HS256 where it is configured" }, HEADER("HS256", "hs"), GOOD, SIGN_HMAC, BY_EC, NULL, HS },
	{ { "no_typ", "no typ" }, "{\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD, SIGN_EC, BY_EC },
	{ { "aud_list", "an audience among others" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":[\"x\",\"reg\"],\"exp\":1700000300}", SIGN_EC, BY_EC },
	{ { "exp_leeway", "expired within the leeway" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1699999940}", SIGN_EC, BY_EC },
	{ { "nbf_leeway", "not yet valid within the leeway" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1700000300,\"nbf\":1700000060}", SIGN_EC, BY_EC },
	{ { "exp_fraction", "a time with a fraction" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1700000000.5}", SIGN_EC, BY_EC },
	{ { "jwk_ours", "a jwk in the header that is one of ours" }, "{\"alg\":\"ES256\",\"jwk\":@E}", GOOD, SIGN_EC, BY_EC },
	{ { "x5c", "a chain to the root" }, "{\"alg\":\"ES256\",\"x5c\":[\"@L\"]}", GOOD, SIGN_EC, BY_LEAF },
	{ { "x5c_root", "a chain that is the root itself" }, "{\"alg\":\"ES256\",\"x5c\":[\"@R\"]}", GOOD, SIGN_EC, BY_ROOT },
	{ { "x5c_whole", "a chain with the root in it" }, "{\"alg\":\"ES256\",\"x5c\":[\"@L\",\"@R\"]}", GOOD, SIGN_EC, BY_LEAF },

	{ { "none", "algorithm none" }, HEADER("none", "ec"), GOOD, SIGN_NOTHING, BY_EC, "algorithm 'none'" },
	{ { "None", "in other letters" }, HEADER("nOnE", "ec"), GOOD, SIGN_NOTHING, BY_EC, "algorithm 'nOnE'" },
	{ { "alg_empty", "an empty algorithm" }, HEADER("", "ec"), GOOD, SIGN_NOTHING, BY_EC, "algorithm ''" },
	{ { "alg_missing", "no algorithm" }, "{\"kid\":\"ec\"}", GOOD, SIGN_EC, BY_EC, "no field 'alg'" },
	{ { "alg_list", "an algorithm that is a list" }, "{\"kid\":\"ec\",\"alg\":[\"ES256\"]}", GOOD, SIGN_EC, BY_EC, "not a string" },
	{ { "alg_case", "an algorithm in small letters" }, HEADER("es256", "ec"), GOOD, SIGN_EC, BY_EC, "not allowed" },
	{ { "unsigned", "no signature" }, HEADER("ES256", "ec"), GOOD, SIGN_NOTHING, BY_EC, "signature" },
	{ { "garbage", "a signature of anything" }, HEADER("ES256", "ec"), GOOD, SIGN_GARBAGE, BY_EC, "signature" },
	{ { "der", "a signature in DER" }, HEADER("ES256", "ec"), GOOD, SIGN_EC_DER, BY_EC, "signature" },
	{ { "other_key", "somebody else's signature under our kid" }, HEADER("ES256", "ec"), GOOD, SIGN_EC, BY_STRANGER, "signature" },
	{ { "hs_off", "HS256 where it is not configured" }, HEADER("HS256", "hs"), GOOD, SIGN_HMAC, BY_EC, "not allowed" },
	{ { "hs_rsa", "HS256 with the RSA key's text as the secret" }, HEADER("HS256", "rsa"), GOOD, SIGN_HMAC, BY_RSA, "not for this key", HS },
	{ { "hs_ec", "HS256 under the kid of an EC key" }, HEADER("HS256", "ec"), GOOD, SIGN_HMAC, BY_EC, "not for this key", HS },
	{ { "es_for_hs", "ES256 under the kid of a secret" }, HEADER("ES256", "hs"), GOOD, SIGN_EC, BY_EC, "not for this key", HS },
	{ { "es_for_rsa", "ES256 under the kid of an RSA key" }, HEADER("ES256", "rsa"), GOOD, SIGN_EC, BY_EC, "not for this key" },
	{ { "es_p384", "ES256 with a curve that is not its own" }, HEADER("ES256", "p384"), GOOD, SIGN_EC, BY_P384, "not for this key" },
	{ { "only_rs", "an algorithm that is left out of the list" }, HEADER("ES256", "ec"), GOOD, SIGN_EC, BY_EC, "not allowed", JWT_BIT(JWT_RS256) },
	{ { "rs_for_ps", "RS256 with a signature of PS256" }, HEADER("RS256", "rsa"), GOOD, SIGN_PSS, BY_RSA, "signature" },
	{ { "kid_unknown", "an unknown kid" }, HEADER("ES256", "nobody"), GOOD, SIGN_EC, BY_EC, "no trusted key 'nobody'" },
	{ { "kid_path", "a kid that is a path" }, HEADER("HS256", "../../../../dev/null"), GOOD, SIGN_HMAC, BY_EC, "no trusted key", HS },
	{ { "kid_sql", "a kid that is SQL" }, HEADER("ES256", "x' UNION SELECT 'ec"), GOOD, SIGN_EC, BY_EC, "no trusted key" },
	{ { "kid_empty", "an empty kid" }, HEADER("ES256", ""), GOOD, SIGN_EC, BY_EC, "no trusted key" },
	{ { "kid_none", "nothing that names a key" }, "{\"alg\":\"ES256\"}", GOOD, SIGN_EC, BY_EC, "no key is named" },
	{ { "kid_number", "a kid that is a number" }, "{\"alg\":\"ES256\",\"kid\":1}", GOOD, SIGN_EC, BY_EC, "not a string" },
	{ { "kid_nul", "a kid with a NUL" }, "{\"alg\":\"ES256\",\"kid\":\"ec\\u0000\"}", GOOD, SIGN_EC, BY_EC, "not JSON" },
	{ { "jwk_theirs", "a jwk that the sender brought" }, "{\"alg\":\"ES256\",\"jwk\":@J}", GOOD, SIGN_EC, BY_STRANGER, "not a trusted key" },
	{ { "jwk_kid", "the same beside a good kid" }, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jwk\":@J}", GOOD, SIGN_EC, BY_STRANGER, "not a trusted key" },
	{ { "jwk_secret", "a jwk that is a secret" }, "{\"alg\":\"HS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE\"}}", GOOD, SIGN_HMAC, BY_EC, "not a trusted key", HS },
	{ { "jwk_text", "a jwk that is a text" }, "{\"alg\":\"ES256\",\"jwk\":\"ec\"}", GOOD, SIGN_EC, BY_EC, "is no key" },
	{ { "jku", "a URL of keys is not followed" }, "{\"alg\":\"ES256\",\"jku\":\"http://127.0.0.1/\"}", GOOD, SIGN_EC, BY_STRANGER, "no key is named" },
	{ { "x5c_theirs", "a chain to a root of the same name" }, "{\"alg\":\"ES256\",\"x5c\":[\"@S\"]}", GOOD, SIGN_EC, BY_STRANGER, "x5c" },
	{ { "x5c_swapped", "our leaf, signed with another key" }, "{\"alg\":\"ES256\",\"x5c\":[\"@L\"]}", GOOD, SIGN_EC, BY_STRANGER, "signature" },
	{ { "x5c_second", "our leaf behind another one" }, "{\"alg\":\"ES256\",\"x5c\":[\"@S\",\"@L\",\"@R\"]}", GOOD, SIGN_EC, BY_STRANGER, "x5c" },
	{ { "x5c_old", "a certificate that has ended" }, "{\"alg\":\"ES256\",\"x5c\":[\"@O\"]}", GOOD, SIGN_EC, BY_OLD, "expired" },
	{ { "x5c_kid", "a wrong chain beside a good kid" }, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"x5c\":[\"@S\"]}", GOOD, SIGN_EC, BY_EC, "x5c" },
	{ { "x5c_empty", "an empty chain" }, "{\"alg\":\"ES256\",\"x5c\":[]}", GOOD, SIGN_EC, BY_EC, "x5c" },
	{ { "x5c_garbage", "a chain that is none" }, "{\"alg\":\"ES256\",\"x5c\":[\"QUJD\"]}", GOOD, SIGN_EC, BY_EC, "no certificate" },
	{ { "x5c_numbers", "a chain of numbers" }, "{\"alg\":\"ES256\",\"x5c\":[1]}", GOOD, SIGN_EC, BY_EC, "no certificate" },
	{ { "x5c_many", "a chain of nine" }, "{\"alg\":\"ES256\",\"x5c\":[1,1,1,1,1,1,1,1,1]}", GOOD, SIGN_EC, BY_EC, "not 1 to 8" },
	{ { "x5c_hs", "HS256 with a chain" }, "{\"alg\":\"HS256\",\"x5c\":[\"@L\"]}", GOOD, SIGN_HMAC, BY_EC, "not for this key", HS },
	{ { "crit", "a header that must be understood" }, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"crit\":[\"b64\"],\"b64\":false}", GOOD, SIGN_EC, BY_EC, "crit" },
	{ { "typ", "a token for another purpose" }, "{\"alg\":\"ES256\",\"kid\":\"ec\",\"typ\":\"refresh+jwt\"}", GOOD, SIGN_EC, BY_EC, "type 'refresh+jwt'" },
	{ { "header_twice", "two algorithms" }, "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"ec\"}", GOOD, SIGN_EC, BY_EC, "not JSON" },
	{ { "header_list", "a header that is a list" }, "[]", GOOD, SIGN_EC, BY_EC, "not a JSON object" },
	{ { "header_empty", "an empty header" }, "", GOOD, SIGN_EC, BY_EC, "not JSON" },
	{ { "header_tail", "something after the header" }, HEADER("ES256", "ec") "x", GOOD, SIGN_EC, BY_EC, "not JSON" },
	{ { "claims_twice", "two issuers" }, HEADER("ES256", "ec"), CLAIMS(",\"iss\":\"me\""), SIGN_EC, BY_EC, "not JSON" },
	{ { "claims_none", "claims that are no object" }, HEADER("ES256", "ec"), "1", SIGN_EC, BY_EC, "not JSON" },
	{ { "iss", "another issuer" }, HEADER("ES256", "ec"), "{\"iss\":\"you\",\"aud\":\"reg\",\"exp\":1700000300}", SIGN_EC, BY_EC, "issuer" },
	{ { "iss_case", "an issuer in capitals" }, HEADER("ES256", "ec"), "{\"iss\":\"ME\",\"aud\":\"reg\",\"exp\":1700000300}", SIGN_EC, BY_EC, "issuer" },
	{ { "iss_missing", "no issuer" }, HEADER("ES256", "ec"), "{\"aud\":\"reg\",\"exp\":1700000300}", SIGN_EC, BY_EC, "issuer" },
	{ { "iss_list", "an issuer in a list" }, HEADER("ES256", "ec"), "{\"iss\":[\"me\"],\"aud\":\"reg\",\"exp\":1700000300}", SIGN_EC, BY_EC, "issuer" },
	{ { "aud", "another audience" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"other\",\"exp\":1700000300}", SIGN_EC, BY_EC, "audience" },
	{ { "aud_prefix", "an audience that begins like ours" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg2\",\"exp\":1700000300}", SIGN_EC, BY_EC, "audience" },
	{ { "aud_missing", "no audience" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"exp\":1700000300}", SIGN_EC, BY_EC, "audience" },
	{ { "aud_empty", "an empty list of audiences" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":[],\"exp\":1700000300}", SIGN_EC, BY_EC, "audience" },
	{ { "expired", "expired" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1699999939}", SIGN_EC, BY_EC, "expired" },
	{ { "exp_missing", "no end" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\"}", SIGN_EC, BY_EC, "'exp'" },
	{ { "exp_text", "an end in letters" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":\"1700000300\"}", SIGN_EC, BY_EC, "'exp'" },
	{ { "exp_negative", "an end before all time" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":-1}", SIGN_EC, BY_EC, "'exp'" },
	{ { "exp_huge", "an end beyond all time" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1e300}", SIGN_EC, BY_EC, "'exp'" },
	{ { "exp_null", "an end that is null" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":null}", SIGN_EC, BY_EC, "'exp'" },
	{ { "nbf", "not yet valid" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1700000300,\"nbf\":1700000061}", SIGN_EC, BY_EC, "not valid for" },
	{ { "nbf_text", "a beginning in letters" }, HEADER("ES256", "ec"), "{\"iss\":\"me\",\"aud\":\"reg\",\"exp\":1700000300,\"nbf\":\"0\"}", SIGN_EC, BY_EC, "'nbf'" },
};

static const struct {
	const char *mark;
	char **text;
} marks[] = {
	{ "@L", &keys.leaf_b64 },	 { "@R", &keys.root_b64 },     { "@S", &keys.stranger_b64 },
	{ "@O", &keys.old_b64 }, { "@J", &keys.stranger_jwk }, { "@E", &keys.ec_jwk },
};

/* The header with its marks replaced. */
static char *fill_in(const char *text)
{
	char *done = strdup(text);

	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		char *at, *next;

		while ((at = strstr(done, marks[i].mark))) {
			if (asprintf(&next, "%.*s%s%s", (int)(at - done), done, *marks[i].text, at + 2) < 0)
				abort();
			free(done);
			done = next;
		}
	}
	return done;
}

static int verify(const char *token, size_t len, unsigned int algorithms, struct shale_err *err)
{
	const struct jwt_rules rules = { keys.ring, algorithms ? algorithms : JWT_DEFAULT, "me", "reg", "JWT", NOW };
	json_t *claims = NULL;
	int ret = jwt_verify(token, len, &rules, &claims, err);

	json_decref(claims);
	return ret;
}

TEST_TABLE(token, struct token_case, tokens, c)
{
	struct shale_err err = { 0 };
	char *header, *token;
	int ret;

	EVP_PKEY *by[] = { keys.ec, keys.rsa, keys.ed, keys.p384, keys.stranger, keys.leaf, keys.old, keys.root };
	const char *shared = c->who == BY_RSA ? keys.rsa_pem : secret;

	header = fill_in(c->header);
	token = token_make(header, c->claims, c->signer, by[c->who], shared, strlen(shared));
	ret = verify(token, strlen(token), c->algorithms, &err);
	free(header);
	free(token);
	if (!c->why) {
		EXPECT_STREQ(err.msg, "");
		EXPECT_EQ(ret, 0);
	} else {
		EXPECT_EQ(ret, -1);
		EXPECT(err.code == EACCES || err.code == EBADMSG);
		EXPECT(strstr(err.msg, c->why));
		if (!strstr(err.msg, c->why))
			EXPECT_STREQ(err.msg, c->why);
	}
}

TEST(changed, "a token of which any letter is changed is refused")
{
	char *token;
	size_t len;

	token = token_make(HEADER("EdDSA", "ed"), GOOD, SIGN_ED, keys.ed, NULL, 0);
	len = strlen(token);
	ASSERT_EQ(verify(token, len, 0, NULL), 0);
	for (size_t i = 0; i < len; i++) {
		char was = token[i];

		token[i] = was == 'A' ? 'B' : 'A';
		EXPECT_EQ(verify(token, len, 0, NULL), -1);
		token[i] = was;
	}
	for (size_t i = 0; i < len; i++)
		EXPECT_EQ(verify(token, i, 0, NULL), -1);
	free(token);
}

TEST(spelling, "one signature has one spelling")
{
	char *token, *other;

	token = token_make(HEADER("ES256", "ec"), GOOD, SIGN_EC, keys.ec, NULL, 0);
	ASSERT(asprintf(&other, "%s=", token) > 0);
	EXPECT_EQ(verify(other, strlen(other), 0, NULL), -1);
	free(other);
	ASSERT(asprintf(&other, "%s.", token) > 0);
	EXPECT_EQ(verify(other, strlen(other), 0, NULL), -1);
	free(other);
	ASSERT(asprintf(&other, " %s", token) > 0);
	EXPECT_EQ(verify(other, strlen(other), 0, NULL), -1);
	free(other);
	/* The last letter carries two bits that belong to no byte. */
	token[strlen(token) - 1]++;
	EXPECT_EQ(verify(token, strlen(token), 0, NULL), -1);
	free(token);
}

TEST(huge, "a token of more than the limit is refused before it is read")
{
	struct shale_err err = { 0 };
	size_t len = JWT_MAX_BYTES + 1;
	char *token = malloc(len);

	memset(token, 'A', len);
	token[10] = token[20] = '.';
	EXPECT_EQ(verify(token, len, 0, &err), -1);
	EXPECT(strstr(err.msg, "more than"));
	free(token);
}

TEST(deep, "claims and headers nested a thousand deep are refused")
{
	char deep[2100];
	struct shale_err err = { 0 };
	char *token;

	memset(deep, '[', 1000);
	memset(deep + 1000, ']', 1000);
	deep[2000] = '\0';
	token = token_make(HEADER("ES256", "ec"), deep, SIGN_EC, keys.ec, NULL, 0);
	EXPECT_EQ(verify(token, strlen(token), 0, &err), -1);
	EXPECT(strstr(err.msg, "nested"));
	free(token);
	token = token_make(deep, GOOD, SIGN_EC, keys.ec, NULL, 0);
	EXPECT_EQ(verify(token, strlen(token), 0, &err), -1);
	EXPECT(strstr(err.msg, "nested"));
	free(token);
}

TEST(no_roots, "a chain means nothing where there are no roots")
{
	struct shale_err err = { 0 };
	char *header, *token;

	X509_STORE_free(keys.ring->roots);
	keys.ring->roots = NULL;
	header = fill_in("{\"alg\":\"ES256\",\"x5c\":[\"@R\"]}");
	token = token_make(header, GOOD, SIGN_EC, keys.root, NULL, 0);
	EXPECT_EQ(verify(token, strlen(token), 0, &err), -1);
	EXPECT(strstr(err.msg, "no rootcertbundle"));
	free(header);
	free(token);
}

TEST(kids, "a key answers to its thumbprint and to libtrust's ID")
{
	struct jwk key;

	ASSERT_EQ(jwk_from_pkey(keys.root, "root", &key, NULL), 0);
	EXPECT_EQ(strlen(key.thumbprint), JWK_THUMBPRINT);
	EXPECT_EQ(strlen(key.libtrust), JWK_LIBTRUST);
	EXPECT(jwk_ring_find(keys.ring, key.thumbprint));
	EXPECT(jwk_ring_find(keys.ring, key.libtrust));
	EXPECT(!jwk_ring_find(keys.ring, ""));
	jwk_release(&key);
}

/* RFC 7638 3.1 and RFC 8037 A.3. */
TEST(thumbprints, "thumbprints are those of the standards")
{
	static const char *const known[][2] = {
		{ "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":\"2011-04-29\"}",
		  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" },
		{ "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}",
		  "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" },
	};

	for (size_t i = 0; i < 2; i++) {
		json_t *json = json_loads(known[i][0], 0, NULL);
		struct jwk key;

		ASSERT_EQ(jwk_parse(json, "known", &key, NULL), 0);
		EXPECT_STREQ(key.thumbprint, known[i][1]);
		jwk_release(&key);
		json_decref(json);
	}
}

/* RFC 7515 A.3, and RFC 8037 A.4. */
TEST(published, "the tokens of the standards verify")
{
	static const char jwks[] =
		"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
	static const char token[] =
		"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
	struct jwk_ring *ring = calloc(1, sizeof(*ring));
	struct shale_err err = { 0 };
	json_t *claims;

	ASSERT_EQ(jwk_ring_add_jwks(ring, jwks, strlen(jwks), "jwks", &err), 0);
	/* It names no key and has no audience: the signature is what can be looked at, by way of the reason. */
	const struct jwt_rules rules = { ring, JWT_DEFAULT, "joe", "x", "JWT", 1300819380 };
	EXPECT_EQ(jwt_verify(token, strlen(token), &rules, &claims, &err), -1);
	EXPECT(strstr(err.msg, "no key is named"));
	jwk_ring_release(ring);
	free(ring);
}

struct jwks_case {
	struct ktap_row row;
	const char *text;
	const char *why;
};

#define X256 "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define Y256 "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static const struct jwks_case jwks[] = {
	{ { "good", "a good one" }, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}]}", NULL },
	{ { "skips", "a key of a kind that is not known is passed over" }, "{\"keys\":[{\"kty\":\"AKP\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}]}", NULL },
	{ { "off_curve", "a point off its curve" }, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" X256 "\"}]}", "not a valid EC key" },
	{ { "short", "a coordinate too short" }, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAA\",\"y\":\"" Y256 "\"}]}", "'x' has 3 bytes" },
	{ { "no_x", "no coordinate" }, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"y\":\"" Y256 "\"}]}", "no field 'x'" },
	{ { "enc", "only keys to encrypt with" }, "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"}]}", "no key to trust" },
	{ { "twins", "one kid twice" }, "{\"keys\":[{\"kty\":\"EC\",\"kid\":\"a\",\"crv\":\"P-256\",\"x\":\"" X256 "\",\"y\":\"" Y256 "\"},{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE\"}]}", "another key 'a'" },
	{ { "secret_short", "a short secret" }, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"YWFh\"}]}", "a secret of 3 bytes" },
	{ { "rsa_small", "a small RSA key" }, "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"AQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQABAQAB\"}]}", "RSA key of" },
	{ { "rsa_exponent", "an exponent that costs" }, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQABAQABAQABAQAB\"}]}", "'e' is too long" },
	{ { "b64", "a coordinate that is not base64url" }, "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"+/==\"}]}", "not base64url" },
	{ { "none", "no keys" }, "{\"keys\":[]}", "no key to trust" },
	{ { "list", "a list" }, "[]", "not a JSON object" },
	{ { "entry", "a key that is a text" }, "{\"keys\":[\"a\"]}", "no field 'kty'" },
	{ { "garbage", "no JSON" }, "-----BEGIN", "not JSON" },
};

TEST_TABLE(jwks, struct jwks_case, jwks, c)
{
	struct jwk_ring *ring = calloc(1, sizeof(*ring));
	struct shale_err err = { 0 };
	int ret = jwk_ring_add_jwks(ring, c->text, strlen(c->text), "file", &err);

	EXPECT_EQ(ret, c->why ? -1 : 0);
	if (c->why && !strstr(err.msg, c->why))
		EXPECT_STREQ(err.msg, c->why);
	EXPECT(!c->why || !strncmp(err.msg, "file: ", 6));
	jwk_ring_release(ring);
	free(ring);
}

TEST(certs, "a bundle with something broken in it is refused, and so is one without certificates")
{
	struct jwk_ring *ring = calloc(1, sizeof(*ring));
	struct shale_err err = { 0 };
	char *text;

	ASSERT(asprintf(&text, "a remark\n%s\n%.*s\n-----END CERTIFICATE-----\n", keys.root_pem, 200, keys.root_pem) > 0);
	EXPECT_EQ(jwk_ring_add_certs(ring, text, strlen(text), "b", &err), -1);
	EXPECT_STREQ(err.msg, "b: certificate 2 cannot be read");
	free(text);
	jwk_ring_release(ring);
	EXPECT_EQ(jwk_ring_add_certs(ring, "nothing\n", 8, "b", &err), -1);
	EXPECT_STREQ(err.msg, "b: no certificate");
	EXPECT_EQ(jwk_ring_add_certs(ring, "", 0, "b", &err), -1);
	jwk_ring_release(ring);
	free(ring);
}

TEST(sign, "what is signed here verifies here, with each kind of key")
{
	static const char *const kinds[] = { "EC", "P-384", "RSA", "ED25519" };
	json_t *claims = json_loads(GOOD, 0, NULL);

	for (size_t i = 0; i < 4; i++) {
		struct jwk_ring *ring = calloc(1, sizeof(*ring));
		struct buf token = BUF_INIT;
		struct shale_err err = { 0 };
		json_t *got = NULL;
		EVP_PKEY *key = token_key(kinds[i]);

		ASSERT_EQ(jwk_from_pkey(key, "k", &ring->keys[0], NULL), 0);
		ring->count = 1;
		ASSERT_EQ(jwt_sign(&ring->keys[0], "JWT", claims, &token, &err), 0);
		const struct jwt_rules rules = { ring, JWT_DEFAULT, "me", "reg", "JWT", NOW };
		EXPECT_EQ(jwt_verify(token.data, token.len, &rules, &got, &err), 0);
		EXPECT(got && json_equal(got, claims));
		json_decref(got);
		buf_release(&token);
		jwk_ring_release(ring);
		free(ring);
		EVP_PKEY_free(key);
	}
	json_decref(claims);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Docker's schema 1: signatures within a document, of which rows change a word each, and what steps become
 * as a config. Whole manifests with every damage are in selftests/client/schema1.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "client/base64.h"
#include "client/jws.h"
#include "client/schema1.h"
#include "ktap.h"
#include "store/json.h"

/* {"a":1}, signed by a key on P-256 that was thrown away. */
#define EC_X	   "V6pk2zkUX4iMoTyr6UM7wPAOt8Xn8_Eqj8Z_B5Z-wZw"
#define EC_Y	   "NSGpm1d8TaKNLFMfnoeQ1yd9wyAxWuuBFuG91Kq2sa8"
#define SIGNATURE  "BsQsW3V2xZfaQGBx2CcQ2X8rA7NLuXOpbD2S1UcFP7Aeb6LWryBfqIsNNahd3YyvCuk0zyp8EIcPgGC3Dd1MSQ"
#define PROTECTED  "eyJmb3JtYXRMZW5ndGgiOiA2LCAiZm9ybWF0VGFpbCI6ICJmUSJ9"
#define SIGNED                                                                                     \
	"{\"a\":1,\"signatures\":[{\"header\":{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\","      \
	"\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}},\"signature\":\"" SIGNATURE "\","  \
	"\"protected\":\"" PROTECTED "\"}]}"

/* The document with one text in the place of another. */
static int open_changed(const char *what, const char *by, struct buf *payload, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const char *at = strstr(SIGNED, what);

	ASSERT(at != NULL);
	ASSERT_OK(buf_add(&text, SIGNED, at - SIGNED));
	ASSERT_OK(buf_adds(&text, by));
	ASSERT_OK(buf_adds(&text, at + strlen(what)));
	return jws_open(buf_str(&text), text.len, payload, err);
}

TEST(jws_good, "a document's payload is what was signed")
{
	__cleanup_buf struct buf payload = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(jws_open(SIGNED, strlen(SIGNED), &payload, &err), 0);
	EXPECT_STREQ(buf_str(&payload), "{\"a\":1}");
}

TEST(jws_beside, "what is beside the payload is not in it")
{
	__cleanup_buf struct buf payload = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(open_changed("\"signatures\"", "\"b\":2,\"signatures\"", &payload, &err), 0);
	EXPECT_STREQ(buf_str(&payload), "{\"a\":1}");
}

static const struct jws_case {
	struct ktap_row row;
	const char *what;
	const char *by;
	int code;
} jws_cases[] = {
	{ { "payload", "another payload" }, "\"a\":1", "\"a\":2", EBADMSG },
	{ { "signature", "another signature" }, "BsQsW3", "BsQsW4", EBADMSG },
	{ { "short", "half a signature" }, "BsQsW3V2xZfaQGBx2CcQ2X8rA7NLuXOpbD2S1UcFP7A", "", EBADMSG },
	{ { "empty", "an empty signature" }, SIGNATURE, "", EBADMSG },
	{ { "zero", "a signature of zeros" }, SIGNATURE,
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", EBADMSG },
	{ { "not_base64", "a signature that is none" }, "BsQsW3", "B*QsW3", EINVAL },
	{ { "point", "a point beside the curve" }, EC_X, EC_Y, EINVAL },
	{ { "long", "a coordinate that is too long" }, EC_X, EC_X EC_X "AA", EINVAL },
	{ { "curve", "a curve we do not know" }, "P-256", "P-192", EINVAL },
	{ { "other_curve", "the key of another curve" }, "P-256", "P-384", EINVAL },
	{ { "alg", "an algorithm of other keys" }, "ES256", "RS256", EINVAL },
	{ { "none", "no algorithm" }, "ES256", "none", EINVAL },
	{ { "secret", "a secret key's algorithm" }, "ES256", "HS256", EINVAL },
	{ { "kty", "another kind of key" }, "\"EC\"", "\"oct\"", EINVAL },
	{ { "no_key", "no key" }, "\"jwk\"", "\"jkw\"", EINVAL },
	{ { "no_header", "no header" }, "\"header\"", "\"haeder\"", EINVAL },
	{ { "no_signatures", "no signatures" }, "\"signatures\"", "\"signature\"", EINVAL },
	{ { "protected", "a protected header that is none" }, PROTECTED, "AAAA", EINVAL },
	/* {"formatLength": 6000, "formatTail": "fQ"} */
	{ { "beyond", "a payload longer than the document" }, PROTECTED,
	  "eyJmb3JtYXRMZW5ndGgiOiA2MDAwLCAiZm9ybWF0VGFpbCI6ICJmUSJ9", EINVAL },
};

TEST_TABLE(jws_bad, struct jws_case, jws_cases, test)
{
	__cleanup_buf struct buf payload = BUF_INIT;
	struct shale_err err = { 0 };

	EXPECT_EQ(open_changed(test->what, test->by, &payload, &err), -1);
	EXPECT_EQ(err.code, test->code);
	EXPECT_EQ(payload.len, 0);
}

TEST(base64_url, "base64 for URLs has no padding")
{
	static const char *const rows[][2] = {
		{ "", "" }, { "a", "YQ" }, { "ab", "YWI" }, { "abc", "YWJj" }, { "\xff\xfe\xfd\xfb", "__79-w" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		__cleanup_buf struct buf plain = BUF_INIT;
		__cleanup_buf struct buf text = BUF_INIT;

		ASSERT_OK(base64_encode_url(rows[i][0], strlen(rows[i][0]), &text));
		EXPECT_STREQ(buf_str(&text), rows[i][1]);
		EXPECT(base64_decode_url(buf_str(&text), text.len, &plain));
		EXPECT_STREQ(buf_str(&plain), rows[i][0]);
	}
}

#define ID(c)	 c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c
#define BLOB(c)	 "{\"blobSum\":\"sha256:" ID(c) "\"}"
#define STEP(text) "{\"v1Compatibility\":\"{" text "}\"}"
#define Q	 "\\\""
#define STEP_ID(c) Q "id" Q ":" Q ID(c) Q
#define ON(c)	 "," Q "parent" Q ":" Q ID(c) Q
#define MANIFEST(layers, history)                                                                  \
	"{\"schemaVersion\":1,\"fsLayers\":[" layers "],\"history\":[" history "]}"

static const struct parse_case {
	struct ktap_row row;
	const char *text;
	const char *error; /* NULL: it is one */
	size_t steps;
	size_t layers;
} parse_cases[] = {
	{ { "one", "one step" }, MANIFEST(BLOB("aa"), STEP(STEP_ID("01"))), NULL, 1, 1 },
	{ { "two", "two steps, the last one first" },
	  MANIFEST(BLOB("aa") "," BLOB("bb"), STEP(STEP_ID("02") ON("01")) "," STEP(STEP_ID("01"))), NULL, 2, 2 },
	{ { "throwaway", "a step that made no layer" },
	  MANIFEST(BLOB("aa") "," BLOB("bb"),
		   STEP(STEP_ID("02") ON("01") "," Q "throwaway" Q ":true") "," STEP(STEP_ID("01"))), NULL, 2, 1 },
	{ { "repeated", "a step given out twice" },
	  MANIFEST(BLOB("aa") "," BLOB("aa"), STEP(STEP_ID("01")) "," STEP(STEP_ID("01"))), NULL, 1, 1 },
	{ { "version", "another version" }, "{\"schemaVersion\":2}", "schemaVersion is not 1", 0, 0 },
	{ { "none", "no step" }, MANIFEST("", ""), "0 layers with a history of 0", 0, 0 },
	{ { "fewer", "more layers than steps" }, MANIFEST(BLOB("aa") "," BLOB("bb"), STEP(STEP_ID("01"))),
	  "2 layers with a history of 1", 0, 0 },
	{ { "orphan", "a base that is on something" }, MANIFEST(BLOB("aa"), STEP(STEP_ID("01") ON("02"))),
	  "and should be on ''", 0, 0 },
	{ { "strange", "a step on another one" },
	  MANIFEST(BLOB("aa") "," BLOB("bb"), STEP(STEP_ID("02") ON("03")) "," STEP(STEP_ID("01"))),
	  "and should be on", 0, 0 },
	{ { "digest", "a layer that is no digest" }, MANIFEST("{\"blobSum\":\"md5:1\"}", STEP(STEP_ID("01"))),
	  "fsLayers[0]", 0, 0 },
	{ { "object", "a layer that is no object" }, MANIFEST("5", STEP(STEP_ID("01"))), "is not an object", 0, 0 },
	{ { "id", "an id that is none" }, MANIFEST(BLOB("aa"), STEP(Q "id" Q ":5")), "its id is none", 0, 0 },
	{ { "json", "a step that is no JSON" }, MANIFEST(BLOB("aa"), "{\"v1Compatibility\":\"{\"}"),
	  "v1Compatibility: not JSON", 0, 0 },
};

TEST_TABLE(parse, struct parse_case, parse_cases, test)
{
	__cleanup_schema1 struct schema1 schema1 = { 0 };
	struct shale_err err = { 0 };
	int ret = schema1_parse(test->text, strlen(test->text), &schema1, &err);

	EXPECT_EQ(ret, test->error ? -1 : 0);
	if (test->error) {
		EXPECT(strstr(err.msg, test->error) != NULL);
		return;
	}
	EXPECT_EQ(schema1.count, test->steps);
	EXPECT_EQ(schema1.layer_count, test->layers);
}

TEST(config, "steps become a config: nothing of an old image, layers and history in their order")
{
	static const char text[] = MANIFEST(
		BLOB("bb") "," BLOB("aa"),
		STEP(STEP_ID("02") ON("01") "," Q "Size" Q ":5," Q "throwaway" Q ":true," Q "os" Q ":" Q "plan9" Q "," Q
		     "config" Q ":{" Q "User" Q ":" Q "me" Q "}") ","
		STEP(STEP_ID("01") "," Q "created" Q ":" Q "2015-01-01T00:00:00Z" Q "," Q "container_config" Q ":{" Q "Cmd" Q
		     ":[" Q "sh" Q "," Q "-c" Q "]}"));
	struct digest diff_id = { .sum = { 1 } };
	struct digest_text diff = digest_text(&diff_id);
	__cleanup_schema1 struct schema1 schema1 = { 0 };
	__cleanup_json json_t *found = NULL;
	__cleanup_json json_t *wanted = NULL;
	__cleanup_buf struct buf config = BUF_INIT;
	struct shale_err err = { 0 };

	ASSERT_OK(schema1_parse(text, strlen(text), &schema1, &err));
	ASSERT_OK(schema1_config(&schema1, &diff_id, &config, &err));
	ASSERT_OK(json_parse_object(buf_str(&config), config.len, "config", &found, &err));
	wanted = json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:[s]}, s:[{s:s, s:s}, {s:b}]}", "os", "plan9", "architecture",
			   "amd64", "config", "User", "me", "rootfs", "type", "layers", "diff_ids", diff.text,
			   "history", "created", "2015-01-01T00:00:00Z", "created_by", "sh -c", "empty_layer", 1);
	EXPECT(json_equal(found, wanted));
}

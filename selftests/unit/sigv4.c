// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signing for S3: the published examples of AWS's general test suite and of S3's documentation, and what
 * the signer refuses. The same signatures are verified by a real server in the ring registry.
 */
#include "ktap.h"

#include <stdio.h>
#include <time.h>

#include "registry/sigv4.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* 2015-08-30 12:36:00, the moment of the general suite; 2013-05-24 00:00:00, that of S3's examples. */
#define SUITE_TIME 1440938160
#define S3_TIME	   1369353600

static const struct sigv4_creds suite_creds = {
	.access_key = "AKIDEXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "service",
};

static const struct sigv4_creds s3_creds = {
	.access_key = "AKIAIOSFODNN7EXAMPLE",
	.secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	.region = "us-east-1",
	.service = "s3",
};

#define MAX_PAIRS 6

struct vector {
	struct ktap_row row;
	const char *method;
	const char *path; /* not encoded */
	struct url_param params[MAX_PAIRS];
	struct sigv4_header headers[MAX_PAIRS];
	const char *payload; /* NULL: of nothing */
	const char *signature;
};

#define SUITE_HEADERS { "host", "example.amazonaws.com" }, { "x-amz-date", "20150830T123600Z" }

static const struct vector suite[] = {
	{ { "vanilla", "a GET of nothing special" }, "GET", "/", { { 0 } }, { SUITE_HEADERS }, NULL,
	  "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31" },
	{ { "post", "a POST" }, "POST", "/", { { 0 } }, { SUITE_HEADERS }, NULL,
	  "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b" },
	{ { "query_order", "parameters are sorted by name" }, "GET", "/",
	  { { "Param2", "value2" }, { "Param1", "value1" } }, { SUITE_HEADERS }, NULL,
	  "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500" },
	{ { "query_value_order", "the same name twice is sorted by value" }, "GET", "/",
	  { { "Param1", "value2" }, { "Param1", "Value1" } }, { SUITE_HEADERS }, NULL,
	  "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1" },
	{ { "query_unreserved", "unreserved characters stay as they are" }, "GET", "/",
	  { { "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	      "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" } },
	  { SUITE_HEADERS }, NULL,
	  "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197" },
	{ { "utf8", "a path that is not ASCII" }, "GET", "/\xe1\x88\xb4", { { 0 } }, { SUITE_HEADERS }, NULL,
	  "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85" },
	{ { "unreserved", "unreserved characters in a path" }, "GET",
	  "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", { { 0 } },
	  { SUITE_HEADERS }, NULL,
	  "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f" },
	{ { "trim", "spaces around and within values" }, "GET", "/", { { 0 } },
	  { SUITE_HEADERS, { "my-header1", " value1" }, { "my-header2", " \"a   b   c\"" } }, NULL,
	  "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736" },
	{ { "twice", "a header twice keeps its order" }, "GET", "/", { { 0 } },
	  { { "my-header1", "value2" }, SUITE_HEADERS, { "my-header1", "value2" }, { "my-header1", "value1" } },
	  NULL, "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea" },
	{ { "body", "a body" }, "POST", "/", { { 0 } },
	  { { "content-type", "application/x-www-form-urlencoded" }, SUITE_HEADERS }, "Param1=value1",
	  "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a" },
};

static size_t count_headers(const struct vector *v)
{
	size_t count = 0;

	while (count < MAX_PAIRS && v->headers[count].name)
		count++;
	return count;
}

static size_t count_params(const struct vector *v)
{
	size_t count = 0;

	while (count < MAX_PAIRS && v->params[count].name)
		count++;
	return count;
}

static void expect_signature(const struct sigv4_creds *creds, const struct vector *v, time_t when)
{
	struct buf path = BUF_INIT, query = BUF_INIT, value = BUF_INIT, text = BUF_INIT;
	struct shale_err err = { 0 };
	char hash[SIGV4_HEX];
	const char *signature;

	ASSERT_OK(remote_url_encode(&path, v->path, true));
	ASSERT_OK(remote_url_query(&query, v->params, count_params(v)));
	ASSERT_EQ(sigv4_hash(v->payload, v->payload ? strlen(v->payload) : 0, hash, &err), 0);
	const struct sigv4_request request = { v->method, buf_str(&path), buf_str(&query), v->headers,
					       count_headers(v), hash, when };
	ASSERT_EQ(sigv4_canonical(&request, &text, &err), 0);
	ASSERT_EQ(sigv4_authorize(creds, &request, &value, &err), 0);
	signature = strstr(buf_str(&value), "Signature=");
	ASSERT(signature);
	if (strcmp(signature + strlen("Signature="), v->signature))
		ktap_note("canonical request:\n%s", buf_str(&text));
	EXPECT_STREQ(signature + strlen("Signature="), v->signature);
	buf_release(&path);
	buf_release(&query);
	buf_release(&value);
	buf_release(&text);
}

TEST_TABLE(suite, struct vector, suite, v)
{
	expect_signature(&suite_creds, v, SUITE_TIME);
}

#define S3_HEADERS(HASH)                                                                           \
	{ "host", "examplebucket.s3.amazonaws.com" }, { "x-amz-content-sha256", HASH },            \
	{ "x-amz-date", "20130524T000000Z" }

static const struct vector s3[] = {
	{ { "get", "a GET of a range" }, "GET", "/test.txt", { { 0 } },
	  { S3_HEADERS(EMPTY_HASH), { "range", "bytes=0-9" } }, NULL,
	  "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41" },
	{ { "put", "a PUT, with a path that needs encoding" }, "PUT", "/test$file.text", { { 0 } },
	  { S3_HEADERS("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
	    { "date", "Fri, 24 May 2013 00:00:00 GMT" }, { "x-amz-storage-class", "REDUCED_REDUNDANCY" } },
	  "Welcome to Amazon S3.",
	  "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd" },
	{ { "lifecycle", "a parameter without a value" }, "GET", "/", { { "lifecycle", "" } },
	  { S3_HEADERS(EMPTY_HASH) }, NULL,
	  "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543" },
	{ { "list", "a list" }, "GET", "/", { { "prefix", "J" }, { "max-keys", "2" } },
	  { S3_HEADERS(EMPTY_HASH) }, NULL,
	  "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7" },
};

TEST_TABLE(s3, struct vector, s3, v)
{
	expect_signature(&s3_creds, v, S3_TIME);
}

TEST(presign, "a signed URL is S3's own example")
{
	const struct sigv4_link link = {
		.method = "GET", .host = "examplebucket.s3.amazonaws.com", .path = "/test.txt",
		.expires = 86400, .when = S3_TIME,
	};
	struct shale_err err = { 0 };
	struct buf query = BUF_INIT;

	ASSERT_EQ(sigv4_presign(&s3_creds, &link, &query, &err), 0);
	EXPECT_STREQ(buf_str(&query),
		     "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
		     "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&"
		     "X-Amz-SignedHeaders=host&X-Amz-Signature="
		     "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
	buf_release(&query);
}

TEST(presign_limits, "a signed URL is good for a second to a week")
{
	struct sigv4_link link = { .method = "GET", .host = "h", .path = "/", .when = S3_TIME };
	struct shale_err err = { 0 };
	struct buf query = BUF_INIT;

	EXPECT_EQ(sigv4_presign(&s3_creds, &link, &query, &err), -1);
	EXPECT_EQ(err.code, EINVAL);
	link.expires = SIGV4_MAX_EXPIRES + 1;
	EXPECT_EQ(sigv4_presign(&s3_creds, &link, &query, &err), -1);
	EXPECT_STREQ(err.msg, "signing a URL: good for 604801 seconds, not 1 to 604800");
	link.expires = SIGV4_MAX_EXPIRES;
	EXPECT_EQ(sigv4_presign(&s3_creds, &link, &query, &err), 0);
	buf_release(&query);
}

TEST(key_with_colon, "a key with a colon and a slash is encoded in a URL and stands plain in a header")
{
	const struct sigv4_creds creds = { "test:tester/x", "testing", "us-east-1", "s3" };
	const struct sigv4_header host = { "host", "h" };
	const struct sigv4_request request = { "GET", "/", "", &host, 1, EMPTY_HASH, S3_TIME };
	const struct sigv4_link link = { "GET", "h", "/", NULL, 0, 60, S3_TIME };
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;

	ASSERT_EQ(sigv4_authorize(&creds, &request, &text, &err), 0);
	EXPECT(strstr(buf_str(&text), "Credential=test:tester/x/20130524/us-east-1/s3/aws4_request,"));
	buf_clear(&text);
	ASSERT_EQ(sigv4_presign(&creds, &link, &text, &err), 0);
	EXPECT(strstr(buf_str(&text), "X-Amz-Credential=test%3Atester%2Fx%2F20130524"));
	buf_release(&text);
}

TEST(too_many, "too many headers, parameters or letters are refused")
{
	struct sigv4_header headers[SIGV4_MAX_HEADERS + 1];
	struct url_param params[REMOTE_MAX_PARAMS + 1];
	struct sigv4_creds creds = s3_creds;
	struct sigv4_request request = { "GET", "/", "", headers, SIGV4_MAX_HEADERS + 1, EMPTY_HASH, S3_TIME };
	struct sigv4_link link = { "GET", "h", "/", params, REMOTE_MAX_PARAMS - 4, 60, S3_TIME };
	struct shale_err err = { 0 };
	char region[300];
	struct buf text = BUF_INIT;

	for (size_t i = 0; i <= SIGV4_MAX_HEADERS; i++)
		headers[i] = (struct sigv4_header){ "h", "v" };
	for (size_t i = 0; i <= REMOTE_MAX_PARAMS; i++)
		params[i] = (struct url_param){ "p", "v" };
	EXPECT_EQ(sigv4_authorize(&creds, &request, &text, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_EQ(sigv4_presign(&creds, &link, &text, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_ERR(remote_url_query(&text, params, REMOTE_MAX_PARAMS + 1), E2BIG);
	memset(region, 'r', sizeof(region) - 1);
	region[sizeof(region) - 1] = '\0';
	creds.region = region;
	request.header_count = 1;
	EXPECT_EQ(sigv4_authorize(&creds, &request, &text, &err), -1);
	EXPECT_EQ(err.code, EINVAL);
	buf_release(&text);
}

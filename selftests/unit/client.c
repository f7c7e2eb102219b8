// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the registry client reads of others: headers, tokens, credential files, helpers' answers, names of
 * registries, the state of a download. Rows have what must be understood and what must be refused.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "client/answer.h"
#include "client/authfile.h"
#include "client/base64.h"
#include "client/bearer.h"
#include "client/complaint.h"
#include "client/credhelper.h"
#include "client/document.h"
#include "client/download_trailer.h"
#include "client/mirrors.h"
#include "client/origin.h"
#include "client/toml.h"
#include "client/web.h"
#include "ktap.h"

static const struct challenge_case {
	struct ktap_row row;
	const char *text;
	enum answer_scheme scheme; /* ANSWER_NONE: refused */
	const char *realm;
	const char *service;
	const char *scope;
} challenge_cases[] = {
	{ { "bearer", "a token server with service and scope" },
	  "Bearer realm=\"https://auth.x/token\",service=\"reg\",scope=\"repository:a/b:pull,push\"",
	  ANSWER_BEARER, "https://auth.x/token", "reg", "repository:a/b:pull,push" },
	{ { "blanks", "blanks around everything" },
	  "  bearer  realm = \"r\" ,  service=\"s\"  ", ANSWER_BEARER, "r", "s", "" },
	{ { "unquoted", "values without quotes" }, "Bearer realm=https://x/t?a=b,service=reg",
	  ANSWER_BEARER, "https://x/t?a=b", "reg", "" },
	{ { "escaped", "a backslash in a quoted value" }, "Bearer realm=\"a\\\"b\"", ANSWER_BEARER,
	  "a\"b", "", "" },
	{ { "basic", "user and password" }, "Basic realm=\"Registry Realm\"", ANSWER_BASIC,
	  "Registry Realm", "", "" },
	{ { "bare", "a scheme alone" }, "Basic", ANSWER_BASIC, "", "", "" },
	{ { "both", "of two in one line the token" }, "Basic realm=\"a\", Bearer realm=\"b\"",
	  ANSWER_BEARER, "b", "", "" },
	{ { "lines", "of two lines the token" }, "Bearer realm=\"b\"\nBasic realm=\"a\"",
	  ANSWER_BEARER, "b", "", "" },
	{ { "negotiate", "another scheme before it" }, "Negotiate abc==, Basic realm=\"a\"",
	  ANSWER_BASIC, "a", "", "" },
	{ { "more", "parameters we do not know" },
	  "Bearer error=\"invalid_token\",realm=\"r\",max_age=1", ANSWER_BEARER, "r", "", "" },
	{ { "none", "nothing at all" }, "", ANSWER_NONE, NULL, NULL, NULL },
	{ { "unknown", "only schemes we do not know" }, "Digest realm=\"x\"", ANSWER_NONE, NULL,
	  NULL, NULL },
	{ { "no_realm", "a token from nowhere" }, "Bearer service=\"s\"", ANSWER_NONE, NULL, NULL,
	  NULL },
	{ { "open", "a quote that does not end" }, "Bearer realm=\"x", ANSWER_NONE, NULL, NULL,
	  NULL },
	{ { "signs", "no words" }, "=,=\"", ANSWER_NONE, NULL, NULL, NULL },
};

TEST_TABLE(challenge, struct challenge_case, challenge_cases, test)
{
	struct answer_challenge found;
	struct shale_err err = { 0 };
	int ret = answer_parse_challenge(test->text, &found, &err);

	if (!test->scheme) {
		EXPECT_EQ(ret, -1);
		EXPECT_EQ(err.code, EPROTO);
		return;
	}
	ASSERT(ret == 0);
	EXPECT_EQ(found.scheme, test->scheme);
	EXPECT_STREQ(found.realm, test->realm);
	EXPECT_STREQ(found.service, test->service);
	EXPECT_STREQ(found.scope, test->scope);
}

TEST(challenge_long, "a challenge with a value that is too long is refused")
{
	char text[3 * ANSWER_MAX_VALUE];
	struct answer_challenge found;

	snprintf(text, sizeof(text), "Bearer realm=\"%0*d\"", 2 * ANSWER_MAX_VALUE, 1);
	EXPECT_EQ(answer_parse_challenge(text, &found, NULL), -1);
}

static const struct retry_case {
	struct ktap_row row;
	const char *text;
	bool good;
	uint64_t seconds;
} retry_cases[] = {
	{ { "seconds", "seconds" }, "120", true, 120 },
	{ { "zero", "at once" }, " 0 ", true, 0 },
	{ { "date", "a date" }, "Sun, 06 Nov 1994 08:49:37 GMT", true, 37 },
	{ { "past", "a date that is past" }, "Sun, 06 Nov 1994 08:48:37 GMT", true, 0 },
	{ { "big", "a number that does not fit" }, "99999999999999999999", false, 0 },
	{ { "negative", "less than nothing" }, "-1", false, 0 },
	{ { "words", "words" }, "soon", false, 0 },
	{ { "empty", "nothing" }, "", false, 0 },
};

TEST_TABLE(retry, struct retry_case, retry_cases, test)
{
	const time_t now = 784111740; /* 08:49:00 of that day */
	uint64_t seconds = 0;

	EXPECT_EQ(answer_parse_retry(test->text, now, &seconds), test->good);
	EXPECT_EQ(seconds, test->seconds);
}

static const struct range_case {
	struct ktap_row row;
	const char *text;
	bool good;
	struct answer_range range;
} range_cases[] = {
	{ { "all", "first, last and whole" }, "bytes 5-9/10", true, { 5, 9, 10 } },
	{ { "star", "the whole is not known" }, "bytes 0-0/*", true, { 0, 0, UINT64_MAX } },
	{ { "large", "numbers beyond 32 bits" }, "bytes 5000000000-5000000001/6000000000", true,
	  { 5000000000, 5000000001, 6000000000 } },
	{ { "backwards", "the last before the first" }, "bytes 9-5/10", false, { 0, 0, 0 } },
	{ { "beyond", "beyond the end" }, "bytes 5-10/10", false, { 0, 0, 0 } },
	{ { "unit", "no bytes" }, "lines 5-9/10", false, { 0, 0, 0 } },
	{ { "none", "none of it" }, "bytes */10", false, { 0, 0, 0 } },
	{ { "trailing", "something after it" }, "bytes 5-9/10x", false, { 0, 0, 0 } },
	{ { "overflow", "too large a number" }, "bytes 0-1/18446744073709551616", false,
	  { 0, 0, 0 } },
};

TEST_TABLE(range, struct range_case, range_cases, test)
{
	struct answer_range range = { 0, 0, 0 };

	EXPECT_EQ(answer_parse_range(test->text, &range), test->good);
	EXPECT_EQ(range.first, test->range.first);
	EXPECT_EQ(range.last, test->range.last);
	EXPECT_EQ(range.total, test->range.total);
}

TEST(upload_range, "how far an upload has come")
{
	uint64_t bytes = 7;

	EXPECT(answer_parse_upload("0-99", &bytes));
	EXPECT_EQ(bytes, 100);
	EXPECT(answer_parse_upload("bytes=0-1", &bytes));
	EXPECT_EQ(bytes, 2);
	EXPECT(answer_parse_upload("0-0", &bytes));
	EXPECT_EQ(bytes, 0);
	EXPECT(!answer_parse_upload("5-9", &bytes));
	EXPECT(!answer_parse_upload("0-18446744073709551615", &bytes));
	EXPECT(!answer_parse_upload("", &bytes));
}

static const struct link_case {
	struct ktap_row row;
	const char *text;
	const char *target;
} link_cases[] = {
	{ { "next", "a link to the next page" }, "</v2/x/tags/list?last=a&n=2>; rel=\"next\"",
	  "/v2/x/tags/list?last=a&n=2" },
	{ { "bare", "without quotes" }, "<a>; rel=next", "a" },
	{ { "second", "the second of two" }, "<a>; rel=\"prev\", <b>; x=\"1\"; rel=\"next\"", "b" },
	{ { "lines", "in another line" }, "<a>; rel=up\n<b>; rel=next", "b" },
	{ { "comma", "a comma in the target" }, "<a,b>; rel=next", "a,b" },
	{ { "other", "only others" }, "<a>; rel=\"prev\"", NULL },
	{ { "no_rel", "without a relation" }, "<a>", NULL },
	{ { "open", "a target that does not end" }, "<a; rel=next", NULL },
	{ { "empty", "nothing" }, "", NULL },
};

TEST_TABLE(link, struct link_case, link_cases, test)
{
	char target[ANSWER_MAX_VALUE];
	bool found = answer_parse_link(test->text, target, sizeof(target));

	EXPECT_EQ(found, test->target != NULL);
	if (found && test->target)
		EXPECT_STREQ(target, test->target);
}

TEST(media_type, "a media type without its parameters")
{
	char type[32];

	answer_media_type(" Application/JSON; charset=utf-8", type, sizeof(type));
	EXPECT_STREQ(type, "application/json");
	answer_media_type("0123456789012345678901234567890123456789", type, sizeof(type));
	EXPECT_EQ(strlen(type), sizeof(type) - 1);
}

static const struct token_case {
	struct ktap_row row;
	const char *text;
	const char *token; /* NULL: refused */
	uint64_t seconds;
} token_cases[] = {
	{ { "token", "a token" }, "{\"token\":\"abc\",\"expires_in\":300}", "abc", 300 },
	{ { "access_token", "by its other name" }, "{\"access_token\":\"abc\"}", "abc", 60 },
	{ { "both", "both names" }, "{\"token\":\"a\",\"access_token\":\"b\"}", "a", 60 },
	{ { "short_life", "a life that is too short is the protocol's shortest" },
	  "{\"token\":\"a\",\"expires_in\":1}", "a", 60 },
	{ { "missing", "none" }, "{\"expires_in\":300}", NULL, 0 },
	{ { "empty", "an empty one" }, "{\"token\":\"\"}", NULL, 0 },
	{ { "newline", "one that would become a header of its own" },
	  "{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL, 0 },
	{ { "number", "a number" }, "{\"token\":5}", NULL, 0 },
	{ { "array", "no object" }, "[]", NULL, 0 },
	{ { "html", "no JSON" }, "<html>", NULL, 0 },
};

TEST_TABLE(token, struct token_case, token_cases, test)
{
	struct shale_err err = { 0 };
	struct bearer bearer = { 0 };
	int ret = bearer_parse(test->text, strlen(test->text), &bearer, &err);

	if (!test->token) {
		EXPECT_EQ(ret, -1);
		EXPECT(err.code && err.msg[0]);
		return;
	}
	ASSERT(ret == 0);
	EXPECT_STREQ(bearer.token, test->token);
	EXPECT_EQ(bearer.seconds, test->seconds);
	bearer_release(&bearer);
}

TEST(token_long, "a token that no server would take is refused")
{
	char *text = malloc(BEARER_MAX_TOKEN + 100);
	struct bearer bearer = { 0 };
	int len = snprintf(text, BEARER_MAX_TOKEN + 100, "{\"token\":\"%0*d\"}",
			   BEARER_MAX_TOKEN + 1, 1);

	EXPECT_EQ(bearer_parse(text, len, &bearer, NULL), -1);
	free(text);
}

TEST(base64, "base64 there and back, and what is none")
{
	static const char *const texts[] = { "", "a", "ab", "abc", "abcd", "\xff\xfe\xfd" };
	static const char *const bad[] = { "A", "AB=C", "A B=", "AB\n=", "====", "AA*=" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		__cleanup_buf struct buf code = BUF_INIT;
		__cleanup_buf struct buf back = BUF_INIT;

		ASSERT(base64_encode(texts[i], strlen(texts[i]), &code) == 0);
		ASSERT(base64_decode(buf_str(&code), code.len, &back));
		EXPECT_STREQ(buf_str(&back), texts[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		__cleanup_buf struct buf back = BUF_INIT;

		EXPECT(!base64_decode(bad[i], strlen(bad[i]), &back));
	}
}

static const struct auth_case {
	struct ktap_row row;
	const char *text;
	const char *host;
	const char *repository;
	const char *username; /* NULL: none */
	const char *password;
	int code; /* of a file that is refused */
} auth_cases[] = {
	{ { "host", "a host's entry" }, "{\"auths\":{\"quay.io\":{\"auth\":\"dTpw\"}}}", "quay.io",
	  "a/b", "u", "p", 0 },
	{ { "port", "with a port" }, "{\"auths\":{\"h:5000\":{\"auth\":\"dTpw\"}}}", "h:5000", "a",
	  "u", "p", 0 },
	{ { "other_port", "another port is another host" },
	  "{\"auths\":{\"h:5000\":{\"auth\":\"dTpw\"}}}", "h:5001", "a", NULL, NULL, 0 },
	{ { "no_port", "and so is none" }, "{\"auths\":{\"h\":{\"auth\":\"dTpw\"}}}", "h:5001", "a",
	  NULL, NULL, 0 },
	{ { "prefix", "nor is a host one whose name begins like it" },
	  "{\"auths\":{\"quay.io\":{\"auth\":\"dTpw\"}}}", "quay.io.evil", "a", NULL, NULL, 0 },
	{ { "url", "an old docker's URL" },
	  "{\"auths\":{\"https://quay.io/v1/\":{\"auth\":\"dTpw\"}}}", "quay.io", "a", "u", "p", 0 },
	{ { "hub", "docker.io's old name" },
	  "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}", "docker.io",
	  "library/x", "u", "p", 0 },
	{ { "longest", "the longest path that fits" },
	  "{\"auths\":{\"q\":{\"auth\":\"dTpw\"},\"q/a\":{\"auth\":\"YTpi\"},\"q/ab\":{}}}", "q",
	  "a/b", "a", "b", 0 },
	{ { "fields", "user and password in fields" },
	  "{\"auths\":{\"q\":{\"username\":\"u\",\"password\":\"p\"}}}", "q", "a", "u", "p", 0 },
	{ { "colons", "a password with colons" }, "{\"auths\":{\"q\":{\"auth\":\"dTphOmI=\"}}}",
	  "q", "a", "u", "a:b", 0 },
	{ { "empty_entry", "an entry that only says a helper knows" }, "{\"auths\":{\"q\":{}}}",
	  "q", "a", NULL, NULL, 0 },
	{ { "empty", "an empty file" }, "{}", "q", "a", NULL, NULL, 0 },
	{ { "bad_base64", "no base64" }, "{\"auths\":{\"q\":{\"auth\":\"*\"}}}", "q", "a", NULL,
	  NULL, EINVAL },
	{ { "no_colon", "no password" }, "{\"auths\":{\"q\":{\"auth\":\"dXA=\"}}}", "q", "a", NULL,
	  NULL, EINVAL },
	{ { "kind", "an entry that is no object" }, "{\"auths\":{\"q\":5}}", "q", "a", NULL, NULL,
	  EINVAL },
	{ { "auths_kind", "entries that are no object" }, "{\"auths\":[]}", "q", "a", NULL, NULL,
	  EINVAL },
	{ { "twice", "a registry twice" }, "{\"auths\":{\"q\":{},\"q\":{}}}", "q", "a", NULL, NULL,
	  EINVAL },
	{ { "text", "no JSON" }, "auths", "q", "a", NULL, NULL, EINVAL },
};

TEST_TABLE(auth, struct auth_case, auth_cases, test)
{
	__cleanup_authfile struct authfile file = { 0 };
	__cleanup_creds struct creds creds = { 0 };
	struct shale_err err = { 0 };
	int ret = authfile_parse(test->text, strlen(test->text), "file", &file, &err);

	if (ret == 0)
		ret = authfile_get(&file, test->host, test->repository, &creds, &err);
	EXPECT_EQ(err.code, test->code);
	EXPECT_EQ(ret, test->code ? -1 : 0);
	EXPECT_EQ(creds.username != NULL, test->username != NULL);
	if (creds.username && test->username) {
		EXPECT_STREQ(creds.username, test->username);
		EXPECT_STREQ(creds.password, test->password);
	}
}

TEST(auth_helper, "which helper has a registry's credentials")
{
	__cleanup_authfile struct authfile file = { 0 };
	const char *text = "{\"credHelpers\":{\"q\":\"one\"},\"credsStore\":\"all\"}";

	ASSERT(authfile_parse(text, strlen(text), "file", &file, NULL) == 0);
	EXPECT_STREQ(authfile_helper(&file, "q"), "one");
	EXPECT_STREQ(authfile_helper(&file, "r"), "all");
}

TEST(auth_write, "credentials are written beside what is there, for their owner only, and removed")
{
	__cleanup_authfile struct authfile file = { 0 };
	struct creds creds = { .username = (char *)"u", .password = (char *)"p" };
	char dir[] = "/tmp/shale-auth.XXXXXX";
	char path[64];
	struct stat st;

	ASSERT(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sub", dir);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/config.json");
	ASSERT(authfile_load(path, &file, NULL) == 0);
	json_object_set_new(file.root, "theme", json_string("dark"));
	ASSERT(authfile_set(&file, "docker.io", &creds, NULL) == 0);
	ASSERT(authfile_save(&file, NULL) == 0);
	authfile_release(&file);
	ASSERT_OK(stat(path, &st));
	EXPECT_EQ(st.st_mode & 07777, 0600);
	ASSERT(authfile_load(path, &file, NULL) == 0);
	EXPECT_STREQ(json_string_value(json_object_get(file.root, "theme")), "dark");
	EXPECT(json_object_get(json_object_get(file.root, "auths"), "https://index.docker.io/v1/"));
	EXPECT(authfile_remove(&file, "docker.io"));
	EXPECT(!authfile_remove(&file, "docker.io"));
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	rmdir(dir);
}

TEST(helper_answer, "what a helper prints")
{
	const char *text = "{\"ServerURL\":\"q\",\"Username\":\"u\",\"Secret\":\"s\"}";
	const char *token = "{\"Username\":\"<token>\",\"Secret\":\"s\"}";
	struct creds creds = { 0 };

	ASSERT(credhelper_parse(text, strlen(text), &creds, NULL) == 0);
	EXPECT_STREQ(creds.username, "u");
	EXPECT_STREQ(creds.password, "s");
	creds_release(&creds);
	ASSERT(credhelper_parse(token, strlen(token), &creds, NULL) == 0);
	EXPECT(!creds.username && !creds.password);
	EXPECT_STREQ(creds.identity_token, "s");
	creds_release(&creds);
	EXPECT_EQ(credhelper_parse("no", 2, &creds, NULL), -1);
}

static const struct origin_case {
	struct ktap_row row;
	const char *name;
	const char *host;
	const char *endpoint;
	const char *repository;
	bool is_local;
} origin_cases[] = {
	{ { "hub", "a short name" }, "debian", "docker.io", "registry-1.docker.io",
	  "library/debian", false },
	{ { "hub_user", "a user's" }, "a/b:c", "docker.io", "registry-1.docker.io", "a/b", false },
	{ { "other", "another registry" }, "quay.io/a/b/c", "quay.io", "quay.io", "a/b/c", false },
	{ { "port", "with a port" }, "127.0.0.1:5000/x", "127.0.0.1:5000", "127.0.0.1:5000", "x",
	  true },
	{ { "net", "anything of 127/8" }, "127.3.2.1/x", "127.3.2.1", "127.3.2.1", "x", true },
	{ { "localhost", "localhost" }, "localhost/x", "localhost", "localhost", "x", true },
	{ { "like", "a name that begins like it" }, "127.0.0.1.example.com/x",
	  "127.0.0.1.example.com", "127.0.0.1.example.com", "x", false },
	{ { "like_localhost", "or like localhost" }, "localhost.example.com/x",
	  "localhost.example.com", "localhost.example.com", "x", false },
};

TEST_TABLE(origin, struct origin_case, origin_cases, test)
{
	struct origin origin;
	struct ref ref;

	ASSERT(ref_parse(test->name, &ref, NULL) == 0);
	ASSERT(origin_of_ref(&ref, &origin, NULL) == 0);
	EXPECT_STREQ(origin.host, test->host);
	EXPECT_STREQ(origin.endpoint, test->endpoint);
	EXPECT_STREQ(origin.repository, test->repository);
	EXPECT_EQ(origin_is_local(origin.endpoint), test->is_local);
}

TEST(same_host, "who is the same host and who is not")
{
	EXPECT(web_same_host("https://a/x", "https://A:443/y?z"));
	EXPECT(web_same_host("http://a:80/", "http://a"));
	EXPECT(!web_same_host("https://a/", "http://a/"));
	EXPECT(!web_same_host("https://a/", "https://a:444/"));
	EXPECT(!web_same_host("https://a/", "https://a.b/"));
	EXPECT(!web_same_host("https://a/", "https://a@b/"));
	EXPECT(!web_same_host("https://a/", "nothing"));
}

TEST(complaint, "what a registry says of an error")
{
	const char *text = "{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"},{\"code\":\"X\"}]}";
	__cleanup_buf struct buf out = BUF_INIT;

	EXPECT_EQ(complaint_parse(text, strlen(text), &out), 0);
	EXPECT_STREQ(buf_str(&out), ": DENIED: no");
	buf_clear(&out);
	EXPECT_EQ(complaint_parse("<html>", 6, &out), 0);
	EXPECT_STREQ(buf_str(&out), "");
	EXPECT_EQ(complaint_code(404), ENOENT);
	EXPECT_EQ(complaint_code(499), EPROTO);
}

static const struct type_case {
	struct ktap_row row;
	const char *header;
	const char *body;
	int code;
} type_cases[] = {
	{ { "oci", "an OCI manifest" }, "application/vnd.oci.image.manifest.v1+json", "{}", 0 },
	{ { "params", "with parameters" },
	  "application/vnd.oci.image.manifest.v1+json; charset=utf-8", "{}", 0 },
	{ { "agree", "that says so itself" }, "application/vnd.oci.image.index.v1+json",
	  "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}", 0 },
	{ { "differ", "that says something else" }, "application/vnd.oci.image.manifest.v1+json",
	  "{\"mediaType\":\"application/vnd.oci.image.index.v1+json\"}", EPROTO },
	{ { "html", "a web page" }, "text/html", "{}", EPROTO },
	{ { "none", "no type at all" }, NULL, "{}", EPROTO },
	{ { "json", "no JSON" }, "application/vnd.oci.image.manifest.v1+json", "x", EINVAL },
};

TEST_TABLE(type, struct type_case, type_cases, test)
{
	struct buf body = { .data = (char *)test->body, .len = strlen(test->body) };
	char type[DOCUMENT_MAX_TYPE];
	struct shale_err err = { 0 };

	EXPECT_EQ(document_type(test->header, &body, type, &err), test->code ? -1 : 0);
	EXPECT_EQ(err.code, test->code);
}

TEST(download, "a download that was broken off goes on, and is checked from its start")
{
	char dir[] = "/tmp/shale-download.XXXXXX";
	struct download download;
	struct digest digest;
	char data[10000];
	bool busy = true;
	bool more = true;
	int dirfd;

	ASSERT(mkdtemp(dir));
	dirfd = ASSERT_OK(open(dir, O_RDONLY | O_DIRECTORY));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	ASSERT(digest_of(data, sizeof(data), &digest, NULL) == 0);
	ASSERT(download_open(dirfd, &digest, sizeof(data), 2, &download, &busy, NULL) == 0 && !busy);
	EXPECT_EQ(download.part_count, 2);
	/* The second part first. */
	ASSERT(download_write(&download, &download.parts[1], data + 5000, 5000, NULL) == 0);
	ASSERT(download_write(&download, &download.parts[0], data, 1000, NULL) == 0);
	EXPECT_EQ(download.hashed, 1000);
	EXPECT_EQ(download_write(&download, &download.parts[0], data, 5000, NULL), -1);
	download_close(&download);

	ASSERT(download_open(dirfd, &digest, sizeof(data), 1, &download, &busy, NULL) == 0 && !busy);
	EXPECT(download.is_resumed);
	EXPECT_EQ(download.part_count, 2);
	EXPECT_EQ(download_done(&download), 6000);
	ASSERT(download_write(&download, &download.parts[0], data + 1000, 4000, NULL) == 0);
	while (more)
		ASSERT(download_hash(&download, &more, NULL) == 0);
	ASSERT(download_is_complete(&download));
	ASSERT(download_finish(&download, NULL) == 0);
	EXPECT_EQ(lseek(download.fd, 0, SEEK_END), sizeof(data));
	download_drop(&download);
	close(dirfd);
	EXPECT_OK(rmdir(dir));
}

TEST(download_wrong, "a download with another digest is refused")
{
	char dir[] = "/tmp/shale-download.XXXXXX";
	struct shale_err err = { 0 };
	struct download download;
	struct digest digest;
	bool busy = true;
	int dirfd;

	ASSERT(mkdtemp(dir));
	dirfd = ASSERT_OK(open(dir, O_RDONLY | O_DIRECTORY));
	ASSERT(digest_of("abc", 3, &digest, NULL) == 0);
	ASSERT(download_open(dirfd, &digest, 3, 1, &download, &busy, NULL) == 0 && !busy);
	ASSERT(download_write(&download, &download.parts[0], "abd", 3, NULL) == 0);
	EXPECT_EQ(download_finish(&download, &err), -1);
	EXPECT_EQ(err.code, EBADMSG);
	download_drop(&download);
	close(dirfd);
	EXPECT_OK(rmdir(dir));
}

TEST(trailer, "a trailer that cannot be is none")
{
	struct download_part parts[DOWNLOAD_MAX_PARTS];
	uint64_t words[TRAILER_BYTES / 8] = { 0 };
	size_t count = 0;

	memcpy(words, "shaledl\1", 8);
	words[1] = 100;
	words[2] = 2;
	words[4] = 40;
	words[5] = 40;
	words[6] = 40;
	words[7] = 100;
	words[8] = 50;
	EXPECT(trailer_parse(words, sizeof(words), 100, parts, &count));
	EXPECT_EQ(count, 2);
	EXPECT(!trailer_parse(words, sizeof(words), 101, parts, &count));
	EXPECT(!trailer_parse(words, sizeof(words) - 1, 100, parts, &count));
	words[8] = 101;
	EXPECT(!trailer_parse(words, sizeof(words), 100, parts, &count));
	words[8] = 50;
	words[6] = 41;
	EXPECT(!trailer_parse(words, sizeof(words), 100, parts, &count));
	words[6] = 40;
	words[2] = UINT64_MAX;
	EXPECT(!trailer_parse(words, sizeof(words), 100, parts, &count));
}

static int print_item(void *arg, const struct toml_item *item, struct shale_err *err)
{
	struct buf *out = arg;

	(void)err;
	switch (item->kind) {
	case TOML_TABLE:
		return buf_addf(out, "[%s]", item->table);
	case TOML_TABLE_ELEMENT:
		return buf_addf(out, "[[%s]]", item->table);
	case TOML_STRING:
		return buf_addf(out, "%s='%s';", item->key, item->text);
	case TOML_BOOLEAN:
		return buf_addf(out, "%s=%s;", item->key, item->boolean ? "true" : "false");
	case TOML_INTEGER:
		return buf_addf(out, "%s=%lld;", item->key, (long long)item->integer);
	case TOML_ARRAY:
		return buf_addf(out, "%s:", item->key);
	case TOML_ELEMENT:
		return buf_addf(out, "'%s',", item->text);
	}
	return -1;
}

static const struct toml_case {
	struct ktap_row row;
	const char *text;
	const char *items; /* NULL: refused */
} toml_cases[] = {
	{ { "empty", "nothing" }, "", "" },
	{ { "comments", "comments and blank lines" }, "# a\n\n \t# b\r\n", "" },
	{ { "values", "values of each kind" }, "a = \"x\"\nb=true # c\nc = -12\nd = false",
	  "a='x';b=true;c=-12;d=false;" },
	{ { "tables", "tables and lists of tables" }, "[a.b]\nx=1\n[[ c ]]\n[[c.\"d\"]]", NULL },
	{ { "table_list", "lists of tables" }, "[a.b]\nx=1\n[[c]]\n[[c.d]]",
	  "[a.b]x=1;[[c]][[c.d]]" },
	{ { "escapes", "escapes, and none" }, "a=\"x\\t\\\"\"\nb='x\\t'", "a='x\t\"';b='x\\t';" },
	{ { "arrays", "arrays over several lines" }, "a = [ \"x\", # c\n 'y',\n]\nb=[]",
	  "a:'x','y',b:" },
	{ { "quoted_key", "a quoted key" }, "\"a b\" = 1", "a b=1;" },
	{ { "no_value", "a key without a value" }, "a =", NULL },
	{ { "no_equals", "a word" }, "a", NULL },
	{ { "two", "two values" }, "a = 1 2", NULL },
	{ { "open", "a string that does not end" }, "a = \"x\nb", NULL },
	{ { "multi", "a string of several lines" }, "a = \"\"\"x\"\"\"", NULL },
	{ { "inline", "a table within a line" }, "a = { b = 1 }", NULL },
	{ { "float", "a fraction" }, "a = 1.5", NULL },
	{ { "bare", "a value that is a word" }, "a = truely", NULL },
	{ { "mixed", "an array of numbers" }, "a = [1]", NULL },
	{ { "open_array", "an array that does not end" }, "a = ['x'", NULL },
	{ { "open_table", "a table that does not end" }, "[a", NULL },
	{ { "overflow", "too large a number" }, "a = 99999999999999999999", NULL },
};

TEST_TABLE(toml, struct toml_case, toml_cases, test)
{
	__cleanup_buf struct buf out = BUF_INIT;
	struct shale_err err = { 0 };
	int ret = toml_parse(test->text, strlen(test->text), "file", print_item, &out, &err);

	EXPECT_EQ(ret, test->items ? 0 : -1);
	if (test->items)
		EXPECT_STREQ(buf_str(&out), test->items);
	else
		EXPECT_EQ(err.code, EINVAL);
}

static const struct mirror_case {
	struct ktap_row row;
	const char *conf;
	const char *name;
	const char *places; /* NULL: refused */
} mirror_cases[] = {
	{ { "none", "a registry that is not mentioned" }, "", "q.io/a", "q.io/a" },
	{ { "mirror", "a mirror, then the registry" },
	  "[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m.io:5000/cache'\n", "q.io/a/b",
	  "m.io:5000/cache/a/b q.io/a/b" },
	{ { "hub", "mirrors of docker.io" },
	  "[[registry]]\nlocation='docker.io'\n[[registry.mirror]]\nlocation='m.io'\n", "debian",
	  "m.io/library/debian docker.io/library/debian" },
	{ { "longest", "the longest prefix counts" },
	  "[[registry]]\nprefix='q.io/a'\nlocation='x.io'\n[[registry]]\nlocation='q.io'\nblocked=true\n",
	  "q.io/a/b", "x.io/b" },
	{ { "whole_words", "a prefix ends where a word does" },
	  "[[registry]]\nprefix='q.io/a'\nlocation='x.io'\n", "q.io/ab", "q.io/ab" },
	{ { "port", "a port is another host" }, "[[registry]]\nlocation='q.io'\nblocked=true\n",
	  "q.io:5000/a", "q.io:5000/a" },
	{ { "wildcard", "all hosts of a domain" },
	  "[[registry]]\nprefix='*.q.io'\nlocation='x.io/y'\n", "a.b.q.io/c", "x.io/y/c" },
	{ { "not_wildcard", "but not the domain" },
	  "[[registry]]\nprefix='*.q.io'\nlocation='x.io/y'\n", "q.io/c", "q.io/c" },
	{ { "by_digest", "a mirror for digests is not asked for a tag" },
	  "[[registry]]\nlocation='q.io'\n[[registry.mirror]]\nlocation='m.io'\n"
	  "pull-from-mirror='digest-only'\n", "q.io/a:b", "q.io/a" },
	{ { "blocked", "a registry that is blocked" },
	  "[[registry]]\nlocation='q.io'\nblocked=true\n", "q.io/a", NULL },
	{ { "table", "a table instead of a list" }, "[registry]\nlocation='q.io'\n", "q.io/a", NULL },
	{ { "orphan", "a mirror of nothing" }, "[[registry.mirror]]\nlocation='q.io'\n", "q.io/a",
	  NULL },
	{ { "url", "a URL instead of a name" }, "[[registry]]\nlocation='https://q.io'\n", "q.io/a",
	  NULL },
};

TEST_TABLE(mirror, struct mirror_case, mirror_cases, test)
{
	struct mirror_place places[MIRRORS_MAX_PLACES];
	__cleanup_mirrors struct mirrors mirrors = { 0 };
	__cleanup_buf struct buf out = BUF_INIT;
	size_t count = 0;
	struct ref ref;
	int ret;

	ASSERT(ref_parse(test->name, &ref, NULL) == 0);
	ret = mirrors_parse(test->conf, strlen(test->conf), "file", &mirrors, NULL);
	if (ret == 0)
		ret = mirrors_find(&mirrors, &ref, places, &count, NULL);
	EXPECT_EQ(ret, test->places ? 0 : -1);
	for (size_t i = 0; i < count; i++)
		ASSERT(buf_addf(&out, "%s%s/%s", i ? " " : "", places[i].origin.host,
				places[i].origin.repository) == 0);
	if (test->places)
		EXPECT_STREQ(buf_str(&out), test->places);
}

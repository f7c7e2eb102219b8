// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry's parsers of what clients send and people write: paths, queries, ranges, names, digests and
 * states of hashes, manifests, the configuration. What a whole server answers is selftests/registry's.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "httpd/target.h"
#include "registry/conf.h"
#include "registry/manifest.h"
#include "registry/route.h"
#include "registry/sum.h"

#define HEX  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define HEX2 HEX HEX

struct target_case {
	struct ktap_row row;
	const char *text;
	const char *segments; /* joined by '|'; NULL: refused */
	const char *pairs;    /* "k=v;" each */
};

static const struct target_case targets[] = {
	{ { "root", "the root" }, "/", "", "" },
	{ { "path", "a path" }, "/v2/a/b", "v2|a|b", "" },
	{ { "slash_last", "a slash last is an empty segment" }, "/v2/", "v2|", "" },
	{ { "slashes", "two slashes are one" }, "/a//b", "a||b", "" },
	{ { "encoded", "what is encoded is decoded within its segment" }, "/a%2fb/%41", "a/b|A", "" },
	{ { "plus", "a plus in a path is one" }, "/a+b", "a+b", "" },
	{ { "dots", "dots are not resolved" }, "/a/../b/.", "a|..|b|.", "" },
	{ { "query", "a query" }, "/a?n=1&last=x%26y&e&f=", "a", "n=1;last=x&y;e=;f=;" },
	{ { "query_plus", "a plus in a query is a blank" }, "/?a=b+c%2b", "", "a=b c+;" },
	{ { "query_twice", "a key twice is there twice" }, "/?t=1&t=2", "", "t=1;t=2;" },
	{ { "query_mark", "a second question mark is data" }, "/?a=?&&", "", "a=?;" },
	{ { "none", "nothing" }, "", NULL, NULL },
	{ { "absolute", "a whole URL" }, "http://x/v2/", NULL, NULL },
	{ { "escape_cut", "an escape that is cut off" }, "/a%4", NULL, NULL },
	{ { "escape_bad", "an escape that is none" }, "/a%zz", NULL, NULL },
	{ { "nul", "an encoded NUL" }, "/a%00b", NULL, NULL },
	{ { "newline", "an encoded newline" }, "/?a=%0d%0aX", NULL, NULL },
};

TEST_TABLE(target, struct target_case, targets, c)
{
	__cleanup_target struct target target = { 0 };
	__cleanup_buf struct buf got = BUF_INIT;

	ASSERT_EQ(target_parse(c->text, &target), c->segments != NULL);
	if (!c->segments)
		return;
	for (size_t i = 0; i < target.segment_count; i++)
		buf_addf(&got, "%s%s", i ? "|" : "", target.segments[i]);
	EXPECT_STREQ(buf_str(&got), c->segments);
	buf_clear(&got);
	for (size_t i = 0; i < target.pair_count; i++)
		buf_addf(&got, "%s=%s;", target.pairs[i].key, target.pairs[i].value);
	EXPECT_STREQ(buf_str(&got), c->pairs);
}

TEST(target_limits, "too many segments or pairs are refused")
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct target target;

	for (int i = 0; i <= TARGET_MAX_SEGMENTS; i++)
		buf_adds(&text, "/a");
	EXPECT(!target_parse(buf_str(&text), &target));
	buf_clear(&text);
	buf_adds(&text, "/?");
	for (int i = 0; i <= TARGET_MAX_PAIRS; i++)
		buf_adds(&text, "a&");
	EXPECT(!target_parse(buf_str(&text), &target));
}

TEST(target_encode, "what is encoded comes back")
{
	__cleanup_target struct target target = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;

	buf_adds(&text, "/?last=");
	ASSERT_EQ(target_encode(&text, "a/b c+%&\"\xc3\xbc"), 0);
	ASSERT(target_parse(buf_str(&text), &target));
	EXPECT_STREQ(target_get(&target, "last"), "a/b c+%&\"\xc3\xbc");
	EXPECT(!target_get(&target, "n"));
}

struct range_case {
	struct ktap_row row;
	const char *text;
	unsigned long long size;
	enum range_answer answer;
	unsigned long long first;
	unsigned long long last;
};

static const struct range_case ranges[] = {
	{ { "none", "no range" }, NULL, 10, RANGE_WHOLE, 0, 0 },
	{ { "part", "a part" }, "bytes=2-4", 10, RANGE_PART, 2, 4 },
	{ { "open", "to the end" }, "bytes=2-", 10, RANGE_PART, 2, 9 },
	{ { "suffix", "from the end" }, "bytes=-3", 10, RANGE_PART, 7, 9 },
	{ { "suffix_all", "more than all from the end" }, "bytes=-30", 10, RANGE_PART, 0, 9 },
	{ { "past", "an end behind the end" }, "bytes=5-500", 10, RANGE_PART, 5, 9 },
	{ { "case", "the unit in capitals" }, "Bytes=0-0", 10, RANGE_PART, 0, 0 },
	{ { "blanks", "blanks around it" }, "bytes= 1-2 ", 10, RANGE_PART, 1, 2 },
	{ { "at_end", "a start at the end" }, "bytes=10-", 10, RANGE_BAD, 0, 0 },
	{ { "backwards", "an end before its start" }, "bytes=4-2", 10, RANGE_BAD, 0, 0 },
	{ { "suffix_none", "no bytes from the end" }, "bytes=-0", 10, RANGE_BAD, 0, 0 },
	{ { "empty", "of nothing" }, "bytes=0-0", 0, RANGE_BAD, 0, 0 },
	{ { "empty_suffix", "from the end of nothing" }, "bytes=-1", 0, RANGE_BAD, 0, 0 },
	{ { "unit", "another unit" }, "lines=1-2", 10, RANGE_WHOLE, 0, 0 },
	{ { "many", "two ranges" }, "bytes=1-2,4-5", 10, RANGE_WHOLE, 0, 0 },
	{ { "words", "words" }, "bytes=a-b", 10, RANGE_WHOLE, 0, 0 },
	{ { "dash", "a dash" }, "bytes=-", 10, RANGE_WHOLE, 0, 0 },
	{ { "junk", "junk behind it" }, "bytes=1-2x", 10, RANGE_WHOLE, 0, 0 },
	{ { "overflow", "a number too large" }, "bytes=0-18446744073709551616", 10, RANGE_WHOLE, 0, 0 },
	{ { "overflow_first", "a start too large" }, "bytes=99999999999999999999-", 10, RANGE_WHOLE, 0, 0 },
};

TEST_TABLE(range, struct range_case, ranges, c)
{
	uint64_t first = 0;
	uint64_t last = 0;

	ASSERT_EQ(range_parse(c->text, c->size, &first, &last), c->answer);
	if (c->answer != RANGE_PART)
		return;
	EXPECT_EQ(first, c->first);
	EXPECT_EQ(last, c->last);
}

TEST(range_content, "the range of a chunk in both its forms, and what is none")
{
	static const char *const bad[] = { "", "5", "5-", "-5", "9-5", "a-b", "1-2x", "1-2/", "1-2/x",
					   "bytes", "0-18446744073709551615", "18446744073709551616-1" };
	static const char *const good[] = { "5-9", "bytes 5-9", "bytes 5-9/20", "bytes 5-9/*",
					    "bytes=5-9" };
	uint64_t first, last;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		EXPECT(range_parse_content(good[i], &first, &last));
		EXPECT(first == 5 && last == 9);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!range_parse_content(bad[i], &first, &last));
}

struct route_case {
	struct ktap_row row;
	const char *path;
	const char *prefix;
	enum route_answer answer;
	enum resource resource;
	const char *repo;
	const char *last;
};

static const struct route_case routes[] = {
	{ { "base", "the base" }, "/v2/", "", ROUTE_FOUND, RESOURCE_BASE, "", NULL },
	{ { "base_bare", "without its slash" }, "/v2", "", ROUTE_FOUND, RESOURCE_BASE, "", NULL },
	{ { "catalog", "the catalog" }, "/v2/_catalog", "", ROUTE_FOUND, RESOURCE_CATALOG, "", NULL },
	{ { "tags", "tags" }, "/v2/a/b/tags/list", "", ROUTE_FOUND, RESOURCE_TAGS, "a/b", NULL },
	{ { "manifest", "a manifest" }, "/v2/a/manifests/x", "", ROUTE_FOUND, RESOURCE_MANIFEST, "a", "x" },
	{ { "blob", "a blob" }, "/v2/a/blobs/sha256:x", "", ROUTE_FOUND, RESOURCE_BLOB, "a", "sha256:x" },
	{ { "uploads", "uploads" }, "/v2/a/blobs/uploads/", "", ROUTE_FOUND, RESOURCE_UPLOADS, "a", NULL },
	{ { "uploads_bare", "without their slash" }, "/v2/a/blobs/uploads", "", ROUTE_FOUND, RESOURCE_UPLOADS, "a", NULL },
	{ { "upload", "an upload" }, "/v2/a/blobs/uploads/id", "", ROUTE_FOUND, RESOURCE_UPLOAD, "a", "id" },
	{ { "referrers", "referrers" }, "/v2/a/referrers/d", "", ROUTE_FOUND, RESOURCE_REFERRERS, "a", "d" },
	{ { "discover", "extensions" }, "/v2/_oci/ext/discover", "", ROUTE_FOUND, RESOURCE_DISCOVER, "", NULL },
	{ { "discover_repo", "of a repository" }, "/v2/a/_oci/ext/discover", "", ROUTE_FOUND, RESOURCE_DISCOVER, "a", NULL },
	{ { "words", "a name of the router's words" }, "/v2/blobs/uploads/tags/list/manifests/x", "", ROUTE_FOUND, RESOURCE_MANIFEST, "blobs/uploads/tags/list", "x" },
	{ { "prefix", "a prefix" }, "/p/q/v2/", "/p/q", ROUTE_FOUND, RESOURCE_BASE, "", NULL },
	{ { "prefix_none", "a prefix that is not there" }, "/v2/", "/p", ROUTE_NONE, RESOURCE_NONE, NULL, NULL },
	{ { "root", "the root" }, "/", "", ROUTE_NONE, RESOURCE_NONE, NULL, NULL },
	{ { "version", "another version" }, "/v1/", "", ROUTE_NONE, RESOURCE_NONE, NULL, NULL },
	{ { "case", "capitals" }, "/V2/", "", ROUTE_NONE, RESOURCE_NONE, NULL, NULL },
	{ { "last_empty", "no tag" }, "/v2/a/manifests/", "", ROUTE_NONE, RESOURCE_NONE, NULL, NULL },
	{ { "no_repo", "no repository" }, "/v2/tags/list", "", ROUTE_BAD_NAME, RESOURCE_TAGS, NULL, NULL },
	{ { "dots", "dots for a name" }, "/v2/../tags/list", "", ROUTE_BAD_NAME, RESOURCE_TAGS, NULL, NULL },
	{ { "encoded", "an encoded slash in a name" }, "/v2/a%2fb/tags/list", "", ROUTE_BAD_NAME, RESOURCE_TAGS, NULL, NULL },
	{ { "private", "a name that is a directory of the layout" }, "/v2/a/_manifests/tags/list", "", ROUTE_BAD_NAME, RESOURCE_TAGS, NULL, NULL },
	{ { "empty", "an empty component" }, "/v2/a//tags/list", "", ROUTE_BAD_NAME, RESOURCE_TAGS, NULL, NULL },
};

TEST_TABLE(route, struct route_case, routes, c)
{
	__cleanup_target struct target target = { 0 };
	struct route route;

	ASSERT(target_parse(c->path, &target));
	ASSERT_EQ(route_find(&target, c->prefix, &route), c->answer);
	EXPECT_EQ(route.resource, c->resource);
	if (c->answer != ROUTE_FOUND)
		return;
	EXPECT_STREQ(route.repo, c->repo);
	EXPECT(c->last ? route.last && !strcmp(route.last, c->last) : !route.last);
}

TEST(names, "names that are some, and names that are none")
{
	static const char *const good[] = { "a", "0", "a/b", "a.b_c__d---e/f", "a-b/c" };
	static const char *const bad[] = { "", "/", "a/", "/a", "A", "a..b", "a___b", "-a", "a-", "_a", ".a",
					   "a//b", "a/../b", "a:b", "a b", "a.-b", "\xc3\xbc" };
	char long_name[300];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		EXPECT(name_is_repo(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!name_is_repo(bad[i]));
	memset(long_name, 'a', sizeof(long_name));
	long_name[256] = '\0';
	EXPECT(!name_is_repo(long_name));
	long_name[255] = '\0';
	EXPECT(name_is_repo(long_name));
	long_name[129] = '\0';
	EXPECT(!name_is_tag(long_name));
	long_name[128] = '\0';
	EXPECT(name_is_tag(long_name));
	EXPECT(name_is_tag("_A.b-c") && !name_is_tag("") && !name_is_tag(".a") && !name_is_tag("a/b"));
}

TEST(sums, "digests that are some, and that are none")
{
	static const char *const bad[] = { "", "sha256", "sha256:", HEX, "sha256:" HEX "0", "SHA256:" HEX,
					   "sha256:E" HEX, "md5:0123", "sha512:" HEX, "sha256:" HEX2 };
	struct sum sum;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!sum_parse(bad[i], &sum));
	ASSERT(sum_parse("sha256:" HEX, &sum));
	EXPECT_STREQ(sum_hex(&sum), HEX);
	ASSERT(sum_parse("sha512:" HEX2, &sum));
	EXPECT_EQ(sum.kind, SUM_SHA512);
	sum_of(SUM_SHA256, "", 0, &sum);
	EXPECT_STREQ(sum.text, "sha256:" HEX);
}

TEST(states, "a hash goes on from a saved state, after any number of bytes")
{
	static const size_t cuts[] = { 0, 1, 63, 64, 65, 127, 128, 129, 1000 };
	unsigned char data[2000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7;
	for (int kind = 0; kind < SUM_KINDS; kind++)
		for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
			__cleanup_buf struct buf state = BUF_INIT;
			struct summer first, second;
			struct sum want, got;

			summer_init(&first, kind);
			summer_update(&first, data, cuts[i]);
			ASSERT_EQ(summer_save(&first, &state), 0);
			ASSERT(summer_load(&second, kind, cuts[i], state.data, state.len));
			summer_update(&second, data + cuts[i], sizeof(data) - cuts[i]);
			summer_final(&second, &got);
			sum_of(kind, data, sizeof(data), &want);
			EXPECT_STREQ(got.text, want.text);
			EXPECT(!summer_load(&second, kind, cuts[i] + 1, state.data, state.len));
			EXPECT(!summer_load(&second, !kind, cuts[i], state.data, state.len));
			EXPECT(!summer_load(&second, kind, cuts[i], state.data, state.len - 1));
		}
}

TEST(state_go, "a state that Go's sha256 has marshalled is understood")
{
	/* Of "abc": the initial values, the block "abc", three bytes. */
	static const char state[108] = "sha\x03"
				       "\x6a\x09\xe6\x67\xbb\x67\xae\x85\x3c\x6e\xf3\x72\xa5\x4f\xf5\x3a"
				       "\x51\x0e\x52\x7f\x9b\x05\x68\x8c\x1f\x83\xd9\xab\x5b\xe0\xcd\x19"
				       "abc";
	char bytes[108];
	struct summer summer;
	struct sum sum;

	memcpy(bytes, state, sizeof(bytes));
	bytes[107] = 3;
	ASSERT(summer_load(&summer, SUM_SHA256, 3, bytes, sizeof(bytes)));
	summer_final(&summer, &sum);
	EXPECT_STREQ(sum_hex(&sum), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#define DESC "{\"digest\":\"sha256:" HEX "\",\"size\":2}"

TEST(manifests, "kinds, references, subject and type of manifests")
{
	static const char image[] = "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"x/y\",\"digest\":\"sha256:" HEX
				    "\",\"size\":2},\"layers\":[" DESC "],\"subject\":" DESC
				    ",\"annotations\":{\"a\":\"b\"}}";
	static const char index[] = "{\"schemaVersion\":2,\"manifests\":[" DESC "]}";
	__cleanup_manifest struct manifest one = { 0 };
	__cleanup_manifest struct manifest two = { 0 };
	__cleanup_manifest struct manifest other = { 0 };
	struct shale_err err = { 0 };

	ASSERT_EQ(manifest_parse(NULL, image, strlen(image), &one, &err), 0);
	EXPECT_EQ(one.kind, MANIFEST_IMAGE);
	EXPECT_EQ(one.ref_count, 2);
	EXPECT(one.has_subject && one.is_type_implied && one.annotations);
	EXPECT_STREQ(one.artifact_type, "x/y");
	ASSERT_EQ(manifest_parse(MANIFEST_OCI_INDEX "; q=1", index, strlen(index), &two, &err), 0);
	EXPECT_EQ(two.kind, MANIFEST_INDEX);
	EXPECT(two.refs[0].is_manifest && !two.artifact_type);
	EXPECT_STREQ(two.type, MANIFEST_OCI_INDEX);
	ASSERT_EQ(manifest_parse("a/b", "not json", 8, &other, &err), 0);
	EXPECT_EQ(other.kind, MANIFEST_OTHER);
	EXPECT_EQ(manifest_parse(NULL, "not json", 8, &other, &err), -1);
	EXPECT_EQ(manifest_parse("text", "{}", 2, &other, &err), -1);
}

static json_t *parse_conf(const char *text)
{
	struct shale_err err = { 0 };
	json_t *json = NULL;

	if (conf_parse(text, strlen(text), &json, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
	ASSERT(json);
	return json;
}

TEST(conf_types, "scalars of a configuration have YAML's types")
{
	json_t *json = parse_conf("a: 5\nb: true\nc: 'true'\nd: ~\ne: 1h\nf: [1, x]\ng: -1\nh: \"5\"\n");

	EXPECT_EQ(json_integer_value(json_object_get(json, "a")), 5);
	EXPECT(json_is_true(json_object_get(json, "b")));
	EXPECT(json_is_string(json_object_get(json, "c")));
	EXPECT(json_is_null(json_object_get(json, "d")));
	EXPECT(json_is_string(json_object_get(json, "e")));
	EXPECT_EQ(json_array_size(json_object_get(json, "f")), 2);
	EXPECT_EQ(json_integer_value(json_object_get(json, "g")), -1);
	EXPECT(json_is_string(json_object_get(json, "h")));
	json_decref(json);
	json_decref(parse_conf(""));
}

TEST(conf_environment, "variables change keys, and only those of the right name")
{
	char *environment[] = { "REGISTRY_HTTP_ADDR=:80", "REGISTRY_STORAGE_DELETE_ENABLED=true",
				"OTHER=1", "REGISTRYX_A=1", NULL };
	json_t *json = parse_conf("http: {addr: ':5000'}\nstorage: {inmemory: }\n");
	struct shale_err err = { 0 };
	const char *address = NULL;
	bool truth = false;

	ASSERT_EQ(conf_apply_environment(json, environment, &err), 0);
	EXPECT_EQ(conf_text(json, "http.addr", &address, &err), 0);
	EXPECT_STREQ(address, ":80");
	EXPECT_EQ(conf_bool(json, "storage.delete.enabled", &truth, &err), 0);
	EXPECT(truth);
	EXPECT_EQ(json_object_size(json), 2);
	EXPECT_EQ(conf_check(json, NULL, &err), 0);
	json_decref(json);
}

TEST(conf_seconds, "durations")
{
	static const char *const bad[] = { "", "h", "5x", "-1s", "1 h", "1h-2m", "1e400s", ".5s", "nan" };
	uint64_t seconds;

	EXPECT(conf_parse_seconds("1h30m", &seconds) && seconds == 5400);
	EXPECT(conf_parse_seconds("168h", &seconds) && seconds == 604800);
	EXPECT(conf_parse_seconds("500ms", &seconds) && seconds == 1);
	EXPECT(conf_parse_seconds("0s", &seconds) && seconds == 0);
	EXPECT(conf_parse_seconds("1.5s", &seconds) && seconds == 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!conf_parse_seconds(bad[i], &seconds));
}

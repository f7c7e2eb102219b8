// SPDX-License-Identifier: GPL-2.0-only
/*
 * The documents of an image: limits of JSON, what an index and a manifest must have, and the store's
 * own index as names come and go. What a whole import says about a bad document is tested in
 * selftests/image/reject.sh.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/image.h"
#include "store/json.h"

#define HEX    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define DIGEST "sha256:" HEX
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"

static int parse_text(const char *text, struct shale_err *err)
{
	json_t *json = NULL;
	int ret = json_parse_object(text, strlen(text), "it", &json, err);

	if (!ret)
		json_decref(json);
	return ret;
}

static void nest(struct buf *text, int depth)
{
	buf_clear(text);
	ASSERT_OK(buf_adds(text, "{\"x\":"));
	for (int i = 1; i < depth; i++)
		ASSERT_OK(buf_addc(text, '['));
	for (int i = 1; i < depth; i++)
		ASSERT_OK(buf_addc(text, ']'));
	ASSERT_OK(buf_addc(text, '}'));
}

TEST(json_depth, "JSON may be 64 levels deep and no deeper")
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };

	nest(&text, JSON_MAX_DEPTH);
	EXPECT_EQ(parse_text(buf_str(&text), &err), 0);
	nest(&text, JSON_MAX_DEPTH + 1);
	EXPECT_EQ(parse_text(buf_str(&text), &err), -1);
	EXPECT_STREQ(err.msg, "it: nested deeper than 64");
}

TEST(json_brackets, "brackets in a string are no levels")
{
	__cleanup_buf struct buf text = BUF_INIT;

	ASSERT_OK(buf_adds(&text, "{\"x\":\"\\\""));
	for (int i = 0; i < 100; i++)
		ASSERT_OK(buf_addc(&text, '['));
	ASSERT_OK(buf_adds(&text, "\"}"));
	EXPECT_EQ(parse_text(buf_str(&text), NULL), 0);
}

TEST(json_size, "JSON may be 4 MiB and no larger")
{
	char *text = malloc(JSON_MAX_BYTES + 2);
	struct shale_err err = { 0 };
	json_t *json = NULL;

	ASSERT(text);
	memset(text, ' ', JSON_MAX_BYTES + 1);
	memcpy(text, "{}", 2);
	EXPECT_EQ(json_parse_object(text, JSON_MAX_BYTES, "it", &json, &err), 0);
	json_decref(json);
	EXPECT_EQ(json_parse_object(text, JSON_MAX_BYTES + 1, "it", &json, &err), -1);
	EXPECT_EQ(err.code, EFBIG);
	EXPECT_STREQ(err.msg, "it: larger than 4194304 bytes");
	free(text);
}

struct json_case {
	struct ktap_row row;
	const char *text;
	const char *message; /* its beginning; NULL: fine */
};

static const struct json_case documents[] = {
	{ { "object", "an object" }, "{\"a\":1}", NULL },
	{ { "empty", "nothing" }, "", "it: not JSON: " },
	{ { "array", "an array" }, "[]", "it: not a JSON object" },
	{ { "twice", "a key twice" }, "{\"a\":1,\"a\":2}", "it: not JSON: duplicate object key" },
	{ { "tail", "something behind it" }, "{} {}", "it: not JSON: end of file expected" },
	{ { "utf8", "a string that is not UTF-8" }, "{\"a\":\"\xff\"}", "it: not JSON: unable to decode" },
	{ { "nul", "an escaped NUL" }, "{\"a\":\"\\u0000\"}", "it: not JSON: \\u0000 is not allowed" },
};

TEST_TABLE(json, struct json_case, documents, c)
{
	struct shale_err err = { 0 };

	EXPECT_EQ(parse_text(c->text, &err), c->message ? -1 : 0);
	if (c->message && strncmp(err.msg, c->message, strlen(c->message)))
		EXPECT_STREQ(err.msg, c->message);
}

static const struct json_case indexes[] = {
	{ { "empty", "an empty one" }, "{\"schemaVersion\":2,\"manifests\":[]}", NULL },
	{ { "version", "schema version 1" }, "{\"schemaVersion\":1,\"manifests\":[]}", "i: schemaVersion is not 2" },
	{ { "no_version", "no schema version" }, "{\"manifests\":[]}", "i: no field 'schemaVersion'" },
	{ { "none", "no manifests" }, "{\"schemaVersion\":2}", "i: no field 'manifests'" },
	{ { "null", "null for manifests" }, "{\"schemaVersion\":2,\"manifests\":null}", "i: no field 'manifests'" },
	{ { "object", "an object for manifests" }, "{\"schemaVersion\":2,\"manifests\":{}}", "i: field 'manifests' is not an array" },
	{ { "number", "a number for an entry" }, "{\"schemaVersion\":2,\"manifests\":[1]}", "manifests[0] is not an object" },
	{ { "no_digest", "an entry without digest" }, "{\"schemaVersion\":2,\"manifests\":[{}]}", "manifests[0]: no field 'digest'" },
	{ { "bad_digest", "a bad digest" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"x\"}]}", "manifests[0]: 'x' is not a sha256 digest" },
	{ { "no_size", "no size" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\"}]}", "manifests[0]: no field 'size'" },
	{ { "real_size", "a size that is no integer" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1.5}]}", "manifests[0]: field 'size' is not a size" },
	{ { "notes", "annotations that are a list" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":\"x\",\"annotations\":[]}]}", "manifests[0]: field 'annotations' is not an object" },
	{ { "name", "a name that is a number" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":\"x\",\"annotations\":{\"org.opencontainers.image.ref.name\":1}}]}", "manifests[0]: field 'org.opencontainers.image.ref.name' is not a string" },
	{ { "os", "an os that is a list" }, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":\"x\",\"platform\":{\"os\":[]}}]}", "manifests[0]: field 'os' is not a string" },
};

TEST_TABLE(index, struct json_case, indexes, c)
{
	__cleanup_index struct index index = { 0 };
	struct shale_err err = { 0 };
	struct index_entry entry;
	int ret = index_parse(c->text, strlen(c->text), "i", &index, &err);

	for (size_t i = 0; !ret && i < index_count(&index); i++)
		ret = index_get(&index, i, &entry, &err);
	EXPECT_EQ(ret, c->message ? -1 : 0);
	if (c->message)
		EXPECT_STREQ(err.msg, c->message);
}

static int fill_index(size_t count, struct shale_err *err)
{
	__cleanup_index struct index index = { 0 };
	__cleanup_buf struct buf text = BUF_INIT;

	ASSERT_OK(buf_adds(&text, "{\"schemaVersion\":2,\"manifests\":[{}"));
	for (size_t i = 1; i < count; i++)
		ASSERT_OK(buf_adds(&text, ",{}"));
	ASSERT_OK(buf_adds(&text, "]}"));
	return index_parse(text.data, text.len, "i", &index, err);
}

TEST(index_limit, "an index may have 16384 entries and no more")
{
	struct shale_err err = { 0 };

	EXPECT_EQ(fill_index(INDEX_MAX_ENTRIES, &err), 0);
	EXPECT_EQ(fill_index(INDEX_MAX_ENTRIES + 1, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_STREQ(err.msg, "i: field 'manifests' has more than 16384 elements");
}

static void set(struct index *index, const char *name, char first)
{
	struct index_entry entry = { .media_type = MANIFEST, .size = 5 };
	struct ref ref;

	entry.digest.sum[0] = first;
	if (name)
		ASSERT_EQ(ref_parse(name, &ref, NULL), 0);
	ASSERT_EQ(index_set(index, name ? &ref : NULL, &entry, NULL), 0);
}

/* "a:1=1 -=2": names and first bytes in order. */
static const char *show(const struct index *index)
{
	static char text[1000];
	struct index_entry entry;
	size_t used = 0;
	struct ref ref;

	text[0] = '\0';
	for (size_t i = 0; i < index_count(index); i++) {
		ASSERT_EQ(index_get(index, i, &entry, NULL), 0);
		if (entry.name)
			ASSERT_EQ(ref_parse(entry.name, &ref, NULL), 0);
		used += snprintf(text + used, sizeof(text) - used, "%s%s=%d", i ? " " : "",
				 entry.name ? ref_familiar(&ref) : "-", entry.digest.sum[0]);
	}
	return text;
}

TEST(index_names, "names come, move and go; an image that loses its only name stays without one")
{
	static const char empty[] = "{\"schemaVersion\":2,\"manifests\":[]}";
	__cleanup_index struct index index = { 0 };

	ASSERT_EQ(index_parse(empty, strlen(empty), "i", &index, NULL), 0);
	set(&index, "a", 1);
	EXPECT_STREQ(show(&index), "a=1");
	set(&index, "a", 1);
	EXPECT_STREQ(show(&index), "a=1");
	set(&index, "b", 1);
	EXPECT_STREQ(show(&index), "a=1 b=1");
	set(&index, NULL, 1);
	EXPECT_STREQ(show(&index), "a=1 b=1");
	set(&index, "b", 2);
	EXPECT_STREQ(show(&index), "a=1 b=2");
	set(&index, "a", 2);
	EXPECT_STREQ(show(&index), "-=1 b=2 a=2");
	set(&index, NULL, 3);
	EXPECT_STREQ(show(&index), "-=1 b=2 a=2 -=3");
	set(&index, "c", 1);
	EXPECT_STREQ(show(&index), "b=2 a=2 -=3 c=1");
	index_remove(&index, 0);
	EXPECT_STREQ(show(&index), "a=2 -=3 c=1");
}

TEST(index_foreign, "entries and fields another tool wrote are kept")
{
	static const char text[] = "{\"schemaVersion\":2,\"annotations\":{\"a\":\"b\"},\"manifests\":["
				   "{\"digest\":\"" DIGEST "\",\"size\":1,\"mediaType\":\"x\",\"own\":1}]}";
	__cleanup_index struct index index = { 0 };
	char *dump;

	ASSERT_EQ(index_parse(text, strlen(text), "i", &index, NULL), 0);
	set(&index, "a", 1);
	dump = json_dumps(index.root, JSON_COMPACT);
	ASSERT(dump);
	EXPECT(strstr(dump, "\"own\":1"));
	EXPECT(strstr(dump, "\"annotations\":{\"a\":\"b\"}"));
	free(dump);
}

struct time_case {
	struct ktap_row row;
	const char *text;
	long long seconds;
};

static const struct time_case times[] = {
	{ { "utc", "UTC" }, "2024-05-06T07:08:09Z", 1714979289 },
	{ { "fraction", "a fraction" }, "2024-05-06T07:08:09.123456789Z", 1714979289 },
	{ { "east", "an offset to the east" }, "2024-05-06T09:08:09+02:00", 1714979289 },
	{ { "west", "an offset to the west" }, "2024-05-06T01:38:09.5-05:30", 1714979289 },
	{ { "zero", "the year 1, which writers use for no time" }, "0001-01-01T00:00:00Z", 0 },
	{ { "short", "a date alone" }, "2024-05-06", 0 },
	{ { "letters", "letters" }, "yyyy-05-06T07:08:09Z", 0 },
	{ { "no_zone", "no zone" }, "2024-05-06T07:08:09.5", 0 },
	{ { "bad_zone", "a bad zone" }, "2024-05-06T07:08:09+0200", 0 },
	{ { "empty", "nothing" }, "", 0 },
};

TEST_TABLE(created, struct time_case, times, c)
{
	__cleanup_image struct image image = { 0 };
	struct shale_err err = { 0 };
	char config[200];

	snprintf(config, sizeof(config), "{\"created\":\"%s\",\"rootfs\":{\"diff_ids\":[]}}", c->text);
	EXPECT_EQ(image_parse_config(config, strlen(config), &image, &err), 0);
	EXPECT_EQ(image.created, c->seconds);
}

TEST(kinds, "media types of manifests and indexes, OCI's and docker's")
{
	EXPECT_EQ(image_kind(MANIFEST), IMAGE_MANIFEST);
	EXPECT_EQ(image_kind("application/vnd.docker.distribution.manifest.v2+json"), IMAGE_MANIFEST);
	EXPECT_EQ(image_kind("application/vnd.oci.image.index.v1+json"), IMAGE_INDEX);
	EXPECT_EQ(image_kind("application/vnd.docker.distribution.manifest.list.v2+json"), IMAGE_INDEX);
	EXPECT_EQ(image_kind("application/vnd.docker.distribution.manifest.v1+json"), IMAGE_UNKNOWN);
	EXPECT_EQ(image_kind(""), IMAGE_UNKNOWN);
}

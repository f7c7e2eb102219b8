// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon's parsers of what clients send: versions, routes, booleans, times, filters, credentials, and how it shows
 * progress. What a whole daemon answers is selftests/api's.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/bar.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "shaled/api_fault.h"
#include "shaled/api_registry.h"
#include "shaled/api_route.h"
#include "shaled/api_value.h"
#include "store/json.h"
#include "store/volume.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct version_case {
	struct ktap_row row;
	const char *text;
	long minor; /* -1: none; -2: too large to be one */
};

static const struct version_case versions[] = {
	{ { "usual", "a version" }, "v1.41", 41 },
	{ { "zero", "the first" }, "v1.0", 0 },
	{ { "major", "a major one alone" }, "v1", 0 },
	{ { "major_two", "the next major one" }, "v2", -2 },
	{ { "major_zero", "one before the first" }, "v0.9", 0 },
	{ { "many_digits", "more digits than fit" }, "v1.99999999999999999999", -2 },
	{ { "word", "a word that begins alike" }, "volumes", -1 },
	{ { "dot_last", "a dot at the end" }, "v1.", -1 },
	{ { "third", "three numbers" }, "v1.4.1", -1 },
	{ { "letter", "a letter behind" }, "v1.41x", -1 },
	{ { "empty", "nothing" }, "", -1 },
	{ { "v", "the letter alone" }, "v", -1 },
};

TEST_TABLE(version, struct version_case, versions, c)
{
	unsigned int minor = 7;
	bool good = api_version_parse(c->text, &minor);

	ASSERT_EQ(good, c->minor != -1);
	if (c->minor >= 0)
		EXPECT_EQ(minor, c->minor);
	else if (c->minor == -2)
		EXPECT(minor > 1000);
	else
		EXPECT_EQ(minor, 7);
}

struct route_case {
	struct ktap_row row;
	const char *method;
	const char *path;
	const char *route; /* NULL: none */
	const char *name;
};

static const struct route_case routes[] = {
	{ { "fixed", "words" }, "GET", "/images/json", "images/json", "" },
	{ { "one", "a name" }, "GET", "/images/a/json", "images/{name}/json", "a" },
	{ { "registry", "a name with slashes" }, "GET", "/images/h:1/a/b:2/json", "images/{name}/json", "h:1/a/b:2" },
	{ { "encoded", "a name with encoded slashes" }, "GET", "/images/a%2fb/history", "images/{name}/history", "a/b" },
	{ { "keyword", "a name that is a word of the table" }, "GET", "/images/json/json", "images/{name}/json", "json" },
	{ { "get", "the save of an image called get" }, "GET", "/images/get/get", "images/{name}/get", "get" },
	{ { "delete", "a name at the end" }, "DELETE", "/images/a/b:2", "images/{name}", "a/b:2" },
	{ { "method", "another method" }, "PUT", "/images/json", NULL, NULL },
	{ { "id", "an ID is one segment" }, "GET", "/volumes/a", "volumes/{id}", "a" },
	{ { "id_slash", "and not two" }, "GET", "/volumes/a/b", NULL, NULL },
	{ { "id_encoded", "an encoded slash is of the ID" }, "GET", "/volumes/a%2fb", "volumes/{id}", "a/b" },
	{ { "empty", "an empty segment" }, "GET", "/images//json", NULL, NULL },
	{ { "empty_id", "an empty ID" }, "GET", "/volumes/", NULL, NULL },
	{ { "slash_last", "a slash at the end" }, "GET", "/images/json/", NULL, NULL },
	{ { "root", "the root" }, "GET", "/", NULL, NULL },
	{ { "ping", "a ping" }, "HEAD", "/_ping", "_ping", "" },
	{ { "containers", "a container's" }, "POST", "/containers/x/start", "containers/{id}/start", "x" },
};

TEST_TABLE(route, struct route_case, routes, c)
{
	__cleanup_target struct target target = { 0 };
	const struct api_route *route = NULL;
	char name[API_MAX_NAME] = "?";
	enum api_found found;

	ASSERT(target_parse(c->path, &target));
	found = api_route_find(&target, 0, c->method, &route, name);
	ASSERT_EQ(found, c->route ? API_FOUND : API_FOUND_NONE);
	if (!c->route)
		return;
	EXPECT_STREQ(route->path, c->route);
	EXPECT_STREQ(name, c->name);
}

TEST(route_long, "a name that does not fit is said to be too long")
{
	char path[2 * API_MAX_NAME];
	char name[API_MAX_NAME];

	for (size_t len = API_MAX_NAME - 2; len < API_MAX_NAME + 3; len++) {
		__cleanup_target struct target target = { 0 };
		const struct api_route *route = NULL;

		snprintf(path, sizeof(path), "/images/%0*d/json", (int)len, 0);
		ASSERT(target_parse(path, &target));
		EXPECT_EQ(api_route_find(&target, 0, "GET", &route, name),
			  len < API_MAX_NAME ? API_FOUND : API_FOUND_LONG);
	}
}

TEST(route_table, "each route has a handler, and one that takes bytes has all three")
{
	for (size_t i = 0; i < api_route_count; i++) {
		EXPECT(api_routes[i].run);
		EXPECT_EQ(api_routes[i].takes == API_BODY_BYTES, api_routes[i].body != NULL);
		EXPECT_EQ(!api_routes[i].begin, !api_routes[i].body);
	}
}

struct time_case {
	struct ktap_row row;
	const char *text;
	bool good;
	long long seconds;
	long long nanoseconds;
};

static const struct time_case times[] = {
	{ { "seconds", "seconds" }, "1136073600", true, 1136073600, 0 },
	{ { "fraction", "with a fraction" }, "1136073600.000000001", true, 1136073600, 1 },
	{ { "tenth", "with a short one" }, "1.5", true, 1, 500000000 },
	{ { "long_fraction", "with a long one" }, "1.1234567899999", true, 1, 123456789 },
	{ { "date", "a date" }, "2006-01-02", true, 1136160000, 0 },
	{ { "utc", "a time" }, "2006-01-02T15:04:05Z", true, 1136214245, 0 },
	{ { "zone", "a time elsewhere" }, "2006-01-02T15:04:05-07:00", true, 1136239445, 0 },
	{ { "nanoseconds", "a time with a fraction" }, "2006-01-02T15:04:05.25Z", true, 1136214245, 250000000 },
	{ { "minutes", "a time without seconds" }, "2006-01-02T15:04", true, 1136214240, 0 },
	{ { "word", "a word" }, "now", false, 0, 0 },
	{ { "empty", "nothing" }, "", false, 0, 0 },
	{ { "dot", "no fraction behind the dot" }, "1.", false, 0, 0 },
	{ { "rest", "something behind" }, "2006-01-02T15:04:05Zx", false, 0, 0 },
	{ { "bad_zone", "half a zone" }, "2006-01-02T15:04:05+7", false, 0, 0 },
	{ { "huge", "more than fits" }, "99999999999999999999", false, 0, 0 },
};

TEST_TABLE(time, struct time_case, times, c)
{
	int64_t seconds = 0, nanoseconds = 0;

	ASSERT_EQ(api_value_time(c->text, &seconds, &nanoseconds), c->good);
	if (!c->good)
		return;
	EXPECT_EQ(seconds, c->seconds);
	EXPECT_EQ(nanoseconds, c->nanoseconds);
}

struct until_case {
	struct ktap_row row;
	const char *text;
	bool good;
	long long seconds; /* when it is 100000 */
};

static const struct until_case untils[] = {
	{ { "hours", "hours" }, "24h", true, 100000 - 86400 },
	{ { "mixed", "hours and minutes" }, "1h30m", true, 100000 - 5400 },
	{ { "half", "half an hour" }, "0.5h", true, 100000 - 1800 },
	{ { "milliseconds", "milliseconds" }, "2000ms", true, 99998 },
	{ { "time", "a time" }, "50", true, 50 },
	{ { "unit", "another unit" }, "3d", false, 0 },
	{ { "negative", "less than nothing" }, "-1h", false, 0 },
	{ { "huge", "more than there is" }, "1e300h", false, 0 },
	{ { "hex", "another base" }, "0x10h", false, 0 },
	{ { "empty", "nothing" }, "", false, 0 },
};

TEST_TABLE(until, struct until_case, untils, c)
{
	int64_t seconds = 0;

	ASSERT_EQ(api_value_until(c->text, 100000, &seconds), c->good);
	if (c->good)
		EXPECT_EQ(seconds, c->seconds);
}

struct filter_case {
	struct ktap_row row;
	const char *text;
	const char *json; /* NULL: refused */
};

static const struct filter_case filter_cases[] = {
	{ { "new", "the newer form" }, "{\"a\":{\"x\":true,\"y\":true}}", "{\"a\":[\"x\",\"y\"]}" },
	{ { "old", "the older form" }, "{\"a\":[\"x\",\"y\"]}", "{\"a\":[\"x\",\"y\"]}" },
	{ { "off", "what is switched off" }, "{\"a\":{\"x\":false}}", "{\"a\":[]}" },
	{ { "none", "none" }, NULL, "{}" },
	{ { "empty", "nothing" }, "", "{}" },
	{ { "text", "a text" }, "\"a\"", NULL },
	{ { "deep", "a list in a list" }, "{\"a\":[[\"x\"]]}", NULL },
	{ { "number", "a number" }, "{\"a\":3}", NULL },
	{ { "null", "null" }, "{\"a\":null}", NULL },
	{ { "cut", "cut off" }, "{\"a\":{", NULL },
};

TEST_TABLE(filter, struct filter_case, filter_cases, c)
{
	__cleanup_json json_t *filters = NULL;
	__cleanup_free char *text = NULL;
	struct shale_err err = { 0 };

	ASSERT_EQ(api_filters_parse(c->text, &filters, &err), c->json ? 0 : -1);
	if (!c->json) {
		EXPECT_EQ(err.code, EINVAL);
		return;
	}
	text = json_dumps(filters, JSON_COMPACT | JSON_SORT_KEYS);
	EXPECT_STREQ(text, c->json);
}

TEST(filter_many, "more values than anybody has, or longer ones, are refused")
{
	struct buf text = BUF_INIT;
	json_t *filters = NULL;

	buf_adds(&text, "{\"a\":[\"0\"");
	for (int i = 0; i < API_MAX_FILTERS; i++)
		buf_addf(&text, ",\"%d\"", i);
	buf_adds(&text, "]}");
	EXPECT_EQ(api_filters_parse(buf_str(&text), &filters, NULL), -1);
	buf_clear(&text);
	buf_addf(&text, "{\"a\":[\"%0*d\"]}", API_MAX_FILTER_BYTES, 0);
	EXPECT_EQ(api_filters_parse(buf_str(&text), &filters, NULL), -1);
	buf_release(&text);
}

TEST(truth, "booleans are docker's")
{
	static const char *const yes[] = { "1", "true", "TRUE", "yes", "x", " 1 ", "nope", "00" };
	static const char *const no[] = { "", "0", "no", "No", "false", "FALSE", "none", " none\t" };

	for (size_t i = 0; i < 8; i++) {
		EXPECT(api_value_is_true(yes[i]));
		EXPECT(!api_value_is_true(no[i]));
	}
	EXPECT(!api_value_is_true(NULL));
}

struct auth_case {
	struct ktap_row row;
	const char *header; /* NULL: none */
	const char *username; /* "!": refused */
	const char *password;
	const char *host;
};

static const struct auth_case auths[] = {
	{ { "none", "no header" }, NULL, NULL, NULL, NULL },
	{ { "empty", "an empty one" }, "", NULL, NULL, NULL },
	{ { "object", "an empty object" }, "e30=", NULL, NULL, NULL },
	/* {"username":"a","password":"b?>","serveraddress":"h:1"} has what only one alphabet can say. */
	{ { "urls", "the alphabet of URLs" },
	  "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6ImI_PiIsInNlcnZlcmFkZHJlc3MiOiJoOjEifQ==", "a", "b?>", "h:1" },
	{ { "mail", "the alphabet of mail" },
	  "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6ImI/PiIsInNlcnZlcmFkZHJlc3MiOiJoOjEifQ==", "a", "b?>", "h:1" },
	{ { "unpadded", "without padding" },
	  "eyJ1c2VybmFtZSI6ImEiLCJwYXNzd29yZCI6ImI_PiIsInNlcnZlcmFkZHJlc3MiOiJoOjEifQ", "a", "b?>", "h:1" },
	{ { "blank", "a blank in it" }, "e3 0=", "!", NULL, NULL },
	{ { "no_json", "no JSON" }, "YWJj", "!", NULL, NULL },
	{ { "list", "a list" }, "WzFd", "!", NULL, NULL },
	{ { "number", "a number for a name" }, "eyJ1c2VybmFtZSI6M30=", "!", NULL, NULL },
};

/* Also if both are none. */
static bool is_same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

TEST_TABLE(auth, struct auth_case, auths, c)
{
	const struct target target = { 0 };
	struct api_registry registry = { 0 };
	struct shale_err err = { 0 };
	bool is_bad = c->username && !strcmp(c->username, "!");

	ASSERT_EQ(api_registry_parse(c->header, &target, &registry, &err), is_bad ? -1 : 0);
	if (is_bad) {
		EXPECT_EQ(err.code, EINVAL);
		return;
	}
	EXPECT(is_same(registry.opts.username, c->username));
	EXPECT(is_same(registry.opts.password, c->password));
	EXPECT(is_same(registry.host, c->host));
	EXPECT(registry.opts.is_anonymous);
	api_registry_release(&registry);
}

struct bar_case {
	struct ktap_row row;
	unsigned long long done;
	unsigned long long total;
	const char *text;
};

static const struct bar_case bars[] = {
	{ { "none", "nothing yet" }, 0, 1000, "[>                                                  ]       0B/1kB" },
	{ { "half", "half of it" }, 4300000, 8600000, "[=========================>                         ]    4.3MB/8.6MB" },
	{ { "all", "all" }, 95, 95, "[==================================================>]      95B/95B" },
	{ { "more", "more than all" }, 99, 95, "[==================================================>]      99B/95B" },
	{ { "unknown", "of what is not known" }, 1234567, 0, " 1.235MB" },
	{ { "largest", "the largest there is" }, -1ull, -1ull,
	  "[==================================================>]  18.45EB/18.45EB" },
};

TEST_TABLE(bar, struct bar_case, bars, c)
{
	char text[128];

	bar_print(c->done, c->total, text, sizeof(text));
	EXPECT_STREQ(text, c->text);
}

TEST(fault, "errors have docker's statuses")
{
	EXPECT_EQ(api_fault_status(EINVAL), 400);
	EXPECT_EQ(api_fault_status(EACCES), 401);
	EXPECT_EQ(api_fault_status(ENOENT), 404);
	EXPECT_EQ(api_fault_status(EBUSY), 409);
	EXPECT_EQ(api_fault_status(ENOSPC), 500);
}

TEST(volume_name, "names of volumes are docker's, and no paths")
{
	static const char *const good[] = { "ab", "a_", "0.9-x", "A1", HEX };
	static const char *const bad[] = { "", "a", ".a", "_ab", "-ab", "a/b", "..", "a b", "a\n" };
	char longest[VOLUME_MAX_NAME + 2];

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		EXPECT(volume_is_name(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		EXPECT(!volume_is_name(bad[i]));
	snprintf(longest, sizeof(longest), "%0*d", VOLUME_MAX_NAME, 0);
	EXPECT(volume_is_name(longest));
	snprintf(longest, sizeof(longest), "%0*d", VOLUME_MAX_NAME + 1, 0);
	EXPECT(!volume_is_name(longest));
}

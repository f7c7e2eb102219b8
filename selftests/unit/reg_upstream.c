// SPDX-License-Identifier: GPL-2.0-only
/*
 * Upstreams of a pull-through cache: how they are read, which repositories are whose, and what expires by a
 * clock of the test's. What is fetched from them is selftests/registry/proxy.py's.
 */
#include "ktap.h"

#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/conf.h"
#include "registry/layout.h"
#include "registry/meter.h"
#include "registry/proxy.h"
#include "registry/repo.h"
#include "registry/serve.h"
#include "store/json.h"

/* Texts are the configuration's, which lives as long. */
static struct upstreams *load(const char *text, json_t **conf, struct shale_err *err)
{
	struct upstreams *upstreams = NULL;

	json_decref(*conf);
	*conf = NULL;
	ASSERT_EQ(conf_parse(text, strlen(text), conf, err), 0);
	upstreams_load(*conf, &upstreams, err);
	return upstreams;
}

struct find_case {
	struct ktap_row row;
	const char *repo;
	const char *url; /* NULL: ours */
	const char *remote;
};

#define LIST "[{namespace: docker.io, remoteurl: 'https://hub/', ttl: 1h},"                           \
	     " {namespace: docker.io/team, remoteurl: 'http://team:5000/sub'}]"

static const struct find_case finds[] = {
	{ { "plain", "a namespace is cut off" }, "docker.io/library/debian", "https://hub", "library/debian" },
	{ { "longest", "the longest one" }, "docker.io/team/app", "http://team:5000/sub", "app" },
	{ { "component", "whole components only" }, "docker.io/teams/app", "https://hub", "teams/app" },
	{ { "itself", "the namespace itself is nobody's" }, "docker.io", NULL, NULL },
	{ { "other", "what begins alike is ours" }, "docker.iox/a", NULL, NULL },
	{ { "ours", "the rest is ours" }, "mine", NULL, NULL },
};

TEST_TABLE(find, struct find_case, finds, c)
{
	struct shale_err err = { 0 };
	__cleanup_json json_t *conf = NULL;
	struct upstreams *upstreams = load("shale: {upstreams: " LIST "}", &conf, &err);
	const struct upstream *found;
	const char *remote = NULL;

	ASSERT(upstreams);
	found = upstreams_find(upstreams, c->repo, &remote);
	EXPECT_EQ(found != NULL, c->url != NULL);
	if (found && c->url) {
		EXPECT_STREQ(found->url, c->url);
		EXPECT_STREQ(remote, c->remote);
	}
	upstreams_free(upstreams);
}

TEST(all, "a proxy has all that no other has")
{
	struct shale_err err = { 0 };
	__cleanup_json json_t *conf = NULL;
	struct upstreams *upstreams =
		load("{proxy: {remoteurl: 'https://all', username: me, ttl: 0}, shale: {upstreams: " LIST "}}", &conf,
		     &err);
	const char *remote = NULL;

	ASSERT(upstreams);
	EXPECT_STREQ(upstreams_find(upstreams, "mine", &remote)->url, "https://all");
	EXPECT_STREQ(remote, "mine");
	EXPECT_STREQ(upstreams_find(upstreams, "docker.io/x", &remote)->url, "https://hub");
	EXPECT_EQ(upstreams->list[0].ttl, 0);
	EXPECT_EQ(upstreams->list[1].ttl, 3600);
	EXPECT_EQ(upstreams->list[2].ttl, 168 * 3600);
	upstreams_free(upstreams);
	upstreams = load("{storage: {inmemory: }, proxy: {ttl: 1h}}", &conf, &err);
	EXPECT(!upstreams && !err.code);
	EXPECT(!upstreams_find(NULL, "a", &remote));
}

/* --- expiry */

static void put_tag(struct reg *reg, const char *repo, const char *word)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	struct buf bytes = BUF_INIT;
	const struct sum *absent;
	const char *tag = "t";
	struct sum sum;
	struct repo_push push = { .sum = &sum, .manifest = &manifest, .tags = &tag, .tag_count = 1, .is_copy = true };

	buf_addf(&bytes, "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_OCI_INDEX "\",\"manifests\":["
			 "{\"mediaType\":\"" MANIFEST_OCI_INDEX "\",\"size\":1,\"digest\":\"sha256:%064d\"}],"
			 "\"annotations\":{\"w\":\"%s\"}}", 7, word);
	sum_of(SUM_SHA256, bytes.data, bytes.len, &sum);
	ASSERT_EQ(manifest_parse(NULL, bytes.data, bytes.len, &manifest, NULL), 0);
	doc = doc_new(manifest.type, &bytes);
	push.doc = doc;
	ASSERT_EQ(repo_push(reg, repo, &push, &absent, NULL), 0);
}

static bool has_tag(struct reg *reg, const char *repo)
{
	struct sum sum;

	return repo_resolve(reg, repo, "t", &sum, NULL) == 0;
}

TEST(expiry, "what is an upstream's expires by its ttl, what is ours does not")
{
	struct shale_err err = { 0 };
	struct settings settings;
	json_t *json = NULL;
	struct reg reg;

	ASSERT_EQ(conf_parse("{storage: {inmemory: }, shale: {upstreams: " LIST "}}",
			     strlen("{storage: {inmemory: }, shale: {upstreams: " LIST "}}"), &json, &err), 0);
	ASSERT_EQ(settings_from(json, &settings, &err), 0);
	EXPECT_EQ(settings.limits.workers, PROXY_WORKERS);
	ASSERT_EQ(serve_open(&settings, false, &reg, &err), 0);
	reg.meter = meter_new(&err);
	ASSERT_EQ(proxy_open(&reg, 16, &reg.proxy, &err), 0);
	EXPECT_EQ(proxy_ttl(reg.proxy), 3600);
	EXPECT(!proxy_has_all(reg.proxy));
	put_tag(&reg, "docker.io/a", "a");
	put_tag(&reg, "docker.io/team/b", "b");
	put_tag(&reg, "mine", "c");
	ASSERT_EQ(proxy_expire(reg.proxy, time(NULL) + 3500, &err), 0);
	EXPECT(has_tag(&reg, "docker.io/a"));
	ASSERT_EQ(proxy_expire(reg.proxy, time(NULL) + 3700, &err), 0);
	EXPECT(!has_tag(&reg, "docker.io/a") && has_tag(&reg, "docker.io/team/b") && has_tag(&reg, "mine"));
	ASSERT_EQ(proxy_expire(reg.proxy, time(NULL) + 169 * 3600, &err), 0);
	EXPECT(!has_tag(&reg, "docker.io/team/b") && has_tag(&reg, "mine"));
	proxy_close(reg.proxy);
	serve_close(&reg);
	settings_release(&settings);
}

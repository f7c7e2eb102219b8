// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retention rules: how they are read and refused, which tags they keep by a clock of the test's, and what is
 * taken of a repository in memory. A running server's are selftests/registry/policies.py's.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/conf.h"
#include "registry/doc.h"
#include "registry/layout.h"
#include "registry/repo.h"
#include "registry/retain.h"
#include "registry/serve.h"
#include "store/json.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static json_t *tree_of(const char *text)
{
	__cleanup_buf struct buf whole = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	struct shale_err err = { 0 };

	buf_addf(&whole, "tree: %s", text);
	if (conf_parse(buf_str(&whole), whole.len, &json, &err) < 0)
		ktap_note("%s", err.msg);
	return json_incref(json_object_get(json, "tree"));
}

struct bad_case {
	struct ktap_row row;
	const char *text;
	const char *says;
};

static const struct bad_case bad[] = {
	{ { "no_list", "rules that are no list" }, "{a: b}", "not a list" },
	{ { "no_map", "a rule that is a text" }, "[x]", "rules[0] is no mapping" },
	{ { "unknown", "a key there is none of" }, "[{repositories: [a], kept: {last: 1}}]", "no key 'kept'" },
	{ { "unknown_keep", "a key of keep there is none of" },
	  "[{repositories: [a], keep: {first: 1}}]", "no key 'first'" },
	{ { "nameless", "no repositories" }, "[{keep: {last: 1}}]", "names no repositories" },
	{ { "empty_list", "an empty list of repositories" }, "[{repositories: []}]", "patterns" },
	{ { "pattern", "a pattern with a letter no name has" }, "[{repositories: ['A']}]", "not a pattern" },
	{ { "stars", "three stars" }, "[{repositories: ['a***']}]", "not a pattern" },
	{ { "tag_slash", "a slash in a pattern of tags" },
	  "[{repositories: [a], keep: {tags: ['a/b']}}]", "not a pattern" },
	{ { "nothing", "a keep that keeps nothing" }, "[{repositories: [a], keep: {}}]", "keeps nothing" },
	{ { "zero", "the last none" }, "[{repositories: [a], keep: {last: 0}}]", "1 to" },
	{ { "duration", "an age that is none" },
	  "[{repositories: [a], untagged: soon}]", "duration" },
	{ { "second", "the message counts" }, "[{repositories: [a]}, {repositories: [b], x: 1}]", "rules[1]" },
};

TEST_TABLE(refused, struct bad_case, bad, c)
{
	__cleanup_json json_t *tree = tree_of(c->text);
	struct retain_rules rules;
	struct shale_err err = { 0 };

	ASSERT_EQ(retain_rules_load(tree, &rules, &err), -1);
	EXPECT_EQ(err.code, EINVAL);
	if (!strstr(err.msg, c->says))
		ktap_fail(__FILE__, __LINE__, "'%s' does not say '%s'", err.msg, c->says);
}

TEST(first_rule, "the first rule that has a repository is its rule")
{
	__cleanup_json json_t *tree = tree_of("[{repositories: [team/special], untagged: 1h},"
					      " {repositories: ['team/*', x]}, {repositories: ['**']}]");
	struct retain_rules rules;

	ASSERT_EQ(retain_rules_load(tree, &rules, NULL), 0);
	EXPECT(retain_rules_find(&rules, "team/special") == &rules.list[0]);
	EXPECT(retain_rules_find(&rules, "team/other") == &rules.list[1]);
	EXPECT(retain_rules_find(&rules, "x") == &rules.list[1]);
	EXPECT(retain_rules_find(&rules, "team/a/b") == &rules.list[2]);
	EXPECT(rules.list[0].has_untagged && rules.list[0].untagged == 3600 && !rules.list[0].has_keep);
	retain_rules_release(&rules);
	ASSERT_EQ(retain_rules_load(NULL, &rules, NULL), 0);
	EXPECT(!retain_rules_find(&rules, "x"));
}

struct choose_case {
	struct ktap_row row;
	const char *keep;
	const char *tags; /* "NAME@SECONDS ago", a '!' before those that are bound */
	const char *kept; /* the newest first */
};

#define NOW 1000000

static const struct choose_case chooses[] = {
	{ { "last", "the last two" }, "last: 2", "a@50 b@10 c@30", "b c " },
	{ { "last_more", "more than there are" }, "last: 9", "a@50 b@10", "b a " },
	{ { "tie", "of the same second the greater name" }, "last: 1", "a@5 c@5 b@5", "c " },
	{ { "names", "by their names" }, "tags: ['v*', latest]", "v1@900 x@1 latest@800 vv@2", "vv latest v1 " },
	{ { "younger", "what is younger than" }, "younger: 100s", "a@99 b@100 c@101 d@0", "d a " },
	{ { "future", "a clock that was set back" }, "younger: 1s", "a@-5000", "a " },
	{ { "union", "any reason is enough" }, "last: 1, tags: [x], younger: 10s", "a@5 b@7 c@20 x@900 y@900",
	  "a b x " },
	{ { "bound", "signatures of what is there stay, and count for nothing" }, "last: 1",
	  "a@9 !s@1 b@8", "s b " },
	{ { "none", "no tag at all" }, "last: 1", "", "" },
};

TEST_TABLE(choose, struct choose_case, chooses, c)
{
	__cleanup_buf struct buf text = BUF_INIT, got = BUF_INIT;
	struct retain_tag tags[8] = { 0 };
	struct retain_rules rules;
	size_t count = 0;
	int used;

	buf_addf(&text, "[{repositories: [a], keep: {%s}}]", c->keep);
	__cleanup_json json_t *tree = tree_of(buf_str(&text));
	ASSERT_EQ(retain_rules_load(tree, &rules, NULL), 0);
	for (const char *at = c->tags; *at; at += used + (at[used] == ' '), count++) {
		long long age;

		tags[count].is_bound = *at == '!';
		ASSERT_EQ(sscanf(at + tags[count].is_bound, "%20[a-z0-9]@%lld%n", tags[count].name, &age, &used), 2);
		used += tags[count].is_bound;
		tags[count].mtime = NOW - age;
	}
	retain_choose(&rules.list[0], NOW, tags, count);
	for (size_t i = 0; i < count; i++)
		if (tags[i].kept)
			buf_addf(&got, "%s ", tags[i].name);
	EXPECT_STREQ(buf_str(&got), c->kept);
	retain_rules_release(&rules);
}

TEST(subjects, "tags that are for the sake of a manifest")
{
	struct sum sum;

	EXPECT(retain_tag_subject("sha256-" HEX ".sig", &sum));
	EXPECT_STREQ(sum.text, "sha256:" HEX);
	EXPECT(retain_tag_subject("sha256-" HEX, &sum));
	EXPECT(!retain_tag_subject("sha256-" HEX "x", &sum));
	EXPECT(!retain_tag_subject("sha256-abc", &sum));
	EXPECT(!retain_tag_subject("v1-" HEX, &sum));
	EXPECT(!retain_tag_subject("latest", &sum));
	EXPECT(!retain_tag_subject("sha256-", &sum));
}

/* --- a repository in memory */

static struct settings settings;

static void open_registry(struct reg *reg, const char *rules)
{
	__cleanup_buf struct buf text = BUF_INIT;
	struct shale_err err = { 0 };

	buf_addf(&text, "{storage: {inmemory: }, shale: {retention: {rules: %s}}}", rules);
	if (settings_from(tree_of(buf_str(&text)), &settings, &err) < 0 ||
	    serve_open(&settings, false, reg, &err) < 0)
		ktap_note("%s", err.msg);
	ASSERT(!err.code);
}

static void close_registry(struct reg *reg)
{
	serve_close(reg);
	settings_release(&settings);
}

/* An index of the children, or an image of nothing; different by its word. */
static void push(struct reg *reg, const char *tag, const char *word, const struct sum *child,
		 struct sum *ret_sum)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	struct buf bytes = BUF_INIT;
	const struct sum *absent;
	struct repo_push push = { .sum = ret_sum, .manifest = &manifest, .tags = &tag, .tag_count = tag ? 1 : 0 };
	struct shale_err err = { 0 };

	buf_addf(&bytes, "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"annotations\":{\"w\":\"%s\"},\"manifests\":[",
		 MANIFEST_OCI_INDEX, word);
	if (child)
		buf_addf(&bytes, "{\"mediaType\":\"" MANIFEST_OCI_INDEX "\",\"digest\":\"%s\",\"size\":1}", child->text);
	buf_adds(&bytes, "]}");
	sum_of(SUM_SHA256, bytes.data, bytes.len, ret_sum);
	ASSERT_EQ(manifest_parse(NULL, bytes.data, bytes.len, &manifest, &err), 0);
	doc = doc_new(manifest.type, &bytes);
	push.doc = doc;
	ASSERT_EQ(repo_push(reg, "a", &push, &absent, &err), 0);
	buf_release(&bytes);
}

static void forget_leases(struct reg *reg)
{
	leases_free(reg->leases);
	reg->leases = leases_new();
}

static bool has(struct reg *reg, const struct sum *sum)
{
	return repo_has_manifest(reg, "a", sum, NULL) == 1;
}

static void run(struct reg *reg, int64_t later, bool is_dry, struct retain_result *result)
{
	struct retain_options options = {
		.rules = &settings.retain_rules, .now = time(NULL) + later, .is_dry = is_dry };

	ASSERT_EQ(retain_run(reg, &options, result, NULL), 0);
}

TEST(children, "a kept index keeps its children, nested, and what is taken goes when it is old")
{
	struct sum child, inner, outer, lone, other;
	struct retain_result result;
	struct reg reg;

	open_registry(&reg, "[{repositories: ['**'], keep: {tags: [all]}, untagged: 1h}]");
	push(&reg, "child", "c", NULL, &child);
	push(&reg, NULL, "i", &child, &inner);
	push(&reg, "all", "o", &inner, &outer);
	push(&reg, "lone", "l", NULL, &lone);
	push(&reg, NULL, "x", NULL, &other);
	run(&reg, 7200, true, &result);
	EXPECT_EQ(result.tags_taken, 2);
	/* All are leased: they were pushed by this server. */
	EXPECT_EQ(result.manifests_taken, 0);
	forget_leases(&reg);
	run(&reg, 7200, true, &result);
	EXPECT_EQ(result.manifests_taken, 2);
	EXPECT_EQ(result.tags_kept, 1);
	EXPECT(has(&reg, &lone) && has(&reg, &other));
	run(&reg, 60, false, &result);
	EXPECT_EQ(result.tags_taken, 2);
	EXPECT_EQ(result.manifests_taken, 0);
	run(&reg, 7200, false, &result);
	EXPECT_EQ(result.manifests_taken, 2);
	EXPECT(has(&reg, &child) && has(&reg, &inner) && has(&reg, &outer));
	EXPECT(!has(&reg, &lone) && !has(&reg, &other));
	run(&reg, 7200, false, &result);
	EXPECT_EQ(result.tags_taken + result.manifests_taken, 0);
	close_registry(&reg);
}

TEST(moved, "a tag that was moved or pushed again since it was looked at stays")
{
	struct bucket_stat st;
	struct sum one, two, got;
	struct shale_err err = { 0 };
	struct reg reg;

	open_registry(&reg, "[]");
	push(&reg, "t", "one", NULL, &one);
	push(&reg, "t", "two", NULL, &two);
	ASSERT_EQ(bucket_stat(reg.bucket, layout_tag("a", "t").text, &st, NULL), 0);
	EXPECT_EQ(repo_drop_tag(&reg, "a", "t", &one, st.mtime, &err), -1);
	EXPECT_EQ(err.code, ESTALE);
	EXPECT_EQ(repo_drop_tag(&reg, "a", "t", &two, st.mtime - 1, &err), -1);
	EXPECT_EQ(err.code, ESTALE);
	EXPECT_EQ(repo_resolve(&reg, "a", "t", &got, NULL), 0);
	EXPECT_EQ(repo_drop_tag(&reg, "a", "t", &two, st.mtime, &err), 0);
	EXPECT_EQ(repo_resolve(&reg, "a", "t", &got, NULL), -1);
	EXPECT_EQ(repo_drop_tag(&reg, "a", "t", &two, st.mtime, &err), -1);
	EXPECT_EQ(err.code, ENOENT);
	close_registry(&reg);
}

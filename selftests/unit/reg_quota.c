// SPDX-License-Identifier: GPL-2.0-only
/*
 * Quotas: how rules are read, accounts as text, what counts once, what is reserved and given back, and several
 * servers on one bucket at the same time. A running server's are selftests/registry/policies.py's.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "registry/conf.h"
#include "registry/layout.h"
#include "registry/quota.h"
#include "store/json.h"

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

struct size_case {
	struct ktap_row row;
	const char *text;
	uint64_t bytes; /* UINT64_MAX: none */
};

static const struct size_case sizes[] = {
	{ { "bytes", "bytes" }, "17", 17 },
	{ { "binary", "a binary unit" }, "10GiB", 10ull << 30 },
	{ { "decimal", "a decimal unit" }, "5MB", 5000000 },
	{ { "zero", "nothing" }, "0", 0 },
	{ { "unit", "a unit there is none of" }, "5M", UINT64_MAX },
	{ { "blank", "a blank" }, "5 MB", UINT64_MAX },
	{ { "sign", "less than nothing" }, "-5", UINT64_MAX },
	{ { "much", "too much" }, "99999999TiB", UINT64_MAX },
	{ { "more", "more than a number holds" }, "99999999999999999999999", UINT64_MAX },
	{ { "empty", "no text" }, "", UINT64_MAX },
};

TEST_TABLE(size, struct size_case, sizes, c)
{
	uint64_t bytes = UINT64_MAX;

	EXPECT_EQ(quota_parse_size(c->text, &bytes), c->bytes != UINT64_MAX);
	EXPECT_EQ(bytes, c->bytes);
}

struct bad_case {
	struct ktap_row row;
	const char *text;
	const char *says;
};

static const struct bad_case bad[] = {
	{ { "no_list", "no list" }, "{a: b}", "not a list" },
	{ { "no_map", "a text" }, "[x]", "quotas[0] is no mapping" },
	{ { "key", "a key there is none of" }, "[{namespace: a, size: 1}]", "no key 'size'" },
	{ { "nameless", "no namespace" }, "[{bytes: 1}]", "no pattern" },
	{ { "slash", "a slash last" }, "[{namespace: a/}]", "no pattern" },
	{ { "stars", "two stars" }, "[{namespace: 'a/**'}]", "no pattern" },
	{ { "bytes", "a size that is none" }, "[{namespace: a, bytes: much}]", "10GiB" },
	{ { "count", "repositories that are no number" }, "[{namespace: a, repositories: x}]", "number" },
};

TEST_TABLE(refused, struct bad_case, bad, c)
{
	__cleanup_json json_t *tree = tree_of(c->text);
	struct shale_err err = { 0 };
	struct quota *quota;

	ASSERT_EQ(quota_load(tree, &quota, &err), -1);
	EXPECT_EQ(err.code, EINVAL);
	if (!strstr(err.msg, c->says))
		ktap_fail(__FILE__, __LINE__, "'%s' does not say '%s'", err.msg, c->says);
}

TEST(names, "the first rule whose components match says for which name a repository counts")
{
	__cleanup_json json_t *tree = tree_of("[{namespace: team/big}, {namespace: 'team/*', bytes: 5},"
					      " {namespace: 'x*'}, {namespace: '*', repositories: 1}]");
	struct quota_rules rules;
	char name[NAME_MAX_REPO + 1];

	ASSERT_EQ(quota_rules_load(tree, &rules, NULL), 0);
	EXPECT(quota_rules_find(&rules, "team/big/a", name) == &rules.list[0]);
	EXPECT_STREQ(name, "team/big");
	EXPECT(quota_rules_find(&rules, "team/small/a/b", name) == &rules.list[1]);
	EXPECT_STREQ(name, "team/small");
	EXPECT(quota_rules_find(&rules, "team", name) == &rules.list[3]);
	EXPECT_STREQ(name, "team");
	EXPECT(quota_rules_find(&rules, "xyz/a", name) == &rules.list[2]);
	EXPECT_STREQ(name, "xyz");
	EXPECT_EQ(rules.list[0].bytes, QUOTA_NO_LIMIT);
	quota_rules_release(&rules);
}

/* --- accounts */

TEST(account_text, "an account is the same after it was text, and other text is none")
{
	static const char *const wrong[] = {
		"", "quota 1 1 2", "quota 2 1 2 3\n", "quota 1 1 2 3\nx\n", "quota 1 1 2 3\n0001 5\n",
		"quota 1 1 99999999999999999999 3\n", "quota 1 1 2 3\n01 99999999999999999999 1\n", "quota 1 1 2 3\n01 1 -1\n",
		"quota 1 1 2 3\n1 1 1", "quota 1 1 2 3\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n"
		"1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n1 1 1\n",
	};
	struct quota_account account = { 7, 1ull << 50, 12, { { 0xabcdef0123456789, 5000, 1700000000 }, { 3, 1, 9 } }, 2 };
	struct quota_account got;
	__cleanup_buf struct buf text = BUF_INIT;

	ASSERT_EQ(quota_account_print(&account, &text), 0);
	ASSERT(quota_account_parse(buf_str(&text), &got));
	EXPECT(!memcmp(&account, &got, sizeof(got)));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		if (quota_account_parse(wrong[i], &got))
			ktap_fail(__FILE__, __LINE__, "'%s' is taken", wrong[i]);
}

TEST(account_servers, "what a server has reserved counts for an hour, and more servers than fit are refused")
{
	const struct quota_rule rule = { "a", 100, 2 };
	struct quota_account account = { 0 };
	struct quota_change change = { .reserved = 60, .server = 1, .now = 1000 };
	struct shale_err err = { 0 };

	EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), 0);
	change.server = 2;
	EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), -1);
	EXPECT_EQ(err.code, QUOTA_EXCEEDED);
	EXPECT_STREQ(err.msg, "the quota of 'a' is 100 bytes: 0 are used, 60 reserved by uploads, and 60 more do not fit");
	change.now += QUOTA_SERVER_SECONDS;
	EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), 0);
	change = (struct quota_change){ .bytes = -5, .reserved = -99, .server = 2, .now = change.now };
	EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), 0);
	EXPECT_EQ(quota_account_reserved(&account, change.now), 0);
	for (int i = 0; i < QUOTA_MAX_SERVERS; i++) {
		change = (struct quota_change){ .reserved = 1, .server = 100 + i, .now = change.now };
		EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), 0);
	}
	change.server = 99;
	EXPECT_EQ(quota_account_apply(&account, &change, &rule, "a", &err), -1);
	EXPECT_EQ(err.code, EAGAIN);
}

/* --- a bucket in memory, as one server's or as many's */

static struct bucket_ops shared_ops;

static struct bucket *open_bucket(bool is_shared)
{
	const struct bucket_params params = { NULL, 0 };
	struct bucket *bucket = NULL;

	ASSERT_EQ(bucket_open("inmemory", &params, &bucket, NULL), 0);
	if (is_shared) {
		shared_ops = *bucket->ops;
		shared_ops.is_shared = true;
		bucket->ops = &shared_ops;
	}
	return bucket;
}

static struct quota *open_quota(struct bucket *bucket, const char *rules)
{
	__cleanup_json json_t *tree = tree_of(rules);
	struct quota *quota = NULL;
	struct shale_err err = { 0 };

	ASSERT_EQ(quota_load(tree, &quota, &err), 0);
	if (quota_open(quota, bucket, false, NULL, &err) < 0)
		ktap_fail(__FILE__, __LINE__, "%s", err.msg);
	return quota;
}

/* A blob of a number and of a size, in the bucket. */
static struct sum put_blob(struct bucket *bucket, int number, size_t size)
{
	__cleanup_free char *data = calloc(1, size);
	struct sum sum;

	snprintf(data, size, "%d", number);
	sum_of(SUM_SHA256, data, size, &sum);
	ASSERT_EQ(bucket_put(bucket, layout_blob(&sum).text, data, size, 0, NULL), 0);
	return sum;
}

static int put_link(struct bucket *bucket, struct quota *quota, const char *repo, const struct sum *sum,
		    size_t size, const char *upload, struct shale_err *err)
{
	if (quota_link(quota, repo, QUOTA_BLOB, sum, size, upload, err) < 0)
		return -1;
	return bucket_put(bucket, layout_layer(repo, sum).text, sum->text, strlen(sum->text), 0, err);
}

static void drop_link(struct bucket *bucket, struct quota *quota, const char *repo, const struct sum *sum)
{
	ASSERT_EQ(bucket_remove(bucket, layout_layer(repo, sum).text, NULL), 0);
	quota_unlink(quota, repo, QUOTA_BLOB, sum);
}

static void print_one(void *ctx, const char *name, const struct quota_rule *rule, uint64_t bytes,
		      uint64_t reserved, uint64_t repositories)
{
	(void)rule;
	buf_addf(ctx, "%s %llu+%llu in %llu; ", name, (unsigned long long)bytes,
		 (unsigned long long)reserved, (unsigned long long)repositories);
}

#define EXPECT_USE(quota, text)                                    \
	({                                                         \
		__cleanup_buf struct buf got_ = BUF_INIT;          \
		quota_report(quota, print_one, &got_);             \
		EXPECT_STREQ(buf_str(&got_), text);                \
	})

TEST(once, "a blob counts once for a name, and its last link gives it back")
{
	struct bucket *bucket = open_bucket(false);
	struct quota *quota = open_quota(bucket, "[{namespace: '*', bytes: 1000, repositories: 3}]");
	struct sum sum = put_blob(bucket, 1, 400), other = put_blob(bucket, 2, 700);
	struct shale_err err = { 0 };

	EXPECT_EQ(put_link(bucket, quota, "a/x", &sum, 400, NULL, &err), 0);
	EXPECT_EQ(put_link(bucket, quota, "a/y", &sum, 400, NULL, &err), 0);
	EXPECT_EQ(put_link(bucket, quota, "a/y", &sum, 400, NULL, &err), 0);
	EXPECT_EQ(put_link(bucket, quota, "b/x", &sum, 400, NULL, &err), 0);
	EXPECT_USE(quota, "a 400+0 in 2; b 400+0 in 1; ");
	EXPECT_EQ(put_link(bucket, quota, "a/y", &other, 700, NULL, &err), -1);
	EXPECT_EQ(err.code, QUOTA_EXCEEDED);
	EXPECT(quota_has(quota, "a/z", &sum) && !quota_has(quota, "a/z", &other));
	drop_link(bucket, quota, "a/x", &sum);
	EXPECT_USE(quota, "a 400+0 in 1; b 400+0 in 1; ");
	drop_link(bucket, quota, "a/y", &sum);
	EXPECT_USE(quota, "a 0+0 in 0; b 400+0 in 1; ");
	EXPECT_EQ(put_link(bucket, quota, "a/y", &other, 700, NULL, &err), 0);
	quota_free(quota);
	quota = open_quota(bucket, "[{namespace: '*', bytes: 1000}]");
	EXPECT_USE(quota, "a 700+0 in 1; b 400+0 in 1; ");
	quota_free(quota);
	bucket_release(bucket);
}

TEST(repositories, "repositories are counted, and one too many is refused before and when it comes")
{
	struct bucket *bucket = open_bucket(false);
	struct quota *quota = open_quota(bucket, "[{namespace: team, repositories: 2}]");
	struct sum sum = put_blob(bucket, 1, 10);
	struct shale_err err = { 0 };

	EXPECT_EQ(put_link(bucket, quota, "team/a", &sum, 10, NULL, &err), 0);
	EXPECT_EQ(quota_check_repo(quota, "team/b", &err), 0);
	EXPECT_EQ(put_link(bucket, quota, "team/b", &sum, 10, NULL, &err), 0);
	EXPECT_EQ(quota_check_repo(quota, "team/a", &err), 0);
	EXPECT_EQ(quota_check_repo(quota, "team/c", &err), -1);
	EXPECT_EQ(err.code, QUOTA_EXCEEDED);
	EXPECT_EQ(put_link(bucket, quota, "team/c", &sum, 10, NULL, &err), -1);
	EXPECT_STREQ(err.msg, "the quota of 'team' is 2 repositories: 2 are used, 0 reserved by uploads, and 1 more do not fit");
	EXPECT_EQ(put_link(bucket, quota, "other", &sum, 10, NULL, &err), 0);
	quota_free(quota);
	bucket_release(bucket);
}

TEST(reserved, "uploads reserve, link what they brought, and give back the rest")
{
	struct bucket *bucket = open_bucket(false);
	struct quota *quota = open_quota(bucket, "[{namespace: a, bytes: 1000}]");
	struct sum sum = put_blob(bucket, 1, 600);
	struct shale_err err = { 0 };

	EXPECT_EQ(quota_reserve(quota, "a/x", "one", 600, &err), 0);
	EXPECT_EQ(quota_reserve(quota, "a/x", "one", 500, &err), 0);
	EXPECT_EQ(quota_reserve(quota, "a/y", "two", 400, &err), 0);
	EXPECT_EQ(quota_reserve(quota, "a/y", "two", 401, &err), -1);
	EXPECT_EQ(quota_reserve(quota, "a/y", "three", UINT64_MAX, &err), -1);
	EXPECT_USE(quota, "a 0+1000 in 0; ");
	EXPECT_EQ(put_link(bucket, quota, "a/x", &sum, 600, "one", &err), 0);
	EXPECT_USE(quota, "a 600+400 in 1; ");
	quota_release(quota, "two");
	quota_release(quota, "one");
	EXPECT_USE(quota, "a 600+0 in 1; ");
	EXPECT_EQ(quota_reserve(quota, "b", "four", 1ull << 40, &err), 0);
	quota_free(quota);
	bucket_release(bucket);
}

#define THREADS 6
#define BLOBS	40

struct load {
	struct bucket *bucket;
	struct quota *quota;
	int number;
	atomic_int *linked;
};

static void *push_all(void *arg)
{
	struct load *load = arg;
	struct shale_err err = { 0 };
	char upload[32], repo[32];

	for (int i = 0; i < BLOBS; i++) {
		struct sum sum = put_blob(load->bucket, load->number * 1000 + i, 100);

		snprintf(upload, sizeof(upload), "%d-%d", load->number, i);
		snprintf(repo, sizeof(repo), "a/r%d", i % 3);
		if (quota_reserve(load->quota, repo, upload, 100, &err) == 0 &&
		    put_link(load->bucket, load->quota, repo, &sum, 100, upload, &err) == 0)
			atomic_fetch_add(load->linked, 1);
		quota_release(load->quota, upload);
	}
	return NULL;
}

/* Threads push into @servers quotas on one bucket; what was taken. */
static int push_at_once(struct bucket *bucket, struct quota **quotas, size_t servers)
{
	struct load loads[THREADS];
	pthread_t threads[THREADS];
	atomic_int linked = 0;

	for (int i = 0; i < THREADS; i++) {
		loads[i] = (struct load){ bucket, quotas[i % servers], i, &linked };
		ASSERT_EQ(pthread_create(&threads[i], NULL, push_all, &loads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	return linked;
}

TEST(at_once, "pushes at the same time fill a quota to its last byte, and not beyond")
{
	struct bucket *bucket = open_bucket(false);
	struct quota *quota = open_quota(bucket, "[{namespace: a, bytes: 10000}]");

	EXPECT_EQ(push_at_once(bucket, &quota, 1), 100);
	EXPECT_USE(quota, "a 10000+0 in 3; ");
	quota_free(quota);
	bucket_release(bucket);
}

TEST(servers_at_once, "servers on one bucket never take more than the quota, and agree with a count")
{
	struct bucket *bucket = open_bucket(true);
	struct quota *quotas[3], *judge;
	int linked;

	for (int i = 0; i < 3; i++)
		quotas[i] = open_quota(bucket, "[{namespace: a, bytes: 10000}]");
	linked = push_at_once(bucket, quotas, 3);
	EXPECT(linked <= 100);
	/* Only what repositories count twice, and who gave up in between, can be missing. */
	EXPECT(linked >= 80);
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(quota_recount(quotas[i], NULL), 0);
	judge = open_quota(bucket, "[{namespace: a, bytes: 10000}]");
	{
		__cleanup_buf struct buf want = BUF_INIT;

		buf_addf(&want, "a %d+0 in 3; ", linked * 100);
		EXPECT_USE(judge, buf_str(&want));
	}
	quota_free(judge);
	for (int i = 0; i < 3; i++)
		quota_free(quotas[i]);
	bucket_release(bucket);
}

TEST(servers_count, "what another server took away is free after a count, and a dead one's uploads do not stay")
{
	struct bucket *bucket = open_bucket(true);
	struct quota *one = open_quota(bucket, "[{namespace: a, bytes: 1000}]");
	struct quota *two = open_quota(bucket, "[{namespace: a, bytes: 1000}]");
	struct sum sum = put_blob(bucket, 1, 800), other = put_blob(bucket, 2, 900);
	struct shale_err err = { 0 };

	EXPECT_EQ(put_link(bucket, one, "a/x", &sum, 800, NULL, &err), 0);
	EXPECT_EQ(quota_reserve(two, "a/y", "u", 300, &err), -1);
	EXPECT_EQ(err.code, QUOTA_EXCEEDED);
	drop_link(bucket, one, "a/x", &sum);
	EXPECT_EQ(quota_reserve(two, "a/y", "u", 300, &err), -1);
	ASSERT_EQ(quota_recount(two, &err), 0);
	EXPECT_EQ(quota_reserve(two, "a/y", "u", 300, &err), 0);
	EXPECT_EQ(put_link(bucket, one, "a/x", &other, 900, NULL, &err), -1);
	quota_release(two, "u");
	EXPECT_EQ(put_link(bucket, one, "a/x", &other, 900, NULL, &err), 0);
	quota_free(one);
	quota_free(two);
	bucket_release(bucket);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Retention; see retain.h. A repository at a time: its tags are read and judged, those that go are taken
 * one by one, each under the repository's lock and only if nobody has pushed it meanwhile; then the
 * manifests that are left without a reason. Called by the maintainer and by the verb retention.
 */
#include "registry/retain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/announce.h"
#include "registry/live.h"
#include "registry/repo.h"
#include "registry/scan.h"

struct retention {
	struct reg *reg;
	const char *repo;
	const struct retain_rule *rule;
	const struct retain_options *options;
	struct retain_result *result;
	struct retain_tag *tags;
	size_t count;
	size_t cap;
};

static int add_tag(void *ctx, const char *name, const struct sum *sum, int64_t mtime,
		   struct shale_err *err)
{
	struct retention *retention = ctx;
	size_t cap = retention->cap ? 2 * retention->cap : 32;
	struct retain_tag *tag;
	struct sum subject;
	int ret;

	if (retention->count == retention->cap) {
		tag = reallocarray(retention->tags, cap, sizeof(*tag));
		if (!tag)
			return shale_err_set(err, ENOMEM, "no memory for a repository's tags");
		retention->tags = tag;
		retention->cap = cap;
	}
	tag = &retention->tags[retention->count++];
	*tag = (struct retain_tag){ .sum = *sum, .mtime = mtime };
	snprintf(tag->name, sizeof(tag->name), "%s", name);
	if (!retain_tag_subject(name, &subject))
		return 0;
	ret = repo_has_manifest(retention->reg, retention->repo, &subject, err);
	tag->is_bound = ret > 0;
	return ret < 0 ? -1 : 0;
}

static void report(struct retention *retention, const char *what, const char *name, int64_t mtime)
{
	const struct retain_options *options = retention->options;

	if (options->report)
		options->report(options->ctx, what, name, mtime);
}

static int take_tag(struct retention *retention, struct retain_tag *tag, struct shale_err *err)
{
	char name[NAME_MAX_REPO + NAME_MAX_TAG + 2];

	if (!retention->options->is_dry &&
	    repo_drop_tag(retention->reg, retention->repo, tag->name, &tag->sum, tag->mtime, err) < 0) {
		if (err->code != ESTALE && err->code != ENOENT)
			return -1;
		tag->kept = "it was pushed again";
		return 0;
	}
	if (!retention->options->is_dry)
		announce_removal(retention->reg, retention->repo, &tag->sum, tag->name);
	retention->result->tags_taken++;
	snprintf(name, sizeof(name), "%s:%s", retention->repo, tag->name);
	report(retention, "tag", name, tag->mtime);
	return 0;
}

static int take_tags(struct retention *retention, struct shale_err *err)
{
	retain_choose(retention->rule, retention->options->now, retention->tags, retention->count);
	for (size_t i = 0; i < retention->count; i++) {
		struct retain_tag *tag = &retention->tags[i];

		if (!tag->kept && take_tag(retention, tag, err) < 0)
			return -1;
		retention->result->tags_kept += tag->kept != NULL;
	}
	return 0;
}

static bool is_old(const struct retention *retention, int64_t mtime)
{
	int64_t now = retention->options->now;

	return mtime < now && (uint64_t)(now - mtime) >= retention->rule->untagged;
}

/* What a tag leads to that stays, what is young or about to be referred to, and what we cannot read. */
static void mark_live(struct retention *retention, struct live *live)
{
	for (size_t i = 0; i < live->count; i++) {
		struct live_node *node = &live->nodes[i];

		node->is_live = !node->is_known || !is_old(retention, node->mtime) ||
				lease_is_held(retention->reg->leases, &node->sum);
	}
	for (size_t i = 0; i < retention->count; i++) {
		struct live_node *node = live_find(live, &retention->tags[i].sum);

		if (node && retention->tags[i].kept)
			node->is_live = true;
	}
	live_spread(live);
}

static int take_manifest(struct retention *retention, const struct live_node *node,
			 struct shale_err *err)
{
	char name[NAME_MAX_REPO + SUM_MAX_TEXT + 2];

	if (!retention->options->is_dry) {
		if (repo_delete_untagged(retention->reg, retention->repo, &node->sum, err) < 0)
			/* Somebody has come for it. */
			return err->code == ESTALE || err->code == ENOENT ? 0 : -1;
		announce_removal(retention->reg, retention->repo, &node->sum, NULL);
	}
	retention->result->manifests_taken++;
	snprintf(name, sizeof(name), "%s@%s", retention->repo, node->sum.text);
	report(retention, "manifest", name, node->mtime);
	return 0;
}

static int take_manifests(struct retention *retention, struct shale_err *err)
{
	struct live live;
	int ret = 0;

	if (live_read(retention->reg, retention->repo, &live, err) < 0)
		return -1;
	mark_live(retention, &live);
	for (size_t i = 0; i < live.count && ret == 0; i++)
		if (!live.nodes[i].is_live)
			ret = take_manifest(retention, &live.nodes[i], err);
	live_release(&live);
	return ret;
}

int retain_repo(struct reg *reg, const char *repo, const struct retain_rule *rule,
		const struct retain_options *options, struct retain_result *result,
		struct shale_err *err)
{
	struct retention retention = { reg, repo, rule, options, result, NULL, 0, 0 };
	int ret;

	result->repos++;
	ret = live_each_tag(reg, repo, add_tag, &retention, err);
	if (ret == 0)
		ret = take_tags(&retention, err);
	if (ret == 0 && rule->has_untagged && !options->is_tags_only)
		ret = take_manifests(&retention, err);
	free(retention.tags);
	return ret;
}

struct run {
	struct reg *reg;
	const struct retain_options *options;
	struct retain_result *result;
};

static int look_at_repo(void *ctx, const char *repo, struct shale_err *err)
{
	const struct run *run = ctx;
	const struct retain_rule *rule = retain_rules_find(run->options->rules, repo);

	if (!rule)
		return 0;
	return retain_repo(run->reg, repo, rule, run->options, run->result, err);
}

int retain_run(struct reg *reg, const struct retain_options *options,
	       struct retain_result *ret_result, struct shale_err *err)
{
	struct run run = { reg, options, ret_result };

	*ret_result = (struct retain_result){ 0 };
	return scan_repos(reg->bucket, true, look_at_repo, &run, err);
}

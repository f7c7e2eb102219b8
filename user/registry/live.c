// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live manifests; see live.h. A repository's manifests are in memory while it is looked at: their
 * references, some hundred bytes each. Called by sweep.c and retain.c.
 */
#include "registry/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/repo.h"

static int collect_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

int live_each_sum(struct reg *reg, const char *repo, const char *what, live_sum_fn each, void *ctx,
		  struct shale_err *err)
{
	for (int kind = 0; kind < SUM_KINDS; kind++) {
		__cleanup_entries struct entries entries = { 0 };
		char text[SUM_MAX_TEXT + 2];
		char path[64];
		struct sum sum;

		snprintf(path, sizeof(path), "%s/%s", what, sum_kind_name(kind));
		if (bucket_list(reg->bucket, layout_repo(repo, path).text, NULL, collect_entry, &entries,
				err) < 0)
			return -1;
		for (size_t i = 0; i < entries.count; i++) {
			snprintf(text, sizeof(text), "%s:%s", sum_kind_name(kind),
				 entries.list[i].name);
			if (sum_parse(text, &sum) && each(ctx, &sum, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* The time first: a push in between gives an old time with a new digest, never the other way round. */
static int look_at_tag(struct reg *reg, const char *repo, const char *tag, live_tag_fn each,
		       void *ctx, struct shale_err *err)
{
	struct bucket_stat st;
	struct sum sum;

	if (bucket_stat(reg->bucket, layout_tag(repo, tag).text, &st, err) < 0 ||
	    repo_resolve(reg, repo, tag, &sum, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	return each(ctx, tag, &sum, st.mtime, err);
}

int live_each_tag(struct reg *reg, const char *repo, live_tag_fn each, void *ctx,
		  struct shale_err *err)
{
	__cleanup_entries struct entries tags = { 0 };

	if (bucket_list(reg->bucket, layout_repo(repo, "_manifests/tags").text, NULL, collect_entry,
			&tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++)
		if (name_is_tag(tags.list[i].name) &&
		    look_at_tag(reg, repo, tags.list[i].name, each, ctx, err) < 0)
			return -1;
	return 0;
}

/* Its bytes may be gone: it is not known then. */
static int read_node(struct live *live, struct live_node *node, struct shale_err *err)
{
	__cleanup_doc struct doc *doc = NULL;

	if (repo_get_manifest(live->reg, live->repo, &node->sum, &doc, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	node->is_known = manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &node->manifest,
					NULL) == 0;
	return 0;
}

/* Without its link it is no manifest, whatever else is there of it. */
static int add_node(void *ctx, const struct sum *sum, struct shale_err *err)
{
	struct live *live = ctx;
	size_t cap = live->cap ? 2 * live->cap : 16;
	struct live_node *nodes;
	struct bucket_stat st;

	if (bucket_stat(live->reg->bucket, layout_revision(live->repo, sum).text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (live->count == live->cap) {
		nodes = reallocarray(live->nodes, cap, sizeof(*nodes));
		if (!nodes)
			return shale_err_set(err, ENOMEM, "no memory for a repository's manifests");
		live->nodes = nodes;
		live->cap = cap;
	}
	live->nodes[live->count] = (struct live_node){ .sum = *sum, .mtime = st.mtime };
	return read_node(live, &live->nodes[live->count++], err);
}

static int compare_nodes(const void *a, const void *b)
{
	return strcmp(((const struct live_node *)a)->sum.text, ((const struct live_node *)b)->sum.text);
}

int live_read(struct reg *reg, const char *repo, struct live *ret_live, struct shale_err *err)
{
	*ret_live = (struct live){ .reg = reg, .repo = repo };
	if (live_each_sum(reg, repo, "_manifests/revisions", add_node, ret_live, err) < 0) {
		live_release(ret_live);
		return -1;
	}
	if (ret_live->count)
		qsort(ret_live->nodes, ret_live->count, sizeof(*ret_live->nodes), compare_nodes);
	return 0;
}

struct live_node *live_find(struct live *live, const struct sum *sum)
{
	struct live_node key = { .sum = *sum };

	if (!live->count)
		return NULL;
	return bsearch(&key, live->nodes, live->count, sizeof(*live->nodes), compare_nodes);
}

/* What the live node refers to is live; true when that was news. */
static bool spread_down(struct live *live, const struct live_node *node)
{
	bool has_changed = false;

	for (size_t i = 0; i < node->manifest.ref_count; i++) {
		const struct manifest_ref *ref = &node->manifest.refs[i];
		struct live_node *child = ref->is_manifest ? live_find(live, &ref->sum) : NULL;

		if (child && !child->is_live)
			has_changed = child->is_live = true;
	}
	return has_changed;
}

static bool has_live_subject(struct live *live, const struct live_node *node)
{
	const struct live_node *subject = NULL;

	if (node->manifest.has_subject)
		subject = live_find(live, &node->manifest.subject);
	return subject && subject->is_live;
}

static bool spread_once(struct live *live)
{
	bool has_changed = false;

	for (size_t i = 0; i < live->count; i++) {
		struct live_node *node = &live->nodes[i];

		if (!node->is_live && has_live_subject(live, node))
			has_changed = node->is_live = true;
		if (node->is_live && spread_down(live, node))
			has_changed = true;
	}
	return has_changed;
}

void live_spread(struct live *live)
{
	while (spread_once(live))
		;
}

void live_release(struct live *live)
{
	for (size_t i = 0; i < live->count; i++)
		manifest_release(&live->nodes[i].manifest);
	free(live->nodes);
	*live = (struct live){ 0 };
}

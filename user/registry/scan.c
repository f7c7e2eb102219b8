// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scanner; see scan.h. A manifest that cannot be understood is noted by its digest alone; one whose
 * bytes are gone, or a tag that leads nowhere, is not noted. Links of referrers, which distribution does
 * not make, are made where they are missing. Called when the server starts, by its refresher, and by
 * the verbs.
 */
#include "registry/scan.h"

#include <errno.h>
#include <string.h>

#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/repo.h"

static int collect_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

static int list_all(struct bucket *bucket, const char *prefix, struct entries *entries,
		    struct shale_err *err)
{
	return bucket_list(bucket, prefix, NULL, collect_entry, entries, err);
}

static bool has_entry(const struct entries *entries, const char *name)
{
	for (size_t i = 0; i < entries->count; i++)
		if (!strcmp(entries->list[i].name, name))
			return true;
	return false;
}

/* Names longer than a repository's can be are not followed. */
static int scan_below(struct bucket *bucket, const char *repo, bool has_content, scan_repo_fn each,
		      void *ctx, struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };
	char path[BUCKET_MAX_PATH + 1];
	char below[NAME_MAX_REPO + 1];
	int ret = 0;

	snprintf(path, sizeof(path), LAYOUT_REPOS "%s%s", *repo ? "/" : "", repo);
	if (list_all(bucket, path, &entries, err) < 0)
		return -1;
	if (*repo && name_is_repo(repo) &&
	    (has_entry(&entries, "_manifests") || has_entry(&entries, "_layers") ||
	     (!has_content && has_entry(&entries, "_uploads"))))
		ret = each(ctx, repo, err);
	for (size_t i = 0; i < entries.count && !ret; i++) {
		const char *name = entries.list[i].name;

		if (!entries.list[i].is_prefix || name[0] == '_' ||
		    (size_t)snprintf(below, sizeof(below), "%s%s%s", repo, *repo ? "/" : "", name) >=
			    sizeof(below))
			continue;
		ret = scan_below(bucket, below, has_content, each, ctx, err);
	}
	return ret;
}

int scan_repos(struct bucket *bucket, bool has_content, scan_repo_fn each, void *ctx,
	       struct shale_err *err)
{
	return scan_below(bucket, "", has_content, each, ctx, err) < 0 ? -1 : 0;
}

static int link_referrer(struct reg *reg, const char *repo, const struct sum *sum,
			 const struct manifest *manifest, struct shale_err *err)
{
	struct layout_path path;
	struct bucket_stat st;

	if (!manifest->has_subject || reg->settings.is_readonly)
		return 0;
	path = layout_referrer(repo, &manifest->subject, sum);
	if (bucket_stat(reg->bucket, path.text, &st, NULL) == 0)
		return 0;
	return bucket_put(reg->bucket, path.text, sum->text, strlen(sum->text), 0, err);
}

static int scan_manifest(struct reg *reg, const char *repo, const struct sum *sum,
			 struct shale_err *err)
{
	struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	int ret;

	if (repo_get_manifest(reg, repo, sum, &doc, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &manifest, NULL) < 0)
		snprintf(manifest.type, sizeof(manifest.type), "%s", doc->type);
	ret = repo_note_manifest(reg, repo, sum, &manifest, doc->bytes.len, err);
	if (ret == 0)
		ret = link_referrer(reg, repo, sum, &manifest, err);
	manifest_release(&manifest);
	return ret;
}

static int scan_revisions(struct reg *reg, const char *repo, struct shale_err *err)
{
	for (int kind = 0; kind < SUM_KINDS; kind++) {
		__cleanup_entries struct entries entries = { 0 };
		char text[SUM_MAX_TEXT + 2];
		char what[64];
		struct sum sum;

		snprintf(what, sizeof(what), "_manifests/revisions/%s", sum_kind_name(kind));
		if (list_all(reg->bucket, layout_repo(repo, what).text, &entries, err) < 0)
			return -1;
		for (size_t i = 0; i < entries.count; i++) {
			snprintf(text, sizeof(text), "%s:%s", sum_kind_name(kind),
				 entries.list[i].name);
			if (sum_parse(text, &sum) && scan_manifest(reg, repo, &sum, err) < 0)
				return -1;
		}
	}
	return 0;
}

static int scan_tags(struct reg *reg, const char *repo, struct shale_err *err)
{
	__cleanup_entries struct entries entries = { 0 };
	struct sum sum;

	if (list_all(reg->bucket, layout_repo(repo, "_manifests/tags").text, &entries, err) < 0)
		return -1;
	for (size_t i = 0; i < entries.count; i++) {
		const char *tag = entries.list[i].name;

		if (!name_is_tag(tag))
			continue;
		if (repo_resolve(reg, repo, tag, &sum, err) == 0) {
			if (catalog_set_tag(reg->catalog, repo, tag, sum.text, err) < 0)
				return -1;
		} else if (err->code != ENOENT) {
			return -1;
		}
	}
	return 0;
}

static int scan_content(struct reg *reg, const char *repo, struct shale_err *err)
{
	if (catalog_forget(reg->catalog, repo, err) < 0 || scan_revisions(reg, repo, err) < 0)
		return -1;
	return scan_tags(reg, repo, err);
}

int scan_repo(struct reg *reg, const char *repo, struct shale_err *err)
{
	int ret;

	if (catalog_batch_begin(reg->catalog, err) < 0)
		return -1;
	ret = reg->bucket->ops->is_shared ? catalog_add_repo(reg->catalog, repo, err) :
					    scan_content(reg, repo, err);
	if (ret == 0)
		ret = catalog_end(reg->catalog, repo, err);
	if (catalog_batch_end(reg->catalog, err) < 0)
		ret = -1;
	return ret;
}

static int scan_each(void *ctx, const char *repo, struct shale_err *err)
{
	return scan_repo(ctx, repo, err);
}

static int collect_repo(void *ctx, const char *repo, struct shale_err *err)
{
	struct bucket_entry entry = { .name = repo };

	return entries_add(ctx, &entry, strlen(repo), err);
}

/* Listed first, which can take long, and then changed as one: readers see the old or the new list. */
static int scan_names(struct reg *reg, struct shale_err *err)
{
	__cleanup_entries struct entries repos = { 0 };
	int ret;

	if (scan_repos(reg->bucket, true, collect_repo, &repos, err) < 0 ||
	    catalog_batch_begin(reg->catalog, err) < 0)
		return -1;
	ret = catalog_empty(reg->catalog, err);
	for (size_t i = 0; i < repos.count && ret == 0; i++)
		ret = catalog_add_repo(reg->catalog, repos.list[i].name, err);
	if (catalog_batch_end(reg->catalog, err) < 0)
		ret = -1;
	return ret;
}

int scan_all(struct reg *reg, struct shale_err *err)
{
	if (reg->bucket->ops->is_shared)
		return scan_names(reg, err);
	if (catalog_empty(reg->catalog, err) < 0)
		return -1;
	return scan_repos(reg->bucket, true, scan_each, reg, err);
}

static int collect_name(void *ctx, const char *name)
{
	struct bucket_entry entry = { .name = name };

	return entries_add(ctx, &entry, strlen(name), NULL);
}

int scan_by_state(struct reg *reg, enum catalog_state state, struct shale_err *err)
{
	__cleanup_entries struct entries dirty = { 0 };

	if (state == CATALOG_CRASHED || reg->bucket->ops->is_shared)
		return scan_all(reg, err);
	if (catalog_dirty(reg->catalog, collect_name, &dirty, err) < 0)
		return -1;
	for (size_t i = 0; i < dirty.count; i++)
		if (scan_repo(reg, dirty.list[i].name, err) < 0)
			return -1;
	return 0;
}

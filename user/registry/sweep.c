// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector; see sweep.h. Reading the bucket takes long, and pushes go on: each push adds what it
 * refers to to the collection's marks, so these only grow while it runs. A blob is taken under the write
 * lock that pushes, uploads and mounts hold for reading while they find out that a blob is there and
 * lease or mark it: so it is leased or marked when we look, or they do not find it. Called by the
 * maintainer and by the verb gc.
 */
#include "registry/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "registry/entries.h"
#include "registry/layout.h"
#include "registry/live.h"
#include "registry/marks.h"
#include "registry/quota.h"
#include "registry/repo.h"
#include "registry/scan.h"
#include "registry/upload.h"
#include "registry/verify.h"

struct sweep {
	struct reg *reg;
	const struct sweep_options *options;
	struct sweep_result *result;
	int64_t before; /* what was written later stays */
};

struct repo_marks {
	struct sweep *sweep;
	const char *repo;
	struct live live;
	struct marks *local; /* what the repository's live manifests refer to */
};

static void report(struct sweep *sweep, const char *what, const char *name, uint64_t bytes)
{
	if (sweep->options->report)
		sweep->options->report(sweep->options->ctx, what, name, bytes);
}

static int mark(struct repo_marks *marks, const struct sum *sum, struct shale_err *err)
{
	if (marks_add(marks->local, sum, err) < 0)
		return -1;
	return marks_add(marks->sweep->reg->marks, sum, err);
}

static bool is_old(const struct sweep *sweep, int64_t mtime)
{
	return mtime <= sweep->before;
}

/* A tag of the repository makes its manifest live. */
static int mark_tag(void *ctx, const char *tag, const struct sum *sum, int64_t mtime,
		    struct shale_err *err)
{
	struct live_node *node = live_find(ctx, sum);

	(void)tag, (void)mtime, (void)err;
	if (node)
		node->is_live = true;
	return 0;
}

/* What we do not understand, what is young or leased, and all unless told otherwise, is live. */
static void mark_kept(struct repo_marks *marks)
{
	struct sweep *sweep = marks->sweep;

	for (size_t i = 0; i < marks->live.count; i++) {
		struct live_node *node = &marks->live.nodes[i];

		if (!sweep->options->is_untagged || !node->is_known || !is_old(sweep, node->mtime) ||
		    lease_is_held(sweep->reg->leases, &node->sum))
			node->is_live = true;
	}
	live_spread(&marks->live);
}

static int mark_live(struct repo_marks *marks, struct shale_err *err)
{
	for (size_t i = 0; i < marks->live.count; i++) {
		const struct live_node *node = &marks->live.nodes[i];

		if (!node->is_live)
			continue;
		marks->sweep->result->manifests_kept++;
		if (mark(marks, &node->sum, err) < 0)
			return -1;
		for (size_t j = 0; j < node->manifest.ref_count; j++)
			if (mark(marks, &node->manifest.refs[j].sum, err) < 0)
				return -1;
	}
	return 0;
}

static int take_manifests(struct repo_marks *marks, struct shale_err *err)
{
	struct sweep *sweep = marks->sweep;

	for (size_t i = 0; i < marks->live.count; i++) {
		struct live_node *node = &marks->live.nodes[i];
		char name[NAME_MAX_REPO + SUM_MAX_TEXT + 2];

		if (node->is_live)
			continue;
		snprintf(name, sizeof(name), "%s@%s", marks->repo, node->sum.text);
		if (!sweep->options->is_dry &&
		    repo_delete_untagged(sweep->reg, marks->repo, &node->sum, err) < 0) {
			/* Somebody has come for it. */
			if (err->code != ESTALE && err->code != ENOENT)
				return -1;
			node->is_live = true;
			continue;
		}
		sweep->result->manifests_taken++;
		report(sweep, "manifest", name, 0);
	}
	return 0;
}

/* A link that is young is of a push that is not finished: its blob is in use. */
static int look_at_link(void *ctx, const struct sum *sum, struct shale_err *err)
{
	struct repo_marks *marks = ctx;
	struct sweep *sweep = marks->sweep;
	struct reg *reg = sweep->reg;
	struct layout_path path = layout_layer(marks->repo, sum);
	struct bucket_stat st;

	if (marks_has(marks->local, sum))
		return 0;
	if (bucket_stat(reg->bucket, path.text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (!is_old(sweep, st.mtime) || lease_is_held(reg->leases, sum))
		return marks_add(reg->marks, sum, err);
	sweep->result->links_taken++;
	report(sweep, "link", path.text, 0);
	if (sweep->options->is_dry)
		return 0;
	if (repo_unlink_blob(reg, marks->repo, sum, err) < 0 && err->code != ENOENT)
		return -1;
	return 0;
}

/* Of a push, or a deletion, that was cut off. */
static int look_at_type(void *ctx, const struct sum *sum, struct shale_err *err)
{
	struct repo_marks *marks = ctx;
	struct sweep *sweep = marks->sweep;
	struct layout_path path = layout_media_type(marks->repo, sum);
	struct bucket_stat st;

	if (live_find(&marks->live, sum))
		return 0;
	if (bucket_stat(sweep->reg->bucket, path.text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (!is_old(sweep, st.mtime))
		return 0;
	if (!sweep->options->is_dry && repo_drop_type(sweep->reg, marks->repo, sum, sweep->before, err) < 0)
		return err->code == ENOENT || err->code == ESTALE ? 0 : -1;
	sweep->result->links_taken++;
	report(sweep, "link", path.text, 0);
	return 0;
}

static int mark_repo_into(struct repo_marks *marks, struct shale_err *err)
{
	struct reg *reg = marks->sweep->reg;

	if (live_read(reg, marks->repo, &marks->live, err) < 0 ||
	    live_each_tag(reg, marks->repo, mark_tag, &marks->live, err) < 0)
		return -1;
	mark_kept(marks);
	if (take_manifests(marks, err) < 0 || mark_live(marks, err) < 0)
		return -1;
	if (live_each_sum(reg, marks->repo, "_manifests/revisions", look_at_type, marks, err) < 0)
		return -1;
	return live_each_sum(reg, marks->repo, "_layers", look_at_link, marks, err);
}

static int mark_repo(void *ctx, const char *repo, struct shale_err *err)
{
	struct sweep *sweep = ctx;
	struct repo_marks marks = { .sweep = sweep, .repo = repo, .local = marks_new() };
	int ret = marks.local ? mark_repo_into(&marks, err) :
				shale_err_set(err, ENOMEM, "no memory to mark");

	sweep->result->repos++;
	live_release(&marks.live);
	marks_free(marks.local);
	return ret;
}

/* The last look and the removal are one for everybody who could come to need the blob. */
static int take_blob(struct sweep *sweep, const struct sum *sum, bool *ret_taken,
		     struct shale_err *err)
{
	struct reg *reg = sweep->reg;
	int ret = 0;

	pthread_rwlock_wrlock(&reg->sweep_lock);
	*ret_taken = !marks_has(reg->marks, sum) && !lease_is_held(reg->leases, sum);
	if (*ret_taken && !sweep->options->is_dry)
		ret = bucket_remove(reg->bucket, layout_blob(sum).text, err);
	pthread_rwlock_unlock(&reg->sweep_lock);
	return ret < 0 && err->code != ENOENT ? -1 : 0;
}

static int look_at_blob(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct sweep *sweep = ctx;
	bool is_taken = false;
	struct sum sum;

	if (!verify_parse_blob(entry->name, &sum))
		return 0;
	if (is_old(sweep, entry->mtime) && !marks_has(sweep->reg->marks, &sum) &&
	    take_blob(sweep, &sum, &is_taken, err) < 0)
		return -1;
	if (!is_taken) {
		sweep->result->blobs_kept++;
		return 0;
	}
	sweep->result->blobs_taken++;
	sweep->result->bytes_taken += entry->size;
	report(sweep, "blob", sum.text, entry->size);
	return 0;
}

struct age {
	int64_t newest;
};

static int note_age(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct age *age = ctx;

	(void)err;
	if (entry->mtime > age->newest)
		age->newest = entry->mtime;
	return 0;
}

static int take_upload(struct sweep *sweep, const char *repo, const char *id,
		       struct shale_err *err)
{
	struct layout_path path = layout_upload(repo, id, NULL);
	char name[NAME_MAX_REPO + 64];
	struct age age = { 0 };

	if (bucket_walk(sweep->reg->bucket, path.text, note_age, &age, err) < 0)
		return -1;
	if (!is_old(sweep, age.newest) || !upload_is_free(sweep->reg, id))
		return 0;
	snprintf(name, sizeof(name), "%s/%s", repo, id);
	sweep->result->uploads_taken++;
	report(sweep, "upload", name, 0);
	if (sweep->options->is_dry)
		return 0;
	if (bucket_remove_tree(sweep->reg->bucket, path.text, err) < 0)
		return -1;
	quota_release(sweep->reg->quota, id);
	return 0;
}

static int collect_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

static int look_at_uploads(void *ctx, const char *repo, struct shale_err *err)
{
	struct sweep *sweep = ctx;
	__cleanup_entries struct entries uploads = { 0 };

	if (bucket_list(sweep->reg->bucket, layout_repo(repo, "_uploads").text, NULL, collect_entry,
			&uploads, err) < 0)
		return -1;
	for (size_t i = 0; i < uploads.count; i++)
		if (upload_is_id(uploads.list[i].name) &&
		    take_upload(sweep, repo, uploads.list[i].name, err) < 0)
			return -1;
	return 0;
}

int sweep_uploads(struct reg *reg, const struct sweep_options *options,
		  struct sweep_result *ret_result, struct shale_err *err)
{
	struct sweep sweep = { reg, options, ret_result, time(NULL) - (int64_t)options->age };

	return scan_repos(reg->bucket, false, look_at_uploads, &sweep, err);
}

/* From now on every push marks what it refers to. */
static int begin(struct reg *reg, struct shale_err *err)
{
	struct marks *marks = marks_new();

	if (!marks)
		return shale_err_set(err, ENOMEM, "no memory to mark");
	pthread_rwlock_wrlock(&reg->sweep_lock);
	reg->marks = marks;
	pthread_rwlock_unlock(&reg->sweep_lock);
	return 0;
}

static void end(struct reg *reg)
{
	struct marks *marks;

	pthread_rwlock_wrlock(&reg->sweep_lock);
	marks = reg->marks;
	reg->marks = NULL;
	pthread_rwlock_unlock(&reg->sweep_lock);
	marks_free(marks);
}

int sweep_run(struct reg *reg, const struct sweep_options *options,
	      struct sweep_result *ret_result, struct shale_err *err)
{
	struct sweep sweep = { reg, options, ret_result, time(NULL) - (int64_t)options->age };
	int ret;

	*ret_result = (struct sweep_result){ 0 };
	if (begin(reg, err) < 0)
		return -1;
	ret = scan_repos(reg->bucket, true, mark_repo, &sweep, err);
	if (ret == 0)
		ret = bucket_walk(reg->bucket, LAYOUT_BLOBS, look_at_blob, &sweep, err);
	end(reg);
	return ret;
}

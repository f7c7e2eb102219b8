// SPDX-License-Identifier: GPL-2.0-only
/*
 * The collector; see sweep.h. Reading the bucket takes long, and pushes go on: each push adds what it
 * refers to to the collection's marks, so these only grow while it runs. A blob is taken under the write
 * lock that pushes, uploads and mounts hold for reading while they find out that a blob is there and
 * lease or mark it: so it is leased or marked when we look, or they do not find it. What other servers on the
 * bucket need is found out by hold.h, for some things at a time. Called by the maintainer and by the verb gc.
 */
#include "registry/sweep.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "registry/entries.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/live.h"
#include "registry/marks.h"
#include "registry/quota.h"
#include "registry/repo.h"
#include "registry/scan.h"
#include "registry/upload.h"
#include "registry/verify.h"

/* What is taken unless somebody has a lease on its digest. */
enum taken_kind { TAKEN_BLOB, TAKEN_LINK, TAKEN_TYPE };

struct taken {
	enum taken_kind kind;
	struct sum sum;
	char repo[NAME_MAX_REPO + 1]; /* of a link or a type */
	uint64_t bytes;		      /* of a blob */
};

struct sweep {
	struct reg *reg;
	const struct sweep_options *options;
	struct sweep_result *result;
	int64_t before; /* what was written later stays */
	int64_t began;	/* by the clock that only goes on */
	struct taken batch[HOLD_BATCH];
	size_t count;
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

/* The last look and the removal are one for everybody here who could come to need it. */
static int take_blob(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	struct reg *reg = sweep->reg;
	bool is_free;
	int ret = 0;

	pthread_rwlock_wrlock(&reg->sweep_lock);
	is_free = !marks_has(reg->marks, &taken->sum) && !lease_is_held(reg->leases, &taken->sum);
	if (is_free && !sweep->options->is_dry)
		ret = bucket_remove(reg->bucket, layout_blob(&taken->sum).text, err);
	pthread_rwlock_unlock(&reg->sweep_lock);
	if (ret < 0 && err->code != ENOENT)
		return -1;
	sweep->result->blobs_kept += !is_free;
	if (!is_free)
		return 0;
	sweep->result->blobs_taken++;
	sweep->result->bytes_taken += taken->bytes;
	report(sweep, "blob", taken->sum.text, taken->bytes);
	return 0;
}

static int take_link(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	struct reg *reg = sweep->reg;
	bool is_free;
	int ret = 0;

	pthread_rwlock_wrlock(&reg->sweep_lock);
	is_free = !lease_is_held(reg->leases, &taken->sum);
	if (is_free && !sweep->options->is_dry)
		ret = repo_unlink_blob(reg, taken->repo, &taken->sum, err);
	pthread_rwlock_unlock(&reg->sweep_lock);
	if (!is_free)
		return marks_add(reg->marks, &taken->sum, err);
	if (ret < 0)
		return err->code == ENOENT ? 0 : -1;
	sweep->result->links_taken++;
	report(sweep, "link", layout_layer(taken->repo, &taken->sum).text, 0);
	return 0;
}

static int take_type(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	if (!sweep->options->is_dry &&
	    repo_drop_type(sweep->reg, taken->repo, &taken->sum, sweep->before, err) < 0)
		return err->code == ENOENT || err->code == ESTALE ? 0 : -1;
	sweep->result->links_taken++;
	report(sweep, "link", layout_media_type(taken->repo, &taken->sum).text, 0);
	return 0;
}

static int take_one(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	static int (*const takes[])(struct sweep *, const struct taken *, struct shale_err *) = {
		[TAKEN_BLOB] = take_blob,
		[TAKEN_LINK] = take_link,
		[TAKEN_TYPE] = take_type,
	};

	return takes[taken->kind](sweep, taken, err);
}

/* Another server's lease is worth as much as ours. */
static int take_unheld(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	int ret = hold_is_held(sweep->reg, &taken->sum, err);

	if (ret < 0)
		return -1;
	if (!ret)
		return take_one(sweep, taken, err);
	sweep->result->blobs_kept += taken->kind == TAKEN_BLOB;
	return 0;
}

/* Other servers' leases are honoured for a day and more: so long after the bucket was read that is not enough. */
static int check_time(const struct sweep *sweep, struct shale_err *err)
{
	if (clock_seconds() - sweep->began < SWEEP_SECONDS)
		return 0;
	return shale_err_set(err, ETIMEDOUT, "it takes longer than %d hours", SWEEP_SECONDS / 3600);
}

/* What is left when the others do not wait any more is for the next collection. */
static int take_doomed(struct sweep *sweep, struct shale_err *err)
{
	const struct sum *sums[HOLD_BATCH];
	struct hold_doom doom;
	struct shale_err own = { 0 };
	int ret = 0;

	for (size_t i = 0; i < sweep->count; i++)
		sums[i] = &sweep->batch[i].sum;
	if (check_time(sweep, err) < 0 || hold_doom(sweep->reg, sums, sweep->count, &doom, err) < 0)
		return -1;
	for (size_t i = 0; i < sweep->count && ret == 0 && hold_doom_is_fresh(&doom); i++)
		ret = take_unheld(sweep, &sweep->batch[i], err);
	if (hold_doom_end(sweep->reg, &doom, &own) == 0 || ret < 0)
		return ret;
	*err = own;
	return -1;
}

static bool has_others(const struct sweep *sweep)
{
	return sweep->reg->bucket->ops->is_shared && !sweep->options->is_alone && !sweep->options->is_dry;
}

static int take_batch(struct sweep *sweep, struct shale_err *err)
{
	int ret = 0;

	if (sweep->count && has_others(sweep))
		ret = take_doomed(sweep, err);
	else
		for (size_t i = 0; i < sweep->count && ret == 0; i++)
			ret = take_one(sweep, &sweep->batch[i], err);
	sweep->count = 0;
	return ret;
}

/* Where nobody else is, one at a time. */
static int take(struct sweep *sweep, const struct taken *taken, struct shale_err *err)
{
	sweep->batch[sweep->count++] = *taken;
	if (sweep->count < HOLD_BATCH && has_others(sweep))
		return 0;
	return take_batch(sweep, err);
}

/* A link that is young is of a push that is not finished: its blob is in use. */
static int look_at_link(void *ctx, const struct sum *sum, struct shale_err *err)
{
	struct repo_marks *marks = ctx;
	struct sweep *sweep = marks->sweep;
	struct taken taken = { .kind = TAKEN_LINK, .sum = *sum };
	struct bucket_stat st;

	if (marks_has(marks->local, sum))
		return 0;
	if (bucket_stat(sweep->reg->bucket, layout_layer(marks->repo, sum).text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (!is_old(sweep, st.mtime))
		return marks_add(sweep->reg->marks, sum, err);
	snprintf(taken.repo, sizeof(taken.repo), "%s", marks->repo);
	return take(sweep, &taken, err);
}

/* Of a push, or a deletion, that was cut off. */
static int look_at_type(void *ctx, const struct sum *sum, struct shale_err *err)
{
	struct repo_marks *marks = ctx;
	struct sweep *sweep = marks->sweep;
	struct taken taken = { .kind = TAKEN_TYPE, .sum = *sum };
	struct bucket_stat st;

	if (live_find(&marks->live, sum))
		return 0;
	if (bucket_stat(sweep->reg->bucket, layout_media_type(marks->repo, sum).text, &st, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	if (!is_old(sweep, st.mtime))
		return 0;
	snprintf(taken.repo, sizeof(taken.repo), "%s", marks->repo);
	return take(sweep, &taken, err);
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

static int look_at_blob(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct sweep *sweep = ctx;
	struct taken taken = { .kind = TAKEN_BLOB, .bytes = entry->size };

	if (!verify_parse_blob(entry->name, &taken.sum))
		return 0;
	if (is_old(sweep, entry->mtime) && !marks_has(sweep->reg->marks, &taken.sum))
		return take(sweep, &taken, err);
	sweep->result->blobs_kept++;
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
	struct sweep sweep = { .reg = reg, .options = options, .result = ret_result,
			       .before = time(NULL) - (int64_t)options->age };

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

static int sweep_all(struct sweep *sweep, struct shale_err *err)
{
	struct reg *reg = sweep->reg;

	if (scan_repos(reg->bucket, true, mark_repo, sweep, err) < 0 || take_batch(sweep, err) < 0 ||
	    bucket_walk(reg->bucket, LAYOUT_BLOBS, look_at_blob, sweep, err) < 0 || take_batch(sweep, err) < 0)
		return -1;
	if (!reg->bucket->ops->is_shared || sweep->options->is_dry)
		return 0;
	return hold_forget(reg, sweep->options->is_alone, err);
}

int sweep_run(struct reg *reg, const struct sweep_options *options,
	      struct sweep_result *ret_result, struct shale_err *err)
{
	struct sweep sweep = { .reg = reg, .options = options, .result = ret_result,
			       .before = time(NULL) - (int64_t)options->age, .began = clock_seconds() };
	int ret;

	*ret_result = (struct sweep_result){ 0 };
	if (has_others(&sweep) && !reg->bucket->ops->has_swap)
		return shale_err_set(err, ENOTSUP, "several servers cannot agree on anything in this storage");
	if (begin(reg, err) < 0)
		return -1;
	ret = sweep_all(&sweep, err);
	end(reg);
	return ret;
}

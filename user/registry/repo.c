// SPDX-License-Identifier: GPL-2.0-only
/*
 * Repositories; see repo.h. The order of a push, which a crash may end anywhere: the manifest's bytes,
 * its type, its link, its subject's list, the tags. Of a deletion: the tags, the subject's list, the
 * link. So a tag never leads to a manifest that is not there, and what is cut off is a manifest without
 * its tag, which the next push mends.
 *
 * A push holds the server's sweep_lock for reading, and marks what it refers to before it looks whether that
 * is there: the collector (sweep.c) either sees the mark, or has taken the blob before we look.
 */
#include "registry/repo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/entries.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/marks.h"
#include "registry/meter.h"
#include "registry/quota.h"

/* A link is a digest; some tools write a newline behind it. */
#define MAX_LINK (SUM_MAX_TEXT + 2)

static int object_exists(struct reg *reg, const struct layout_path *path, struct shale_err *err)
{
	struct bucket_stat st;
	struct shale_err own = { 0 };

	if (bucket_stat(reg->bucket, path->text, &st, &own) == 0)
		return 1;
	if (own.code == ENOENT)
		return 0;
	if (err)
		*err = own;
	return -1;
}

int repo_has_blob(struct reg *reg, const char *repo, const struct sum *sum,
		  struct shale_err *err)
{
	struct layout_path path = layout_layer(repo, sum);

	return object_exists(reg, &path, err);
}

int repo_has_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		      struct shale_err *err)
{
	struct layout_path path = layout_revision(repo, sum);

	return object_exists(reg, &path, err);
}

static int find_any(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	(void)err;
	if (!strcmp(entry->name, "_manifests") || !strcmp(entry->name, "_layers"))
		*(bool *)ctx = true;
	return *(bool *)ctx;
}

int repo_exists(struct reg *reg, const char *repo, struct shale_err *err)
{
	struct layout_path path = layout_repo(repo, "_");
	int ret = catalog_has_repo(reg->catalog, repo, err);
	bool is_there = false;

	if (ret)
		return ret;
	path.text[strlen(path.text) - 2] = '\0';
	if (bucket_list(reg->bucket, path.text, NULL, find_any, &is_there, err) < 0)
		return -1;
	return is_there;
}

static int put_link(struct reg *reg, const struct layout_path *path, const struct sum *sum,
		    unsigned int flags, struct shale_err *err)
{
	return bucket_put(reg->bucket, path->text, sum->text, strlen(sum->text), flags, err);
}

static int get_link(struct reg *reg, const char *path, struct sum *ret_sum, struct shale_err *err)
{
	__cleanup_buf struct buf buf = BUF_INIT;

	if (bucket_get(reg->bucket, path, MAX_LINK, &buf, err) < 0)
		return -1;
	if (buf.len && buf.data[buf.len - 1] == '\n')
		buf.data[buf.len - 1] = '\0';
	if (sum_parse(buf_str(&buf), ret_sum))
		return 0;
	return shale_err_set(err, EIO, "%s: is not a digest", path);
}

int repo_link_blob(struct reg *reg, const char *repo, const struct sum *sum, uint64_t size,
		   const char *upload, struct shale_err *err)
{
	struct layout_path path = layout_layer(repo, sum);
	int ret = object_exists(reg, &path, err);

	if (ret)
		return ret < 0 ? -1 : 0;
	if (quota_link(reg->quota, repo, QUOTA_BLOB, sum, size, upload, err) < 0)
		return -1;
	ret = put_link(reg, &path, sum, 0, err);
	if (ret < 0)
		quota_unlink(reg->quota, repo, QUOTA_BLOB, sum);
	return ret;
}

int repo_unlink_blob(struct reg *reg, const char *repo, const struct sum *sum,
		     struct shale_err *err)
{
	if (bucket_remove(reg->bucket, layout_layer(repo, sum).text, err) < 0)
		return -1;
	quota_unlink(reg->quota, repo, QUOTA_BLOB, sum);
	return 0;
}

int repo_resolve(struct reg *reg, const char *repo, const char *tag, struct sum *ret_sum,
		 struct shale_err *err)
{
	int ret;

	if (get_link(reg, layout_tag(repo, tag).text, ret_sum, err) < 0)
		return -1;
	ret = repo_has_manifest(reg, repo, ret_sum, err);
	if (ret == 0)
		return shale_err_set(err, ENOENT, "%s:%s points to nothing", repo, tag);
	return ret < 0 ? -1 : 0;
}

/* The type it was pushed with: kept where the bytes do not tell it. */
static int get_type(struct reg *reg, const char *repo, const struct sum *sum,
		    const struct buf *bytes, char *type, size_t size, struct shale_err *err)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_buf struct buf kept = BUF_INIT;
	struct shale_err own = { 0 };

	if (bucket_get(reg->bucket, layout_media_type(repo, sum).text, MANIFEST_MAX_TYPE, &kept,
		       &own) == 0) {
		snprintf(type, size, "%s", buf_str(&kept));
		return 0;
	}
	if (own.code != ENOENT) {
		if (err)
			*err = own;
		return -1;
	}
	if (manifest_parse(NULL, bytes->data, bytes->len, &manifest, &own) == 0)
		snprintf(type, size, "%s", manifest.type);
	else
		snprintf(type, size, "application/octet-stream");
	return 0;
}

static int read_manifest(struct reg *reg, const char *repo, const struct sum *sum,
			 struct doc **ret_doc, struct shale_err *err)
{
	__cleanup_buf struct buf bytes = BUF_INIT;
	char type[MANIFEST_MAX_TYPE + 1];

	if (bucket_get(reg->bucket, layout_blob(sum).text, BUCKET_MAX_SMALL, &bytes, err) < 0 ||
	    get_type(reg, repo, sum, &bytes, type, sizeof(type), err) < 0)
		return -1;
	*ret_doc = doc_new(type, &bytes);
	if (!*ret_doc)
		return shale_err_set(err, EAGAIN, "no memory for a manifest");
	doc_cache_add(reg->docs, repo, sum, *ret_doc);
	return 0;
}

int repo_get_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		      struct doc **ret_doc, struct shale_err *err)
{
	int ret = repo_has_manifest(reg, repo, sum, err);

	if (ret == 0)
		return shale_err_set(err, ENOENT, "%s@%s: no such manifest", repo, sum->text);
	if (ret < 0)
		return -1;
	*ret_doc = doc_cache_get(reg->docs, repo, sum);
	meter_cache(reg->meter, *ret_doc);
	return *ret_doc ? 0 : read_manifest(reg, repo, sum, ret_doc, err);
}

static bool is_wanted(const struct reg *reg, const struct manifest_ref *ref)
{
	const struct reg_settings *settings = &reg->settings;

	if (ref->may_be_absent)
		return false;
	if (!ref->is_manifest || settings->platforms == PLATFORMS_ALL)
		return true;
	if (settings->platforms == PLATFORMS_NONE)
		return false;
	for (size_t i = 0; i < settings->platform_count; i++)
		if (ref->os && ref->architecture &&
		    !strcmp(ref->os, settings->platform_list[i].os) &&
		    !strcmp(ref->architecture, settings->platform_list[i].architecture))
			return true;
	return false;
}

/* A blob's link and its bytes; a manifest's link (its bytes go only after that). */
static int has_ref(struct reg *reg, const char *repo, const struct manifest_ref *ref,
		   struct shale_err *err)
{
	struct layout_path blob = layout_blob(&ref->sum);
	int ret;

	ret = ref->is_manifest ? repo_has_manifest(reg, repo, &ref->sum, err) :
				 repo_has_blob(reg, repo, &ref->sum, err);
	return ret <= 0 ? ret : object_exists(reg, &blob, err);
}

static int mark_refs(struct reg *reg, const struct sum *sum, const struct manifest *manifest,
		     struct shale_err *err)
{
	if (!reg->marks)
		return 0;
	for (size_t i = 0; i < manifest->ref_count; i++)
		if (marks_add(reg->marks, &manifest->refs[i].sum, err) < 0)
			return -1;
	return marks_add(reg->marks, sum, err);
}

static int check_refs(struct reg *reg, const char *repo, const struct repo_push *push,
		      const struct sum **ret_absent, struct shale_err *err)
{
	const struct manifest *manifest = push->manifest;
	int ret;

	if (push->is_copy)
		return 0;
	for (size_t i = 0; i < manifest->ref_count; i++) {
		if (!is_wanted(reg, &manifest->refs[i]))
			continue;
		lease_take(reg->leases, &manifest->refs[i].sum);
		ret = has_ref(reg, repo, &manifest->refs[i], err);
		if (ret < 0)
			return -1;
		if (ret > 0)
			continue;
		*ret_absent = &manifest->refs[i].sum;
		return shale_err_set(err, ENOENT, "%s is not in %s", (*ret_absent)->text, repo);
	}
	return 0;
}

int repo_note_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		       const struct manifest *manifest, uint64_t size, struct shale_err *err)
{
	char *annotations = NULL;
	struct catalog_manifest row = {
		.digest = sum->text,
		.type = manifest->type,
		.size = size,
		.artifact_type = manifest->artifact_type,
	};
	int ret;

	if (manifest->has_subject) {
		row.subject = manifest->subject.text;
		if (manifest->annotations)
			annotations = json_dumps(manifest->annotations, JSON_COMPACT);
		row.annotations = annotations;
	}
	ret = catalog_add_manifest(reg->catalog, repo, &row, err);
	free(annotations);
	return ret;
}

/* A manifest's bytes are a blob like any other, and may be there already. */
static int put_bytes(struct reg *reg, const struct sum *sum, const struct buf *bytes,
		     struct shale_err *err)
{
	struct layout_path path = layout_blob(sum);
	struct bucket_stat st;

	lease_take(reg->leases, sum);
	if (bucket_stat(reg->bucket, path.text, &st, NULL) == 0 && st.size == bytes->len)
		return 0;
	return bucket_put(reg->bucket, path.text, bytes->data, bytes->len, 0, err);
}

static int put_revision(struct reg *reg, const char *repo, const struct repo_push *push,
			struct shale_err *err)
{
	const struct manifest *manifest = push->manifest;
	struct layout_path type = layout_media_type(repo, push->sum);
	struct layout_path link = layout_revision(repo, push->sum);

	if (!manifest->is_type_implied &&
	    bucket_put(reg->bucket, type.text, manifest->type, strlen(manifest->type), 0, err) < 0)
		return -1;
	return put_link(reg, &link, push->sum, 0, err);
}

static int put_referrer(struct reg *reg, const char *repo, const struct repo_push *push,
			struct shale_err *err)
{
	struct layout_path path;

	if (!push->manifest->has_subject)
		return 0;
	path = layout_referrer(repo, &push->manifest->subject, push->sum);
	return put_link(reg, &path, push->sum, 0, err);
}

static int put_tag(struct reg *reg, const char *repo, const char *tag, const struct sum *sum,
		   struct shale_err *err)
{
	struct layout_path history = layout_tag_history(repo, tag, sum);
	struct layout_path current = layout_tag(repo, tag);

	if (put_link(reg, &history, sum, 0, err) < 0 ||
	    put_link(reg, &current, sum, BUCKET_SWAPPED, err) < 0)
		return -1;
	return catalog_set_tag(reg->catalog, repo, tag, sum->text, err);
}

/* Nobody was told about it yet. */
static void take_back(struct reg *reg, const char *repo, const struct sum *sum)
{
	bucket_remove(reg->bucket, layout_revision(repo, sum).text, NULL);
	bucket_remove(reg->bucket, layout_media_type(repo, sum).text, NULL);
	quota_unlink(reg->quota, repo, QUOTA_MANIFEST, sum);
}

static int push_locked(struct reg *reg, const char *repo, const struct repo_push *push,
		       const struct sum **ret_absent, struct shale_err *err)
{
	bool is_new = repo_has_manifest(reg, repo, push->sum, err) == 0;

	if (is_new && quota_link(reg->quota, repo, QUOTA_MANIFEST, push->sum, push->doc->bytes.len, NULL,
				 err) < 0)
		return -1;
	if (mark_refs(reg, push->sum, push->manifest, err) < 0 ||
	    put_bytes(reg, push->sum, &push->doc->bytes, err) < 0 ||
	    put_revision(reg, repo, push, err) < 0 ||
	    check_refs(reg, repo, push, ret_absent, err) < 0) {
		if (is_new)
			take_back(reg, repo, push->sum);
		return -1;
	}
	doc_cache_drop(reg->docs, repo, push->sum);
	if (put_referrer(reg, repo, push, err) < 0 ||
	    repo_note_manifest(reg, repo, push->sum, push->manifest, push->doc->bytes.len, err) < 0)
		return -1;
	for (size_t i = 0; i < push->tag_count; i++)
		if (put_tag(reg, repo, push->tags[i], push->sum, err) < 0)
			return -1;
	doc_cache_add(reg->docs, repo, push->sum, push->doc);
	return 0;
}

/* A change that failed in the middle is not known: the repository stays marked, and is scanned. */
static int end_change(struct reg *reg, const char *repo, int ret, const struct shale_err *err)
{
	if (ret == 0 || err->code == ENOENT || err->code == QUOTA_EXCEEDED)
		catalog_end(reg->catalog, repo, NULL);
	return ret;
}

/* What a copy refers to comes from elsewhere again if it has to. */
static int hold_refs(struct reg *reg, const struct repo_push *push, struct shale_err *err)
{
	const struct manifest *manifest = push->manifest;
	const size_t count = push->is_copy ? 0 : manifest->ref_count;
	__cleanup_free const struct sum **sums = reallocarray(NULL, count + 1, sizeof(*sums));

	if (!sums)
		return shale_err_set(err, EAGAIN, "no memory for a manifest");
	for (size_t i = 0; i < count; i++)
		sums[i] = &manifest->refs[i].sum;
	sums[count] = push->sum;
	return hold_sums(reg, sums, count + 1, err);
}

static int push_marked(struct reg *reg, const char *repo, const struct repo_push *push,
		       const struct sum **ret_absent, struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	/* First without a trace; what is missing now is the usual error. */
	if (check_refs(reg, repo, push, ret_absent, err) < 0)
		return -1;
	pthread_mutex_lock(lock);
	ret = catalog_begin(reg->catalog, repo, err);
	if (ret == 0)
		ret = end_change(reg, repo, push_locked(reg, repo, push, ret_absent, err), err);
	pthread_mutex_unlock(lock);
	return ret;
}

int repo_push(struct reg *reg, const char *repo, const struct repo_push *push,
	      const struct sum **ret_absent, struct shale_err *err)
{
	int ret;

	*ret_absent = NULL;
	if (hold_refs(reg, push, err) < 0)
		return -1;
	pthread_rwlock_rdlock(&reg->sweep_lock);
	ret = push_marked(reg, repo, push, ret_absent, err);
	pthread_rwlock_unlock(&reg->sweep_lock);
	return ret;
}

/* Distribution's list of what a tag has pointed to. A push of the tag beside us may add to it again. */
static int drop_history(struct reg *reg, const char *repo, const char *tag, struct shale_err *err)
{
	return bucket_remove_tree(reg->bucket, layout_tag_history(repo, tag, NULL).text, err);
}

struct name_list {
	struct entries entries;
	struct shale_err err;
	bool has_failed;
};

static int note_name(void *ctx, const char *name)
{
	struct name_list *list = ctx;
	struct bucket_entry entry = { .name = name };

	list->has_failed = entries_add(&list->entries, &entry, strlen(name), &list->err) < 0;
	return list->has_failed;
}

static int note_entry(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	return entries_add(ctx, entry, strlen(entry->name), err);
}

/* Tags that may point to the manifest: from the index, or, where others use the bucket too, all. */
static int tags_of(struct reg *reg, const char *repo, const struct sum *sum,
		   struct entries *entries, struct shale_err *err)
{
	struct name_list list = { 0 };

	if (reg->bucket->ops->is_shared)
		return bucket_list(reg->bucket, layout_repo(repo, "_manifests/tags").text, NULL,
				   note_entry, entries, err);
	if (catalog_tags_of(reg->catalog, repo, sum->text, note_name, &list, err) < 0 ||
	    list.has_failed) {
		entries_release(&list.entries);
		return -1;
	}
	*entries = list.entries;
	return 0;
}

/* Only if the tag still points there: somebody may just have moved it. */
static int drop_tag_to(struct reg *reg, const char *repo, const char *tag, const struct sum *sum,
		       struct shale_err *err)
{
	struct layout_path current = layout_tag(repo, tag);
	struct shale_err own = { 0 };

	if (bucket_swap(reg->bucket, current.text, sum->text, NULL, &own) < 0) {
		if (own.code == ESTALE)
			return 0;
		*err = own;
		return -1;
	}
	if (drop_history(reg, repo, tag, err) < 0)
		return -1;
	return catalog_remove_tag(reg->catalog, repo, tag, err);
}

/* What the manifest refers to as its subject; that it cannot be read does not keep it here. */
static void drop_referrer(struct reg *reg, const char *repo, const struct sum *sum)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;

	if (repo_get_manifest(reg, repo, sum, &doc, NULL) < 0 ||
	    manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &manifest, NULL) < 0 ||
	    !manifest.has_subject)
		return;
	bucket_remove(reg->bucket, layout_referrer(repo, &manifest.subject, sum).text, NULL);
}

static int delete_manifest_locked(struct reg *reg, const char *repo, const struct sum *sum,
				  struct shale_err *err)
{
	__cleanup_entries struct entries tags = { 0 };
	struct layout_path type = layout_media_type(repo, sum);
	struct shale_err own = { 0 };

	if (tags_of(reg, repo, sum, &tags, err) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++)
		if (drop_tag_to(reg, repo, tags.list[i].name, sum, err) < 0)
			return -1;
	drop_referrer(reg, repo, sum);
	doc_cache_drop(reg->docs, repo, sum);
	if (bucket_remove(reg->bucket, layout_revision(repo, sum).text, err) < 0)
		return -1;
	quota_unlink(reg->quota, repo, QUOTA_MANIFEST, sum);
	if (bucket_remove(reg->bucket, type.text, &own) < 0 && own.code != ENOENT) {
		*err = own;
		return -1;
	}
	return catalog_remove_manifest(reg->catalog, repo, sum->text, err);
}

int repo_delete_manifest(struct reg *reg, const char *repo, const struct sum *sum,
			 struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	pthread_mutex_lock(lock);
	ret = repo_has_manifest(reg, repo, sum, err);
	if (ret == 0)
		ret = shale_err_set(err, ENOENT, "%s@%s: no such manifest", repo, sum->text);
	else if (ret > 0)
		ret = catalog_begin(reg->catalog, repo, err);
	if (ret == 0)
		ret = end_change(reg, repo, delete_manifest_locked(reg, repo, sum, err), err);
	pthread_mutex_unlock(lock);
	return ret;
}

static int delete_tag_locked(struct reg *reg, const char *repo, const char *tag,
			     struct shale_err *err)
{
	if (bucket_remove(reg->bucket, layout_tag(repo, tag).text, err) < 0)
		return -1;
	if (drop_history(reg, repo, tag, err) < 0)
		return -1;
	return catalog_remove_tag(reg->catalog, repo, tag, err);
}

/* Who pushes something that refers to it has leased it, and holds the repository's lock. */
static int delete_untagged_locked(struct reg *reg, const char *repo, const struct sum *sum,
				  struct shale_err *err)
{
	__cleanup_entries struct entries tags = { 0 };

	if (lease_is_held(reg->leases, sum))
		return shale_err_set(err, ESTALE, "%s is leased", sum->text);
	if (!reg->bucket->ops->is_shared &&
	    (tags_of(reg, repo, sum, &tags, err) < 0 || tags.count))
		return shale_err_set(err, ESTALE, "%s is tagged", sum->text);
	return delete_manifest_locked(reg, repo, sum, err);
}

int repo_delete_untagged(struct reg *reg, const char *repo, const struct sum *sum,
			 struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	pthread_mutex_lock(lock);
	ret = catalog_begin(reg->catalog, repo, err);
	if (ret == 0)
		ret = delete_untagged_locked(reg, repo, sum, err);
	if (ret == 0 || err->code == ESTALE || err->code == ENOENT)
		catalog_end(reg->catalog, repo, NULL);
	pthread_mutex_unlock(lock);
	return ret;
}

static int drop_type_locked(struct reg *reg, const char *repo, const struct sum *sum, int64_t mtime,
			    struct shale_err *err)
{
	struct layout_path type = layout_media_type(repo, sum);
	struct bucket_stat st;
	int ret = repo_has_manifest(reg, repo, sum, err);

	if (ret < 0 || bucket_stat(reg->bucket, type.text, &st, err) < 0)
		return -1;
	if (ret || st.mtime > mtime || lease_is_held(reg->leases, sum))
		return shale_err_set(err, ESTALE, "%s: somebody pushes it", sum->text);
	return bucket_remove(reg->bucket, type.text, err);
}

int repo_drop_type(struct reg *reg, const char *repo, const struct sum *sum, int64_t mtime, struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	pthread_mutex_lock(lock);
	ret = drop_type_locked(reg, repo, sum, mtime, err);
	pthread_mutex_unlock(lock);
	return ret;
}

int repo_delete_tag(struct reg *reg, const char *repo, const char *tag, struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	pthread_mutex_lock(lock);
	ret = catalog_begin(reg->catalog, repo, err);
	if (ret == 0)
		ret = end_change(reg, repo, delete_tag_locked(reg, repo, tag, err), err);
	pthread_mutex_unlock(lock);
	return ret;
}

/* A push of the same manifest changes nothing but the time. */
static int drop_tag_locked(struct reg *reg, const char *repo, const char *tag,
			   const struct sum *sum, int64_t mtime, struct shale_err *err)
{
	struct layout_path current = layout_tag(repo, tag);
	struct bucket_stat st;

	if (bucket_stat(reg->bucket, current.text, &st, err) < 0)
		return -1;
	if (st.mtime > mtime)
		return shale_err_set(err, ESTALE, "%s:%s was pushed again", repo, tag);
	if (bucket_swap(reg->bucket, current.text, sum->text, NULL, err) < 0 ||
	    drop_history(reg, repo, tag, err) < 0)
		return -1;
	return catalog_remove_tag(reg->catalog, repo, tag, err);
}

int repo_drop_tag(struct reg *reg, const char *repo, const char *tag, const struct sum *sum,
		  int64_t mtime, struct shale_err *err)
{
	pthread_mutex_t *lock = reg_lock(reg, repo);
	int ret;

	pthread_mutex_lock(lock);
	ret = catalog_begin(reg->catalog, repo, err);
	if (ret == 0)
		ret = drop_tag_locked(reg, repo, tag, sum, mtime, err);
	if (ret == 0 || err->code == ESTALE || err->code == ENOENT)
		catalog_end(reg->catalog, repo, NULL);
	pthread_mutex_unlock(lock);
	return ret;
}

/* What a listing of the bucket passes on: a tag only if it points to something. */
struct tag_walk {
	struct reg *reg;
	const char *repo;
	uint64_t left;
	catalog_name_fn each;
	void *ctx;
};

static int report_tag(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct tag_walk *walk = ctx;
	struct layout_path path;
	int ret;

	if (!entry->is_prefix || !name_is_tag(entry->name))
		return 0;
	path = layout_tag(walk->repo, entry->name);
	ret = object_exists(walk->reg, &path, err);
	if (ret <= 0)
		return ret;
	if (!walk->left--)
		return 1;
	return walk->each(walk->ctx, entry->name) ? 1 : 0;
}

int repo_tags(struct reg *reg, const char *repo, const char *last, uint64_t max,
	      catalog_name_fn each, void *ctx, struct shale_err *err)
{
	struct tag_walk walk = { reg, repo, max, each, ctx };

	if (!reg->bucket->ops->is_shared)
		return catalog_tags(reg->catalog, repo, last, max, each, ctx, err);
	return bucket_list(reg->bucket, layout_repo(repo, "_manifests/tags").text,
			   *last ? last : NULL, report_tag, &walk, err);
}

struct referrer_walk {
	struct reg *reg;
	const char *repo;
	const char *subject;
	const char *artifact_type;
	const char *last;
	uint64_t left;
	const char *kind;
	catalog_manifest_fn each;
	void *ctx;
};

static int report_manifest(struct referrer_walk *walk, const struct sum *sum,
			   const struct doc *doc)
{
	__cleanup_manifest struct manifest manifest = { 0 };
	struct catalog_manifest row = { .digest = sum->text, .type = doc->type,
					.size = doc->bytes.len, .subject = walk->subject };
	char *annotations;
	int ret;

	if (manifest_parse(doc->type, doc->bytes.data, doc->bytes.len, &manifest, NULL) < 0)
		return 0;
	row.artifact_type = manifest.artifact_type;
	if (walk->artifact_type &&
	    (!row.artifact_type || strcmp(row.artifact_type, walk->artifact_type)))
		return 0;
	if (!walk->left--)
		return 1;
	annotations = manifest.annotations ? json_dumps(manifest.annotations, JSON_COMPACT) : NULL;
	row.annotations = annotations;
	ret = walk->each(walk->ctx, &row);
	free(annotations);
	return ret ? 1 : 0;
}

/* A link whose manifest is gone is nothing: that can be a push that was cut off. */
static int report_referrer(void *ctx, const struct bucket_entry *entry, struct shale_err *err)
{
	struct referrer_walk *walk = ctx;
	__cleanup_doc struct doc *doc = NULL;
	struct shale_err own = { 0 };
	char text[SUM_MAX_TEXT + 1];
	struct sum sum;

	if ((size_t)snprintf(text, sizeof(text), "%s:%s", walk->kind, entry->name) >= sizeof(text) ||
	    !sum_parse(text, &sum) || strcmp(text, walk->last) <= 0)
		return 0;
	if (repo_get_manifest(walk->reg, walk->repo, &sum, &doc, &own) == 0)
		return report_manifest(walk, &sum, doc);
	if (own.code == ENOENT)
		return 0;
	*err = own;
	return -1;
}

int repo_referrers(struct reg *reg, const char *repo, const struct sum *subject,
		   const char *artifact_type, const char *last, uint64_t max,
		   catalog_manifest_fn each, void *ctx, struct shale_err *err)
{
	struct referrer_walk walk = { reg,  repo, subject->text, artifact_type, last,
				      max, NULL, each,		ctx };
	char prefix[BUCKET_MAX_PATH + 8];

	if (!reg->bucket->ops->is_shared)
		return catalog_referrers(reg->catalog, repo, subject->text, artifact_type, last, max,
					 each, ctx, err);
	for (int kind = 0; kind < SUM_KINDS; kind++) {
		walk.kind = sum_kind_name(kind);
		snprintf(prefix, sizeof(prefix), "%s/%s",
			 layout_referrer(repo, subject, NULL).text, walk.kind);
		if (bucket_list(reg->bucket, prefix, NULL, report_referrer, &walk, err) < 0)
			return -1;
	}
	return 0;
}

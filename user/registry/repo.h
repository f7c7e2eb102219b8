/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be done with a repository in the bucket: its blobs, manifests, tags and referrers. Each
 * change is made in an order that leaves a repository whole wherever it stops, and is told the index.
 * Failures as driver.h has them; ENOENT: what was asked for is not there.
 */
#ifndef SHALE_REGISTRY_REPO_H
#define SHALE_REGISTRY_REPO_H

#include "registry/reg.h"

/* 1, 0, or -1. */
int repo_exists(struct reg *reg, const char *repo, struct shale_err *err);
int repo_has_blob(struct reg *reg, const char *repo, const struct sum *sum,
		  struct shale_err *err);
int repo_has_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		      struct shale_err *err);

/*
 * The repository has the blob from now on; its bytes must be there. @upload: what brought it, and has reserved
 * them; or NULL. A quota may refuse it.
 */
int repo_link_blob(struct reg *reg, const char *repo, const struct sum *sum, uint64_t size,
		   const char *upload, struct shale_err *err);
int repo_unlink_blob(struct reg *reg, const char *repo, const struct sum *sum,
		     struct shale_err *err);

/* What a tag points to, if that manifest is (still) there. */
int repo_resolve(struct reg *reg, const char *repo, const char *tag, struct sum *ret_sum,
		 struct shale_err *err);
/* A reference to the manifest. */
int repo_get_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		      struct doc **ret_doc, struct shale_err *err);

struct repo_push {
	const struct sum *sum;
	const struct manifest *manifest;
	struct doc *doc;
	const char *const *tags;
	size_t tag_count;
	bool is_copy; /* of another registry's: what it refers to comes when it is asked for, or not at all */
};

/*
 * Stores a manifest and points the tags to it. absent is set to what it refers to and is not there
 * (ENOENT), which leaves nothing behind that could be seen.
 */
int repo_push(struct reg *reg, const char *repo, const struct repo_push *push,
	      const struct sum **ret_absent, struct shale_err *err);
/* The manifest and all tags that point to it. */
int repo_delete_manifest(struct reg *reg, const char *repo, const struct sum *sum,
			 struct shale_err *err);
/* ESTALE: it is leased, or tagged: somebody needs it. */
int repo_delete_untagged(struct reg *reg, const char *repo, const struct sum *sum,
			 struct shale_err *err);
/*
 * The type of a manifest that is not there: a push was cut off between the two. ESTALE: it was written after that
 * time, or the manifest is there, or it is about to be.
 */
int repo_drop_type(struct reg *reg, const char *repo, const struct sum *sum, int64_t mtime, struct shale_err *err);
int repo_delete_tag(struct reg *reg, const char *repo, const char *tag, struct shale_err *err);
/* Only if it still points there and was not pushed after that time: else ESTALE, and it stays. */
int repo_drop_tag(struct reg *reg, const char *repo, const char *tag, const struct sum *sum,
		  int64_t mtime, struct shale_err *err);

/* As catalog_tags() and catalog_referrers(), from the bucket where others change it too. */
int repo_tags(struct reg *reg, const char *repo, const char *last, uint64_t max,
	      catalog_name_fn each, void *ctx, struct shale_err *err);
int repo_referrers(struct reg *reg, const char *repo, const struct sum *subject,
		   const char *artifact_type, const char *last, uint64_t max,
		   catalog_manifest_fn each, void *ctx, struct shale_err *err);

/* Tells the index about a manifest. */
int repo_note_manifest(struct reg *reg, const char *repo, const struct sum *sum,
		       const struct manifest *manifest, uint64_t size, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A local index of what is in the bucket, for questions the bucket answers slowly: which repositories,
 * which tags, which referrers. It is a cache in one SQLite file that can always be made anew
 * (catalog_scan.c), and knows by itself when it has to be:
 *
 *	clean	the last program closed it in order		trusted
 *	killed	this boot's program was killed			the repositories it was changing are scanned
 *	crashed	the machine was, too				everything is scanned
 *
 * Where others use the bucket too, only the names of repositories are taken from here.
 */
#ifndef SHALE_REGISTRY_CATALOG_H
#define SHALE_REGISTRY_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct catalog;

enum catalog_state {
	CATALOG_CLEAN,
	CATALOG_KILLED,
	CATALOG_CRASHED, /* or new, or of another version */
};

/* path ":memory:" makes one that is gone with the process. */
int catalog_open(const char *path, struct catalog **ret_catalog, enum catalog_state *ret_state,
		 struct shale_err *err);
/* Marks it clean. */
void catalog_close(struct catalog *catalog);

struct catalog_manifest {
	const char *digest;
	const char *type;
	uint64_t size;
	const char *subject;	   /* NULL: none */
	const char *artifact_type; /* NULL: none */
	const char *annotations;   /* a JSON object, or NULL */
};

/*
 * Around a change of a repository in the bucket: should we be killed in between, the repository is
 * scanned anew. end is called whether the change succeeded or not, except when it is not known.
 */
int catalog_begin(struct catalog *catalog, const char *repo, struct shale_err *err);
int catalog_end(struct catalog *catalog, const char *repo, struct shale_err *err);

int catalog_add_manifest(struct catalog *catalog, const char *repo,
			 const struct catalog_manifest *manifest, struct shale_err *err);
int catalog_remove_manifest(struct catalog *catalog, const char *repo, const char *digest,
			    struct shale_err *err);
int catalog_set_tag(struct catalog *catalog, const char *repo, const char *tag,
		    const char *digest, struct shale_err *err);
int catalog_remove_tag(struct catalog *catalog, const char *repo, const char *tag,
		       struct shale_err *err);
/* A repository that is known by its name only; it stays until catalog_forget(). */
int catalog_add_repo(struct catalog *catalog, const char *repo, struct shale_err *err);
int catalog_forget(struct catalog *catalog, const char *repo, struct shale_err *err);

/* 0 goes on, else ends. Texts live during the call. */
typedef int (*catalog_name_fn)(void *ctx, const char *name);
typedef int (*catalog_manifest_fn)(void *ctx, const struct catalog_manifest *manifest);

/* By byte order, those behind last ("": all), at most max of them. The callback calls no catalog. */
int catalog_repos(struct catalog *catalog, const char *last, uint64_t max, catalog_name_fn each,
		  void *ctx, struct shale_err *err);
int catalog_tags(struct catalog *catalog, const char *repo, const char *last, uint64_t max,
		 catalog_name_fn each, void *ctx, struct shale_err *err);
/* Tags that point to a manifest. */
int catalog_tags_of(struct catalog *catalog, const char *repo, const char *digest,
		    catalog_name_fn each, void *ctx, struct shale_err *err);
/* artifact_type NULL: of any. */
int catalog_referrers(struct catalog *catalog, const char *repo, const char *subject,
		      const char *artifact_type, const char *last, uint64_t max,
		      catalog_manifest_fn each, void *ctx, struct shale_err *err);
/* Repositories that were being changed when the last program was killed. */
int catalog_dirty(struct catalog *catalog, catalog_name_fn each, void *ctx,
		  struct shale_err *err);
/* 1, 0, or -1. */
int catalog_has_repo(struct catalog *catalog, const char *repo, struct shale_err *err);
int catalog_has_manifest(struct catalog *catalog, const char *repo, const char *digest,
			 struct shale_err *err);

/* Many changes as one, which is faster. Others wait meanwhile. */
int catalog_batch_begin(struct catalog *catalog, struct shale_err *err);
int catalog_batch_end(struct catalog *catalog, struct shale_err *err);
/* Everything is forgotten. */
int catalog_empty(struct catalog *catalog, struct shale_err *err);

#endif

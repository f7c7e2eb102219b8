/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads the bucket and tells the index what is in it: after a crash, for a storage that another program
 * has written, and again and again where several servers use one bucket.
 */
#ifndef SHALE_REGISTRY_SCAN_H
#define SHALE_REGISTRY_SCAN_H

#include "registry/reg.h"

/* What the state that catalog_open() found asks for. */
int scan_by_state(struct reg *reg, enum catalog_state state, struct shale_err *err);
int scan_repo(struct reg *reg, const char *repo, struct shale_err *err);
/* The names of all repositories; where the bucket is ours alone, all that is in them too. */
int scan_all(struct reg *reg, struct shale_err *err);

/* Each repository of the bucket, with has_content only those that have blobs or manifests. 0 goes on, 1 ends, -1 fails. */
typedef int (*scan_repo_fn)(void *ctx, const char *repo, struct shale_err *err);
int scan_repos(struct bucket *bucket, bool has_content, scan_repo_fn each, void *ctx,
	       struct shale_err *err);

#endif

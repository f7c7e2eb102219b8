/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Quotas: what the repositories below a name hold, counted, and kept within their rule. A blob counts once
 * below a name, in how many of its repositories it is; a manifest's bytes count too. Uploads reserve what they
 * bring before it is written. Everything is counted from the bucket when the server starts.
 *
 * Where the bucket is ours alone, the numbers are exact. Where other servers use it, each name has an account
 * in the bucket that is changed by bucket_swap(): what is taken is never more than the limit, as surely as the
 * driver's swap is one step (driver.h). What is given back, and that two servers have taken the same blob, is
 * found by the next count; until then an account has too much rather than too little, but for one case: a
 * blob whose last link another server took away since our last count, and that comes again here, is not counted
 * before the next one.
 */
#ifndef SHALE_REGISTRY_QUOTA_H
#define SHALE_REGISTRY_QUOTA_H

#include "registry/driver.h"
#include "registry/metrics.h"
#include "registry/quota_rules.h"
#include "registry/sum.h"

/* Bytes that an upload of unknown length reserves at once. */
#define QUOTA_STEP (16u << 20)
/* Seconds for which an upload's bytes count that nobody goes on with, where others use the bucket too. */
#define QUOTA_UPLOAD_SECONDS 3600

/* How often it is counted where others use the bucket; what a server has reserved is made sure of then. */
#define QUOTA_COUNT_SECONDS 1800

struct quota;

/* The tree of `shale.quotas`; without one *ret_quota is NULL, which all others take. */
int quota_load(const json_t *tree, struct quota **ret_quota, struct shale_err *err);
void quota_free(struct quota *quota);
/* Counts; before any change, and from then on all are told to us. is_readonly: accounts are left alone. */
int quota_open(struct quota *quota, struct bucket *bucket, bool is_readonly,
	       struct metrics *metrics, struct shale_err *err);
/* Once more, beside changes. */
int quota_recount(struct quota *quota, struct shale_err *err);

/* Whether another repository may come to be. */
int quota_check_repo(struct quota *quota, const char *repo, struct shale_err *err);
/* Whether it counts already below the repository's name. */
bool quota_has(struct quota *quota, const char *repo, const struct sum *sum);
/* The upload will have so many bytes; what it has reserved before is part of it. */
int quota_reserve(struct quota *quota, const char *repo, const char *upload, uint64_t bytes,
		  struct shale_err *err);
void quota_release(struct quota *quota, const char *upload);

enum quota_kind { QUOTA_BLOB, QUOTA_MANIFEST };

/*
 * Before a link is made: it counts from now on, and what the upload (NULL: none) has reserved does not. After
 * it has gone, or could not be made.
 */
int quota_link(struct quota *quota, const char *repo, enum quota_kind kind, const struct sum *sum,
	       uint64_t size, const char *upload, struct shale_err *err);
void quota_unlink(struct quota *quota, const char *repo, enum quota_kind kind,
		  const struct sum *sum);

/* Each name that something counts for, by byte order; rule is what it is kept within. */
typedef void (*quota_report_fn)(void *ctx, const char *name, const struct quota_rule *rule,
				uint64_t bytes, uint64_t reserved, uint64_t repositories);
void quota_report(struct quota *quota, quota_report_fn each, void *ctx);

#endif

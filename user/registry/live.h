/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The manifests of one repository and which of them are live: those that are kept for a reason of their
 * own, what they refer to, and what has one of these as its subject. The collector and the retention
 * rules say what the reasons are; this follows them. Reads the bucket and changes nothing.
 */
#ifndef SHALE_REGISTRY_LIVE_H
#define SHALE_REGISTRY_LIVE_H

#include "registry/manifest.h"
#include "registry/reg.h"

struct live_node {
	struct sum sum;
	struct manifest manifest;
	int64_t mtime; /* of its link: when it was pushed */
	bool is_known; /* it could be read and understood */
	bool is_live;
};

struct live {
	struct reg *reg;
	const char *repo;
	struct live_node *nodes; /* by their digests' texts */
	size_t count;
	size_t cap;
};

/* Each digest below one of a repository's directories of ALGORITHM/HEX, "_layers" and so on. */
typedef int (*live_sum_fn)(void *ctx, const struct sum *sum, struct shale_err *err);
int live_each_sum(struct reg *reg, const char *repo, const char *what, live_sum_fn each, void *ctx,
		  struct shale_err *err);

/* Each tag that leads to a manifest, and when it was pushed last. */
typedef int (*live_tag_fn)(void *ctx, const char *tag, const struct sum *sum, int64_t mtime,
			   struct shale_err *err);
int live_each_tag(struct reg *reg, const char *repo, live_tag_fn each, void *ctx,
		  struct shale_err *err);

/* All manifests, none of them live. The name is borrowed. Released also when it failed. */
int live_read(struct reg *reg, const char *repo, struct live *ret_live, struct shale_err *err);
/* NULL: it is not there. */
struct live_node *live_find(struct live *live, const struct sum *sum);
/* From what is live to all that is for its sake. */
void live_spread(struct live *live);
void live_release(struct live *live);

#endif

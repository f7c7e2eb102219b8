/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Retention: takes the tags that no rule keeps, and manifests that no tag leads to when they are old
 * enough. Never what an index that is kept refers to, nor what has a kept manifest as its subject. The
 * bytes of blobs are the collector's (sweep.h), which finds them without a reference. Runs beside
 * pushes and pulls: a tag goes only if it is still what was looked at.
 */
#ifndef SHALE_REGISTRY_RETAIN_H
#define SHALE_REGISTRY_RETAIN_H

#include "registry/reg.h"
#include "registry/retain_rules.h"

struct retain_options {
	const struct retain_rules *rules;
	int64_t now; /* seconds since 1970 */
	bool is_dry;
	/* Tags only: others use the bucket too, and what they are pushing is not known here. */
	bool is_tags_only;
	/* Each thing that goes, or would: "tag" or "manifest", its name, and when it was pushed. */
	void (*report)(void *ctx, const char *what, const char *name, int64_t mtime);
	void *ctx;
};

struct retain_result {
	uint64_t repos; /* that a rule has */
	uint64_t tags_kept;
	uint64_t tags_taken;
	uint64_t manifests_taken;
};

int retain_run(struct reg *reg, const struct retain_options *options,
	       struct retain_result *ret_result, struct shale_err *err);
/* One repository by one rule; adds to the result. */
int retain_repo(struct reg *reg, const char *repo, const struct retain_rule *rule,
		const struct retain_options *options, struct retain_result *result,
		struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The collector: takes away blobs that no manifest of any repository refers to, links of repositories to
 * such blobs, uploads that were given up, and, when told to, manifests that no tag leads to. It runs
 * beside pushes and pulls of the same server.
 *
 * What is taken is old (sweep_age), is not leased (lease.h), and was not referred to when the bucket was
 * read, nor by any push since. What an index that is kept refers to is kept, and so are referrers of what
 * is kept.
 */
#ifndef SHALE_REGISTRY_SWEEP_H
#define SHALE_REGISTRY_SWEEP_H

#include "registry/reg.h"

/* Where others use the bucket, too, a collection that takes longer ends early. */
#define SWEEP_SECONDS (6 * 3600)

struct sweep_options {
	uint64_t age; /* seconds; what is younger stays */
	bool is_untagged;
	bool is_dry;
	bool is_alone; /* no server uses the bucket: what one has promised means nothing any more */
	/* Each thing that is taken, or would be; may be NULL. */
	void (*report)(void *ctx, const char *what, const char *name, uint64_t bytes);
	void *ctx;
};

struct sweep_result {
	uint64_t repos;
	uint64_t manifests_kept;
	uint64_t manifests_taken;
	uint64_t links_taken;
	uint64_t blobs_kept;
	uint64_t blobs_taken;
	uint64_t bytes_taken;
	uint64_t uploads_taken;
};

int sweep_run(struct reg *reg, const struct sweep_options *options,
	      struct sweep_result *ret_result, struct shale_err *err);
/* Uploads only. */
int sweep_uploads(struct reg *reg, const struct sweep_options *options,
		  struct sweep_result *ret_result, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which parts an object of S3 is put together of: ranges of other objects that S3 copies, and bytes that we read
 * and send where these are too small. Decides, and calls nobody.
 */
#ifndef SHALE_REGISTRY_S3_PLAN_H
#define SHALE_REGISTRY_S3_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* All parts of an object but the last have at least this, and one request puts or copies at most that. */
#define S3_MIN_PART    (5ull << 20)
#define S3_MAX_REQUEST (5ull << 30)
#define S3_MAX_PARTS   10000

struct s3_source {
	const char *key;
	uint64_t len;
};

struct s3_part {
	size_t source; /* where it begins */
	uint64_t offset;
	uint64_t len;
	bool is_copy; /* of one source; else read and sent, of as many as it takes */
};

struct s3_plan {
	const struct s3_source *sources;
	size_t source_count;
	uint64_t len; /* of all sources */
	struct s3_part *parts;
	size_t count;
};

/* Copies of about copy_size, or more where there would be too many. EFBIG: it cannot be done with max_parts. */
int s3_plan_make(struct s3_plan *plan, uint64_t copy_size, size_t max_parts, struct shale_err *err);
void s3_plan_release(struct s3_plan *plan);
/* Goes len bytes on in the sources. */
void s3_plan_advance(const struct s3_plan *plan, size_t *source, uint64_t *offset, uint64_t len);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Planning the parts of an object; see s3_plan.h. Called by s3_multipart.c.
 */
#include "registry/s3_plan.h"

#include <errno.h>
#include <stdlib.h>

void s3_plan_release(struct s3_plan *plan)
{
	free(plan->parts);
	plan->parts = NULL;
	plan->count = 0;
}

void s3_plan_advance(const struct s3_plan *plan, size_t *source, uint64_t *offset, uint64_t len)
{
	*offset += len;
	while (*source < plan->source_count && *offset >= plan->sources[*source].len)
		*offset -= plan->sources[(*source)++].len;
}

/* A range of the source, or what has to be gathered from more than one. */
static struct s3_part next_part(const struct s3_plan *plan, size_t source, uint64_t offset,
				uint64_t left, uint64_t size)
{
	uint64_t here = plan->sources[source].len - offset;
	struct s3_part part = { .source = source, .offset = offset };

	part.is_copy = here >= S3_MIN_PART || here == left;
	part.len = part.is_copy ? (here < size ? here : size) : S3_MIN_PART;
	/* What would be left behind it is too small for a part. */
	if (part.is_copy && here > part.len && here - part.len < S3_MIN_PART)
		part.len = here <= S3_MAX_REQUEST ? here : here - S3_MIN_PART;
	if (part.len > left)
		part.len = left;
	return part;
}

/* The number of parts, which are stored as far as there is room for them. */
static size_t fill_parts(const struct s3_plan *plan, uint64_t size, struct s3_part *parts, size_t room)
{
	uint64_t left = plan->len;
	uint64_t offset = 0;
	size_t source = 0;
	size_t count = 0;
	struct s3_part part;

	s3_plan_advance(plan, &source, &offset, 0);
	while (left) {
		part = next_part(plan, source, offset, left, size);
		if (count < room)
			parts[count] = part;
		count++;
		s3_plan_advance(plan, &source, &offset, part.len);
		left -= part.len;
	}
	return count;
}

int s3_plan_make(struct s3_plan *plan, uint64_t copy_size, size_t max_parts, struct shale_err *err)
{
	uint64_t size = copy_size;
	size_t count;

	plan->len = 0;
	for (size_t i = 0; i < plan->source_count; i++)
		plan->len += plan->sources[i].len;
	while ((count = fill_parts(plan, size, NULL, 0)) > max_parts && size < S3_MAX_REQUEST)
		size = 2 * size < S3_MAX_REQUEST ? 2 * size : S3_MAX_REQUEST;
	if (count > max_parts)
		return shale_err_set(err, EFBIG, "needs %zu parts of which a store takes %zu", count,
				     max_parts);
	plan->parts = calloc(count + 1, sizeof(*plan->parts));
	if (!plan->parts)
		return shale_err_errno(err, "no memory for an object's parts");
	plan->count = fill_parts(plan, size, plan->parts, count);
	return 0;
}

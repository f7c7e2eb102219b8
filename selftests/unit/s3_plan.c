// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parts an object of S3 is put together of keep S3's limits, whatever the pieces are: a table, and pieces by
 * chance.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "registry/s3_plan.h"

#define MIB  (1ull << 20)
#define COPY (32 * MIB)

static void check_plan(const struct s3_plan *plan, size_t max)
{
	uint64_t offset = 0, sum = 0;
	size_t source = 0;

	EXPECT(plan->count <= max);
	s3_plan_advance(plan, &source, &offset, 0);
	for (size_t i = 0; i < plan->count; i++) {
		const struct s3_part *part = &plan->parts[i];

		ASSERT_EQ(part->source, source);
		ASSERT_EQ(part->offset, offset);
		ASSERT(part->len > 0 && part->len <= S3_MAX_REQUEST);
		ASSERT(part->len >= S3_MIN_PART || i == plan->count - 1);
		if (part->is_copy)
			ASSERT(part->offset + part->len <= plan->sources[source].len);
		/* What we have to read and send is never more than it must be. */
		if (!part->is_copy)
			ASSERT(part->len <= S3_MIN_PART);
		s3_plan_advance(plan, &source, &offset, part->len);
		sum += part->len;
	}
	ASSERT_EQ(sum, plan->len);
}

struct plan_case {
	struct ktap_row row;
	uint64_t sources[8];
	const char *parts; /* MiB; those that are sent in brackets */
};

static const struct plan_case plans[] = {
	{ { "one", "one piece" }, { 10 * MIB }, "10 " },
	{ { "three", "pieces that are large enough" }, { 10 * MIB, 10 * MIB, 1 * MIB }, "10 10 1 " },
	{ { "small_first", "a small one before a large one takes of that" }, { 1 * MIB, 10 * MIB }, "(5) 6 " },
	{ { "small_middle", "a small one between" }, { 10 * MIB, 1 * MIB, 10 * MIB }, "10 (5) 6 " },
	{ { "small_all", "many small ones" }, { 2 * MIB, 2 * MIB, 2 * MIB, 2 * MIB, 2 * MIB }, "(5) (5) " },
	{ { "rest", "what is left is small" }, { 1 * MIB, 7 * MIB, 10 * MIB }, "(5) (5) 8 " },
	{ { "split", "a large one is copied in parts" }, { 100 * MIB }, "32 32 36 " },
	{ { "split_even", "and in no part that is too small" }, { 66 * MIB }, "32 34 " },
	{ { "last_small", "the last one may be small" }, { 64 * MIB, 1 }, "32 32 0 " },
	{ { "two_last", "two small ones last" }, { 64 * MIB, 1 * MIB, 2 * MIB }, "32 32 (3) " },
};

TEST_TABLE(plan, struct plan_case, plans, c)
{
	struct s3_source sources[8] = { 0 };
	struct s3_plan plan = { .sources = sources };
	struct shale_err err = { 0 };
	struct buf text = BUF_INIT;

	while (plan.source_count < 8 && c->sources[plan.source_count]) {
		sources[plan.source_count].len = c->sources[plan.source_count];
		plan.source_count++;
	}
	ASSERT_EQ(s3_plan_make(&plan, COPY, S3_MAX_PARTS, &err), 0);
	check_plan(&plan, S3_MAX_PARTS);
	for (size_t i = 0; i < plan.count; i++)
		ASSERT_OK(buf_addf(&text, plan.parts[i].is_copy ? "%llu " : "(%llu) ",
				   (unsigned long long)(plan.parts[i].len / MIB)));
	EXPECT_STREQ(buf_str(&text), c->parts);
	buf_release(&text);
	s3_plan_release(&plan);
}

TEST(chance, "pieces by chance keep the limits")
{
	static struct s3_source sources[300];
	struct shale_err err = { 0 };

	srand(1);
	for (int round = 0; round < 3000; round++) {
		struct s3_plan plan = { .sources = sources, .source_count = 1 + rand() % 300 };

		for (size_t i = 0; i < plan.source_count; i++)
			sources[i].len = rand() % 3 ? rand() % (12 * MIB) + 1 : rand() % (200 * MIB) + 1;
		ASSERT_EQ(s3_plan_make(&plan, S3_MIN_PART + rand() % (40 * MIB), S3_MAX_PARTS, &err), 0);
		check_plan(&plan, S3_MAX_PARTS);
		s3_plan_release(&plan);
	}
}

/* As remote_writer.c makes them: an eighth of the limit of equal ones, then each a share of what is there. */
static size_t make_pieces(struct s3_source *sources, size_t max, uint64_t total)
{
	uint64_t len = 0;
	size_t count = 0;

	while (len < total && count < max) {
		uint64_t share = len / (S3_MAX_PARTS / 8) / MIB * MIB + MIB;

		sources[count].len = share > 10 * MIB ? share : 10 * MIB;
		if (len + sources[count].len > total)
			sources[count].len = total - len;
		len += sources[count++].len;
	}
	EXPECT_EQ(len, total);
	return count;
}

TEST(largest, "the largest object there may be has not too many pieces nor parts")
{
	static struct s3_source sources[S3_MAX_PARTS];
	struct s3_plan plan = { .sources = sources };
	struct shale_err err = { 0 };

	/* 5 TiB. */
	plan.source_count = make_pieces(sources, S3_MAX_PARTS, 5ull << 40);
	ASSERT_EQ(s3_plan_make(&plan, COPY, S3_MAX_PARTS, &err), 0);
	check_plan(&plan, S3_MAX_PARTS);
	s3_plan_release(&plan);
	plan.source_count = 1;
	sources[0].len = 5ull << 40;
	ASSERT_EQ(s3_plan_make(&plan, COPY, S3_MAX_PARTS, &err), 0);
	check_plan(&plan, S3_MAX_PARTS);
	s3_plan_release(&plan);
	EXPECT_EQ(s3_plan_make(&plan, COPY, 1000, &err), -1);
	EXPECT_EQ(err.code, EFBIG);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which layer has which bytes of a file, kmod/cow.c, on the host. The twin of the random test is a file of
 * bytes for each layer and one for what they show together.
 */
#include "ktap.h"

#include <stdlib.h>

#include "cow.h"
#include "map.h"

#define SIZE  (24 * (int)SHALE_MAP_BLOCK_SIZE)
#define PARTS 3

long shim_alloc_left = -1;

static void expect_run(struct shale_map *const *maps, u64 pos, u64 len, unsigned int part, u64 run_len)
{
	struct shale_run run = shale_cow_run(maps, pos, len);

	EXPECT_EQ(run.part, part);
	EXPECT_EQ(run.len, run_len);
}

static void expect_widened(struct shale_map *map, u64 pos, u64 len, u64 wide_pos, u64 wide_len)
{
	EXPECT(shale_cow_widen(map, &pos, &len));
	EXPECT_EQ(pos, wide_pos);
	EXPECT_EQ(len, wide_len);
}

static void expect_not_widened(struct shale_map *map, u64 pos, u64 len)
{
	u64 wide_pos = pos, wide_len = len;

	EXPECT(!shale_cow_widen(map, &wide_pos, &wide_len));
	EXPECT_EQ(wide_pos, pos);
	EXPECT_EQ(wide_len, len);
}

TEST(whole, "a file that is whole in its layer is one run")
{
	struct shale_map *maps[] = {NULL};

	expect_run(maps, 5, 1000000, 0, 1000000);
}

TEST(untouched, "a file without a block of its own shows what is below up to the limit, and then itself")
{
	struct shale_map top, *maps[] = {&top, NULL};

	shale_map_init(&top, 10000);
	expect_run(maps, 0, 20000, 1, 10000);
	expect_run(maps, 9999, 1, 1, 1);
	expect_run(maps, 10000, 50, 0, 50);
	shale_map_destroy(&top);
}

TEST(touched, "runs change where blocks do, wherever in a block they begin")
{
	struct shale_map top, *maps[] = {&top, NULL};

	shale_map_init(&top, 1 << 20);
	shale_map_set(&top, 2, 3);
	expect_run(maps, 100, 1 << 20, 1, 8192 - 100);
	expect_run(maps, 8192, 1 << 20, 0, 3 * 4096);
	expect_run(maps, 3 * 4096 + 7, 5, 0, 5);
	expect_run(maps, 5 * 4096, 4096, 1, 4096);
	shale_map_destroy(&top);
}

TEST(chain, "what a layer in between does not have is looked for below it")
{
	struct shale_map top, middle, *maps[] = {&top, &middle, NULL};

	shale_map_init(&top, 1 << 20);
	shale_map_init(&middle, 6000);
	shale_map_set(&top, 3, 1);
	shale_map_set(&middle, 0, 1);
	expect_run(maps, 0, 1 << 20, 1, 4096);
	expect_run(maps, 4096, 1 << 20, 2, 6000 - 4096);
	expect_run(maps, 6000, 1 << 20, 1, 3 * 4096 - 6000);
	expect_run(maps, 3 * 4096, 1 << 20, 0, 4096);
	shale_map_destroy(&top);
	shale_map_destroy(&middle);
}

TEST(widen, "a write takes whole blocks over, but for blocks that are there and what is beyond the limit")
{
	struct shale_map map;

	shale_map_init(&map, 10000);
	expect_widened(&map, 100, 10, 0, 4096);
	expect_widened(&map, 4000, 200, 0, 8192);
	expect_widened(&map, 4096, 4096, 4096, 4096);
	expect_widened(&map, 9000, 10, 8192, 10000 - 8192);
	expect_widened(&map, 9000, 2000, 8192, 11000 - 8192);
	expect_not_widened(&map, 10000, 10);
	expect_not_widened(&map, 50000, 10);
	shale_map_set(&map, 0, 1);
	expect_not_widened(&map, 100, 10);
	expect_widened(&map, 4000, 200, 4000, 8192 - 4000);
	shale_map_destroy(&map);
}

TEST(blocks, "the blocks to set after a write are those it touches below the limit")
{
	struct shale_map map;
	u64 first, nr;

	shale_map_init(&map, 10000);
	shale_cow_blocks(&map, 4095, 2, &first, &nr);
	EXPECT_EQ(first, 0);
	EXPECT_EQ(nr, 2);
	shale_cow_blocks(&map, 9999, 5000, &first, &nr);
	EXPECT_EQ(first, 2);
	EXPECT_EQ(nr, 1);
	shale_cow_blocks(&map, 10000, 1, &first, &nr);
	EXPECT_EQ(nr, 0);
	shale_map_set(&map, 0, 3);
	shale_cow_blocks(&map, 0, 20000, &first, &nr);
	EXPECT_EQ(nr, 0);
	shale_map_destroy(&map);
}

/* The layers' files as bytes, and what they have to show. */
struct twin {
	struct shale_map top, middle, *maps[PARTS];
	unsigned char part[PARTS][SIZE], shown[SIZE];
};

static void twin_fill(struct twin *t, unsigned int part)
{
	for (int i = 0; i < SIZE; i++)
		t->part[part][i] = 1 + rand() % 255;
}

static void twin_init(struct twin *t)
{
	memset(t, 0, sizeof(*t));
	t->maps[0] = &t->top;
	t->maps[1] = &t->middle;
	shale_map_init(&t->middle, SIZE / 2 + 1234);
	shale_map_set(&t->middle, 1, 2);
	shale_map_set(&t->middle, 9, 1);
	twin_fill(t, 1);
	twin_fill(t, 2);
	shale_map_init(&t->top, SIZE - 777);
}

static void twin_read(struct twin *t, unsigned char *buf, u64 pos, u64 len)
{
	while (len) {
		struct shale_run run = shale_cow_run(t->maps, pos, len);

		memcpy(buf, t->part[run.part] + pos, run.len);
		buf += run.len;
		pos += run.len;
		len -= run.len;
	}
}

static void twin_write(struct twin *t, u64 pos, u64 len)
{
	unsigned char buf[SIZE];
	u64 wide_pos = pos, wide_len = len, first, nr;

	shale_cow_blocks(&t->top, pos, len, &first, &nr);
	shale_cow_widen(&t->top, &wide_pos, &wide_len);
	twin_read(t, buf, wide_pos, wide_len);
	for (u64 i = 0; i < len; i++)
		t->shown[pos + i] = buf[pos - wide_pos + i] = rand();
	memcpy(t->part[0] + wide_pos, buf, wide_len);
	EXPECT_EQ(shale_map_set(&t->top, first, nr), 0);
}

/* What was cut off is zeros when the file grows again. */
static void twin_truncate(struct twin *t, u64 size)
{
	shale_map_limit_lower_to(&t->top, size);
	memset(t->part[0] + size, 0, SIZE - size);
	memset(t->shown + size, 0, SIZE - size);
}

static bool twin_is_right(struct twin *t)
{
	unsigned char buf[SIZE];

	twin_read(t, buf, 0, SIZE);
	return !memcmp(buf, t->shown, SIZE);
}

TEST(random, "random writes and truncations over two layers read back as if there were one")
{
	struct twin t;

	for (unsigned int seed = 1; seed <= 100; seed++) {
		srand(seed);
		twin_init(&t);
		twin_read(&t, t.shown, 0, SIZE);
		for (int i = 0; i < 50; i++) {
			u64 pos = rand() % (SIZE - 1);

			if (rand() % 10)
				twin_write(&t, pos, 1 + rand() % (rand() % 2 ? 50 : SIZE - pos) % (SIZE - pos));
			else
				twin_truncate(&t, pos);
			EXPECT(twin_is_right(&t));
		}
		shale_map_destroy(&t.top);
		shale_map_destroy(&t.middle);
	}
}

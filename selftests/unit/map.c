// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of mapped blocks, kmod/map.c, on the host: against a slow twin with a byte for each block,
 * at the borders of leaves, through each change of a leaf's form, without memory, with its cost in
 * memory, and with threads. How it is stored is tested in map_disk.c. It also passes with
 * ThreadSanitizer in place of the others: gcc -fsanitize=thread on this file, kmod/map.c and ktap.c.
 */
#include "ktap.h"

#include <pthread.h>
#include <stdlib.h>
#include <linux/compiler.h>
#include <linux/slab.h>

#include "map.h"

long shim_alloc_left = -1;

#define KIB  1024LL
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)
#define TIB  (1024 * GIB)
#define LEAF 512

/* One map and its twin, one byte for each of its first blocks; a test has a process of its own. */
#define TWIN_BLOCKS (8 * LEAF)
static struct shale_map map;
static unsigned char twin[TWIN_BLOCKS];
static u64 twin_limit = TWIN_BLOCKS * 4 * KIB;

static bool twin_is_mapped(u64 block)
{
	return block >= TWIN_BLOCKS || block * 4 * KIB >= twin_limit || twin[block];
}

static void both_set(u64 first, u64 nr)
{
	ASSERT_EQ(shale_map_set(&map, first, nr), 0);
	for (u64 i = first; i < first + nr && i < TWIN_BLOCKS; i++)
		twin[i] = 1;
}

static void both_lower_limit(u64 limit)
{
	shale_map_limit_lower_to(&map, limit);
	if (limit < twin_limit)
		twin_limit = limit;
}

/* The blocks from FIRST on, at most MAX, that are like FIRST. */
static u64 twin_run(u64 first, u64 max)
{
	u64 nr = 1;

	while (nr < max && twin_is_mapped(first + nr) == twin_is_mapped(first))
		nr++;
	return nr;
}

static void compare_at(u64 block, u64 max)
{
	u64 len = 0;

	EXPECT_EQ(shale_map_test(&map, block), twin_is_mapped(block));
	EXPECT_EQ(shale_map_run(&map, block, max, &len), twin_is_mapped(block));
	EXPECT_EQ(len, twin_run(block, max));
}

static void compare_everywhere(void)
{
	for (u64 block = 0; block < TWIN_BLOCKS + 2 && !ktap_has_failed(); block++)
		compare_at(block, TWIN_BLOCKS);
}

/* Runs of what was set, in order and as long as they can be, are what the twin has. */
static void compare_runs(u64 end)
{
	struct shale_map_run run;
	u64 block = 0;

	for (u64 from = 0; shale_map_next(&map, from, end, &run); from = run.first + run.nr) {
		EXPECT(run.nr > 0 && run.first >= from && (!from || run.first > from));
		for (; block < run.first; block++)
			EXPECT(!twin[block]);
		for (; block < run.first + run.nr; block++)
			EXPECT(twin[block]);
	}
	for (; block < end; block++)
		EXPECT(!twin[block]);
}

static void both_begin(void)
{
	shale_map_init(&map, twin_limit);
}

static void both_end(void)
{
	compare_everywhere();
	shale_map_destroy(&map);
	EXPECT_EQ(shim_alloc_bytes, 0);
}

TEST(empty, "a new map has nothing mapped up to its limit")
{
	both_begin();
	compare_everywhere();
	compare_runs(TWIN_BLOCKS);
	both_end();
}

TEST(above_limit, "blocks above the limit are mapped, and setting them is free")
{
	u64 len, generation;

	both_begin();
	generation = shale_map_generation(&map);
	EXPECT(shale_map_test(&map, TWIN_BLOCKS));
	EXPECT(shale_map_test(&map, ~0ULL));
	EXPECT(shale_map_run(&map, TWIN_BLOCKS, ~0ULL, &len));
	EXPECT_EQ(len, ~0ULL);
	EXPECT_EQ(shale_map_set(&map, TWIN_BLOCKS, 1000), 0);
	EXPECT_EQ(shale_map_set(&map, ~0ULL, 1), 0);
	EXPECT_EQ(shale_map_generation(&map), generation);
	EXPECT_EQ(shim_alloc_bytes, 0);
	both_end();
}

TEST(across_limit, "a range across the limit is cut there")
{
	struct shale_map_run run;
	u64 len;

	both_begin();
	both_set(TWIN_BLOCKS - 2, ~0ULL - TWIN_BLOCKS);
	EXPECT(shale_map_next(&map, 0, ~0ULL, &run));
	EXPECT_EQ(run.first, TWIN_BLOCKS - 2);
	EXPECT_EQ(run.nr, 2);
	EXPECT(shale_map_run(&map, TWIN_BLOCKS - 1, 1 << 30, &len));
	EXPECT_EQ(len, 1 << 30);
	both_end();
}

TEST(limit_in_block, "the block the limit is in shows the lower's bytes")
{
	twin_limit = 2 * 4 * KIB + 1;
	both_begin();
	EXPECT(!shale_map_test(&map, 2));
	EXPECT(shale_map_test(&map, 3));
	both_lower_limit(2 * 4 * KIB);
	EXPECT(shale_map_test(&map, 2));
	EXPECT(!shale_map_test(&map, 1));
	both_end();
}

TEST(limit_zero, "a map with limit 0 has everything mapped and cannot be changed")
{
	twin_limit = 0;
	both_begin();
	EXPECT_EQ(shale_map_set(&map, 0, 100), 0);
	both_lower_limit(0);
	EXPECT_EQ(shale_map_generation(&map), 0);
	both_end();
}

TEST(limit_shrinks, "the limit shrinks and never grows")
{
	both_begin();
	both_set(100, 1);
	both_lower_limit(1000 * 4 * KIB);
	EXPECT_EQ(shale_map_limit(&map), 1000 * 4 * KIB);
	both_lower_limit(1001 * 4 * KIB);
	EXPECT_EQ(shale_map_limit(&map), 1000 * 4 * KIB);
	compare_everywhere();
	both_lower_limit(50 * 4 * KIB);
	EXPECT_EQ(shale_map_limit(&map), 50 * 4 * KIB);
	both_end();
}

TEST(next_keeps, "what was set stays in the runs when the limit goes below it")
{
	both_begin();
	both_set(10, 20);
	both_set(1000, 100);
	both_lower_limit(15 * 4 * KIB);
	compare_runs(TWIN_BLOCKS);
	both_end();
}

TEST(next_window, "runs are cut to the window they are asked for")
{
	struct shale_map_run run;

	both_begin();
	both_set(500, 100);
	EXPECT(!shale_map_next(&map, 0, 500, &run));
	EXPECT(shale_map_next(&map, 0, 501, &run));
	EXPECT(run.first == 500 && run.nr == 1);
	EXPECT(shale_map_next(&map, 550, 560, &run));
	EXPECT(run.first == 550 && run.nr == 10);
	EXPECT(!shale_map_next(&map, 600, TWIN_BLOCKS, &run));
	EXPECT(!shale_map_next(&map, 550, 550, &run));
	EXPECT(!shale_map_next(&map, 600, ~0ULL, &run));
	EXPECT(!shale_map_next(&map, ~0ULL - 1, ~0ULL, &run));
	both_end();
}

struct border_case {
	struct ktap_row row;
	struct shale_map_run run[4];
};

#define ROW(NAME, DESC) .row = {.name = NAME, .desc = DESC}

static const struct border_case border_cases[] = {
	{ ROW("first", "block 0"), { { 0, 1 } } },
	{ ROW("leaf_last", "the last block of a leaf"), { { 511, 1 } } },
	{ ROW("leaf_first", "the first block of the next"), { { 512, 1 } } },
	{ ROW("leaf_second", "the second block of the next"), { { 513, 1 } } },
	{ ROW("across", "a run of two blocks in two leaves"), { { 511, 2 } } },
	{ ROW("across_joined", "two runs that meet at a border"), { { 512, 7 }, { 500, 12 } } },
	{ ROW("leaf", "a whole leaf"), { { 512, 512 } } },
	{ ROW("leaves", "whole leaves and a block on both sides"), { { 511, 1026 } } },
	{ ROW("almost", "all blocks of a leaf but the first and last"), { { 513, 510 } } },
	{ ROW("touch_below", "a run that ends where another begins"), { { 100, 10 }, { 90, 10 } } },
	{ ROW("touch_above", "a run that begins where another ends"), { { 100, 10 }, { 110, 10 } } },
	{ ROW("overlap", "runs that overlap"), { { 100, 10 }, { 95, 10 }, { 105, 10 } } },
	{ ROW("inside", "a run inside another"), { { 100, 10 }, { 103, 2 } } },
	{ ROW("around", "a run around another"), { { 100, 10 }, { 90, 30 } } },
	{ ROW("apart_by_one", "runs one block apart"), { { 100, 10 }, { 111, 10 } } },
	{ ROW("filled", "a gap that is filled"), { { 0, 200 }, { 300, 212 }, { 200, 100 } } },
	{ ROW("filled_over", "a gap that is filled from outside"),
	  { { 10, 1 }, { 20, 1 }, { 0, 512 } } },
	{ ROW("last", "the last block below the limit"), { { TWIN_BLOCKS - 1, 1 } } },
	{ ROW("all", "everything"), { { 0, TWIN_BLOCKS } } },
	{ ROW("far_leaves", "the first and the last leaf"), { { 3, 1 }, { TWIN_BLOCKS - 3, 2 } } },
};

TEST_TABLE(border, struct border_case, border_cases, c)
{
	both_begin();
	for (int i = 0; i < 4 && c->run[i].nr; i++) {
		both_set(c->run[i].first, c->run[i].nr);
		compare_everywhere();
		compare_runs(TWIN_BLOCKS);
	}
	both_end();
}

/* A leaf's node is 576 bytes, the kernel's; a bitmap of 64 bytes has 16 for RCU beside it. */
#define NODE 576
#define BITS 80

TEST(forms, "a leaf is a value, a bitmap while it has several runs, and a value when it is full")
{
	both_begin();
	both_set(LEAF, 1);
	EXPECT_EQ(shim_alloc_bytes, NODE);
	both_set(LEAF + 1, 100);
	EXPECT_EQ(shim_alloc_bytes, NODE);
	both_set(LEAF + 110, 1);
	EXPECT_EQ(shim_alloc_bytes, NODE + BITS);
	compare_everywhere();
	both_set(LEAF + 101, 9);
	both_set(LEAF + 111, LEAF - 112);
	EXPECT_EQ(shim_alloc_bytes, NODE + BITS);
	compare_everywhere();
	both_set(LEAF + LEAF - 1, 1);
	EXPECT_EQ(shim_alloc_bytes, NODE);
	both_end();
}

TEST(single_leaf, "a file of up to 2 MiB with one run takes no memory at all")
{
	both_begin();
	both_set(7, 100);
	EXPECT_EQ(shim_alloc_bytes, 0);
	both_end();
}

TEST(generation, "the generation grows with each change, and with nothing else")
{
	u64 last, len;

	both_begin();
	EXPECT_EQ(shale_map_generation(&map), 0);
	for (u64 i = 0; i < 10; i++) {
		last = shale_map_generation(&map);
		both_set(i * 300, 2);
		EXPECT(shale_map_generation(&map) > last);
		last = shale_map_generation(&map);
		both_set(i * 300 + 1, 1);
		both_set(i * 300, 2);
		shale_map_run(&map, 0, 1 << 20, &len);
		both_lower_limit(TIB);
		EXPECT_EQ(shale_map_generation(&map), last);
	}
	both_lower_limit(1);
	EXPECT(shale_map_generation(&map) > last);
	both_end();
}

static void expect_changed(u64 from, u64 end, u64 block)
{
	u64 found = 0;

	EXPECT(shale_map_changed(&map, from, end, &found));
	EXPECT_EQ(found, block);
}

static void expect_unchanged(u64 from, u64 end)
{
	u64 found;

	EXPECT(!shale_map_changed(&map, from, end, &found));
}

TEST(changed, "leaves that changed since they were forgotten are found, and no others")
{
	shale_map_init(&map, 1ULL << 40);
	expect_unchanged(0, 1ULL << 28);
	EXPECT_EQ(shale_map_set(&map, 5, 2), 0);
	EXPECT_EQ(shale_map_set(&map, 100 * LEAF + 7, 1), 0);
	expect_changed(0, 1ULL << 28, 0);
	expect_changed(6, 1ULL << 28, 6);
	expect_changed(LEAF, 1ULL << 28, 100 * LEAF);
	expect_unchanged(LEAF, 100 * LEAF);
	shale_map_changed_forget(&map, 0, 100 * LEAF);
	expect_changed(0, 1ULL << 28, 100 * LEAF);
	shale_map_changed_forget(&map, 100 * LEAF, 101 * LEAF);
	expect_unchanged(0, 1ULL << 28);
	shale_map_destroy(&map);
}

TEST(changed_again, "each form of a leaf is marked when it changes, and not when it does not")
{
	shale_map_init(&map, 1ULL << 40);
	for (u64 block = 1; block < LEAF; block += 2) {
		EXPECT_EQ(shale_map_set(&map, block, 1), 0);
		expect_changed(0, LEAF, 0);
		shale_map_changed_forget(&map, 0, LEAF);
		EXPECT_EQ(shale_map_set(&map, block, 1), 0);
		expect_unchanged(0, LEAF);
	}
	EXPECT_EQ(shale_map_set(&map, 0, LEAF), 0);
	expect_changed(0, LEAF, 0);
	shale_map_destroy(&map);
}

TEST(changed_all, "all leaves can be marked, and a leaf that is forgotten in part is not forgotten")
{
	shale_map_init(&map, 1ULL << 40);
	for (u64 leaf = 0; leaf < 300; leaf += 3)
		EXPECT_EQ(shale_map_set(&map, leaf * LEAF, 1), 0);
	shale_map_changed_forget(&map, 0, 1ULL << 28);
	expect_unchanged(0, 1ULL << 28);
	shale_map_changed_all(&map);
	for (u64 leaf = 0; leaf < 300; leaf += 3)
		expect_changed(leaf ? leaf * LEAF - 2 * LEAF : 0, 1ULL << 28, leaf * LEAF);
	shale_map_changed_forget(&map, 1, LEAF);
	shale_map_changed_forget(&map, 0, LEAF - 1);
	expect_changed(0, LEAF, 0);
	shale_map_destroy(&map);
}

static void random_set(unsigned int longest)
{
	u64 first = rand() % TWIN_BLOCKS;

	both_set(first, 1 + rand() % longest);
}

static void random_round(unsigned int seed)
{
	unsigned int longest;

	srand(seed);
	longest = 1 + rand() % (rand() % 2 ? 8 : 1500);
	memset(twin, 0, sizeof(twin));
	twin_limit = TWIN_BLOCKS * 4 * KIB - rand() % 10000;
	both_begin();
	for (int ops = rand() % 60; ops >= 0 && !ktap_has_failed(); ops--) {
		random_set(longest);
		for (int i = 0; i < 20; i++)
			compare_at(rand() % (TWIN_BLOCKS + 2), 1 + rand() % TWIN_BLOCKS);
		if (rand() % 50 == 0)
			both_lower_limit(twin_limit - rand() % (twin_limit / 4 + 1));
	}
	both_end();
	if (ktap_has_failed())
		ktap_note("seed %u", seed);
}

TEST(twin, "300 random maps answer as a byte for each block does")
{
	for (unsigned int seed = 0; seed < 300 && !ktap_has_failed(); seed++)
		random_round(seed);
}

TEST(twin_runs, "100 random maps have the runs that a byte for each block has")
{
	for (unsigned int seed = 0; seed < 100 && !ktap_has_failed(); seed++) {
		srand(seed);
		memset(twin, 0, sizeof(twin));
		both_begin();
		for (int ops = rand() % 300; ops; ops--) {
			u64 first = rand() % TWIN_BLOCKS, nr = 1 + rand() % 20;

			both_set(first, first + nr > TWIN_BLOCKS ? 1 : nr);
		}
		compare_runs(TWIN_BLOCKS);
		compare_runs(rand() % TWIN_BLOCKS);
		both_end();
		if (ktap_has_failed())
			ktap_note("seed %u", seed);
	}
}

/* The map of a file of 16 TiB, the largest there is, with a few blocks all over it. */
static void sparse_begin(u64 *blocks, unsigned int nr, u64 limit)
{
	srand(1);
	shale_map_init(&map, limit);
	for (unsigned int i = 0; i < nr; i++) {
		blocks[i] = ((u64)rand() << 31 ^ rand()) % (limit / (4 * KIB));
		ASSERT_EQ(shale_map_set(&map, blocks[i], 1), 0);
	}
}

static int by_value(const void *a, const void *b)
{
	return *(const u64 *)a < *(const u64 *)b ? -1 : 1;
}

TEST(sparse, "ten blocks in 16 TiB are found, and nothing between them")
{
	u64 blocks[10], len, at = 0, limit = SHALE_DISK_MAP_LIMIT_MAX / (4 * KIB);

	sparse_begin(blocks, 10, SHALE_DISK_MAP_LIMIT_MAX);
	qsort(blocks, 10, sizeof(blocks[0]), by_value);
	for (int i = 0; i < 10; i++) {
		EXPECT(!shale_map_run(&map, at, ~0ULL, &len));
		EXPECT_EQ(at + len, blocks[i]);
		EXPECT(shale_map_run(&map, blocks[i], ~0ULL, &len));
		EXPECT_EQ(len, 1);
		at = blocks[i] + 1;
	}
	EXPECT(!shale_map_run(&map, at, ~0ULL, &len));
	EXPECT_EQ(at + len, limit);
	shale_map_destroy(&map);
	EXPECT_EQ(shim_alloc_bytes, 0);
}

TEST(sparse_fast, "a hole of terabytes is skipped, not walked: 100,000 times in time")
{
	u64 len, limit = SHALE_DISK_MAP_LIMIT_MAX / (4 * KIB);

	shale_map_init(&map, SHALE_DISK_MAP_LIMIT_MAX);
	ASSERT_EQ(shale_map_set(&map, limit - 1, 1), 0);
	for (int i = 0; i < 100000; i++) {
		EXPECT(!shale_map_run(&map, i, ~0ULL, &len));
		EXPECT_EQ(len, limit - 1 - i);
	}
	shale_map_destroy(&map);
}

TEST(memory_sparse, "ten blocks in 1 TiB take less than 16 KiB")
{
	u64 blocks[10];

	sparse_begin(blocks, 10, TIB);
	ktap_note("%ld bytes", shim_alloc_bytes);
	EXPECT(shim_alloc_bytes < 16 * KIB);
	shale_map_destroy(&map);
}

static void permutation(unsigned int *order, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		order[i] = i;
	for (unsigned int i = nr; i > 1; i--) {
		unsigned int j = rand() % i, t = order[i - 1];

		order[i - 1] = order[j];
		order[j] = t;
	}
}

TEST(memory_full, "10 GiB written in any order end in less than 64 KiB")
{
	const unsigned int nr = 10 * GIB / (4 * KIB);
	unsigned int *order = calloc(nr, sizeof(*order));
	u64 len, most = 0;

	srand(2);
	permutation(order, nr);
	shale_map_init(&map, 10 * GIB);
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT_EQ(shale_map_set(&map, order[i], 1), 0);
		most = (u64)shim_alloc_bytes > most ? (u64)shim_alloc_bytes : most;
	}
	EXPECT(shale_map_run(&map, 0, nr, &len));
	EXPECT_EQ(len, nr);
	ktap_note("%ld bytes, %llu at most on the way", shim_alloc_bytes, (unsigned long long)most);
	EXPECT(shim_alloc_bytes < 64 * KIB);
	EXPECT(most < 512 * KIB);
	shale_map_destroy(&map);
	free(order);
}

/* In the kernel's sizes, where 80 bytes are 96, it is 527 KiB. */
TEST(memory_worst, "10 GiB with every other block mapped take less than 512 KiB")
{
	const u64 nr = 10 * GIB / (4 * KIB);

	shale_map_init(&map, 10 * GIB);
	for (u64 i = 0; i < nr; i += 2)
		ASSERT_EQ(shale_map_set(&map, i, 1), 0);
	ktap_note("%ld bytes", shim_alloc_bytes);
	EXPECT(shim_alloc_bytes < 512 * KIB);
	shale_map_destroy(&map);
}

/* What a set that failed left behind: its first blocks, and what was there before. */
static void twin_take_prefix(const struct shale_map_run *run)
{
	bool is_over = false;

	for (u64 block = run->first; block < run->first + run->nr; block++) {
		bool is_mapped = shale_map_test(&map, block);

		EXPECT(is_mapped || !twin[block]);
		EXPECT(!is_over || is_mapped == twin[block]);
		is_over |= !is_mapped;
		twin[block] = is_mapped;
	}
}

/* The same sets each time, with all forms of leaves; 0, or the error of the first that failed. */
static int set_until_failure(void)
{
	static const struct shale_map_run sets[] = {
		{ 10, 1 }, { 20, 5 }, { LEAF * 3 + 5, 4 }, { LEAF * 3 + 100, 4 }, { 100, LEAF * 5 },
		{ LEAF * 7, LEAF }, { 0, LEAF * 3 }, { LEAF * 6 + 3, 1 }, { LEAF * 6 + 1, 1 },
	};
	int err = 0;

	for (unsigned int i = 0; !err && i < sizeof(sets) / sizeof(sets[0]); i++) {
		err = shale_map_set(&map, sets[i].first, sets[i].nr);
		if (err)
			twin_take_prefix(&sets[i]);
		else
			memset(twin + sets[i].first, 1, sets[i].nr);
	}
	return err;
}

TEST(no_memory, "without memory at any point a set is ENOMEM, keeps the rest, and can be tried again")
{
	int err = -ENOMEM;
	long left;

	for (left = 0; err && !ktap_has_failed(); left++) {
		memset(twin, 0, sizeof(twin));
		both_begin();
		shim_alloc_left = left;
		err = set_until_failure();
		shim_alloc_left = -1;
		EXPECT(!err || err == -ENOMEM);
		compare_everywhere();
		EXPECT_EQ(set_until_failure(), 0);
		both_end();
	}
	EXPECT(left > 4);
}

TEST(no_memory_needed, "what is mapped already, or only makes a run longer, needs no memory")
{
	both_begin();
	both_set(LEAF + 10, 10);
	both_set(LEAF * 2 + 1, 1);
	both_set(LEAF * 2 + 3, 1);
	shim_alloc_left = 0;
	both_set(LEAF + 10, 10);
	both_set(LEAF + 5, 40);
	both_set(LEAF * 2, LEAF);
	EXPECT_EQ(shale_map_set(&map, LEAF * 3, 1), 0);
	twin[LEAF * 3] = 1;
	EXPECT_EQ(shale_map_set(&map, LEAF * 3 + 2, 1), -ENOMEM);
	shim_alloc_left = -1;
	both_end();
}

/* Writers store and then map, in leaves they share; readers must see what was stored. */
#define RACE_BLOCKS  (32 * LEAF)
#define RACE_WRITERS 2
#define RACE_READERS 2

static unsigned int race_data[RACE_BLOCKS];
static int race_writers_left = RACE_WRITERS;

static void *race_writer(void *arg)
{
	const unsigned int nr = RACE_BLOCKS / RACE_WRITERS, me = (unsigned long)arg;
	unsigned int *order = calloc(nr, sizeof(*order));

	permutation(order, nr);
	for (unsigned int i = 0; i < nr; i++) {
		unsigned int block = order[i] * RACE_WRITERS + me;

		race_data[block] = block + 1;
		EXPECT_EQ(shale_map_set(&map, block, 1), 0);
		EXPECT(shale_map_test(&map, block));
	}
	free(order);
	__atomic_sub_fetch(&race_writers_left, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *race_reader(void *arg)
{
	unsigned int seed = (unsigned long)arg;
	u64 len, generation, last = 0;

	while (READ_ONCE(race_writers_left)) {
		unsigned int block = rand_r(&seed) % RACE_BLOCKS;

		if (shale_map_run(&map, block, 1 + rand_r(&seed) % 2000, &len))
			for (u64 i = block; i < block + len && i < RACE_BLOCKS; i++)
				EXPECT_EQ(race_data[i], i + 1);
		EXPECT(len > 0);
		generation = shale_map_generation(&map);
		EXPECT(generation >= last);
		last = generation;
	}
	return NULL;
}

TEST(threads, "readers without a lock see each block's data once it is mapped")
{
	pthread_t threads[RACE_WRITERS + RACE_READERS];
	u64 len;

	shim_is_racing = true;
	shale_map_init(&map, RACE_BLOCKS * 4 * KIB);
	for (unsigned long i = 0; i < RACE_WRITERS + RACE_READERS; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL,
					 i < RACE_WRITERS ? race_writer : race_reader, (void *)i), 0);
	for (int i = 0; i < RACE_WRITERS + RACE_READERS; i++)
		pthread_join(threads[i], NULL);
	EXPECT(shale_map_run(&map, 0, RACE_BLOCKS, &len));
	EXPECT_EQ(len, RACE_BLOCKS);
	shale_map_destroy(&map);
	EXPECT_EQ(shim_alloc_bytes, 0);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * selection.c - few crash points of few workloads, on the backing filesystem that ring crash runs on: enough
 * to see within seconds that syncing syncs, and that the harness would see if it did not. All of them are
 * main.c's business.
 */
#include "ktap.h"
#include "replay.h"

#include <stdlib.h>

#define POINTS	       6 /* of each workload */
#define CONTROL_POINTS 10

static const char *const selected[] = {
	"overwrite", "partial", "committed", "append", "shrink", "store", "replace", "mkdir", "remount",
};

#define SELECTED (sizeof(selected) / sizeof(selected[0]))

static void make_world(struct world *world)
{
	const struct world_options options = {.fs = getenv("SHALE_TEST_FS")};

	if (!options.fs || !strcmp(options.fs, "tmpfs"))
		SKIP("nothing on a tmpfs outlives a crash");
	world_create(world, &options);
}

static const struct workload *find(const char *name)
{
	for (size_t i = 0; i < workload_count; i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	ktap_fail(__FILE__, __LINE__, "no workload %s", name);
	ktap_stop();
}

TEST(points, "after a crash each block is old or new, and each synced byte is there")
{
	const struct replay_options options = {.points_max = POINTS, .subsets = 1, .seed = 1};
	struct replay_result result = {0};
	struct world world;

	make_world(&world);
	for (size_t i = 0; i < SELECTED; i++)
		replay_workload(&world, find(selected[i]), &options, &result);
	world_remove(&world);
	ktap_note("%zu points", result.points);
	EXPECT_EQ(result.violations, 0);
	EXPECT(result.points >= SELECTED * POINTS / 2);
}

TEST(unsynced, "steps that do not sync are found out")
{
	struct replay_result result = {0};
	struct world world;

	make_world(&world);
	EXPECT(replay_control(&world, false, CONTROL_POINTS, &result));
	world_remove(&world);
}

TEST(unsafe, "a volatile mount is found out")
{
	struct replay_result result = {0};
	struct world world;

	if (!world_is_shale())
		SKIP("this is about shale's mark");
	make_world(&world);
	EXPECT(replay_control(&world, true, CONTROL_POINTS, &result));
	world_remove(&world);
}

void ktap_before(const struct ktap_test *test)
{
	(void)test;
}

bool ktap_after(const struct ktap_test *test)
{
	(void)test;
	world_cleanup();
	return true;
}

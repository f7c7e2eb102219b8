// SPDX-License-Identifier: GPL-2.0-only
/*
 * selection.c - a short storm of each kind and some trials of the sweep, on the backing filesystem that ring faults runs on. All
 * of them are main.c's business.
 */
#include "ktap.h"
#include "storm.h"
#include "sweep.h"

#include <stdlib.h>

static void storm(const char *name)
{
	const struct storm_options options = {.fs = getenv("SHALE_TEST_FS"), .seed = 1, .rounds = 1};
	struct storm_result result = {0};
	int i = 0;

	while (strcmp(storm_name(storms[i]), name))
		i++;
	if (!options.fs || !storm_run(storms[i], &options, &result))
		SKIP("this kernel, or this filesystem, cannot fail in that way");
	ktap_note("%lu operations, of which %lu failed", result.operations, result.faults);
	EXPECT_EQ(result.failures, 0);
}

TEST(writes, "a disk that refuses writes costs nothing that was synced")
{
	storm("writes");
}

TEST(dead, "nor does one that is gone")
{
	storm("dead-disk");
}

TEST(drops, "nor one that stops to write and tells nobody")
{
	storm("dropped-writes");
}

TEST(requests, "nor requests that fail here and there")
{
	storm("requests");
}

TEST(memory, "without memory an operation is done or refused")
{
	storm("memory");
}

TEST(unsynced, "writes that are lost are noticed")
{
	const struct storm_options options = {.fs = getenv("SHALE_TEST_FS"), .seed = 1, .rounds = 2};
	struct storm_result result = {0};

	if (!options.fs || !storm_control(&options, &result))
		SKIP("nothing on this filesystem outlives a mount");
	EXPECT(result.failures > 0);
}

static void sweep(bool is_deceived, struct sweep_result *result)
{
	const struct sweep_options options = {
		.fs = getenv("SHALE_TEST_FS"), .workload = "partial", .trials = 20, .seed = 1, .is_deceived = is_deceived,
	};

	if (!options.fs || !sweep_run(&options, result))
		SKIP("this kernel has no fault injection, or this filesystem cannot bear it");
	ktap_note("%u of %u allocations failed, %u made a step fail", result->faults, result->allocations,
		  result->errors);
}

TEST(sweep, "whichever allocation fails, a step is done or refused, and can be done again")
{
	struct sweep_result result = {0};

	sweep(false, &result);
	EXPECT_EQ(result.failures, 0);
	EXPECT(result.errors > 0);
}

TEST(deceived, "a step that failed is not taken for one that is done")
{
	struct sweep_result result = {0};

	sweep(true, &result);
	EXPECT(result.failures > 0);
}

void ktap_before(const struct ktap_test *test)
{
	(void)test;
}

bool ktap_after(const struct ktap_test *test)
{
	(void)test;
	storm_cleanup();
	sweep_cleanup();
	return true;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * selection.c - a short storm of each kind and some trials of the sweep, on the backing filesystem that ring faults runs on. All
 * of them are main.c's business.
 */
#include "flakey.h"
#include "ktap.h"
#include "stage.h"
#include "storm.h"
#include "sweep.h"

#include <fcntl.h>
#include <linux/shale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

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

/* ------------------------------------------------------------------ writes that failed before the map was saved */

#define BLOCK 4096

static void lost_fill(void *argument, const char *layer)
{
	char path[64], block[BLOCK];
	int fd;

	(void)argument;
	snprintf(path, sizeof(path), "%s/f", layer);
	fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	memset(block, 'l', BLOCK);
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(write(fd, block, BLOCK), BLOCK);
	ASSERT_OK(close(fd));
}

static void block_write(int fd, int number, char letter)
{
	char block[BLOCK];

	memset(block, letter, BLOCK);
	ASSERT_EQ(pwrite(fd, block, BLOCK, (off_t)number * BLOCK), BLOCK);
}

/* A direct read writes what is in memory first, and is who hears that this fails. */
static void block_read_direct(int number)
{
	int fd = ASSERT_OK(open("m/f", O_RDONLY | O_DIRECT | O_CLOEXEC));
	char *block = aligned_alloc(BLOCK, BLOCK);

	EXPECT_ERR(pread(fd, block, BLOCK, (off_t)number * BLOCK), EIO);
	free(block);
	close(fd);
}

static void caches_drop(void)
{
	int fd = ASSERT_OK(open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC));

	ASSERT_EQ(write(fd, "3", 1), 1);
	close(fd);
}

static bool is_synced(void)
{
	int fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	bool good = fsync(fd) == 0;

	close(fd);
	return good;
}

static void expect_old_or(const char *letters)
{
	int fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	char byte = 0;

	for (int i = 0; letters[i]; i++) {
		ASSERT_EQ(pread(fd, &byte, 1, (off_t)i * BLOCK), 1);
		if (byte != 'l' && byte != letters[i])
			ktap_fail(__FILE__, __LINE__, "block %d has %02x", i, byte);
	}
	close(fd);
}

TEST(lost, "a new block whose bytes did not reach the disk is the old one after a remount, whoever heard of it")
{
	struct stage stage;
	int fd;

	if (!stage_create(&stage, getenv("SHALE_TEST_FS") ?: "", lost_fill, NULL))
		SKIP("nothing on this filesystem outlives a mount");
	ASSERT(stage_mount(&stage));
	fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	block_write(fd, 0, 'a');
	EXPECT(is_synced());
	sync();
	block_write(fd, 1, 'b');
	flakey_set(&stage.disk, FLAKEY_NO_WRITES);
	block_read_direct(1);
	flakey_set(&stage.disk, FLAKEY_SOUND);
	close(fd);
	EXPECT(!is_synced());
	EXPECT(!is_synced());
	EXPECT(stage_umount(&stage, true));
	ASSERT(stage_mount(&stage));
	expect_old_or("ab");
	fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	block_write(fd, 1, 'c');
	close(fd);
	EXPECT(is_synced());
	EXPECT(stage_umount(&stage, true));
	stage_remove(&stage);
}

TEST(told, "syncfs tells each descriptor once that a whole file's bytes did not reach the disk")
{
	struct stage stage;
	int fd, real, root;

	if (!stage_create(&stage, getenv("SHALE_TEST_FS") ?: "", lost_fill, NULL))
		SKIP("nothing on this filesystem outlives a mount");
	ASSERT(stage_mount(&stage));
	root = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	fd = ASSERT_OK(open("m/new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	real = ASSERT_OK(open("u/new", O_RDONLY | O_CLOEXEC));
	block_write(fd, 0, 'a');
	EXPECT_OK(syncfs(root));
	block_write(fd, 0, 'b');
	flakey_set(&stage.disk, FLAKEY_NO_WRITES);
	sync_file_range(real, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	flakey_set(&stage.disk, FLAKEY_SOUND);
	EXPECT(syncfs(root) < 0);
	EXPECT_OK(syncfs(root));
	close(real);
	close(fd);
	close(root);
	stage_umount(&stage, false);
	stage_remove(&stage);
}

TEST(cut, "a materialization that failed changes no byte that the file shows")
{
	struct shale_ioc_materialize arg = {.size = sizeof(arg)};
	struct stage stage;
	int fd;

	if (!stage_create(&stage, getenv("SHALE_TEST_FS") ?: "", lost_fill, NULL))
		SKIP("nothing on this filesystem outlives a mount");
	ASSERT(stage_mount(&stage));
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	block_write(fd, 0, 'a');
	EXPECT_OK(fsync(fd));
	flakey_set(&stage.disk, FLAKEY_NO_WRITES);
	EXPECT_ERR(ioctl(fd, SHALE_IOC_MATERIALIZE, &arg), EIO);
	caches_drop();
	expect_old_or("aaaaaaaa");
	flakey_set(&stage.disk, FLAKEY_SOUND);
	close(fd);
	EXPECT(stage_umount(&stage, false));
	ASSERT(stage_mount(&stage));
	expect_old_or("aaaaaaaa");
	EXPECT(stage_umount(&stage, true));
	stage_remove(&stage);
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

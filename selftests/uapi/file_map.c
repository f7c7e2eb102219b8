// SPDX-License-Identifier: GPL-2.0-only
/*
 * file_map.c - tests of SHALE_IOC_FILE_MAP: which layers a file's bytes are said to be in, and that asking for them in
 * pieces gives the same. Fields that are refused are in ioctl.c.
 */
#include "blocks.h"
#include "union.h"

#include <errno.h>
#include <linux/shale.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static void mount_by_blocks(void)
{
	need_shale("only shale has maps");
	union_mount_with(&union_by_blocks);
}

static void lower_file(const char *letters)
{
	lower(0, "f=");
	blocks_make("l0/f", letters);
}

static struct shale_ioc_file_map ask(const char *path, __u64 offset, struct shale_file_run *runs,
				     __u32 count)
{
	struct shale_ioc_file_map map = {
		.size = sizeof(map),
		.offset = offset,
		.runs_ptr = (uintptr_t)runs,
		.count = count,
	};
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	ASSERT_OK(ioctl(fd, SHALE_IOC_FILE_MAP, &map));
	close(fd);
	return map;
}

static struct shale_ioc_file_map totals(const char *path)
{
	return ask(path, 0, NULL, 0);
}

static bool is_partial(const char *path)
{
	return totals(path).state & SHALE_FILE_PARTIAL;
}

TEST(lower_file, "a file of a lower layer is one run of that layer, and all of it is shared")
{
	struct shale_ioc_file_map map;

	lower(0, "x=1");
	lower(1, "f=");
	blocks_make("l1/f", "aaa");
	mount_by_blocks();
	EXPECT_RUNS("m/f", "3@2");
	map = totals("m/f");
	EXPECT_EQ(map.count, 1);
	EXPECT_EQ(map.layer, 2);
	EXPECT_EQ(map.state, 0);
	EXPECT_EQ(map.file_size, 3 * BLOCK);
	EXPECT_EQ(map.limit, 0);
	EXPECT_EQ(map.owned, 0);
	EXPECT_EQ(map.shared, 3 * BLOCK);
}

TEST(upper_file, "a file of the upper is one run of it, and owned")
{
	struct shale_ioc_file_map map;

	upper("f=twelve_bytes");
	mount_by_blocks();
	EXPECT_RUNS("m/f", "12b@0");
	map = totals("m/f");
	EXPECT_EQ(map.layer, 0);
	EXPECT_EQ(map.state, 0);
	EXPECT_EQ(map.owned, 12);
	EXPECT_EQ(map.shared, 0);
}

TEST(empty, "an empty file has no runs, wherever it is")
{
	lower(0, "f=");
	upper("g=");
	mount_by_blocks();
	EXPECT_RUNS("m/f", "");
	EXPECT_RUNS("m/g", "");
	EXPECT_EQ(totals("m/f").count, 0);
	EXPECT_EQ(totals("m/f").layer, 1);
	EXPECT_EQ(totals("m/g").layer, 0);
}

TEST(whole_copy, "a file that was copied up whole is the upper's, and not partial")
{
	lower_file("aaaa");
	need_shale("only shale has maps");
	union_mount_with(&(struct union_opts){.options = "cow=copy"});
	block_write("m/f", 1, 'b');
	EXPECT_RUNS("m/f", "4@0");
	EXPECT(!is_partial("m/f"));
}

TEST(partial, "a partial file is runs of the upper and the layer below, over a remount too")
{
	struct shale_ioc_file_map map;

	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	block_write("m/f", 4, 'b');
	block_write("m/f", 7, 'b');
	EXPECT_RUNS("m/f", "3@1 2@0 2@1 1@0");
	map = totals("m/f");
	EXPECT_EQ(map.count, 4);
	EXPECT_EQ(map.layer, 0);
	EXPECT_EQ(map.state, SHALE_FILE_PARTIAL);
	EXPECT_EQ(map.owned, 3 * BLOCK);
	EXPECT_EQ(map.shared, 5 * BLOCK);
	EXPECT_EQ(map.limit, 8 * BLOCK);
	union_remount();
	EXPECT_RUNS("m/f", "3@1 2@0 2@1 1@0");
	EXPECT(is_partial("m/f"));
}

TEST(attributes, "a file of which only attributes were changed is partial, and all of it is shared")
{
	lower_file("aaaa");
	mount_by_blocks();
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_RUNS("m/f", "4@1");
	EXPECT_EQ(totals("m/f").layer, 0);
	EXPECT(is_partial("m/f"));
}

TEST(all_blocks, "a file of which all blocks were written is one run, and still partial")
{
	lower_file("aa");
	mount_by_blocks();
	block_write("m/f", 0, 'b');
	block_write("m/f", 1, 'b');
	EXPECT_RUNS("m/f", "2@0");
	EXPECT(is_partial("m/f"));
}

TEST(cut, "what a file was cut to is the limit; the block that is in and what it grows to later are the upper's")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(truncate("m/f", 2 * BLOCK + 100));
	EXPECT_EQ(totals("m/f").limit, 2 * BLOCK + 100);
	EXPECT_RUNS("m/f", "8292b@1");
	ASSERT_OK(truncate("m/f", 6 * BLOCK));
	EXPECT_EQ(totals("m/f").limit, 2 * BLOCK + 100);
	EXPECT_RUNS("m/f", "2@1 4@0");
}

TEST(chain, "a file with blocks in three layers is runs of the three, each with its number in the stack")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	union_seal();
	EXPECT_RUNS("m/f", "1@2 1@1 6@2");
	EXPECT_EQ(totals("m/f").layer, 1);
	EXPECT(is_partial("m/f"));
	EXPECT_EQ(totals("m/f").owned, 0);
	block_write("m/f", 2, 'c');
	EXPECT_RUNS("m/f", "1@2 1@1 1@0 5@2");
	EXPECT_EQ(totals("m/f").owned, BLOCK);
	EXPECT_EQ(totals("m/f").shared, 7 * BLOCK);
}

TEST(readonly, "on a mount without an upper layer 0 is the first lower one, and nothing is owned")
{
	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	union_umount();
	ASSERT_OK(union_try("m", 0, "lowerdir=u:l0"));
	EXPECT_RUNS("m/f", "1@1 1@0 2@1");
	EXPECT_EQ(totals("m/f").layer, 0);
	EXPECT(is_partial("m/f"));
	EXPECT_EQ(totals("m/f").owned, 0);
	EXPECT_EQ(totals("m/f").shared, 4 * BLOCK);
}

TEST(metacopy, "of a file of overlayfs with attributes only, the layer with the data has the run")
{
	lower(0, "f=");
	lower(1, "f=");
	ASSERT_OK(truncate("l0/f", 2 * BLOCK));
	blocks_make("l1/f", "aa");
	ASSERT_OK(setxattr("l0/f", "trusted.overlay.metacopy", "", 0, 0));
	mount_by_blocks();
	EXPECT_RUNS("m/f", "2@2");
	EXPECT_EQ(totals("m/f").layer, 1);
	EXPECT(is_partial("m/f"));
}

static void lower_stripes(void)
{
	char letters[41] = {0};

	memset(letters, 'a', 40);
	lower_file(letters);
	mount_by_blocks();
	for (int i = 0; i < 40; i += 2)
		block_write("m/f", i, 'b');
}

TEST(pages, "runs asked for some at a time are the runs asked for at once")
{
	struct shale_file_run all[40], some[7];

	lower_stripes();
	EXPECT_EQ(ask("m/f", 0, all, 40).count, 40);
	for (__u32 room = 1; room <= 7; room++) {
		struct shale_ioc_file_map map = {.state = SHALE_FILE_MORE};
		__u64 offset = 0;
		__u32 got = 0;

		for (; map.state & SHALE_FILE_MORE && got < 40; got += map.count) {
			map = ask("m/f", offset, some, room);
			ASSERT(map.count > 0 && map.count <= room && got + map.count <= 40);
			EXPECT(!memcmp(some, all + got, map.count * sizeof(*some)));
			EXPECT_EQ(map.owned + map.shared, some[map.count - 1].offset +
							  some[map.count - 1].length - offset);
			offset += map.owned + map.shared;
		}
		EXPECT_EQ(got, 40);
		EXPECT_EQ(map.state, SHALE_FILE_PARTIAL);
	}
}

TEST(room, "nothing is written behind the room for runs, and room for just all of them has no more after it")
{
	struct shale_file_run runs[41], untouched;

	lower_stripes();
	memset(runs, 0x55, sizeof(runs));
	untouched = runs[0];
	EXPECT_EQ(ask("m/f", 0, runs, 39).state, SHALE_FILE_PARTIAL | SHALE_FILE_MORE);
	EXPECT(!memcmp(&runs[39], &untouched, sizeof(untouched)));
	EXPECT_EQ(ask("m/f", 0, runs, 40).state, SHALE_FILE_PARTIAL);
	EXPECT_EQ(runs[39].reserved, 0);
	EXPECT(!memcmp(&runs[40], &untouched, sizeof(untouched)));
}

TEST(offset, "runs begin at the offset that was asked for, in the middle of one too, and not beyond the end")
{
	struct shale_file_run run;

	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 7, 'b');
	EXPECT_EQ(ask("m/f", 5 * BLOCK + 7, &run, 1).count, 1);
	EXPECT_EQ(run.offset, 5 * BLOCK + 7);
	EXPECT_EQ(run.length, 2 * BLOCK - 7);
	EXPECT_EQ(run.layer, 1);
	EXPECT_EQ(ask("m/f", 8 * BLOCK - 1, &run, 1).count, 1);
	EXPECT_EQ(run.length, 1);
	EXPECT_EQ(run.layer, 0);
	EXPECT_EQ(ask("m/f", 8 * BLOCK, &run, 1).count, 0);
	EXPECT_EQ(ask("m/f", ~0ULL, &run, 1).count, 0);
	EXPECT_EQ(ask("m/f", 7 * BLOCK, NULL, 0).owned, BLOCK);
}

TEST(huge, "a sparse file of 8 TiB with two blocks of its own is told at once")
{
	const off_t size = 1LL << 43;

	lower(0, "f=");
	if (truncate("l0/f", size))
		SKIP("no such files on this filesystem: %s", strerror(errno));
	mount_by_blocks();
	block_write("m/f", 5, 'b');
	block_write("m/f", 1 << 30, 'b');
	EXPECT_EQ(totals("m/f").count, 5);
	EXPECT_EQ(totals("m/f").owned, 2 * BLOCK);
	EXPECT_EQ(totals("m/f").shared, size - 2 * BLOCK);
}

TEST(anybody, "who may open a file may ask, by a descriptor for writing too")
{
	struct shale_ioc_file_map map = {.size = sizeof(map)};

	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	AS_UID(1000)
	{
		EXPECT_RUNS("m/f", "1@1 1@0 2@1");
	}
	int fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	EXPECT_OK(ioctl(fd, SHALE_IOC_FILE_MAP, &map));
	EXPECT_EQ(map.count, 3);
	close(fd);
}

TEST(old_descriptor, "a descriptor from before a file was copied up tells what is so now")
{
	struct shale_ioc_file_map map = {.size = sizeof(map)};
	int fd;

	lower_file("aaaa");
	mount_by_blocks();
	fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	block_write("m/f", 1, 'b');
	ASSERT_OK(ioctl(fd, SHALE_IOC_FILE_MAP, &map));
	EXPECT_EQ(map.count, 3);
	EXPECT_EQ(map.layer, 0);
	close(fd);
}

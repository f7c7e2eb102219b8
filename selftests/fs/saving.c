// SPDX-License-Identifier: GPL-2.0-only
/*
 * saving.c - tests of when maps of partial files are written to the upper: by whom, whose business that is besides, and that it
 * ends. That what was written survives a crash is crash/'s; what a map on disk looks like is partial.c's.
 */
#include "blocks.h"
#include "union.h"

#include <linux/falloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define MAP	     "trusted.shale.map"
#define MAP_SIZE_MAX 1024
#define FILES	     200

struct map {
	char bytes[MAP_SIZE_MAX];
	ssize_t size;
};

static const char *number_path(const char *dir, int number)
{
	static char path[32];

	snprintf(path, sizeof(path), "%s/f%d", dir, number);
	return path;
}

static struct map map_of(int number)
{
	struct map map = {.size = 0};

	map.size = ASSERT_OK(getxattr(number_path("u", number), MAP, map.bytes, sizeof(map.bytes)));
	return map;
}

static bool is_same(const struct map *a, const struct map *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

static struct map fresh[FILES];

/* Of files that are promoted, and have no block in the upper. */
static void setup(int files)
{
	need_shale("only shale has maps");
	lower(0, "x=1");
	for (int i = 0; i < files; i++)
		blocks_make(number_path("l0", i), "abcd");
	union_mount_with(&union_by_blocks);
	for (int i = 0; i < files; i++) {
		ASSERT_OK(chmod(number_path("m", i), 0600));
		fresh[i] = map_of(i);
	}
}

static int count_unsaved(int files)
{
	int count = 0;

	for (int i = 0; i < files; i++) {
		struct map map = map_of(i);

		count += is_same(&map, &fresh[i]);
	}
	return count;
}

static void change(int files)
{
	for (int i = 0; i < files; i++)
		block_write(number_path("m", i), 1, 'w');
}

static void sync_union(void)
{
	int fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	EXPECT_OK(syncfs(fd));
	close(fd);
}

TEST(written, "a map is written by a sync of its file or of all, and not before")
{
	int fd;

	setup(3);
	change(3);
	EXPECT_EQ(count_unsaved(3), 3);
	fd = ASSERT_OK(open("m/f0", O_RDONLY | O_CLOEXEC));
	EXPECT_OK(fsync(fd));
	close(fd);
	EXPECT_EQ(count_unsaved(3), 2);
	sync_union();
	EXPECT_EQ(count_unsaved(3), 0);
}

TEST(together, "of two who sync everything at once neither returns before all maps are written")
{
	int status;
	pid_t pid;

	setup(FILES);
	change(FILES);
	pid = ASSERT_OK(fork());
	sync_union();
	EXPECT_EQ(count_unsaved(FILES), 0);
	if (!pid)
		ktap_child_end();
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(readonly, "all maps are written when the mount becomes read-only, for nobody syncs it after that")
{
	setup(3);
	change(3);
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	EXPECT_EQ(count_unsaved(3), 0);
	EXPECT_BLOCKS("m/f0", "awcd");
}

/* ------------------------------------------------------------------ beside who writes */

#define LARGE	   (4LL << 30)
#define WRITES_MAX 80000

struct busy {
	atomic_bool should_stop, has_begun;
	atomic_long writes;
};

static void new_blocks_write(struct busy *busy)
{
	int fd = ASSERT_OK(open("m/large", O_WRONLY | O_CLOEXEC));
	unsigned long at = 1;

	while (!busy->should_stop && busy->writes < WRITES_MAX) {
		at = (at * 1103515245 + 12345) % (LARGE / BLOCK);
		ASSERT_EQ(pwrite(fd, "w", 1, (off_t)at * BLOCK), 1);
		busy->has_begun = ++busy->writes > 1000;
	}
	close(fd);
}

TEST(busy, "a sync of a file with a large map ends though others go on writing new blocks")
{
	struct busy *busy = shared_memory(sizeof(*busy));
	int fd, status;
	pid_t pid;

	need_shale("only shale has maps");
	lower(0, "large=1");
	ASSERT_OK(truncate("l0/large", LARGE));
	union_mount_with(&union_by_blocks);
	pid = ASSERT_OK(fork());
	if (!pid) {
		new_blocks_write(busy);
		ktap_child_end();
	}
	while (!busy->has_begun)
		usleep(1000);
	fd = ASSERT_OK(open("m/large", O_WRONLY | O_CLOEXEC));
	EXPECT_OK(fdatasync(fd));
	ktap_note("after %ld writes", busy->writes);
	close(fd);
	busy->should_stop = true;
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT(busy->writes < WRITES_MAX);
}

/* ------------------------------------------------------------------ beside other attributes */

#define CROWD_BLOCKS 512
#define CROWD_MAX    40

/* Attributes of SIZE bytes are given to PATH until there is no room for another. */
static bool attributes_fill(const char *path, size_t size)
{
	char name[32], value[512];

	memset(value, 'x', sizeof(value));
	for (int i = 0; i < CROWD_MAX; i++) {
		snprintf(name, sizeof(name), "trusted.%zu.%d", size, i);
		if (!setxattr(path, name, value, size, 0))
			continue;
		ASSERT_EQ(errno, ENOSPC);
		return true;
	}
	return false;
}

static void crowd_make(void)
{
	static char block[BLOCK];
	FILE *file = fopen("l0/f", "we");

	ASSERT(file);
	block_fill(block, 'a');
	for (int i = 0; i < CROWD_BLOCKS; i++)
		ASSERT_EQ(fwrite(block, 1, BLOCK, file), BLOCK);
	ASSERT_EQ(fclose(file), 0);
}

static void crowd_check(void)
{
	static char block[BLOCK];
	int fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));

	for (int i = 0; i < CROWD_BLOCKS; i++) {
		ASSERT_EQ(pread(fd, block, BLOCK, (off_t)i * BLOCK), BLOCK);
		ASSERT_EQ(block_letter(block), i % 2 ? 'w' : 'a');
	}
	close(fd);
}

TEST(crowded, "a map that does not fit beside a file's other attributes is written outside of them")
{
	static char block[BLOCK];
	int fd;

	need_shale("only shale has maps");
	lower(0, "x=1");
	crowd_make();
	block_fill(block, 'w');
	union_mount_with(&union_by_blocks);
	ASSERT_OK(chmod("m/f", 0600));
	if (!attributes_fill("m/f", 500))
		SKIP("attributes have room without end here");
	ASSERT(attributes_fill("m/f", 8));
	fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	for (int i = 1; i < CROWD_BLOCKS; i += 2)
		ASSERT_EQ(pwrite(fd, block, BLOCK, (off_t)i * BLOCK), BLOCK);
	EXPECT_OK(fsync(fd));
	close(fd);
	union_remount();
	crowd_check();
}

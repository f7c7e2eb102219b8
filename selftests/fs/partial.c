// SPDX-License-Identifier: GPL-2.0-only
/*
 * partial.c - tests of files that have some blocks in the upper and the rest below: in sealed layers, under other
 * names, after their layers were damaged or changed.
 */
#include "blocks.h"
#include "union.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#define MAP "trusted.shale.map"

static void mount_by_blocks(void)
{
	need_shale("block-level copy-on-write is its own");
	union_mount_with(&union_by_blocks);
}

static long blocks_owned(const char *path)
{
	return stat_of(path).st_blocks * 512 / BLOCK;
}

static void lower_file(const char *letters)
{
	lower(0, "f=");
	blocks_make("l0/f", letters);
}

static int sidecars(void)
{
	DIR *dir = opendir("u/.shale/map");
	const struct dirent *entry;
	int count = 0;

	ASSERT(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

TEST(one_block, "a write to a block leaves the others below, over a remount too")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	EXPECT_BLOCKS("m/f", "aaabaaaa");
	EXPECT_BLOCKS("u/f", "...b....");
	EXPECT_EQ(blocks_owned("m/f"), blocks_owned("u/f"));
	union_remount();
	EXPECT_BLOCKS("m/f", "aaabaaaa");
	block_write("m/f", 0, 'c');
	union_remount();
	EXPECT_BLOCKS("m/f", "caabaaaa");
	EXPECT_BLOCKS("l0/f", "aaaaaaaa");
}

TEST(attributes_only, "chmod, chown, utimes and setxattr copy no data")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(chmod("m/f", 0600));
	ASSERT_OK(chown("m/f", 1, 2));
	ASSERT_OK(setxattr("m/f", "trusted.test", "1", 1, 0));
	EXPECT_BLOCKS("u/f", "........");
	union_remount();
	EXPECT_BLOCKS("m/f", "aaaaaaaa");
	EXPECT_EQ(stat_of("m/f").st_mode & 0777, 0600);
}

TEST(cut_and_regrown, "what was cut off shows zeros after the file grew again, and never the lower file")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(truncate("m/f", 2 * BLOCK));
	ASSERT_OK(truncate("m/f", 4 * BLOCK));
	EXPECT_BLOCKS("m/f", "aa..");
	union_remount();
	EXPECT_BLOCKS("m/f", "aa..");
	block_write("m/f", 5, 'b');
	union_remount();
	EXPECT_BLOCKS("m/f", "aa...b");
}

TEST(cut_to_nothing, "a file cut to no bytes shows nothing of the lower one later")
{
	lower_file("aaaa");
	mount_by_blocks();
	ASSERT_OK(truncate("m/f", 0));
	union_remount();
	ASSERT_OK(truncate("m/f", 3 * BLOCK));
	union_remount();
	EXPECT_BLOCKS("m/f", "...");
}

TEST(sealed, "layers of a chain each keep their blocks, and a read goes down to the one that has it")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	union_seal();
	EXPECT_BLOCKS("m/f", "abaaaaaa");
	block_write("m/f", 2, 'c');
	union_seal();
	block_write("m/f", 1, 'd');
	block_write("m/f", 9, 'e');
	EXPECT_BLOCKS("m/f", "adcaaaaa.e");
	union_remount();
	EXPECT_BLOCKS("m/f", "adcaaaaa.e");
	EXPECT_BLOCKS("u/f", ".d.......e");
	union_seal();
	EXPECT_BLOCKS("m/f", "adcaaaaa.e");
}

TEST(sealed_size, "st_blocks of a file in sealed layers counts what each of them has of it")
{
	lower_file("");
	ASSERT_OK(truncate("l0/f", 8 * BLOCK));
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	sync();
	union_seal();
	EXPECT_EQ(blocks_owned("m/f"), blocks_owned("l0/f") + blocks_owned("l1/f"));
	block_write("m/f", 5, 'c');
	sync();
	union_seal();
	EXPECT_EQ(blocks_owned("m/f"), blocks_owned("l0/f") + blocks_owned("l1/f") + blocks_owned("l2/f"));
	EXPECT_BLOCKS("m/f", "...b.c..");
}

/* On XFS the copy of block 0 has room to grow, where nothing else is yet. */
static void lower_copied_file(void)
{
	int from, to;

	lower_file("a_______________b");
	from = ASSERT_OK(open("l0/f", O_RDWR | O_CLOEXEC));
	to = ASSERT_OK(open("l0/g", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	if (ioctl(to, FICLONE, from) < 0)
		SKIP("%s cannot clone", union_backing());
	close(to);
	close(from);
	block_write("l0/f", 0, 'c');
}

TEST(behind_copy, "blocks behind a hole into which a copied extent may grow are taken over")
{
	int fd;

	lower_copied_file();
	mount_by_blocks();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	if (fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, BLOCK) < 0 && errno == EOPNOTSUPP)
		SKIP("%s cannot insert", union_backing());
	close(fd);
	EXPECT_BLOCKS("m/f", ".c...............b");
}

TEST(behind_copy_whole, "and are copied with the whole file")
{
	static const struct union_opts whole = {.cow = "copy"};

	lower_copied_file();
	union_mount_with(&whole);
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_BLOCKS("m/f", "c...............b");
}

TEST(sealed_cut, "a sealed layer that cut a file hides what is below its end")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(truncate("m/f", 3 * BLOCK));
	union_seal();
	EXPECT_BLOCKS("m/f", "aaa");
	ASSERT_OK(truncate("m/f", 6 * BLOCK));
	block_write("m/f", 0, 'b');
	EXPECT_BLOCKS("m/f", "baa...");
	union_seal();
	ASSERT_OK(truncate("m/f", 0));
	union_seal();
	EXPECT_BLOCKS("m/f", "");
	block_write("m/f", 1, 'c');
	union_remount();
	EXPECT_BLOCKS("m/f", ".c");
}

TEST(renamed, "a partial file keeps its data over renames of it and of its parents")
{
	lower(0, "d/e/f=");
	blocks_make("l0/d/e/f", "aaaa");
	mount_by_blocks();
	block_write("m/d/e/f", 1, 'b');
	ASSERT_OK(rename("m/d/e/f", "m/g"));
	union_remount();
	EXPECT_BLOCKS("m/g", "abaa");
	ASSERT_OK(mkdir("m/n", 0755));
	ASSERT_OK(rename("m/g", "m/n/g"));
	ASSERT_OK(rename("m/d", "m/n/d"));
	union_remount();
	EXPECT_BLOCKS("m/n/g", "abaa");
	block_write("m/n/g", 2, 'c');
	ASSERT_OK(rename("m/n", "m/o"));
	union_seal();
	EXPECT_BLOCKS("m/o/g", "abca");
	block_write("m/o/g", 3, 'd');
	ASSERT_OK(rename("m/o/g", "m/o/d/h"));
	union_seal();
	EXPECT_BLOCKS("m/o/d/h", "abcd");
}

TEST(renamed_dir, "a partial file below a directory that was renamed is found")
{
	lower(0, "d/e/f=");
	blocks_make("l0/d/e/f", "aaaa");
	mount_by_blocks();
	ASSERT_OK(rename("m/d/e", "m/x"));
	block_write("m/x/f", 0, 'b');
	ASSERT_OK(rename("m/x/f", "m/x/g"));
	union_seal();
	EXPECT_BLOCKS("m/x/g", "baaa");
	block_write("m/x/g", 3, 'c');
	ASSERT_OK(rename("m/x/g", "m/y"));
	union_seal();
	EXPECT_BLOCKS("m/y", "baac");
}

TEST(exchanged, "two partial files that change places keep their own data")
{
	lower(0, "f= d/g=");
	blocks_make("l0/f", "aaaa");
	blocks_make("l0/d/g", "bbbb");
	mount_by_blocks();
	block_write("m/f", 0, '1');
	block_write("m/d/g", 1, '2');
	ASSERT_OK(renameat2(AT_FDCWD, "m/f", AT_FDCWD, "m/d/g", RENAME_EXCHANGE));
	EXPECT_BLOCKS("m/f", "b2bb");
	union_seal();
	EXPECT_BLOCKS("m/f", "b2bb");
	EXPECT_BLOCKS("m/d/g", "1aaa");
}

TEST(recreated, "a name that is removed and made again has nothing of the partial file")
{
	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 0, 'b');
	ASSERT_OK(unlink("m/f"));
	blocks_make("m/f", "c");
	union_remount();
	EXPECT_BLOCKS("m/f", "c");
	ASSERT_OK(truncate("m/f", 2 * BLOCK));
	union_seal();
	EXPECT_BLOCKS("m/f", "c.");
}

TEST(linked, "hard links of a partial file are one file, wherever they are")
{
	lower(0, "d/f= e/");
	blocks_make("l0/d/f", "aaaa");
	mount_by_blocks();
	block_write("m/d/f", 0, 'b');
	ASSERT_OK(link("m/d/f", "m/e/g"));
	block_write("m/e/g", 1, 'c');
	union_remount();
	EXPECT_BLOCKS("m/e/g", "bcaa");
	EXPECT_EQ(ino_of("m/d/f"), ino_of("m/e/g"));
	block_write("m/d/f", 2, 'd');
	ASSERT_OK(unlink("m/d/f"));
	union_remount();
	EXPECT_BLOCKS("m/e/g", "bcda");
	union_seal();
	EXPECT_BLOCKS("m/e/g", "bcda");
}

TEST(linked_below, "lower hard links are one partial file, by the name that was written and by the others")
{
	lower(0, "d/f= e/g&d/f");
	blocks_make("l0/d/f", "aaaa");
	mount_by_blocks();
	block_write("m/d/f", 0, 'b');
	EXPECT_BLOCKS("m/e/g", "baaa");
	union_remount();
	EXPECT_BLOCKS("m/e/g", "baaa");
	block_write("m/e/g", 1, 'c');
	union_remount();
	EXPECT_BLOCKS("m/d/f", "bcaa");
	ASSERT_OK(unlink("m/d/f"));
	union_remount();
	EXPECT_BLOCKS("m/e/g", "bcaa");
	EXPECT_EQ(stat_of("m/e/g").st_nlink, 1);
}

TEST(linked_renamed, "a partial file that was found by another of its names keeps its data over more renames")
{
	lower(0, "f= d/");
	blocks_make("l0/f", "aaa");
	ASSERT_OK(link("l0/f", "l0/g"));
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	ASSERT_OK(rename("m/f", "m/h"));
	union_remount();
	EXPECT_BLOCKS("m/g", "aba");
	ASSERT_OK(rename("m/h", "m/d/k"));
	union_remount();
	EXPECT_BLOCKS("m/d/k", "aba");
	EXPECT_BLOCKS("m/g", "aba");
}

TEST(metacopy_below, "a file of which overlayfs copied up attributes only gets blocks like any other")
{
	lower(0, "f=");
	lower(1, "f=");
	blocks_make("l1/f", "aaaa");
	ASSERT_OK(truncate("l0/f", 4 * BLOCK));
	ASSERT_OK(setxattr("l0/f", "trusted.overlay.metacopy", "", 0, 0));
	mount_by_blocks();
	EXPECT_BLOCKS("m/f", "aaaa");
	block_write("m/f", 2, 'b');
	EXPECT_BLOCKS("m/f", "aaba");
	union_seal();
	EXPECT_BLOCKS("m/f", "aaba");
}

/* ------------------------------------------------------------------ what is not as it was */

static void expect_lost(void)
{
	EXPECT_BLOCKS("m/f", "EIO");
	EXPECT_ERR(truncate("m/f", 0), EIO);
	EXPECT_BLOCKS("m/g", "cccc");
	EXPECT_OK(unlink("m/f"));
	EXPECT(!exists("m/f"));
}

static void partial_begin(void)
{
	lower(0, "f= g=");
	blocks_make("l0/f", "aaaa");
	blocks_make("l0/g", "cccc");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	union_umount();
}

static void again(void)
{
	ASSERT_EQ(union_try("m", 0, "lowerdir=l0,upperdir=u,workdir=w,cow=block"), 0);
}

TEST(lower_gone, "a partial file whose lower file is gone is EIO, can be removed, and harms no other")
{
	partial_begin();
	ASSERT_OK(unlink("l0/f"));
	again();
	expect_lost();
}

TEST(lower_resized, "so is one whose lower file has another size")
{
	partial_begin();
	ASSERT_OK(truncate("l0/f", 5 * BLOCK));
	again();
	expect_lost();
}

/* Times go on by a tick of the kernel's, in which a file may be made and promoted. */
static void block_write_later(const char *path, int number, char letter)
{
	const struct timespec before = stat_of(path).st_ctim;
	struct timespec now;

	for (int i = 0; i < 100; i++) {
		block_write(path, number, letter);
		now = stat_of(path).st_ctim;
		if (now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec)
			return;
		usleep(1000);
	}
}

TEST(lower_rewritten, "and one whose lower file was written")
{
	partial_begin();
	block_write_later("l0/f", 0, 'x');
	again();
	expect_lost();
}

TEST(map_empty, "and one whose map is empty")
{
	partial_begin();
	ASSERT_OK(setxattr("u/f", MAP, "", 0, 0));
	again();
	expect_lost();
}

static ssize_t map_get(unsigned char *map, size_t size)
{
	return ASSERT_OK(getxattr("u/f", MAP, map, size));
}

TEST(map_bytes, "a map with any byte changed is EIO")
{
	unsigned char map[1024];
	ssize_t len;

	partial_begin();
	len = map_get(map, sizeof(map));
	for (ssize_t i = 0; i < len; i++) {
		map[i] ^= 0x10;
		ASSERT_OK(setxattr("u/f", MAP, map, len, 0));
		map[i] ^= 0x10;
		again();
		/* The version is one that this module does not know yet. */
		if (i == 8)
			EXPECT_BLOCKS("m/f", "EOPNOTSUPP");
		else
			EXPECT_BLOCKS("m/f", "EIO");
		EXPECT_BLOCKS("m/g", "cccc");
		union_umount();
	}
	ASSERT_OK(setxattr("u/f", MAP, map, len, 0));
	again();
	EXPECT_BLOCKS("m/f", "abaa");
}

TEST(map_truncated, "a map that ends early is EIO")
{
	unsigned char map[1024];
	ssize_t len;

	partial_begin();
	len = map_get(map, sizeof(map));
	for (ssize_t i = 0; i < len; i++) {
		ASSERT_OK(setxattr("u/f", MAP, map, i, 0));
		again();
		EXPECT_BLOCKS("m/f", "EIO");
		union_umount();
	}
	again();
	expect_lost();
}

/* ------------------------------------------------------------------ maps beside the file */

#define SCATTERED 2000

/* Every other block, so that the map does not fit the attribute. */
static void scatter(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	char block[BLOCK];

	block_fill(block, 's');
	for (int i = 0; i < SCATTERED; i += 2)
		ASSERT_EQ(pwrite(fd, block, BLOCK, (off_t)i * BLOCK), BLOCK);
	ASSERT_OK(fsync(fd));
	close(fd);
}

static int scattered_wrong(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC)), wrong = 0;
	char block[BLOCK];

	for (int i = 0; i < SCATTERED; i++)
		if (read(fd, block, BLOCK) != BLOCK || block_letter(block) != (i % 2 ? '.' : 's'))
			wrong++;
	close(fd);
	return wrong;
}

static void scattered_begin(void)
{
	lower(0, "f= g=");
	ASSERT_OK(truncate("l0/f", (off_t)SCATTERED * BLOCK));
	blocks_make("l0/g", "cccc");
	mount_by_blocks();
	scatter("m/f");
}

TEST(sidecar, "a map of many runs is kept beside the file, and goes with its last name")
{
	scattered_begin();
	EXPECT_EQ(sidecars(), 1);
	union_remount();
	EXPECT_EQ(scattered_wrong("m/f"), 0);
	ASSERT_OK(link("m/f", "m/h"));
	ASSERT_OK(unlink("m/f"));
	EXPECT_EQ(sidecars(), 1);
	union_remount();
	EXPECT_EQ(scattered_wrong("m/h"), 0);
	ASSERT_OK(rename("m/g", "m/h"));
	EXPECT_EQ(sidecars(), 0);
	EXPECT_BLOCKS("m/h", "cccc");
}

TEST(sidecar_unloaded, "it goes too when the file was not opened since the mount")
{
	scattered_begin();
	union_remount();
	ASSERT_OK(unlink("m/f"));
	EXPECT_EQ(sidecars(), 0);
}

TEST(sidecar_open, "a file that is removed while it is open is still all there")
{
	int fd;

	scattered_begin();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	ASSERT_OK(unlink("m/f"));
	ASSERT_EQ(pwrite(fd, "x", 1, BLOCK), 1);
	ASSERT_OK(fsync(fd));
	drop_caches();
	EXPECT_EQ(pread(fd, (char[2]){0}, 2, 2 * BLOCK), 2);
	EXPECT_EQ(sidecars(), 0);
	close(fd);
}

TEST(sidecar_sealed, "a layer with such a map can be moved and used below others")
{
	scattered_begin();
	union_seal();
	EXPECT_EQ(scattered_wrong("m/f"), 0);
	block_write("m/f", 1, 'x');
	union_seal();
	EXPECT_EQ(scattered_wrong("m/f"), 1);
	EXPECT_EQ(stat_of("u").st_nlink > 0, true);
}

TEST(sidecar_grows, "later blocks are added to it")
{
	scattered_begin();
	union_remount();
	block_write("m/f", 1, 'x');
	block_write("m/f", SCATTERED - 1, 'y');
	union_remount();
	EXPECT_EQ(scattered_wrong("m/f"), 2);
}

static const char *sidecar_path(void)
{
	static char path[300];
	DIR *dir = opendir("u/.shale/map");
	const struct dirent *entry;

	ASSERT(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			snprintf(path, sizeof(path), "u/.shale/map/%s", entry->d_name);
	closedir(dir);
	return path;
}

static void scattered_damage(void (*damage)(const char *path))
{
	scattered_begin();
	union_umount();
	damage(sidecar_path());
	again();
	expect_lost();
}

static void damage_remove(const char *path)
{
	ASSERT_OK(unlink(path));
}

static void damage_cut(const char *path)
{
	ASSERT_OK(truncate(path, stat_of(path).st_size - 512));
}

static void damage_bit(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	char byte;

	ASSERT_EQ(pread(fd, &byte, 1, BLOCK + 100), 1);
	byte ^= 1;
	ASSERT_EQ(pwrite(fd, &byte, 1, BLOCK + 100), 1);
	close(fd);
}

static void damage_replace(const char *path)
{
	damage_remove(path);
	ASSERT_OK(mkdir(path, 0700));
}

TEST(sidecar_missing, "a file whose sidecar is missing is EIO, can be removed, and harms no other")
{
	scattered_damage(damage_remove);
}

TEST(sidecar_cut, "so is one whose sidecar ends early")
{
	scattered_damage(damage_cut);
}

TEST(sidecar_flipped, "and one with a bit flipped in it")
{
	scattered_damage(damage_bit);
}

TEST(sidecar_replaced, "and one whose sidecar is no file")
{
	scattered_damage(damage_replace);
}

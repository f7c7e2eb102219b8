// SPDX-License-Identifier: GPL-2.0-only
/*
 * inode.c - tests of what stat(2) says about the identity of files on a union: one device, numbers that
 * are unique and that never change, whatever happens to the file.
 */
#include "ops.h"
#include "union.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

struct promotion {
	struct ktap_row row;
	const char *ops;
};

static const struct promotion promotions[] = {
	{{"append", "st_ino and st_dev stay the same when a lower file is written"}, "append f x"},
	{{"chmod", "st_ino and st_dev stay the same when a lower file's mode changes"}, "chmod 600 f"},
	{{"truncate", "st_ino and st_dev stay the same when a lower file is truncated"}, "trunc f 0"},
	{{"link", "st_ino and st_dev stay the same when a lower file gets a link"}, "link f g"},
	{{"xattr", "st_ino and st_dev stay the same when an attribute is set"},
	 "setx f trusted.k v"},
	{{"open", "st_ino and st_dev stay the same when a lower file is opened for writing"}, "open f"},
	{{"cold", "st_ino and st_dev stay the same when caches are dropped after a write"},
	 "append f x; drop"},
};
TEST_TABLE(promotion, struct promotion, promotions, c)
{
	struct stat before, after;
	int fd;

	lower(0, "f=1");
	union_mount();
	before = stat_of("m/f");
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	ops_run("m", c->ops);
	after = stat_of("m/f");
	EXPECT_EQ(before.st_ino, after.st_ino);
	EXPECT_EQ(before.st_dev, after.st_dev);
	ASSERT_OK(fstat(fd, &after));
	EXPECT_EQ(before.st_ino, after.st_ino);
	close(fd);
	union_remount();
	EXPECT_EQ(before.st_ino, ino_of("m/f"));
}

TEST(promotion_dir, "st_ino of a lower directory stays the same when it is promoted")
{
	ino_t before;

	lower(0, "d/e/a=1");
	union_mount();
	before = ino_of("m/d/e");
	file_write("m/d/e/b", "2");
	EXPECT_EQ(ino_of("m/d/e"), before);
	union_remount();
	EXPECT_EQ(ino_of("m/d/e"), before);
}

TEST(promotion_other_fs, "st_ino stays over promotion where the lower is on another filesystem")
{
	ino_t file, dir, link;

	side_mount("tmpfs", "l0", NULL);
	lower(0, "f=1 d/a=1 l@f");
	union_mount();
	file = ino_of("m/f");
	dir = ino_of("m/d");
	link = ino_of("m/l");
	ops_run("m", "append f x; create d/b 2; rename l k");
	EXPECT_EQ(ino_of("m/f"), file);
	EXPECT_EQ(ino_of("m/d"), dir);
	EXPECT_EQ(ino_of("m/k"), link);
	union_remount();
	EXPECT_EQ(ino_of("m/f"), file);
	EXPECT_EQ(ino_of("m/d"), dir);
	EXPECT_EQ(ino_of("m/k"), link);
}

TEST(promotion_special, "symbolic links and fifos keep their st_ino when promoted")
{
	ino_t fifo, link;

	lower(0, "l@f");
	ASSERT_OK(mknod("l0/p", S_IFIFO | 0644, 0));
	union_mount();
	fifo = ino_of("m/p");
	link = ino_of("m/l");
	ASSERT_OK(lchown("m/l", 1, 1));
	ASSERT_OK(chown("m/p", 1, 1));
	EXPECT_EQ(ino_of("m/p"), fifo);
	EXPECT_EQ(ino_of("m/l"), link);
	union_remount();
	EXPECT_EQ(ino_of("m/p"), fifo);
	EXPECT_EQ(ino_of("m/l"), link);
}

static ino_t *numbers;
static size_t numbers_count;
static dev_t the_device;

static int note_number(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)type;
	(void)ftw;
	numbers = realloc(numbers, (numbers_count + 1) * sizeof(*numbers));
	numbers[numbers_count++] = st->st_ino;
	if (st->st_dev != the_device)
		ktap_fail(__FILE__, __LINE__, "%s is on device %u:%u", path, major(st->st_dev),
			  minor(st->st_dev));
	return 0;
}

static int compare_numbers(const void *a, const void *b)
{
	ino_t one = *(const ino_t *)a, two = *(const ino_t *)b;

	return one < two ? -1 : one > two;
}

static void expect_unique(const char *dir)
{
	numbers_count = 0;
	the_device = stat_of(dir).st_dev;
	ASSERT_OK(nftw(dir, note_number, 16, FTW_PHYS));
	qsort(numbers, numbers_count, sizeof(*numbers), compare_numbers);
	for (size_t i = 1; i < numbers_count; i++)
		if (numbers[i] == numbers[i - 1])
			ktap_fail(__FILE__, __LINE__, "two objects have st_ino %lu", numbers[i]);
}

TEST(unique, "every object of one mount has its own st_ino and all have the mount's st_dev")
{
	lower(0, "a=1 d/b=2 d/e/ l@a");
	lower(1, "c=1 d/f=2 g/");
	upper("h=3 d/i=4 j/");
	union_mount();
	expect_unique("m");
	ops_run("m", "append a x; append c x; create new 1; mkdir d/k; rename g m");
	expect_unique("m");
	union_remount();
	expect_unique("m");
}

TEST(unique_other_fs, "st_ino is unique and st_dev uniform over three filesystems of layers")
{
	side_mount("tmpfs", "l0", NULL);
	side_mount("tmpfs", "l1", NULL);
	lower(0, "a=1 d/b=2 d/e/ l@a");
	lower(1, "c=1 d/f=2 g/ k=1");
	upper("h=3 d/i=4 j/");
	union_mount();
	expect_unique("m");
	ops_run("m", "append a x; append c x; create new 1; mkdir d/k; rename g n");
	expect_unique("m");
	union_remount();
	expect_unique("m");
}

TEST(device_of_mount, "st_dev is the device that the table of mounts shows")
{
	char line[4096], want[32];
	bool found = false;
	struct stat st;
	FILE *table;

	need_union();
	lower(0, "a=1 d/");
	union_mount();
	st = stat_of("m/a");
	snprintf(want, sizeof(want), " %u:%u / ", major(st.st_dev), minor(st.st_dev));
	table = fopen("/proc/self/mountinfo", "re");
	while (fgets(line, sizeof(line), table))
		found |= strstr(line, want) && strstr(line, "/m ");
	fclose(table);
	EXPECT(found);
	EXPECT_EQ(stat_of("m/d").st_dev, st.st_dev);
}

TEST(different_mounts, "two mounts of the same layers have different devices")
{
	need_union();
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.readonly = true});
	ASSERT_OK(mkdir("n", 0755));
	ASSERT_OK(mkdir("extra", 0755));
	ASSERT_OK(union_try("n", 0, "lowerdir=l0:extra"));
	EXPECT(stat_of("m/a").st_dev != stat_of("n/a").st_dev);
}

TEST(new_is_new, "a file made after another was removed is another file")
{
	struct stat before, after;
	int fd;

	lower(0, "a=1");
	union_mount();
	before = stat_of("m/a");
	fd = ASSERT_OK(open("m/a", O_RDONLY));
	ASSERT_OK(unlink("m/a"));
	file_write("m/a", "2");
	after = stat_of("m/a");
	EXPECT(before.st_ino != after.st_ino);
	close(fd);
}

TEST(size_after_promotion, "size, blocks and link count are right after a file was promoted")
{
	struct stat st;

	lower(0, "a=12345");
	union_mount();
	ASSERT_OK(chmod("m/a", 0600));
	st = stat_of("m/a");
	EXPECT_EQ(st.st_size, 5);
	EXPECT_EQ(st.st_nlink, 1);
	EXPECT_EQ(st.st_mode, S_IFREG | 0600);
}

TEST(statx_mask, "statx reports the basic fields and the birth of a lower file stays in the past")
{
	struct statx stx;

	lower(0, "a=1");
	union_mount();
	ASSERT_OK(statx(AT_FDCWD, "m/a", 0, STATX_BASIC_STATS, &stx));
	EXPECT_EQ(stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	EXPECT_EQ(stx.stx_size, 1);
	EXPECT_EQ(makedev(stx.stx_dev_major, stx.stx_dev_minor), stat_of("m").st_dev);
}

TEST(mount_root_flag, "statx marks the root of the mount as one and a directory below not")
{
	struct statx stx;

	need_union();
	lower(0, "d/");
	union_mount();
	ASSERT_OK(statx(AT_FDCWD, "m", 0, STATX_BASIC_STATS, &stx));
	EXPECT(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	ASSERT_OK(statx(AT_FDCWD, "m/d", 0, STATX_BASIC_STATS, &stx));
	EXPECT(!(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT));
}

TEST(ino_of_copied_upper, "files of an upper copied elsewhere get numbers of their own")
{
	need_union();
	lower(0, "a=1 b=2");
	union_mount();
	ops_run("m", "append a x; append b x");
	union_umount();
	ASSERT_EQ(system("cp -a u u2 && rm -rf u && mv u2 u && rm -rf w && mkdir w"), 0);
	union_mount();
	EXPECT_TREE("m", "a=1x b=2x");
	expect_unique("m");
	EXPECT_TREE_SOUND("m");
}

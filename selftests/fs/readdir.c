// SPDX-License-Identifier: GPL-2.0-only
/*
 * readdir.c - tests of reading directories of a union: every name once, the same inode numbers as
 * stat(2), positions, and changes made while somebody reads. Which names show at all: lookup.c.
 */
#include "ops.h"
#include "union.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define MANY 10000

struct raw_dirent {
	unsigned long long d_ino;
	long long d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

static void make_empty(const char *dir, const char *prefix, int from, int to)
{
	char path[64];

	for (int i = from; i < to; i++) {
		snprintf(path, sizeof(path), "%s/%s%d", dir, prefix, i);
		ASSERT_OK(close(ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644))));
	}
}

/* Names "fN" seen in DIR counted in SEEN (one byte each); returns how many entries there were. */
static int count_names(DIR *dir, unsigned char *seen, int size)
{
	struct dirent *entry;
	int total = 0;

	while ((entry = readdir(dir))) {
		int number;

		if (entry->d_name[0] == '.')
			continue;
		total++;
		number = atoi(entry->d_name + 1);
		if (number >= 0 && number < size)
			seen[number]++;
	}
	return total;
}

static void expect_each_once(const unsigned char *seen, int count)
{
	int missing = 0, repeated = 0;

	for (int i = 0; i < count; i++) {
		missing += seen[i] == 0;
		repeated += seen[i] > 1;
	}
	EXPECT_EQ(missing, 0);
	EXPECT_EQ(repeated, 0);
}

TEST(dots, "the listing has . and .. once each, with the inode numbers stat gives")
{
	struct dirent *entry;
	int dot = 0, dotdot = 0;
	DIR *dir;

	lower(0, "d/e/a=1");
	upper("d/e/b=2");
	union_mount();
	dir = opendir("m/d/e");
	while ((entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".")) {
			dot++;
			EXPECT_EQ(entry->d_ino, ino_of("m/d/e"));
		}
		if (!strcmp(entry->d_name, "..")) {
			dotdot++;
			EXPECT_EQ(entry->d_ino, ino_of("m/d"));
		}
	}
	EXPECT_EQ(dot, 1);
	EXPECT_EQ(dotdot, 1);
	closedir(dir);
}

TEST(once, "a name present in every layer is listed once")
{
	unsigned char seen[3] = {0};
	DIR *dir;

	lower(0, "f0=1 f1=1");
	lower(1, "f0=2 f2=2");
	upper("f0=3 f1=3");
	union_mount();
	dir = opendir("m");
	EXPECT_EQ(count_names(dir, seen, 3), 3);
	expect_each_once(seen, 3);
	closedir(dir);
}

TEST(ten_thousand, "a merged directory of 10,000 names lists every one once")
{
	unsigned char *seen = calloc(1, MANY);
	DIR *dir;

	lower(0, "d/");
	lower(1, "d/");
	upper("d/");
	make_empty("l0/d", "f", 0, 4000);
	make_empty("l1/d", "f", 3000, 7000);
	make_empty("u/d", "f", 6000, MANY);
	union_mount();
	dir = opendir("m/d");
	EXPECT_EQ(count_names(dir, seen, MANY), MANY);
	expect_each_once(seen, MANY);
	closedir(dir);
}

TEST(small_buffer, "reading with a buffer for one entry lists every name once")
{
	unsigned char seen[200] = {0};
	char buffer[64];
	int fd, total = 0;
	long got;

	lower(0, "");
	upper("");
	make_empty("l0", "f", 0, 100);
	make_empty("u", "f", 100, 200);
	union_mount();
	fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY));
	while ((got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < got;) {
			struct raw_dirent *entry = (void *)(buffer + at);

			if (entry->d_name[0] == 'f') {
				seen[atoi(entry->d_name + 1)]++;
				total++;
			}
			at += entry->d_reclen;
		}
	}
	EXPECT_EQ(got, 0);
	EXPECT_EQ(total, 200);
	expect_each_once(seen, 200);
	close(fd);
}

TEST(tiny_buffer, "a buffer too small for one entry gives EINVAL")
{
	char buffer[8];
	int fd;

	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY));
	EXPECT_ERR(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), EINVAL);
	close(fd);
}

TEST(telldir, "seekdir to a position told before continues with the same entry")
{
	char names[100][16];
	struct dirent *entry;
	long where[100];
	int count = 0;
	DIR *dir;

	lower(0, "");
	upper("");
	make_empty("l0", "f", 0, 30);
	make_empty("u", "f", 30, 60);
	union_mount();
	dir = opendir("m");
	for (;; count++) {
		where[count] = telldir(dir);
		entry = readdir(dir);
		if (!entry)
			break;
		snprintf(names[count], sizeof(names[0]), "%.15s", entry->d_name);
	}
	EXPECT_EQ(count, 62);
	for (int i = count - 1; i >= 0; i--) {
		seekdir(dir, where[i]);
		entry = readdir(dir);
		if (EXPECT(entry != NULL))
			EXPECT_STREQ(entry->d_name, names[i]);
	}
	closedir(dir);
}

TEST(rewind_sees_new, "rewinddir shows what was created and removed meanwhile")
{
	unsigned char seen[4] = {0};
	DIR *dir;

	lower(0, "f0=1 f1=1");
	upper("f2=2");
	union_mount();
	dir = opendir("m");
	count_names(dir, (unsigned char[4]){0}, 4);
	ops_run("m", "unlink f0; create f3 3");
	rewinddir(dir);
	EXPECT_EQ(count_names(dir, seen, 4), 3);
	EXPECT_EQ(seen[0], 0);
	EXPECT_EQ(seen[3], 1);
	closedir(dir);
}

TEST(lseek_end, "lseek on a directory to before its start gives EINVAL")
{
	int fd;

	lower(0, "d/a=1");
	upper("d/b=1");
	union_mount();
	fd = ASSERT_OK(open("m/d", O_RDONLY | O_DIRECTORY));
	EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
	close(fd);
}

TEST(delete_while_reading, "removing every name while reading removes them all, as rm -r does")
{
	struct dirent *entry;
	char path[300];
	DIR *dir;

	lower(0, "d/");
	upper("d/");
	make_empty("l0/d", "f", 0, 300);
	make_empty("u/d", "f", 200, 500);
	union_mount();
	dir = opendir("m/d");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "m/d/%s", entry->d_name);
		EXPECT_OK(unlink(path));
	}
	closedir(dir);
	EXPECT_OK(rmdir("m/d"));
}

TEST(create_while_reading, "names that stay are listed exactly once while others come and go")
{
	unsigned char seen[200] = {0};
	struct dirent *entry;
	int step = 0;
	char path[64];
	DIR *dir;

	lower(0, "");
	upper("");
	make_empty("l0", "f", 0, 100);
	make_empty("u", "f", 100, 200);
	union_mount();
	dir = opendir("m");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == 'f')
			seen[atoi(entry->d_name + 1)]++;
		snprintf(path, sizeof(path), "m/x%d", step);
		if (step < 50)
			file_write(path, "1");
		else if (step < 100)
			snprintf(path, sizeof(path), "m/x%d", step - 50), unlink(path);
		step++;
	}
	expect_each_once(seen, 200);
	closedir(dir);
}

TEST(two_readers, "two readers of one directory do not disturb each other")
{
	unsigned char one[60] = {0}, two[60] = {0};
	DIR *first, *second;

	lower(0, "");
	upper("");
	make_empty("l0", "f", 0, 30);
	make_empty("u", "f", 30, 60);
	union_mount();
	first = opendir("m");
	second = opendir("m");
	readdir(first);
	EXPECT_EQ(count_names(second, two, 60), 60);
	count_names(first, one, 60);
	expect_each_once(two, 60);
	closedir(first);
	closedir(second);
}

TEST(removed_directory, "reading a directory that was removed lists nothing")
{
	unsigned char seen[1] = {0};
	DIR *dir;

	lower(0, "d/");
	upper("d/");
	union_mount();
	dir = opendir("m/d");
	ASSERT_OK(rmdir("m/d"));
	EXPECT_EQ(count_names(dir, seen, 1), 0);
	closedir(dir);
}

TEST(after_promotion, "a directory open since before its promotion lists what is made in it")
{
	unsigned char seen[2] = {0};
	DIR *dir;

	lower(0, "d/f0=1");
	union_mount();
	dir = opendir("m/d");
	file_write("m/d/f1", "1");
	rewinddir(dir);
	EXPECT_EQ(count_names(dir, seen, 2), 2);
	expect_each_once(seen, 2);
	closedir(dir);
}

TEST(d_ino_promotion, "d_ino of a file stays the same when it is written")
{
	overlay_lacks("right d_ino for merged directories it did not make itself");
	lower(0, "d/a=1 d/b=2");
	upper("d/c=3");
	union_mount();
	EXPECT_TREE_SOUND("m");
	ops_run("m", "append d/a x; chmod 600 d/b; rename d/c d/e");
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_TREE_SOUND("m");
}

TEST(d_ino_other_fs, "d_ino agrees with st_ino where lower and upper are on different filesystems")
{
	side_mount("tmpfs", "l0", NULL);
	lower(0, "d/a=1 d/b=2 e/c=3");
	upper("d/d=4");
	union_mount();
	EXPECT_TREE_SOUND("m");
	ops_run("m", "append d/a x; rename e d/e");
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_TREE_SOUND("m");
}

TEST(d_type, "d_type tells files, directories, links, fifos and devices of any layer")
{
	struct dirent *entry;
	DIR *dir;

	lower(0, "f=1 d/ l@f");
	upper("uf=1 ud/ ul@f");
	ASSERT_OK(mknod("l0/p", S_IFIFO | 0644, 0));
	union_mount();
	dir = opendir("m");
	while ((entry = readdir(dir))) {
		char path[300];

		snprintf(path, sizeof(path), "m/%s", entry->d_name);
		EXPECT_EQ(DTTOIF(entry->d_type), stat_of(path).st_mode & S_IFMT);
	}
	closedir(dir);
}

TEST(not_a_directory, "reading a file as a directory gives ENOTDIR")
{
	char buffer[512];
	int fd;

	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDONLY));
	EXPECT_ERR(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)), ENOTDIR);
	close(fd);
}

TEST(read_directory, "read(2) of a directory gives EISDIR")
{
	char buffer[16];
	int fd;

	lower(0, "d/");
	union_mount();
	fd = ASSERT_OK(open("m/d", O_RDONLY));
	EXPECT_ERR(read(fd, buffer, sizeof(buffer)), EISDIR);
	close(fd);
}

TEST(unreadable, "a directory without read permission cannot be listed by others: EACCES")
{
	lower(0, "d/a=1");
	ASSERT_OK(chmod("l0/d", 0711));
	union_mount();
	AS_UID(1000) {
		EXPECT_ERR(open("m/d", O_RDONLY | O_DIRECTORY), EACCES);
		EXPECT_STREQ(file_text("m/d/a"), "1");
	}
}

TEST(whiteouts_many, "a thousand removed lower names are not listed, also after a remount")
{
	unsigned char seen[1000] = {0};
	char path[32];
	DIR *dir;

	lower(0, "");
	make_empty("l0", "f", 0, 1000);
	union_mount();
	for (int i = 0; i < 1000; i += 2) {
		snprintf(path, sizeof(path), "m/f%d", i);
		ASSERT_OK(unlink(path));
	}
	union_remount();
	dir = opendir("m");
	EXPECT_EQ(count_names(dir, seen, 1000), 500);
	for (int i = 0; i < 1000; i++)
		if (seen[i] != (i % 2))
			ktap_fail(__FILE__, __LINE__, "f%d is listed %d times", i, seen[i]);
	closedir(dir);
}

TEST(root_listing, "the root of a mount without an upper lists every layer's names once")
{
	unsigned char seen[6] = {0};
	DIR *dir;

	lower(0, "f0=1 f1=1 f2=1");
	lower(1, "f2=1 f3=1");
	lower(2, "f4=1 f5=1 f0=1");
	union_mount_with(&(struct union_opts){.readonly = true});
	dir = opendir("m");
	EXPECT_EQ(count_names(dir, seen, 6), 6);
	expect_each_once(seen, 6);
	closedir(dir);
}

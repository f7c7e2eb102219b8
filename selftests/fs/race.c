// SPDX-License-Identifier: GPL-2.0-only
/*
 * race.c - tests of several processes at once on one union: whatever the order, each sees a state that
 * some order would have made, and nothing is lost.
 */
#include "union.h"

#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#define WORKERS 4

/* Runs WORK in WORKERS processes that start together; each gets its number. */
static void run_workers(void (*work)(int number))
{
	volatile int *gate = shared_memory(sizeof(*gate));
	pid_t pids[WORKERS];
	int status;

	fflush(stdout);
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			while (!*gate)
				sched_yield();
			work(i);
			ktap_child_end();
		}
	}
	*gate = 1;
	for (int i = 0; i < WORKERS; i++) {
		ASSERT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT(WIFEXITED(status));
	}
}

static void append_line(const char *path, char byte)
{
	int fd = EXPECT_OK(open(path, O_WRONLY | O_APPEND | O_CLOEXEC));

	EXPECT_EQ(write(fd, &byte, 1), 1);
	close(fd);
}

static void work_promote(int number)
{
	char path[32];

	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "m/f%d", i);
		append_line(path, '0' + number);
	}
}

TEST(promote_same, "processes that promote the same files at once all have their write kept")
{
	char path[32];

	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "f%d=x", i);
		lower(0, path);
	}
	union_mount();
	run_workers(work_promote);
	for (int i = 0; i < 30; i++) {
		snprintf(path, sizeof(path), "m/f%d", i);
		EXPECT_EQ(strlen(file_text(path)), WORKERS + 1);
	}
	union_umount();
	expect_work_clean();
}

#define ALIASED 60

static void append_to_alias(int file, int number)
{
	char path[32];

	snprintf(path, sizeof(path), "m/f%d.%d", file, number);
	append_line(path, '0' + number);
}

static void work_promote_alias(int number)
{
	for (int i = 0; i < ALIASED; i++)
		append_to_alias(i, number);
}

static void work_promote_alias_dropping(int number)
{
	for (int i = 0; i < ALIASED; i++) {
		if (number == 0)
			drop_caches();
		append_to_alias(i, number);
	}
}

static void promote_aliases(void (*work)(int number))
{
	char spec[256];

	for (int i = 0; i < ALIASED; i++) {
		snprintf(spec, sizeof(spec), "f%d.0=x f%d.1&f%d.0 f%d.2&f%d.0 f%d.3&f%d.0", i, i, i, i, i, i,
			 i);
		lower(0, spec);
	}
	union_mount();
	run_workers(work);
	union_remount();
	for (int i = 0; i < ALIASED; i++) {
		snprintf(spec, sizeof(spec), "m/f%d.0", i);
		EXPECT_EQ(strlen(file_text(spec)), WORKERS + 1);
		EXPECT_EQ(stat_of(spec).st_nlink, 4);
	}
}

TEST(promote_alias, "processes that write different hard links of a file at once write one file")
{
	promote_aliases(work_promote_alias);
}

TEST(promote_alias_dropping, "hard links written at once are one file though caches are dropped")
{
	promote_aliases(work_promote_alias_dropping);
}

static void work_promote_dir(int number)
{
	char path[64];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "m/d%d/a/b/c/new%d", i, number);
		file_write(path, "1");
	}
}

TEST(promote_parents, "processes that create in the same lower directories at once all succeed")
{
	char path[64];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "d%d/a/b/c/old=0", i);
		lower(0, path);
	}
	union_mount();
	run_workers(work_promote_dir);
	for (int i = 0; i < 10; i++)
		for (int j = 0; j < WORKERS; j++) {
			snprintf(path, sizeof(path), "m/d%d/a/b/c/new%d", i, j);
			EXPECT_STREQ(file_text(path), "1");
		}
	EXPECT_TREE_SOUND("m");
}

static void work_create(int number)
{
	char path[32];

	for (int i = 0; i < 200; i++) {
		int fd;

		snprintf(path, sizeof(path), "m/d/f%d", i % 10);
		fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
		if (fd >= 0) {
			EXPECT_EQ(write(fd, "x", 1), 1);
			close(fd);
		} else {
			EXPECT_EQ(errno, EEXIST);
		}
		if ((i + number) % 2 && unlink(path) < 0)
			EXPECT_EQ(errno, ENOENT);
	}
}

TEST(create_unlink, "create and unlink of the same names from many processes give only right errors")
{
	lower(0, "d/f0=0 d/f1=1 d/f2=2 d/f3=3 d/f4=4");
	union_mount();
	run_workers(work_create);
	EXPECT_TREE_SOUND("m");
}

static void work_once(int number)
{
	char path[32];
	int wins = 0;

	(void)number;
	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "m/d/f%d", i);
		wins += unlink(path) == 0;
	}
	for (int i = 0; i < wins; i++)
		append_line("count", 'x');
}

TEST(unlink_once, "of many processes that remove a lower file exactly one succeeds")
{
	char path[32];

	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "d/f%d=x", i);
		lower(0, path);
	}
	file_write("count", "");
	union_mount();
	run_workers(work_once);
	EXPECT_EQ(stat_of("count").st_size, 50);
	EXPECT_TREE("m", "d/");
}

static void work_mkdir(int number)
{
	int wins = 0;

	(void)number;
	for (int i = 0; i < 100; i++) {
		if (mkdir("m/d", 0755) == 0)
			wins++;
		else
			EXPECT_EQ(errno, EEXIST);
		if (rmdir("m/d") == 0)
			wins--;
		else
			EXPECT(errno == ENOENT || errno == ENOTEMPTY);
	}
}

TEST(mkdir_rmdir, "mkdir and rmdir of one lower name from many processes give only right errors")
{
	lower(0, "d/ x=1");
	union_mount();
	run_workers(work_mkdir);
	EXPECT_TREE_SOUND("m");
	rmdir("m/d");
	EXPECT_TREE("m", "x=1");
}

static void make_and_remove(void)
{
	EXPECT_OK(mkdir("m/d", 0755));
	EXPECT_OK(mkdir("m/d/e", 0755));
	EXPECT_OK(rmdir("m/d/e"));
	EXPECT_OK(rmdir("m/d"));
}

/* A directory goes while others are on their way through it without a reference to it. */
static void work_walk(int number)
{
	for (int i = 0; number == 0 && i < 750; i++)
		make_and_remove();
	for (int i = 0; number != 0 && i < 3000; i++)
		EXPECT(access("m/d/e/f", F_OK) < 0 && errno == ENOENT);
}

TEST(walk, "walks through a directory that is removed and made again end in ENOENT")
{
	lower(0, "x=1");
	union_mount();
	run_workers(work_walk);
	EXPECT_TREE("m", "x=1");
}

static void work_rename(int number)
{
	char from[32], to[32];

	srandom(number);
	for (int i = 0; i < 150; i++) {
		snprintf(from, sizeof(from), "m/%c/f%ld", "abc"[random() % 3], random() % 5);
		snprintf(to, sizeof(to), "m/%c/f%ld", "abc"[random() % 3], random() % 5);
		if (rename(from, to) < 0)
			EXPECT_EQ(errno, ENOENT);
	}
}

TEST(rename_files, "renames of lower files over each other leave whole files under some of the names")
{
	char dump[8192];

	lower(0, "a/f0=aaaa a/f1=aaaa a/f2=aaaa b/f0=aaaa b/f3=aaaa c/f4=aaaa c/f0=aaaa");
	union_mount();
	run_workers(work_rename);
	snprintf(dump, sizeof(dump), "%s", tree_dump("m"));
	EXPECT(!strstr(dump, "?("));
	EXPECT(strstr(dump, "=aaaa"));
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_STREQ(tree_dump("m"), dump);
}

static void work_rename_dir(int number)
{
	char from[64], to[64];

	srandom(number * 7 + 1);
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof(from), "m/p%ld/d%ld", random() % 2, random() % 3);
		snprintf(to, sizeof(to), "m/p%ld/d%ld", random() % 2, random() % 3);
		if (rename(from, to) < 0)
			EXPECT(errno == ENOENT || errno == ENOTEMPTY || errno == EEXIST);
	}
}

TEST(rename_dirs, "renames of lower directories across parents lose none and double none")
{
	char dump[8192];
	int found = 0;

	lower(0, "p0/d0/x=0 p0/d1/y=1 p1/d2/z=2");
	union_mount();
	run_workers(work_rename_dir);
	snprintf(dump, sizeof(dump), "%s", tree_dump("m"));
	for (char *at = dump; (at = strchr(at, '=')); at++)
		found++;
	EXPECT_EQ(found, 3);
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_STREQ(tree_dump("m"), dump);
}

static void work_exchange(int number)
{
	(void)number;
	for (int i = 0; i < 60; i++)
		EXPECT_OK(renameat2(AT_FDCWD, "m/a", AT_FDCWD, "m/b", RENAME_EXCHANGE));
}

TEST(exchange, "an even number of exchanges of two lower directories by many processes changes nothing")
{
	lower(0, "a/x=1 b/y=2");
	union_mount();
	run_workers(work_exchange);
	EXPECT_TREE("m", "a/x=1 b/y=2");
	union_remount();
	EXPECT_TREE("m", "a/x=1 b/y=2");
}

static void work_link(int number)
{
	char path[32];

	for (int i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "m/l%d.%d", number, i);
		EXPECT_OK(link("m/f", path));
		if (i % 2)
			EXPECT_OK(unlink(path));
	}
}

TEST(link_count, "links made and removed by many processes add up to the right count")
{
	lower(0, "f=1");
	union_mount();
	run_workers(work_link);
	EXPECT_EQ(stat_of("m/f").st_nlink, 1 + WORKERS * 25);
	union_remount();
	EXPECT_EQ(stat_of("m/f").st_nlink, 1 + WORKERS * 25);
}

static void work_rename_vs_promote(int number)
{
	char path[64];

	for (int i = 0; i < 60; i++) {
		if (number == 0) {
			rename("m/d", "m/e");
			rename("m/e", "m/d");
		} else {
			snprintf(path, sizeof(path), "m/%s/f%d", i % 2 ? "d" : "e", number);
			int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

			if (fd >= 0) {
				EXPECT_EQ(write(fd, "x", 1), 1);
				close(fd);
			} else {
				EXPECT_EQ(errno, ENOENT);
			}
		}
	}
}

TEST(rename_while_promoting, "files are promoted into the right directory while it is renamed")
{
	lower(0, "d/f1=1 d/f2=1 d/f3=1");
	union_mount();
	run_workers(work_rename_vs_promote);
	EXPECT(exists("m/d/f1") && exists("m/d/f2") && exists("m/d/f3"));
	EXPECT(!exists("m/e"));
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT(exists("m/d/f1") && exists("m/d/f2") && exists("m/d/f3"));
}

static void work_read_write(int number)
{
	char byte, path[32];

	for (int i = 0; i < 100; i++) {
		int fd;

		snprintf(path, sizeof(path), "m/f%d", i % 10);
		fd = EXPECT_OK(open(path, number ? O_RDONLY : O_RDWR));
		EXPECT_EQ(pread(fd, &byte, 1, 0), 1);
		EXPECT(byte == 'a');
		if (number == 0)
			EXPECT_EQ(pwrite(fd, "b", 1, 1 + i), 1);
		close(fd);
		if (number == 1)
			drop_caches();
	}
}

TEST(read_while_promoting, "readers see the right bytes while files are promoted and caches dropped")
{
	char path[32];

	for (int i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "f%d=aaaa", i);
		lower(0, path);
	}
	union_mount();
	run_workers(work_read_write);
}

static void work_readdir(int number)
{
	char path[32];

	for (int i = 0; i < 60; i++) {
		if (number % 2) {
			tree_dump("m/d");
			continue;
		}
		snprintf(path, sizeof(path), "m/d/n%d.%d", number, i);
		file_write(path, "1");
		snprintf(path, sizeof(path), "m/d/f%d", i);
		unlink(path);
	}
}

TEST(readdir, "listing a merged directory while it changes gives no errors and ends right")
{
	char path[32];

	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "d/f%d=x", i);
		lower(0, path);
	}
	union_mount();
	run_workers(work_readdir);
	EXPECT_EQ(tree_count_files("m/d"), 120);
	EXPECT_TREE_SOUND("m");
}

static void work_counter(int number)
{
	(void)number;
	for (int i = 0; i < 100; i++) {
		int fd = ASSERT_OK(open("m/count", O_RDWR | O_CLOEXEC));
		char text[16] = "";

		ASSERT_OK(flock(fd, LOCK_EX));
		EXPECT(pread(fd, text, sizeof(text) - 1, 0) > 0);
		snprintf(text, sizeof(text), "%d", atoi(text) + 1);
		EXPECT(pwrite(fd, text, strlen(text), 0) > 0);
		close(fd);
	}
}

TEST(locked_counter, "a counter in a lower file that processes raise under a lock ends right")
{
	char want[16];

	lower(0, "count=0");
	union_mount();
	run_workers(work_counter);
	snprintf(want, sizeof(want), "%d", WORKERS * 100);
	EXPECT_STREQ(file_text("m/count"), want);
}

#define MAPPED_SIZE  65536
#define MAPPED_FILES 8
#define STRIDE	     8 /* of as many bytes each worker has one, and nobody the others */

static int mapped_file;

static void mapped_path(char path[16])
{
	snprintf(path, 16, "m/f%d", mapped_file);
}

/* Those with odd numbers store through a mapping. */
static void work_mmap(int number)
{
	char path[16], *at;
	int fd;

	mapped_path(path);
	fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	at = mmap(NULL, MAPPED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(at != MAP_FAILED);
	for (int i = number; i < MAPPED_SIZE; i += STRIDE) {
		if (number % 2)
			at[i] = '0' + number;
		else if (pwrite(fd, (char[]){'0' + number}, 1, i) != 1)
			ktap_fail(__FILE__, __LINE__, "pwrite: %s", strerror(errno));
	}
	close(fd);
}

static void make_mapped_files(void)
{
	static char bytes[MAPPED_SIZE];
	char path[16];
	int fd;

	lower(0, "");
	memset(bytes, 'x', sizeof(bytes));
	for (int i = 0; i < MAPPED_FILES; i++) {
		snprintf(path, sizeof(path), "l0/f%d", i);
		fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		ASSERT_EQ(write(fd, bytes, sizeof(bytes)), MAPPED_SIZE);
		close(fd);
	}
	union_mount();
}

static int count_wrong(void)
{
	static char bytes[MAPPED_SIZE];
	int fd, wrong = 0;
	char path[16];

	mapped_path(path);
	fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(read(fd, bytes, sizeof(bytes)), MAPPED_SIZE);
	for (int i = 0; i < MAPPED_SIZE; i++)
		wrong += bytes[i] != (i % STRIDE < WORKERS ? '0' + i % STRIDE : 'x');
	close(fd);
	return wrong;
}

static void write_mapped_files(void)
{
	for (mapped_file = 0; mapped_file < MAPPED_FILES; mapped_file++) {
		run_workers(work_mmap);
		EXPECT_EQ(count_wrong(), 0);
	}
	union_remount();
	for (mapped_file = 0; mapped_file < MAPPED_FILES; mapped_file++)
		EXPECT_EQ(count_wrong(), 0);
}

TEST(mmap_and_write, "stores and writes to different bytes of the same pages are all kept")
{
	make_mapped_files();
	write_mapped_files();
}

TEST(mmap_and_write_dropping, "stores and writes to the same pages are kept though caches are dropped")
{
	pid_t dropper;

	make_mapped_files();
	fflush(stdout);
	dropper = ASSERT_OK(fork());
	while (dropper == 0)
		drop_caches();
	write_mapped_files();
	kill(dropper, SIGKILL);
	ASSERT_EQ(waitpid(dropper, NULL, 0), dropper);
}

static void work_remount(int number)
{
	char path[32];

	for (int i = 0; i < 50; i++) {
		if (number == 0) {
			mount(NULL, "m", NULL, MS_REMOUNT | (i % 2 ? 0 : MS_RDONLY), NULL);
			continue;
		}
		snprintf(path, sizeof(path), "m/f%d", number);
		int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

		if (fd < 0) {
			EXPECT_EQ(errno, EROFS);
		} else {
			EXPECT_EQ(write(fd, "x", 1), 1);
			close(fd);
		}
	}
}

TEST(remount, "writers get EROFS or succeed while the mount flips between read-only and read-write")
{
	need_union();
	lower(0, "f1=1 f2=1 f3=1");
	union_mount();
	run_workers(work_remount);
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	append_line("m/f1", 'y');
}

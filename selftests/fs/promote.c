// SPDX-License-Identifier: GPL-2.0-only
/*
 * promote.c - tests of the moment in which a lower file moves to the upper: nothing half-made is ever seen,
 * an error leaves everything as it was, a killed process leaves nothing behind.
 */
#include "ops.h"
#include "union.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define MIB (1024 * 1024)

static void make_big(const char *path, int mib)
{
	char *buffer = malloc(MIB);
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));

	for (int i = 0; i < mib; i++) {
		memset(buffer, 'a' + i % 26, MIB);
		ASSERT_EQ(write(fd, buffer, MIB), MIB);
	}
	close(fd);
	free(buffer);
}

static void expect_big(const char *path, int mib)
{
	char *buffer = malloc(MIB);
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	EXPECT_EQ(stat_of(path).st_size, (long)mib * MIB);
	for (int i = 0; i < mib; i++) {
		ssize_t got = read(fd, buffer, MIB);

		if (got != MIB || buffer[0] != 'a' + i % 26 || buffer[MIB - 1] != 'a' + i % 26) {
			ktap_fail(__FILE__, __LINE__, "%s: MiB %d is wrong", path, i);
			break;
		}
	}
	close(fd);
	free(buffer);
}

/* An upper on a tmpfs of its own, which is small; the layers stay on the backing filesystem. Files are copied. */
static void mount_small(const char *options)
{
	side_mount("tmpfs", "small", options);
	ASSERT_OK(mkdir("small/u", 0755));
	ASSERT_OK(mkdir("small/w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, is_overlay() ?
					    "lowerdir=l0,upperdir=small/u,workdir=small/w,redirect_dir=on" :
					    "lowerdir=l0,upperdir=small/u,workdir=small/w,cow=copy"));
}

TEST(no_space, "a promotion that runs out of space gives ENOSPC and leaves the file as it was")
{
	int fd;

	need_union();
	lower(0, "small=1 d/x=1");
	make_big("l0/d/f", 8);
	mount_small("size=4m");
	fd = open("m/d/f", O_WRONLY);
	if (fd >= 0) {
		EXPECT(write(fd, "x", 1) < 0);
		EXPECT_EQ(errno, ENOSPC);
		close(fd);
	} else {
		EXPECT_EQ(errno, ENOSPC);
	}
	expect_big("m/d/f", 8);
	EXPECT(!exists("small/u/d/f"));
	EXPECT_EQ(tree_count_files("small/w"), 0);
	file_append("m/small", "2");
	EXPECT_STREQ(file_text("m/small"), "12");
}

TEST(space_returns, "after such a failure the space is free again and a smaller promotion works")
{
	need_union();
	lower(0, "x=1");
	make_big("l0/f", 8);
	make_big("l0/g", 2);
	mount_small("size=4m");
	for (int i = 0; i < 5; i++)
		EXPECT_ERR(truncate("m/f", 7 * MIB), ENOSPC);
	EXPECT_OK(chmod("m/g", 0600));
	file_append("m/g", "");
	expect_big("m/g", 2);
	expect_big("m/f", 8);
}

TEST(no_inodes, "a promotion for which no inode is left gives ENOSPC and leaves the file as it was")
{
	int last = 0;
	char path[32];

	need_union();
	lower(0, "f=1");
	mount_small("nr_inodes=40");
	for (; last < 60; last++) {
		int fd;

		snprintf(path, sizeof(path), "m/n%d", last);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	EXPECT(last < 60);
	EXPECT_ERR(truncate("m/f", 0), ENOSPC);
	EXPECT_STREQ(file_text("m/f"), "1");
	snprintf(path, sizeof(path), "m/n%d", 0);
	ASSERT_OK(unlink(path));
	snprintf(path, sizeof(path), "m/n%d", 1);
	ASSERT_OK(unlink(path));
	EXPECT_OK(truncate("m/f", 0));
}

TEST(truncate_promotes_little, "truncating a lower file to nothing needs no space for its data")
{
	need_union();
	overlay_lacks("truncation without copying");
	lower(0, "x=1");
	make_big("l0/f", 8);
	mount_small("size=4m");
	EXPECT_OK(truncate("m/f", 0));
	EXPECT_EQ(stat_of("m/f").st_size, 0);
	ASSERT_OK(umount2("m", 0));
}

TEST(open_trunc_promotes_little, "opening a lower file with O_TRUNC needs no space for its data")
{
	int fd;

	need_union();
	lower(0, "x=1");
	make_big("l0/f", 8);
	mount_small("size=4m");
	fd = EXPECT_OK(open("m/f", O_WRONLY | O_TRUNC));
	EXPECT_EQ(write(fd, "new", 3), 3);
	close(fd);
	EXPECT_STREQ(file_text("m/f"), "new");
}

TEST(read_only_descriptor, "opening, reading and listing lower files writes nothing to the upper")
{
	need_union();
	lower(0, "f=1 d/g=2 l@f");
	union_mount();
	for (int i = 0; i < 2; i++) {
		EXPECT_TREE("m", "f=1 d/g=2 l@f");
		ops_run("m", "read f 1; read d/g 2; read l 1; stat d");
	}
	union_umount();
	EXPECT(!exists("u/f"));
	EXPECT(!exists("u/d"));
	EXPECT(!exists("u/l"));
}

TEST(failed_change, "a change that is refused does not promote the file")
{
	need_union();
	lower(0, "f=1 d/g=2");
	union_mount();
	AS_UID(1000) {
		ops_run("m", "chmod 777 f -> EPERM; append f x -> EACCES; trunc f 0 -> EACCES;"
			     "unlink d/g -> EACCES; setx f user.a 1 -> EACCES");
	}
	union_umount();
	EXPECT(!exists("u/f"));
	EXPECT(!exists("u/d"));
}

/* Forks a process that promotes m/f, and kills it after DELAY microseconds. */
static void kill_promotion(const char *path, int delay)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open(path, O_WRONLY);

		_exit(fd < 0 || write(fd, "a", 1) != 1);
	}
	usleep(delay);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

TEST(killed, "a promotion can be killed at any moment; the file is old or new, never in between")
{
	int promoted = 0;

	need_union();
	lower(0, "x=1");
	make_big("l0/f", 32);
	union_mount();
	for (int i = 0; i < 12 && !promoted; i++) {
		kill_promotion("m/f", 500 << i);
		promoted = exists("u/f");
		if (promoted)
			EXPECT_EQ(stat_of("u/f").st_size, 32 * MIB);
		expect_big("m/f", 32);
	}
	union_umount();
	EXPECT_EQ(tree_count_files("w"), 0);
}

TEST(kill_is_prompt, "a killed process does not finish the promotion of a large file first")
{
	int status = 0;
	pid_t pid;

	need_union();
	lower(0, "x=1");
	side_mount("tmpfs", "big", "size=600m");
	ASSERT_OK(mkdir("big/l", 0755));
	make_big("big/l/f", 400);
	ASSERT_OK(mkdir("m", 0755));
	upper("");
	ASSERT_OK(mkdir("w", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=big/l,upperdir=u,workdir=w"));
	pid = fork();
	if (pid == 0) {
		int fd = open("m/f", O_WRONLY);

		_exit(fd < 0 || write(fd, "a", 1) != 1);
	}
	usleep(30000);
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		SKIP("the machine was faster than the signal");
	EXPECT(!exists("u/f"));
	ASSERT_OK(umount2("m", 0));
	EXPECT_EQ(tree_count_files("w"), 0);
}

TEST(never_seen_short, "a reader never sees a file shorter or other than it was while it is promoted")
{
	pid_t reader;
	int status;

	lower(0, "x=1");
	make_big("l0/f", 16);
	union_mount();
	reader = fork();
	if (reader == 0) {
		for (int i = 0; i < 200; i++) {
			struct stat st;
			char byte = 0;
			int fd = open("m/f", O_RDONLY | O_CLOEXEC);

			if (fd < 0 || fstat(fd, &st) < 0 || st.st_size != 16 * MIB ||
			    pread(fd, &byte, 1, 15 * MIB) != 1 || byte != 'a' + 15)
				_exit(1);
			close(fd);
		}
		_exit(0);
	}
	ASSERT_OK(chmod("m/f", 0600));
	close(ASSERT_OK(open("m/f", O_RDWR)));
	ASSERT_EQ(waitpid(reader, &status, 0), reader);
	EXPECT_EQ(status, 0);
}

TEST(parents_promoted, "promotion of a deep file makes its parents in the upper with their attributes")
{
	struct stat st;

	need_union();
	lower(0, "a/b/c/f=1");
	ASSERT_OK(chmod("l0/a/b", 0751));
	ASSERT_OK(chown("l0/a/b", 7, 8));
	union_mount();
	file_append("m/a/b/c/f", "2");
	union_umount();
	st = stat_of("u/a/b");
	EXPECT_EQ(st.st_mode, S_IFDIR | 0751);
	EXPECT_EQ(st.st_uid, 7);
	EXPECT_EQ(st.st_gid, 8);
	EXPECT_STREQ(file_text("u/a/b/c/f"), "12");
}

TEST(lower_only_readable, "a file that only root can read is promoted by its owner's write")
{
	lower(0, "d/f=1");
	ASSERT_OK(chown("l0/d/f", 1000, 1000));
	ASSERT_OK(chmod("l0/d/f", 0200));
	union_mount();
	AS_UID(1000) {
		file_append("m/d/f", "2");
	}
	EXPECT_STREQ(file_text("m/d/f"), "12");
	EXPECT_EQ(stat_of("m/d/f").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/f").st_mode & 07777, 0200);
}

TEST(twice_counts_once, "a second write does not promote again: the upper's inode stays")
{
	ino_t before;

	need_union();
	lower(0, "f=1");
	union_mount();
	file_append("m/f", "2");
	before = ino_of("u/f");
	file_append("m/f", "3");
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_EQ(ino_of("u/f"), before);
}

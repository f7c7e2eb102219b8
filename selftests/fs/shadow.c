// SPDX-License-Identifier: GPL-2.0-only
/*
 * shadow.c - tests of shared mappings of files that only lower layers have, which have to show what is written later:
 * what they leave behind, what else they must not change, and what happens where there is no room for them. That each
 * kind of write shows in them is tested by coherent_lower.c. A file has a letter for each page.
 */
#include "union.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define PAGE  4096
#define PAGES 20
#define SIZE  (PAGES * PAGE)

static char letter(int page)
{
	return 'a' + page % 26;
}

static void make_pages(const char *path, int pages)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
	char page[PAGE];

	for (int i = 0; i < pages; i++) {
		memset(page, letter(i), PAGE);
		ASSERT_EQ(write(fd, page, PAGE), PAGE);
	}
	ASSERT_OK(close(fd));
}

static void setup(void)
{
	lower(0, "x=1");
	make_pages("l0/f", PAGES);
	union_mount_with(&union_by_blocks);
}

static volatile char *map_pages(const char *path, int flags)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	char *at = mmap(NULL, SIZE, PROT_READ, flags, fd, 0);

	ASSERT(at != MAP_FAILED);
	close(fd);
	return at;
}

static volatile char *map_shared(const char *path)
{
	return map_pages(path, MAP_SHARED);
}

static void expect_pages(const volatile char *at)
{
	for (int i = 0; i < PAGES; i++)
		EXPECT(at[i * PAGE] == letter(i) && at[i * PAGE + PAGE - 1] == letter(i));
}

static void write_byte(const char *path, int page, char byte)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC));

	ASSERT_EQ(pwrite(fd, &byte, 1, (off_t)page * PAGE), 1);
	ASSERT_OK(close(fd));
}

static int count_names(const char *path)
{
	DIR *dir = opendir(path);
	int names = 0;

	while (dir && readdir(dir))
		names++;
	if (dir)
		closedir(dir);
	return names ? names - 2 : 0;
}

static void expect_nothing_left(void)
{
	expect_work_clean();
	if (!is_shale())
		return;
	EXPECT(!exists("u/f"));
	EXPECT_EQ(count_names("u/.shale/index"), 0);
	EXPECT_EQ(count_names("u/.shale/map"), 0);
}

TEST(hidden, "a shared mapping of a lower file puts nothing into the upper or the work directory")
{
	volatile char *at;

	setup();
	at = map_shared("m/f");
	expect_pages(at);
	expect_nothing_left();
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	expect_nothing_left();
	expect_pages(map_shared("m/f"));
}

static fsfilcnt_t free_files(void)
{
	struct statvfs st;

	ASSERT_OK(statvfs(".", &st));
	return st.f_ffree;
}

static void need_file_count(void)
{
	if (strcmp(union_backing(), "ext4") && strcmp(union_backing(), "tmpfs"))
		SKIP("%s does not count free inodes one by one", union_backing());
}

TEST(one_file, "a promotion makes no second file beside the one that is mapped")
{
	fsfilcnt_t before;

	need_shale("overlayfs has one file anyway");
	need_file_count();
	setup();
	map_shared("m/f");
	before = free_files();
	write_byte("m/f", 3, 'X');
	EXPECT_EQ(free_files(), before);
	EXPECT(exists("u/f"));
}

TEST(vanishes, "a file that was only mapped leaves no inode behind")
{
	fsfilcnt_t before;
	volatile char *at;

	need_file_count();
	setup();
	before = free_files();
	at = map_shared("m/f");
	expect_pages(at);
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	EXPECT_EQ(free_files(), before);
}

TEST(many, "hundreds of mapped files are gone with their inodes when caches are dropped")
{
	fsfilcnt_t before;
	char path[32];

	need_shale("it is about its uppers");
	need_file_count();
	lower(0, "x=1");
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "l0/f%d", i);
		make_pages(path, PAGES);
	}
	union_mount_with(&union_by_blocks);
	before = free_files();
	for (int i = 0; i < 200; i++) {
		volatile char *at;

		snprintf(path, sizeof(path), "m/f%d", i);
		at = map_shared(path);
		EXPECT_EQ(at[PAGE], 'b');
		ASSERT_OK(munmap((void *)at, SIZE));
	}
	EXPECT(free_files() < before);
	drop_caches();
	EXPECT_EQ(free_files(), before);
}

static void change_attributes(void)
{
	struct timespec times[2] = {{1000, 0}, {2000, 5}};

	ASSERT_OK(chown("l0/f", 12, 34));
	ASSERT_OK(chmod("l0/f", 04751));
	if (setxattr("l0/f", "user.colour", "red", 3, 0) < 0)
		ktap_note("no user xattrs here");
	ASSERT_OK(utimensat(AT_FDCWD, "l0/f", times, 0));
}

static void expect_attributes(const struct stat *was)
{
	struct stat st = stat_of("m/f");
	char value[8];

	EXPECT_EQ(st.st_uid, 12);
	EXPECT_EQ(st.st_gid, 34);
	EXPECT_EQ(st.st_mode, was->st_mode);
	EXPECT_EQ(st.st_size, SIZE);
	EXPECT_EQ(st.st_ino, was->st_ino);
	EXPECT_EQ(st.st_nlink, 1);
	if (getxattr("l0/f", "user.colour", value, 3) == 3)
		EXPECT_EQ(getxattr("m/f", "user.colour", value, 3), 3);
}

TEST(attributes, "a file that was mapped before it is promoted keeps all its attributes")
{
	struct stat was;

	lower(0, "x=1");
	make_pages("l0/f", PAGES);
	change_attributes();
	union_mount_with(&union_by_blocks);
	was = stat_of("m/f");
	expect_pages(map_shared("m/f"));
	ASSERT_OK(setxattr("m/f", "trusted.touch", "1", 1, 0));
	expect_attributes(&was);
	EXPECT_EQ(stat_of("m/f").st_mtime, 2000);
}

TEST(remounted, "what was written to a file that is mapped is there after a remount")
{
	volatile char *at;

	setup();
	at = map_shared("m/f");
	expect_pages(at);
	write_byte("m/f", 3, 'X');
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	at = map_shared("m/f");
	EXPECT_EQ(at[3 * PAGE], 'X');
	EXPECT_EQ(at[3 * PAGE + 1], letter(3));
	EXPECT_EQ(at[4 * PAGE], letter(4));
	if (!is_bare())
		EXPECT_EQ(map_shared("l0/f")[3 * PAGE], letter(3));
}

TEST(links, "a mapping by one hard link shows what is written by the other, and they stay one file")
{
	volatile char *at;

	overlay_lacks("mappings of lower files that show writes");
	lower(0, "x=1");
	make_pages("l0/f", PAGES);
	ASSERT_OK(link("l0/f", "l0/g"));
	union_mount_with(&union_by_blocks);
	at = map_shared("m/f");
	expect_pages(at);
	write_byte("m/g", 2, 'X');
	EXPECT_EQ(at[2 * PAGE], 'X');
	EXPECT_EQ(ino_of("m/f"), ino_of("m/g"));
	EXPECT_EQ(stat_of("m/f").st_nlink, 2);
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	EXPECT_EQ(map_shared("m/f")[2 * PAGE], 'X');
	EXPECT_EQ(ino_of("m/f"), ino_of("m/g"));
}

/* What a load of that byte does: the byte, or -1 for SIGBUS. */
static int load(const volatile char *at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit((unsigned char)*at);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGBUS ? -1 : -2;
	return WEXITSTATUS(status);
}

TEST(truncate, "a mapping follows a file that becomes shorter and longer again")
{
	volatile char *at;

	overlay_lacks("mappings of lower files that show writes");
	setup();
	at = map_shared("m/f");
	expect_pages(at);
	ASSERT_OK(truncate("m/f", 2 * PAGE + 100));
	EXPECT_EQ(load(at + 2 * PAGE + 99), letter(2));
	EXPECT_EQ(load(at + 2 * PAGE + 100), 0);
	EXPECT_EQ(load(at + 3 * PAGE), -1);
	ASSERT_OK(truncate("m/f", SIZE));
	EXPECT_EQ(load(at + PAGE), letter(1));
	EXPECT_EQ(load(at + 2 * PAGE + 100), 0);
	EXPECT_EQ(load(at + 3 * PAGE), 0);
}

TEST(truncate_open, "a mapping follows a file that is opened with O_TRUNC")
{
	volatile char *at;
	int fd;

	overlay_lacks("mappings of lower files that show writes");
	setup();
	at = map_shared("m/f");
	expect_pages(at);
	fd = ASSERT_OK(open("m/f", O_RDWR | O_TRUNC | O_CLOEXEC));
	EXPECT_EQ(load(at), -1);
	ASSERT_EQ(pwrite(fd, "new", 3, 0), 3);
	EXPECT_EQ(load(at), 'n');
	EXPECT_EQ(load(at + 3), 0);
	close(fd);
}

TEST(empty, "a mapping of an empty file shows what is appended to it")
{
	volatile char *at;

	overlay_lacks("mappings of lower files that show writes");
	lower(0, "x=1");
	make_pages("l0/f", 0);
	union_mount_with(&union_by_blocks);
	at = map_shared("m/f");
	EXPECT_EQ(load(at), -1);
	file_append("m/f", "text");
	EXPECT_EQ(load(at), 't');
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	EXPECT_STREQ(file_text("m/f"), "text");
	EXPECT_EQ(stat_of("m/f").st_size, 4);
}

/* The upper becomes the lower layer on top. */
static void seal(void)
{
	union_umount();
	ASSERT_OK(rename("l0", "l1"));
	ASSERT_OK(rename("u", "l0"));
	tree_remove("w");
	union_mount_with(&union_by_blocks);
}

TEST(promoted_twice, "a file of a sealed upper, partly in it, is mapped and written anew")
{
	volatile char *at;

	need_shale("it is about blocks in two layers");
	setup();
	write_byte("m/f", 1, 'Y');
	seal();
	at = map_shared("m/f");
	EXPECT_EQ(at[PAGE], 'Y');
	EXPECT_EQ(at[PAGE + 1], letter(1));
	EXPECT_EQ(at[2 * PAGE], letter(2));
	write_byte("m/f", 2, 'Z');
	EXPECT_EQ(at[2 * PAGE], 'Z');
	EXPECT_EQ(at[PAGE], 'Y');
	EXPECT_EQ(at[3 * PAGE], letter(3));
}

TEST(writable_descriptor, "a read-only mapping of a writable descriptor can be made writable and stored to")
{
	volatile char *at, *other;
	int fd;

	setup();
	other = map_shared("m/f");
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	at = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT(at != MAP_FAILED);
	expect_pages(at);
	ASSERT_OK(mprotect((void *)at, SIZE, PROT_READ | PROT_WRITE));
	at[5 * PAGE] = 'S';
	EXPECT_EQ(at[5 * PAGE], 'S');
	if (!is_overlay())
		EXPECT_EQ(other[5 * PAGE], 'S');
	close(fd);
}

TEST(not_writable, "a shared mapping of a descriptor for reading cannot be made writable")
{
	setup();
	EXPECT_ERR(mprotect((void *)map_shared("m/f"), SIZE, PROT_READ | PROT_WRITE), EACCES);
}

/* The frame that a page is in. */
static uint64_t frame_of(const volatile char *at)
{
	int fd = ASSERT_OK(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	uint64_t entry = 0;

	EXPECT_EQ(*at, *at);
	ASSERT_EQ(pread(fd, &entry, sizeof(entry), (uintptr_t)at / PAGE * sizeof(entry)), sizeof(entry));
	close(fd);
	return entry & ((1ULL << 55) - 1);
}

TEST(private_pages, "private mappings share the pages of the lower file, also where a shared one is mapped")
{
	volatile char *lower_file, *before, *after;

	need_union();
	setup();
	lower_file = map_shared("l0/f");
	before = map_pages("m/f", MAP_PRIVATE);
	map_shared("m/f");
	after = map_pages("m/f", MAP_PRIVATE);
	for (int i = 0; i < PAGES; i++) {
		uint64_t frame = frame_of(lower_file + i * PAGE);

		EXPECT_EQ(frame_of(before + i * PAGE), frame);
		EXPECT_EQ(frame_of(after + i * PAGE), frame);
	}
}

TEST(private_after_chmod, "a private mapping shares the lower file's pages after its attributes have changed")
{
	volatile char *lower_file, *at;

	need_shale("overlayfs has copied the file");
	setup();
	lower_file = map_shared("l0/f");
	ASSERT_OK(chmod("m/f", 0600));
	at = map_pages("m/f", MAP_PRIVATE);
	expect_pages(at);
	EXPECT_EQ(frame_of(at), frame_of(lower_file));
}

TEST(text_busy, "a mapped program that runs cannot be written, and one that is open for writing cannot run")
{
	pid_t pid;
	int fd, status;

	lower(0, "x=1");
	ASSERT_EQ(system("cp /bin/sleep l0/f"), 0);
	union_mount_with(&union_by_blocks);
	map_shared("m/f");
	pid = fork();
	if (pid == 0) {
		execl("m/f", "f", "60", NULL);
		_exit(1);
	}
	usleep(300000);
	EXPECT_ERR(open("m/f", O_WRONLY | O_CLOEXEC), ETXTBSY);
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	fd = ASSERT_OK(open("m/f", O_WRONLY | O_CLOEXEC));
	EXPECT_ERR(execl("m/f", "f", "0", NULL), ETXTBSY);
	close(fd);
	EXPECT_EQ(system("m/f 0"), 0);
}

TEST(read_only_mount, "files of a union without an upper, and of a read-only one, are mapped")
{
	need_union();
	lower(0, "x=1");
	make_pages("l0/f", PAGES);
	union_mount_with(&(struct union_opts){.readonly = true});
	expect_pages(map_shared("m/f"));
}

TEST(remounted_ro, "files of a union that became read-only are mapped")
{
	volatile char *at;

	need_union();
	setup();
	at = map_shared("m/f");
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	expect_pages(map_shared("m/f"));
	expect_pages(at);
}

static void mount_on(const char *options)
{
	side_mount("tmpfs", "small", options);
	ASSERT_OK(mkdir("small/u", 0755));
	ASSERT_OK(mkdir("small/w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=small/u,workdir=small/w"));
}

TEST(no_inodes, "where no inode is left for it, a lower file is mapped as it is, and the next time better")
{
	volatile char *at;
	char path[32];
	int last = 0;

	need_shale("overlayfs needs no inode");
	lower(0, "x=1");
	make_pages("l0/f", PAGES);
	mount_on("nr_inodes=40");
	for (; last < 60; last++) {
		int fd;

		snprintf(path, sizeof(path), "m/n%d", last);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0)
			break;
		close(fd);
	}
	ASSERT(last < 60);
	expect_pages(map_shared("m/f"));
	expect_pages(map_shared("m/f"));
	ASSERT_OK(unlink("m/n0"));
	at = map_shared("m/f");
	expect_pages(at);
	write_byte("m/f", 3, 'X');
	EXPECT_EQ(at[3 * PAGE], 'X');
}

TEST(no_room, "a file that is larger than what is free in memory is mapped as it is")
{
	need_shale("overlayfs needs no room");
	lower(0, "x=1");
	make_pages("l0/f", 512);
	mount_on("size=1m");
	for (int i = 0; i < 512; i += PAGES) {
		int fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
		char *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)i * PAGE);

		ASSERT(at != MAP_FAILED);
		EXPECT_EQ(load(at), letter(i));
		close(fd);
	}
}

TEST(frozen, "mapping and reading a lower file does not wait for a frozen upper")
{
	int fd;

	need_union();
	if (!strcmp(union_backing(), "tmpfs"))
		SKIP("tmpfs cannot be frozen");
	setup();
	fd = ASSERT_OK(open(".", O_RDONLY | O_CLOEXEC));
	sync();
	ASSERT_OK(ioctl(fd, FIFREEZE, 0));
	IN_CHILD {
		alarm(20);
		expect_pages(map_shared("m/f"));
	}
	EXPECT_OK(ioctl(fd, FITHAW, 0));
	close(fd);
}

TEST(frozen_write, "a write to a lower file that is mapped leaves a frozen upper alone and waits for the thaw")
{
	int fd, status;
	pid_t pid;

	need_union();
	if (!strcmp(union_backing(), "tmpfs"))
		SKIP("tmpfs cannot be frozen");
	setup();
	expect_pages(map_shared("m/f"));
	fd = ASSERT_OK(open(".", O_RDONLY | O_CLOEXEC));
	sync();
	ASSERT_OK(ioctl(fd, FIFREEZE, 0));
	pid = fork();
	if (pid == 0) {
		write_byte("m/f", 3, 'X');
		_exit(0);
	}
	usleep(500000);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_OK(ioctl(fd, FITHAW, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(map_shared("m/f")[3 * PAGE], 'X');
	close(fd);
}

TEST(other_processes, "processes that map a file at once while others write it all see the same in the end")
{
	volatile char *at;
	pid_t pids[8];
	int status;

	overlay_lacks("mappings of lower files that show writes");
	setup();
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		if (i % 4 == 0)
			write_byte("m/f", i, 'W');
		at = map_shared("m/f");
		for (int tries = 0; at[0] + at[4 * PAGE] != 'W' + 'W' && tries < 2000; tries++)
			usleep(10000);
		_exit(at[0] != 'W' || at[4 * PAGE] != 'W' || at[PAGE] != letter(1));
	}
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(waitpid(pids[i], &status, 0), pids[i]);
		EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

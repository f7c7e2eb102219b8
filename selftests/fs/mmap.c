// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap.c - tests of mappings of files on a union.
 */
#include "union.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define SIZE (64 * 1024)

static void make_pattern(const char *path)
{
	char *buffer = malloc(SIZE);
	int fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY, 0644));

	for (int i = 0; i < SIZE; i++)
		buffer[i] = 'a' + i / 4096;
	ASSERT_EQ(write(fd, buffer, SIZE), SIZE);
	close(fd);
	free(buffer);
}

static char *map_file(const char *path, int open_flags, int prot, int flags)
{
	int fd = ASSERT_OK(open(path, open_flags | O_CLOEXEC));
	char *at = mmap(NULL, SIZE, prot, flags, fd, 0);

	ASSERT(at != MAP_FAILED);
	close(fd);
	return at;
}

static char byte_at(const char *path, off_t offset)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	char byte = 0;

	EXPECT_EQ(pread(fd, &byte, 1, offset), 1);
	close(fd);
	return byte;
}

static void setup(void)
{
	lower(0, "x=1");
	make_pattern("l0/f");
	union_mount();
}

TEST(private_read, "a private mapping of a lower file shows its bytes")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDONLY, PROT_READ, MAP_PRIVATE);
	EXPECT_EQ(at[0], 'a');
	EXPECT_EQ(at[SIZE - 1], 'p');
}

TEST(private_write, "stores to a private mapping stay private")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDONLY, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	at[0] = 'X';
	EXPECT_EQ(at[0], 'X');
	EXPECT_EQ(at[1], 'a');
	EXPECT_EQ(byte_at("m/f", 0), 'a');
}

TEST(shared_read, "a shared read-only mapping of a lower file shows its bytes")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDONLY, PROT_READ, MAP_SHARED);
	EXPECT_EQ(at[5 * 4096], 'f');
}

TEST(shared_write, "a store to a shared mapping shows in read(2) and not in the lower layer")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	at[4096] = 'X';
	EXPECT_EQ(byte_at("m/f", 4096), 'X');
	ASSERT_OK(msync(at, SIZE, MS_SYNC));
	ASSERT_OK(munmap(at, SIZE));
	union_remount();
	EXPECT_EQ(byte_at("m/f", 4096), 'X');
	EXPECT_EQ(byte_at("m/f", 4097), 'b');
	if (!is_bare())
		EXPECT_EQ(byte_at("l0/f", 4096), 'b');
}

TEST(write_shows, "write(2) shows in a shared mapping of a promoted file")
{
	char *at;
	int fd;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT_EQ(at[8192], 'c');
	fd = ASSERT_OK(open("m/f", O_WRONLY));
	ASSERT_EQ(pwrite(fd, "Y", 1, 8192), 1);
	EXPECT_EQ(at[8192], 'Y');
	close(fd);
}

TEST(two_mappings, "two shared mappings of one file show each other's stores")
{
	char *one, *two;

	setup();
	one = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	two = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	one[100] = '1';
	two[200] = '2';
	EXPECT_EQ(two[100], '1');
	EXPECT_EQ(one[200], '2');
}

TEST(shared_needs_write, "a writable shared mapping of an O_RDONLY descriptor gives EACCES")
{
	int fd;

	setup();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	close(fd);
}

TEST(needs_read, "a mapping of an O_WRONLY descriptor gives EACCES")
{
	int fd;

	setup();
	fd = ASSERT_OK(open("m/f", O_WRONLY));
	EXPECT(mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	close(fd);
}

TEST(directory, "mapping a directory gives ENODEV")
{
	int fd;

	lower(0, "d/");
	union_mount();
	fd = ASSERT_OK(open("m/d", O_RDONLY));
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, ENODEV);
	close(fd);
}

TEST(beyond_end, "touching a mapping beyond the file's end raises SIGBUS")
{
	pid_t pid;
	int status;

	setup();
	ASSERT_OK(truncate("m/f", 4096));
	pid = fork();
	if (pid == 0) {
		volatile char *at = map_file("m/f", O_RDWR, PROT_READ, MAP_SHARED);

		_exit(at[8192]);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

TEST(tail_zero, "the rest of the last page of a mapping is zero")
{
	char *at;

	lower(0, "f=12345");
	union_mount();
	at = map_file("m/f", O_RDONLY, PROT_READ, MAP_PRIVATE);
	EXPECT_EQ(at[4], '5');
	EXPECT_EQ(at[5], 0);
	EXPECT_EQ(at[4095], 0);
}

TEST(exec_mapping, "code in a lower file can be mapped executable and runs")
{
	static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42,%eax; ret */
	int fd, (*answer)(void);
	void *at;

	lower(0, "x=1");
	fd = ASSERT_OK(open("l0/code", O_CREAT | O_RDWR, 0755));
	ASSERT_EQ(write(fd, code, sizeof(code)), (ssize_t)sizeof(code));
	close(fd);
	union_mount();
	fd = ASSERT_OK(open("m/code", O_RDONLY));
	at = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	ASSERT(at != MAP_FAILED);
	memcpy(&answer, &at, sizeof(at));
	EXPECT_EQ(answer(), 42);
	close(fd);
}

TEST(noexec, "an executable mapping on a noexec mount gives EPERM")
{
	int fd;

	need_union();
	setup();
	ASSERT_EQ(system("mount -o remount,noexec,bind m"), 0);
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT(mmap(NULL, SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED);
	EXPECT_EQ(errno, EPERM);
	close(fd);
}

TEST(after_unlink, "a mapping survives the removal of its file")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_OK(unlink("m/f"));
	at[0] = 'Z';
	EXPECT_EQ(at[0], 'Z');
	EXPECT_EQ(at[SIZE - 1], 'p');
}

TEST(after_close, "a mapping keeps working after its descriptor and caches are gone")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	at[0] = 'Z';
	drop_caches();
	EXPECT_EQ(at[0], 'Z');
	EXPECT_EQ(at[4096], 'b');
}

TEST(busy, "a mapping keeps the mount busy until it is gone")
{
	char *at;

	need_union();
	setup();
	at = map_file("m/f", O_RDONLY, PROT_READ, MAP_PRIVATE);
	EXPECT_EQ(at[0], 'a');
	EXPECT_ERR(umount2("m", 0), EBUSY);
	ASSERT_OK(munmap(at, SIZE));
	EXPECT_OK(umount2("m", 0));
}

TEST(proc_maps, "/proc/self/maps shows a mapping under the file's path in the mount")
{
	char line[4096];
	bool found = false;
	FILE *maps;

	setup();
	map_file("m/f", O_RDONLY, PROT_READ, MAP_PRIVATE);
	maps = fopen("/proc/self/maps", "re");
	while (fgets(line, sizeof(line), maps))
		found |= strstr(line, "/m/f\n") != NULL;
	fclose(maps);
	EXPECT(found);
}

TEST(fork_shared, "a child's store to a shared mapping shows in the parent")
{
	char *at;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	IN_CHILD {
		at[77] = 'C';
	}
	EXPECT_EQ(at[77], 'C');
}

TEST(write_from_mapping, "writing a file from a mapping of the same lower file gives the right bytes")
{
	char *at;
	int fd;

	setup();
	at = map_file("m/f", O_RDONLY, PROT_READ, MAP_PRIVATE);
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(pwrite(fd, at + 8192, 4096, 0), 4096);
	EXPECT_EQ(byte_at("m/f", 0), 'c');
	EXPECT_EQ(byte_at("m/f", 4096), 'b');
	close(fd);
}

TEST(write_from_own_mapping, "writing a file from a shared mapping of the very same range is right")
{
	char *at;
	int fd;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	at[0] = 'K';
	ASSERT_OK(madvise(at, SIZE, MADV_DONTNEED));
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(pwrite(fd, at, SIZE, 0), SIZE);
	EXPECT_EQ(byte_at("m/f", 0), 'K');
	EXPECT_EQ(byte_at("m/f", SIZE - 1), 'p');
	close(fd);
}

TEST(truncate_under, "truncating a mapped file makes the rest of the mapping raise SIGBUS")
{
	volatile char *at;
	int status;
	pid_t pid;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	EXPECT_EQ(at[SIZE - 1], 'p');
	ASSERT_OK(truncate("m/f", 4096));
	pid = fork();
	if (pid == 0)
		_exit(at[SIZE - 1]);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	EXPECT_EQ(at[100], 'a');
}

TEST(mtime, "a store to a shared mapping moves the file's mtime")
{
	struct timespec times[2] = {{1000, 0}, {1000, 0}};
	char *at;

	setup();
	at = map_file("m/f", O_RDWR, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_OK(utimensat(AT_FDCWD, "m/f", times, 0));
	EXPECT_EQ(stat_of("m/f").st_mtime, 1000);
	at[0] = 'X';
	ASSERT_OK(msync(at, SIZE, MS_SYNC));
	if (!strcmp(union_backing(), "tmpfs"))
		SKIP("tmpfs does not notice stores");
	EXPECT(stat_of("m/f").st_mtime > 1000);
}

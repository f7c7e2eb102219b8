// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapped_race.c - tests of reads into a mapping of a file whose blocks become the upper's meanwhile. The layer's filesystem
 * may hold the lock of its file while such a read faults, and wait for that lock to write: neither may wait
 * for the other for ever. What hangs here is ended, and fails, by the harness.
 */
#include "blocks.h"
#include "union.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define PAGE   4096
#define PAGES  1024
#define OWNED  8 /* blocks at the start, in the upper before anything else */
#define HALF   (PAGES / 2)
#define ROUNDS 4

static void make_file(const char *path, char letter)
{
	char letters[PAGES + 1];

	memset(letters, letter, PAGES);
	letters[PAGES] = '\0';
	blocks_make(path, letters);
}

static const char *file_of(int round)
{
	static char path[32];

	snprintf(path, sizeof(path), "m/f%d", round);
	return path;
}

static void setup(void)
{
	lower(0, "x=1");
	for (int i = 0; i < ROUNDS; i++) {
		char path[32];

		snprintf(path, sizeof(path), "l0/f%d", i);
		make_file(path, 'l');
	}
	union_mount_with(&union_by_blocks);
}

/* The pages of one side of the race. */
static void write_pages(int fd, int from, int to, char byte)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));

	memset(page, byte, PAGE);
	for (int i = from; i < to; i++)
		ASSERT_EQ(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
}

static char *map_bytes(const char *path, size_t size)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	ASSERT(at != MAP_FAILED);
	close(fd);
	return at;
}

static char *map_file(const char *path)
{
	return map_bytes(path, PAGES * PAGE);
}

static char byte_at(int fd, off_t at)
{
	char byte = 0;

	ASSERT_EQ(pread(fd, &byte, 1, at), 1);
	return byte;
}

static pid_t writer_begin(const char *path, void (*write_blocks)(int fd))
{
	pid_t pid = ASSERT_OK(fork());
	int fd;

	if (pid)
		return pid;
	fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	write_blocks(fd);
	close(fd);
	ktap_child_end();
}

static void writer_end(pid_t pid)
{
	int status;

	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

static void write_second_half(int fd)
{
	write_pages(fd, HALF, PAGES, 'w');
}

static void expect_pages(const char *at, int from, int to, char byte)
{
	for (int i = from; i < to && !ktap_has_failed(); i++) {
		EXPECT_EQ(at[(size_t)i * PAGE], byte);
		EXPECT_EQ(at[(size_t)i * PAGE + PAGE - 1], byte);
	}
}

/* From SOURCE, to all pages of a mapping of the first half that are not the upper's yet. */
static void read_into(char *at, int source)
{
	for (int i = OWNED; i < HALF; i += OWNED)
		ASSERT_EQ(pread(source, at + (size_t)i * PAGE, OWNED * PAGE, 0), OWNED * PAGE);
}

/* INTO goes over the first half of a mapping of the file, of which nothing is the upper's there but its start. OWN: what
 * it has filled that with; 0: with something else. */
static void race(const char *path, int flags, void (*into)(char *at, int fd), char own)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | flags);
	char *at;
	pid_t pid;

	if (fd < 0)
		SKIP("O_DIRECT: %s", strerror(errno));
	write_pages(fd, 0, OWNED, 'o');
	at = map_file(path);
	pid = writer_begin(path, write_second_half);
	into(at, fd);
	writer_end(pid);
	if (own)
		expect_pages(at, 0, HALF, own);
	expect_pages(at, HALF, PAGES, 'w');
	munmap(at, PAGES * PAGE);
	close(fd);
}

TEST(read, "reads into a mapping of the file and writes of new blocks go on beside each other")
{
	setup();
	for (int i = 0; i < ROUNDS; i++)
		race(file_of(i), 0, read_into, 'o');
}

TEST(read_direct, "direct reads into a mapping of the file and writes of new blocks go on beside each other")
{
	setup();
	for (int i = 0; i < ROUNDS; i++)
		race(file_of(i), O_DIRECT, read_into, 'o');
}

/* What is asked is at the end of a page, so the answer is on the next one, where nothing was stored yet. */
static void list_into(char *at, int fd)
{
	for (int i = OWNED + 1; i < HALF; i += 2) {
		struct fiemap *list = (struct fiemap *)(at + (size_t)i * PAGE) - 1;

		*list = (struct fiemap){.fm_length = OWNED * PAGE, .fm_extent_count = 16};
		ASSERT_OK(ioctl(fd, FS_IOC_FIEMAP, list));
		EXPECT_EQ(list->fm_extents[0].fe_logical, 0);
	}
}

static void need_fiemap(const char *path)
{
	struct fiemap count = {.fm_length = PAGE};
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	if (ioctl(fd, FS_IOC_FIEMAP, &count) < 0)
		SKIP("FIEMAP: %s", strerror(errno));
	close(fd);
}

TEST(fiemap, "extents are listed into a mapping of the file beside writes of new blocks")
{
	setup();
	need_fiemap(file_of(0));
	for (int i = 0; i < ROUNDS; i++)
		race(file_of(i), 0, list_into, 0);
}

#define SOURCE "m/source"

static void clone_second_half(int fd)
{
	struct file_clone_range range = {.src_length = OWNED * PAGE};

	range.src_fd = ASSERT_OK(open(SOURCE, O_RDONLY | O_CLOEXEC));
	for (int i = HALF; i < PAGES; i += OWNED) {
		range.dest_offset = (uint64_t)i * PAGE;
		ASSERT_OK(ioctl(fd, FICLONERANGE, &range));
	}
	close(range.src_fd);
}

static bool can_clone(void)
{
	int from = ASSERT_OK(open(SOURCE, O_RDONLY | O_CLOEXEC));
	int to = ASSERT_OK(open("m/cloned", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	bool can = !ioctl(to, FICLONE, from);

	close(from);
	close(to);
	return can;
}

static void race_clone(const char *path, int flags)
{
	int source = ASSERT_OK(open(SOURCE, O_RDONLY | O_CLOEXEC | flags));
	char *at = map_file(path);
	pid_t pid = writer_begin(path, clone_second_half);

	read_into(at, source);
	writer_end(pid);
	expect_pages(at, OWNED, PAGES, 's');
	expect_pages(at, 0, OWNED, 'l');
	munmap(at, PAGES * PAGE);
	close(source);
}

static void race_clones(int flags)
{
	setup();
	make_file(SOURCE, 's');
	if (!can_clone())
		SKIP("the filesystem cannot clone");
	for (int i = 0; i < ROUNDS; i++)
		race_clone(file_of(i), flags);
}

TEST(clone, "reads of a file into a mapping of another and clones of the one to the other go on beside each other")
{
	race_clones(0);
}

TEST(clone_direct, "direct reads of a file into a mapping of another and clones of it go on beside each other")
{
	race_clones(O_DIRECT);
}

/* ------------------------------------------------------------------ direct writes into what is mapped */

#define MEETINGS 500

static void store_without_end(const char *path, volatile bool *stop)
{
	volatile char *at = map_file(path);

	while (!*stop)
		at[0]++;
}

/* The page could not be dropped after a direct write to the disk below it: the next sync of who has the file open tells. */
static bool meet(int direct, int watch)
{
	for (int i = 0; i < MEETINGS; i++) {
		write_pages(direct, 0, 1, 'd');
		if (fsync(watch) == 0)
			continue;
		ASSERT_EQ(errno, EIO);
		return true;
	}
	return false;
}

static void expect_written(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	for (int i = HALF; i < PAGES && !ktap_has_failed(); i++)
		EXPECT_EQ(byte_at(fd, (off_t)i * PAGE), 'w');
	close(fd);
}

TEST(collision, "a direct write that meets a store to the same page is told once, and costs no other bytes")
{
	volatile bool *stop = shared_memory(sizeof(*stop));
	const char *path = file_of(0);
	bool has_met;
	int direct, watch;
	pid_t pid;

	setup();
	direct = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	if (direct < 0)
		SKIP("O_DIRECT: %s", strerror(errno));
	write_pages(direct, 0, 1, 'd');
	watch = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	pid = ASSERT_OK(fork());
	if (!pid) {
		store_without_end(path, stop);
		ktap_child_end();
	}
	has_met = meet(direct, watch);
	*stop = true;
	writer_end(pid);
	write_pages(watch, HALF, PAGES, 'w');
	EXPECT_OK(fsync(watch));
	close(watch);
	close(direct);
	union_remount();
	expect_written(path);
	if (!has_met)
		SKIP("no direct write has met a store");
}

/* ------------------------------------------------------------------ a shift of what is mapped */

#define HOLE_AT	   (16 << 20)
#define HOLE_PAGES 2048

static char own_byte(int page)
{
	return 'A' + page % 23;
}

/* Into each page of the hole once, from its end on, so that what is below begins as one run. */
static void store_into_hole(const char *path, volatile bool *stop, volatile int *stored)
{
	volatile char *at = map_bytes(path, HOLE_AT + (size_t)HOLE_PAGES * PAGE);

	for (int i = HOLE_PAGES - 1; i >= 0 && !*stop; i--) {
		at[HOLE_AT + (size_t)i * PAGE] = own_byte(i);
		*stored = HOLE_PAGES - i;
		usleep(500);
	}
}

static void make_holed(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	static char data[1 << 20];

	memset(data, 'd', sizeof(data));
	for (off_t at = 0; at < HOLE_AT; at += sizeof(data))
		ASSERT_EQ(pwrite(fd, data, sizeof(data), at), (ssize_t)sizeof(data));
	ASSERT_OK(ftruncate(fd, HOLE_AT + (off_t)HOLE_PAGES * PAGE));
	close(fd);
}

static void need_insert(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644));

	ASSERT_OK(ftruncate(fd, 2 * PAGE));
	if (fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE) < 0)
		SKIP("%s cannot insert", union_backing());
	close(fd);
}

/* Neither where it was stored nor, shifted, a page behind. */
static bool is_lost(int fd, int page)
{
	const off_t at = HOLE_AT + (off_t)page * PAGE;

	return byte_at(fd, at) != own_byte(page) && byte_at(fd, at + PAGE) != own_byte(page);
}

/* A filesystem may itself lose what is stored at the moment that it shifts. */
#define LOST_MAX 4

/* All of the file becomes the upper's first, data and then the hole, and stores go on meanwhile. */
TEST(insert, "what is stored to a hole while a block is inserted before it is there, shifted or not")
{
	volatile bool *stop = shared_memory(sizeof(*stop));
	volatile int *stored = shared_memory(sizeof(*stored));
	int fd, lost = 0;
	pid_t pid;

	lower(0, "x=1");
	make_holed("l0/f");
	union_mount_with(&union_by_blocks);
	need_insert("m/new");
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	ASSERT_EQ(pwrite(fd, "w", 1, 0), 1);
	pid = ASSERT_OK(fork());
	if (!pid) {
		store_into_hole("m/f", stop, stored);
		ktap_child_end();
	}
	while (!*stored)
		usleep(100);
	EXPECT_OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE));
	*stop = true;
	writer_end(pid);
	for (int i = HOLE_PAGES - *stored; i < HOLE_PAGES; i++)
		lost += is_lost(fd, i);
	close(fd);
	ktap_note("%d of %d stores are lost", lost, *stored);
	EXPECT(lost <= LOST_MAX);
}

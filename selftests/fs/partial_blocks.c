// SPDX-License-Identifier: GPL-2.0-only
/*
 * partial_blocks.c - tests of files that have some blocks in the upper and the rest below: which blocks they are (FIEMAP,
 * SEEK_DATA, st_blocks), what mappings and the page cache see of them, and what errors and signals leave.
 */
#include "twins.h"

#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

/* ------------------------------------------------------------------ FIEMAP */

#define EXTENTS 200

struct extents {
	struct fiemap map;
	struct fiemap_extent list[EXTENTS];
};

static void extents_ask(const char *path, struct extents *ret, unsigned int room)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));

	memset(ret, 0, sizeof(*ret));
	ret->map = (struct fiemap){
		.fm_length = FIEMAP_MAX_OFFSET,
		.fm_flags = FIEMAP_FLAG_SYNC,
		.fm_extent_count = room,
	};
	if (ioctl(fd, FS_IOC_FIEMAP, &ret->map) < 0) {
		ASSERT_EQ(errno, EOPNOTSUPP);
		SKIP("%s has no FIEMAP", union_backing());
	}
	close(fd);
}

static const struct fiemap_extent *extent_at(const struct extents *extents, off_t at)
{
	for (unsigned int i = 0; i < extents->map.fm_mapped_extents; i++) {
		const struct fiemap_extent *extent = &extents->list[i];

		if ((off_t)extent->fe_logical <= at && at < (off_t)(extent->fe_logical + extent->fe_length))
			return extent;
	}
	return NULL;
}

static void expect_ordered(const struct extents *extents)
{
	unsigned int count = extents->map.fm_mapped_extents;

	ASSERT(count > 0);
	for (unsigned int i = 0; i < count; i++) {
		EXPECT_EQ(!!(extents->list[i].fe_flags & FIEMAP_EXTENT_LAST), i + 1 == count);
		if (i)
			EXPECT(extents->list[i].fe_logical >=
			       extents->list[i - 1].fe_logical + extents->list[i - 1].fe_length);
	}
}

TEST(fiemap_parts, "FIEMAP gives each part's extents where it shows, those below as shared")
{
	static struct extents ours, below, above;

	need_shale("only there a file has parts");
	twins_setup();
	extents_ask("m/f", &ours, EXTENTS);
	extents_ask("l0/f", &below, EXTENTS);
	extents_ask("u/f", &above, EXTENTS);
	expect_ordered(&ours);
	for (off_t at = 0; at < SIZE; at += BLOCK) {
		const struct fiemap_extent *extent = extent_at(&ours, at);
		bool is_above = at / BLOCK == 2 || at / BLOCK == 4 || at == HOLE + BLOCK ||
				(at >= 64 * KIB && at < 96 * KIB) || (at >= 40 * KIB && at < 56 * KIB);
		const struct fiemap_extent *want = extent_at(is_above ? &above : &below, at);

		if (!extent != !want || (extent && extent->fe_physical - extent->fe_logical !=
						   want->fe_physical - want->fe_logical))
			ktap_fail(__FILE__, __LINE__, "the extent at %ld is not that of its part", at);
		if (extent && !is_above)
			EXPECT(extent->fe_flags & FIEMAP_EXTENT_SHARED);
	}
}

TEST(fiemap_batches, "FIEMAP says the same in batches of any size, and counts the same")
{
	static struct extents all, some;
	unsigned int found;

	twins_setup();
	extents_ask("m/f", &all, EXTENTS);
	extents_ask("m/f", &some, 0);
	EXPECT_EQ(some.map.fm_mapped_extents, all.map.fm_mapped_extents);
	for (unsigned int room = 1; room <= all.map.fm_mapped_extents; room++) {
		extents_ask("m/f", &some, room);
		found = some.map.fm_mapped_extents;
		ASSERT_EQ(found, room);
		EXPECT(!memcmp(some.list, all.list, room * sizeof(some.list[0])));
	}
}

TEST(fiemap_end, "FIEMAP knows the last extent where the file was cut, and where it ends in a hole")
{
	static struct extents extents;

	twins_setup();
	ASSERT_OK(truncate("m/f", 30 * KIB + 77));
	extents_ask("m/f", &extents, EXTENTS);
	expect_ordered(&extents);
	EXPECT(!extent_at(&extents, 32 * KIB));
	ASSERT_OK(truncate("m/f", SIZE));
	extents_ask("m/f", &extents, EXTENTS);
	expect_ordered(&extents);
	EXPECT(!extent_at(&extents, 32 * KIB));
	extents_ask("m/f", &extents, 1);
	EXPECT(!(extents.list[0].fe_flags & FIEMAP_EXTENT_LAST) || extents.map.fm_mapped_extents == 1);
}

TEST(fiemap_errors, "FIEMAP refuses what the backing filesystem refuses")
{
	static struct extents ours, theirs;
	int fd, plain;

	twins_setup();
	extents_ask("m/f", &ours, 1);
	fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	plain = ASSERT_OK(open("p/f", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		static const struct fiemap bad[] = {
			{.fm_length = 0},
			{.fm_length = 1, .fm_flags = 0x80000000},
			{.fm_start = UINT64_MAX, .fm_length = 1},
		};
		int our_error, their_error;

		ours.map = theirs.map = bad[i];
		errno = 0;
		EXPECT_EQ(ioctl(fd, FS_IOC_FIEMAP, &ours), -1);
		our_error = errno;
		EXPECT_EQ(ioctl(plain, FS_IOC_FIEMAP, &theirs), -1);
		their_error = errno;
		EXPECT_EQ(our_error, their_error);
		EXPECT_EQ(ours.map.fm_flags, theirs.map.fm_flags);
	}
	close(fd);
	close(plain);
}

TEST(seek_parts, "SEEK_DATA and SEEK_HOLE find what a twin's do")
{
	int ours, theirs;

	twins_setup();
	ASSERT_OK(truncate("m/f", 300 * KIB));
	ASSERT_OK(truncate("p/f", 300 * KIB));
	sync();
	ours = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	theirs = ASSERT_OK(open("p/f", O_RDONLY | O_CLOEXEC));
	for (off_t at = 0; at < 301 * KIB; at += 1000) {
		EXPECT_EQ(lseek(ours, at, SEEK_DATA), lseek(theirs, at, SEEK_DATA));
		EXPECT_EQ(lseek(ours, at, SEEK_HOLE), lseek(theirs, at, SEEK_HOLE));
	}
	close(ours);
	close(theirs);
}

TEST(blocks, "st_blocks is what the upper has, and never 0 where something is shown")
{
	need_shale("block-level copy-on-write is its own");
	lower(0, "x=1");
	twin_make("l0/f", 1);
	twins_mount();
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT(stat_of("m/f").st_blocks > 0);
	EXPECT(stat_of("m/f").st_blocks <= 3 * BLOCK / 512);
	twin_touch("m/f");
	sync();
	EXPECT(stat_of("m/f").st_blocks >= 9 * BLOCK / 512);
	EXPECT(stat_of("m/f").st_blocks < 30 * BLOCK / 512);
}

/* ------------------------------------------------------------------ mappings and the page cache */

static char *map_file(int fd, int prot, off_t at, size_t length)
{
	char *map = mmap(NULL, length, prot, MAP_SHARED, fd, at);

	ASSERT(map != MAP_FAILED);
	return map;
}

static const struct zero_case {
	struct ktap_row row;
	int mode;
} zeros[] = {
	{{"punch", "punching what a mapping has shown"}, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE},
	{{"zero", "zeroing what a mapping has shown"}, FALLOC_FL_ZERO_RANGE},
};
TEST_TABLE(shown, struct zero_case, zeros, c)
{
	char *map, buffer[BLOCK];
	int fd;

	twins_setup();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	map = map_file(fd, PROT_READ, 0, 64 * KIB);
	for (off_t at = 0; at < 64 * KIB; at += BLOCK)
		(void)*(volatile char *)(map + at);
	if (fallocate(fd, c->mode, 0, 3 * BLOCK + 100) < 0) {
		ASSERT_EQ(errno, EOPNOTSUPP);
		SKIP("%s cannot do this", union_backing());
	}
	for (off_t at = 0; at < 3 * BLOCK; at += BLOCK) {
		ASSERT_EQ(pread(fd, buffer, BLOCK, at), BLOCK);
		EXPECT_EQ(buffer[5], 0);
		EXPECT_EQ(map[at + 5], 0);
	}
	EXPECT_EQ(map[3 * BLOCK + 99], 0);
	EXPECT(map[3 * BLOCK + 100] != 0);
	close(fd);
}

static const struct own_case {
	struct ktap_row row;
	int flags;
	off_t at, from;
	size_t length;
} owns[] = {
	{{"same", "writing a block from a mapping of that very block"}, 0, 12 * BLOCK, 12 * BLOCK, BLOCK},
	{{"part", "writing a part of a block from a mapping of it"}, 0, 12 * BLOCK + 10, 12 * BLOCK, 100},
	{{"next", "writing blocks from a mapping of the next"}, 0, 20 * BLOCK, 30 * BLOCK, 10 * BLOCK},
	{{"direct", "a direct write of blocks from a mapping of the next"}, O_DIRECT, 20 * BLOCK, 30 * BLOCK,
	 10 * BLOCK},
	{{"direct_same", "a direct write of a block from a mapping of it"}, O_DIRECT, 12 * BLOCK, 12 * BLOCK,
	 BLOCK},
};
TEST_TABLE(own_mapping, struct own_case, owns, c)
{
	char want[10 * BLOCK], got[10 * BLOCK], *map;
	int fd;

	twins_setup();
	fd = open("m/f", O_RDWR | O_CLOEXEC | c->flags);
	if (fd < 0 && c->flags)
		SKIP("%s has no O_DIRECT", union_backing());
	map = map_file(ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC)), PROT_READ | PROT_WRITE, c->from, 10 * BLOCK);
	memcpy(want, map, sizeof(want));
	ASSERT_OK(madvise(map, 10 * BLOCK, MADV_DONTNEED));
	drop_caches();
	EXPECT_EQ(pwrite(fd, map, c->length, c->at), (ssize_t)c->length);
	close(fd);
	fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	EXPECT_EQ(pread(fd, got, c->length, c->at), (ssize_t)c->length);
	EXPECT(!memcmp(got, want, c->length));
	close(fd);
}

/* Pages that were ever made dirty. */
static long pages_dirtied(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	char name[64];
	long value;

	ASSERT(file != NULL);
	while (fscanf(file, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, "nr_dirtied")) {
			fclose(file);
			return value;
		}
	ktap_fail(__FILE__, __LINE__, "/proc/vmstat has no nr_dirtied");
	ktap_stop();
}

TEST(refused_zero, "zeroing that the layer refuses changes nothing in a mapping, at the end of the file neither")
{
	size_t size;
	char *map, *bytes;
	int fd;

	twins_setup();
	ASSERT_OK(truncate("m/f", 150 * KIB + 100));
	ASSERT_OK(truncate("p/f", 150 * KIB + 100));
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	map = map_file(fd, PROT_READ, 0, SIZE);
	bytes = file_bytes("p/f", &size);
	EXPECT(!memcmp(map, bytes, size));
	if (fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 148 * KIB, 128 * KIB) == 0)
		SKIP("%s zeroes", union_backing());
	EXPECT(!memcmp(map, bytes, size));
	free(bytes);
	close(fd);
}

/* Of a write of 60 pages: others of the system may be among them. */
#define FEW 30

static long pages_of_direct(const char *path, const char *buffer, size_t length)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_DIRECT | O_CLOEXEC));
	long before;

	sync();
	before = pages_dirtied();
	ASSERT_EQ(pwrite(fd, buffer, length, 0), (ssize_t)length);
	close(fd);
	return pages_dirtied() - before;
}

TEST(direct_is_direct, "a direct write of whole blocks passes by the page cache and drops what is there")
{
	const size_t length = 60 * BLOCK;
	unsigned char core[60];
	char *buffer = pages_alloc(60), *map;
	int fd, resident = 0;

	twins_setup();
	fd = open("m/f", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || !strcmp(union_backing(), "tmpfs"))
		SKIP("%s has no O_DIRECT", union_backing());
	if (pages_of_direct("p/f", buffer, length) >= FEW)
		SKIP("direct writes of %s go through its page cache", union_backing());
	close(fd);
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	map = map_file(fd, PROT_READ, 0, length);
	for (int i = 0; i < 60; i++)
		(void)*(volatile char *)(map + i * BLOCK);
	EXPECT(pages_of_direct("m/f", buffer, length) < FEW);
	ASSERT_OK(mincore(map, length, core));
	for (int i = 0; i < 60; i++)
		resident += core[i] & 1;
	EXPECT_EQ(resident, 0);
	EXPECT(!memcmp(map, buffer, length));
}

/* ------------------------------------------------------------------ errors and interruptions */

/* The backing filesystem gets full but for ROOM bytes. */
static void backing_fill(off_t room)
{
	int fd = ASSERT_OK(open("filler", O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	off_t size = 0;

	sync();
	for (off_t step = 64 << 20; step >= 64 * KIB; step /= 2)
		while (!fallocate(fd, 0, size, step))
			size += step;
	ASSERT_EQ(errno, ENOSPC);
	ASSERT_OK(ftruncate(fd, size - room));
	close(fd);
	sync();
}

/* Each block of m/f is what it was or what it was to become. */
static void expect_old_or_new(const char *old, const char *new, size_t size)
{
	size_t got_size, at;
	char *got = file_bytes("m/f", &got_size);

	EXPECT(got_size >= size);
	for (at = 0; at + BLOCK <= size; at += BLOCK)
		if (memcmp(got + at, old + at, BLOCK) && memcmp(got + at, new + at, BLOCK))
			ktap_fail(__FILE__, __LINE__, "the block at %zu is neither old nor new", at);
	free(got);
}

TEST(enospc_write, "ENOSPC in the middle of a write: what is counted is there, the rest is as it was")
{
	const size_t size = 24 << 20;
	char *old = malloc(size), *new = malloc(size), *got;
	ssize_t done = 0, part;
	size_t got_size;
	int fd;

	need_shale("others have no need for room");
	if (!strcmp(union_backing(), "tmpfs") || !strcmp(union_backing(), "btrfs"))
		SKIP("%s cannot be filled to the byte", union_backing());
	lower(0, "x=1");
	bytes_fill(old, size, 1);
	bytes_fill(new, size, 2);
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ASSERT_EQ(write(fd, old, size), (ssize_t)size);
	close(fd);
	twins_mount();
	ASSERT_OK(chmod("m/f", 0600));
	sync();
	backing_fill(4 << 20);
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	while ((part = pwrite(fd, new + done, size - done, done)) > 0)
		done += part;
	EXPECT(part < 0 && errno == ENOSPC);
	EXPECT(done < (ssize_t)size);
	ASSERT_OK(unlink("filler"));
	got = file_bytes("m/f", &got_size);
	EXPECT_EQ(got_size, size);
	EXPECT(!memcmp(got, new, done));
	EXPECT(!memcmp(got + done, old + done, size - done));
	EXPECT_OK(fsync(fd));
	EXPECT_EQ(pwrite(fd, new + done, size - done, done), (ssize_t)size - done);
	close(fd);
	union_remount();
	free(got);
	got = file_bytes("m/f", &got_size);
	EXPECT(!memcmp(got, new, size));
}

TEST(enospc_insert, "ENOSPC while all is taken over for an insertion: nothing is shifted")
{
	const size_t size = 24 << 20;
	char *old = malloc(size), *got;
	size_t got_size;
	int fd;

	lower(0, "x=1");
	bytes_fill(old, size, 1);
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ASSERT_EQ(write(fd, old, size), (ssize_t)size);
	close(fd);
	need_shale("others have no need for room");
	twins_mount();
	ASSERT_OK(chmod("m/f", 0600));
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	if (fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * size, BLOCK) < 0 && errno == EOPNOTSUPP)
		SKIP("%s cannot insert", union_backing());
	backing_fill(4 << 20);
	EXPECT_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK), ENOSPC);
	ASSERT_OK(unlink("filler"));
	got = file_bytes("m/f", &got_size);
	EXPECT_EQ(got_size, size);
	EXPECT(!memcmp(got, old, size));
	EXPECT_OK(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK));
	close(fd);
	union_remount();
	free(got);
	got = file_bytes("m/f", &got_size);
	EXPECT_EQ(got_size, size + BLOCK);
	EXPECT(!memcmp(got, old, BLOCK));
	EXPECT(!memcmp(got + 2 * BLOCK, old + BLOCK, size - BLOCK));
}

static void kill_after(pid_t pid, int milliseconds)
{
	int status;

	usleep(milliseconds * 1000);
	ASSERT_OK(kill(pid, SIGKILL));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
}

TEST(killed_write, "a writer that is killed leaves blocks that are old or new")
{
	const size_t size = 8 << 20;
	char *old = malloc(size), *new = malloc(size);
	pid_t pid;
	int fd;

	lower(0, "x=1");
	bytes_fill(old, size, 1);
	bytes_fill(new, size, 2);
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	ASSERT_EQ(write(fd, old, size), (ssize_t)size);
	close(fd);
	twins_mount();
	for (int i = 0; i < 4; i++) {
		pid = ASSERT_OK(fork());
		if (!pid) {
			fd = open("m/f", O_WRONLY | O_CLOEXEC);
			for (;;)
				pwrite(fd, new + i * 4 * BLOCK, size - i * 4 * BLOCK, i * 4 * BLOCK);
		}
		kill_after(pid, 20);
		expect_old_or_new(old, new, size);
	}
	union_remount();
	expect_old_or_new(old, new, size);
}

TEST(killed_insert, "an insertion that is killed while all is taken over has not begun")
{
	const size_t size = 64 << 20;
	struct stat st;
	pid_t pid;
	int fd;

	need_shale("others have nothing to take over");
	lower(0, "x=1");
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (size_t at = 0; at < size; at += 256 * KIB)
		bytes_put(fd, at, 256 * KIB, at);
	close(fd);
	twins_mount();
	ASSERT_OK(chmod("m/f", 0600));
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	if (fallocate(fd, FALLOC_FL_INSERT_RANGE, 2 * size, BLOCK) < 0 && errno == EOPNOTSUPP)
		SKIP("%s cannot insert", union_backing());
	pid = ASSERT_OK(fork());
	if (!pid)
		_exit(fallocate(fd, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK) != 0);
	kill_after(pid, 10);
	st = stat_of("m/f");
	EXPECT(st.st_size == (off_t)size || st.st_size == (off_t)size + BLOCK);
	for (size_t at = 0; st.st_size == (off_t)size && at < size; at += 256 * KIB) {
		char *want = malloc(256 * KIB), *got = malloc(256 * KIB);

		bytes_fill(want, 256 * KIB, at);
		EXPECT_EQ(pread(fd, got, 256 * KIB, at), 256 * KIB);
		EXPECT(!memcmp(want, got, 256 * KIB));
		free(want);
		free(got);
	}
	close(fd);
}

TEST(limit_promotes, "a limit on the size of files does not stop a change of a larger file's bytes or mode")
{
	lower(0, "x=1");
	twin_make("l0/f", 1);
	twin_make("l0/g", 1);
	twins_mount();
	IN_CHILD {
		struct rlimit limit = {10 * KIB, 10 * KIB};
		int fd;

		ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
		EXPECT_OK(chmod("m/g", 0600));
		fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
		EXPECT_EQ(pwrite(fd, "abc", 3, 9 * KIB), 3);
		EXPECT_OK(fsync(fd));
		EXPECT_EQ(pwrite(fd, "0123456789", 10, 10 * KIB - 5), 5);
		close(fd);
	}
	EXPECT_EQ(stat_of("m/f").st_size, SIZE);
	EXPECT_EQ(stat_of("m/g").st_size, SIZE);
	union_remount();
	expect_same_file("m/g", is_bare() ? "m/g" : "l0/g");
}

/* ------------------------------------------------------------------ without waiting */

static long errno_of(long ret)
{
	return ret < 0 ? -errno : ret;
}

TEST(nowait, "RWF_NOWAIT reads what is cached of several parts, and writes what the upper has")
{
	char buffer[8 * BLOCK], want[8 * BLOCK];
	struct iovec part = {buffer, sizeof(buffer)};
	ssize_t ret, done = 0;
	bool can_write;
	int fd, plain;

	twins_setup();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	plain = ASSERT_OK(open("p/f", O_RDWR | O_CLOEXEC));
	EXPECT_EQ(pread(plain, want, sizeof(want), 0), (ssize_t)sizeof(want));
	EXPECT_EQ(pread(fd, buffer, sizeof(buffer), 0), (ssize_t)sizeof(buffer));
	ret = preadv2(plain, &part, 1, 0, RWF_NOWAIT);
	if (ret < 0)
		SKIP("%s has no RWF_NOWAIT", union_backing());
	memset(buffer, 0, sizeof(buffer));
	while (done < (ssize_t)sizeof(buffer)) {
		part = (struct iovec){buffer + done, sizeof(buffer) - done};
		ret = preadv2(fd, &part, 1, done, RWF_NOWAIT);
		if (ret <= 0)
			break;
		done += ret;
	}
	EXPECT_EQ(done, (ssize_t)sizeof(buffer));
	EXPECT(!memcmp(buffer, want, sizeof(want)));
	part = (struct iovec){buffer, BLOCK};
	/* Filesystems refuse it when the file's time has to change, which it has every few milliseconds. */
	can_write = errno_of(pwritev2(plain, &part, 1, 2 * BLOCK, RWF_NOWAIT)) != -EOPNOTSUPP;
	ret = errno_of(pwritev2(fd, &part, 1, 2 * BLOCK, RWF_NOWAIT));
	if (can_write)
		EXPECT(ret == BLOCK || ret == -EAGAIN);
	else
		EXPECT_EQ(ret, -EOPNOTSUPP);
	if (is_shale() && can_write)
		EXPECT_ERR(pwritev2(fd, &part, 1, 5 * BLOCK, RWF_NOWAIT), EAGAIN);
	close(fd);
	close(plain);
}

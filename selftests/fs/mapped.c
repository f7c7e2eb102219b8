// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapped.c - tests of mappings of files that have some blocks in the upper and the rest below: that what is not in the
 * upper shows and stays, however large the pieces are that the kernel keeps, maps and dirties memory in, and
 * whatever a program does to its mapping. A file has a letter for each page.
 */
#include "union.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE  4096
#define HUGE  (2 << 20)
#define PAGES 1024
#define SIZE  (PAGES * PAGE)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static char letter(int page)
{
	return 'a' + page % 26;
}

static void make_pages(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
	char page[PAGE];

	for (int i = 0; i < PAGES; i++) {
		memset(page, letter(i), PAGE);
		ASSERT_EQ(write(fd, page, PAGE), PAGE);
	}
	ASSERT_OK(close(fd));
}

static void write_byte(const char *path, int page, char byte)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC));

	ASSERT_EQ(pwrite(fd, &byte, 1, (off_t)page * PAGE), 1);
	ASSERT_OK(close(fd));
}

/* A file of which the upper has the first page, in which the second byte is '1'. */
static void setup(void)
{
	lower(0, "x=1");
	make_pages("l0/f");
	union_mount_with(&union_by_blocks);
	write_byte("m/f", 0, '1');
}

static void *map_at(void *where, const char *path, int prot, int flags)
{
	int fd = ASSERT_OK(open(path, (prot & PROT_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC));
	void *at = mmap(where, SIZE, prot, flags, fd, 0);

	ASSERT(at != MAP_FAILED);
	close(fd);
	return at;
}

static volatile char *map_shared(const char *path)
{
	return map_at(NULL, path, PROT_READ | PROT_WRITE, MAP_SHARED);
}

/* Where huge pages would fit. */
static volatile char *map_aligned(const char *path)
{
	char *room = mmap(NULL, SIZE + HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(room != MAP_FAILED);
	room = (char *)(((uintptr_t)room + HUGE - 1) & -(uintptr_t)HUGE);
	return map_at(room, path, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED);
}

/* All pages but what STORED says was stored, a letter at the start of a page; its last one is page 0's '1'. */
struct stored {
	int page;
	char byte;
};

static void expect_page(const volatile char *at, int page, const struct stored *stored)
{
	char first = letter(page);

	while (stored->page && stored->page != page)
		stored++;
	if (stored->page == page)
		first = stored->byte;
	if (at[0] != first || at[1] != letter(page) || at[PAGE - 1] != letter(page))
		ktap_fail(__FILE__, __LINE__, "page %d is %02x %02x .. %02x and not %c%c .. %c", page, at[0],
			  at[1], at[PAGE - 1], first, letter(page), letter(page));
}

static const struct stored only_written[] = {{0, '1'}};

static void expect_mapped(const volatile char *at, const struct stored *stored)
{
	for (int i = 0; i < PAGES && !ktap_has_failed(); i++)
		expect_page(at + i * PAGE, i, stored);
}

static void expect_file(const char *path, const struct stored *stored)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	char page[PAGE];

	for (int i = 0; i < PAGES && !ktap_has_failed(); i++) {
		ASSERT_EQ(read(fd, page, PAGE), PAGE);
		expect_page(page, i, stored);
	}
	close(fd);
}

/* The file by read(2) and by a new mapping, from memory and from the disk. */
static void expect_all(const struct stored *stored)
{
	expect_file("m/f", stored);
	expect_mapped(map_shared("m/f"), stored);
	drop_caches();
	expect_file("m/f", stored);
	expect_mapped(map_shared("m/f"), stored);
}

TEST(reads, "a mapping of a promoted file shows both layers' bytes, cold and warm, and takes no block")
{
	volatile char *at;
	blkcnt_t before;

	need_shale("overlayfs has copied all of them");
	setup();
	sync();
	before = stat_of("m/f").st_blocks;
	expect_mapped(map_shared("m/f"), only_written);
	drop_caches();
	at = map_shared("m/f");
	expect_mapped(at, only_written);
	expect_mapped(at, only_written);
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	if (strcmp(union_backing(), "tmpfs"))
		EXPECT_EQ(stat_of("m/f").st_blocks, before);
}

TEST(one_byte, "a byte stored to a mapping after it was read in order takes one block")
{
	static const struct stored stored[] = {{77, 'S'}, {0, '1'}};
	blkcnt_t before;
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	setup();
	at = map_shared("m/f");
	expect_mapped(at, only_written);
	sync();
	before = stat_of("m/f").st_blocks;
	at[77 * PAGE] = 'S';
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	if (strcmp(union_backing(), "tmpfs"))
		EXPECT(stat_of("m/f").st_blocks <= before + 8);
	expect_all(stored);
}

/* How many pages of a file are in pieces of more than one. */
static int pages_in_large(const char *path)
{
	int maps = ASSERT_OK(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
	int flags = ASSERT_OK(open("/proc/kpageflags", O_RDONLY | O_CLOEXEC));
	const volatile char *at = map_at(NULL, path, PROT_READ, MAP_SHARED);
	int count = 0;

	for (int i = 0; i < PAGES; i++) {
		uint64_t frame = at[i * PAGE], bits = 0;

		ASSERT_EQ(pread(maps, &frame, 8, ((uintptr_t)at / PAGE + i) * 8), 8);
		ASSERT_EQ(pread(flags, &bits, 8, (frame & ((1ULL << 55) - 1)) * 8), 8);
		count += !!(bits >> 15 & 3);
	}
	ASSERT_OK(munmap((void *)at, SIZE));
	close(maps);
	close(flags);
	return count;
}

static void read_in_order(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	static char buffer[256 * 1024];

	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	close(fd);
}

/* The upper's file is read while the union is not mounted, so that all of its holes are in memory as zeros, in pieces
 * as large as the filesystem makes them. */
static void setup_large(void)
{
	setup();
	union_umount();
	drop_caches();
	read_in_order("u/f");
	ktap_note("%d pages are in large folios", pages_in_large("u/f"));
	if (!strcmp(union_backing(), "xfs"))
		EXPECT(pages_in_large("u/f") > 0);
	union_mount_with(&union_by_blocks);
}

TEST(large_reads, "a mapping shows the layer below where the upper's holes are in memory in large pieces")
{
	need_shale("overlayfs has copied all of them");
	setup_large();
	expect_mapped(map_shared("m/f"), only_written);
	expect_all(only_written);
}

TEST(large_stores, "bytes stored to some pages of large pieces lose nothing of the others")
{
	static const struct stored stored[] = {{21, 'S'}, {300, 'T'}, {1023, 'U'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	setup_large();
	at = map_shared("m/f");
	for (const struct stored *s = stored; s->page; s++)
		at[s->page * PAGE] = s->byte;
	expect_mapped(at, stored);
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	expect_all(stored);
}

/* The page that is stored to was mapped before with its neighbours, by a fault of one of them. */
TEST(large_stores_mapped, "a byte stored to a page of a large piece that was read before loses nothing")
{
	static const struct stored stored[] = {{21, 'S'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	setup_large();
	at = map_shared("m/f");
	EXPECT_EQ(at[20 * PAGE], letter(20));
	EXPECT_EQ(at[22 * PAGE], letter(22));
	at[21 * PAGE] = 'S';
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	expect_all(stored);
}

static void mount_tmpfs(const char *options)
{
	side_mount("tmpfs", "side", options);
	ASSERT_OK(mkdir("side/u", 0755));
	ASSERT_OK(mkdir("side/w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	lower(0, "x=1");
	make_pages("l0/f");
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=side/u,workdir=side/w"));
	write_byte("m/f", 0, '1');
	write_byte("m/f", 700, '2');
}

static const struct stored huge_written[] = {{700, '2'}, {0, '1'}};

TEST(huge, "huge pages of a tmpfs show the layer below around the block that was written")
{
	need_shale("overlayfs has copied all of them");
	mount_tmpfs("huge=always,size=64m");
	ktap_note("%d pages are in large folios", pages_in_large("side/u/f"));
	expect_mapped(map_aligned("m/f"), huge_written);
	expect_all(huge_written);
}

TEST(huge_store, "a byte stored to a huge page loses nothing of the rest")
{
	static const struct stored stored[] = {{5, 'S'}, {600, 'T'}, {700, '2'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	mount_tmpfs("huge=always,size=64m");
	EXPECT(pages_in_large("side/u/f") > 0);
	at = map_aligned("m/f");
	at[5 * PAGE] = 'S';
	EXPECT_EQ(at[600 * PAGE], letter(600));
	at[600 * PAGE] = 'T';
	expect_mapped(at, stored);
	expect_all(stored);
}

TEST(huge_private, "a private mapping of huge pages shows them, and keeps what is stored to it")
{
	static const struct stored stored[] = {{5, 'S'}, {700, '2'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	mount_tmpfs("huge=always,size=64m");
	at = map_at(NULL, "m/f", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	at[5 * PAGE] = 'S';
	expect_mapped(at, stored);
	expect_all(huge_written);
}

/* Small pages are put together to a huge one without a fault. */
TEST(collapse, "a mapping whose pages are to be put together to huge ones still shows the layer below")
{
	static const struct stored stored[] = {{9, 'S'}, {700, '2'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	mount_tmpfs("huge=never,size=64m");
	at = map_aligned("m/f");
	at[9 * PAGE] = 'S';
	if (madvise((void *)at, HUGE, MADV_COLLAPSE) < 0)
		ktap_note("MADV_COLLAPSE: %s", strerror(errno));
	expect_mapped(at, stored);
	expect_all(stored);
}

/* Where a program insists on it, which nonstandard.md says is wrong, it is not wrong in the file. */
TEST(collapse_forced, "a store after pages were put together to huge ones loses nothing of the file")
{
	static const struct stored stored[] = {{9, 'S'}, {700, '2'}, {0, '1'}};
	volatile char *at;

	need_shale("overlayfs has copied all of them");
	mount_tmpfs("huge=never,size=64m");
	at = map_aligned("m/f");
	EXPECT_EQ(at[11 * PAGE], letter(11));
	ASSERT_OK(madvise((void *)at, SIZE, MADV_HUGEPAGE));
	if (madvise((void *)at, HUGE, MADV_COLLAPSE) < 0)
		SKIP("MADV_COLLAPSE: %s", strerror(errno));
	at[9 * PAGE] = 'S';
	expect_file("m/f", stored);
}

TEST(populate, "MAP_POPULATE, MADV_POPULATE_READ and _WRITE and mlock fill a mapping with the right bytes")
{
	volatile char *at;

	setup();
	drop_caches();
	at = map_at(NULL, "m/f", PROT_READ, MAP_SHARED | MAP_POPULATE);
	expect_mapped(at, only_written);
	ASSERT_OK(munmap((void *)at, SIZE));
	drop_caches();
	at = map_shared("m/f");
	EXPECT_OK(mlock((void *)at, 16 * PAGE));
	EXPECT_OK(madvise((void *)at, SIZE / 2, MADV_POPULATE_READ));
	EXPECT_OK(madvise((void *)(at + SIZE / 2), SIZE / 4, MADV_POPULATE_WRITE));
	expect_mapped(at, only_written);
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	expect_all(only_written);
}

TEST(advice, "a mapping shows the same after it was told that it is not needed, cold, paged out or wanted")
{
	static const struct stored stored[] = {{33, 'S'}, {0, '1'}};
	static const int advices[] = {MADV_DONTNEED, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_RANDOM,
				      MADV_SEQUENTIAL, MADV_NORMAL, MADV_HUGEPAGE, MADV_NOHUGEPAGE};
	volatile char *at;

	setup();
	at = map_shared("m/f");
	at[33 * PAGE] = 'S';
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
		EXPECT_OK(madvise((void *)at, SIZE, advices[i]));
		expect_mapped(at, stored);
	}
	expect_all(stored);
}

TEST(moved, "a mapping that is moved, grown, split and made read-only shows the same")
{
	static const struct stored stored[] = {{50, 'S'}, {0, '1'}};
	volatile char *at;
	int fd;

	setup();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	at = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT(at != MAP_FAILED);
	close(fd);
	EXPECT_EQ(at[3 * PAGE], letter(3));
	at = mremap((void *)at, 8 * PAGE, SIZE, MREMAP_MAYMOVE);
	ASSERT(at != MAP_FAILED);
	at[50 * PAGE] = 'S';
	ASSERT_OK(mprotect((void *)(at + 100 * PAGE), 10 * PAGE, PROT_READ));
	expect_mapped(at, stored);
	IN_CHILD {
		expect_mapped(at, stored);
	}
	expect_all(stored);
}

TEST(fork, "a child's stores are seen by its parent, and stay when it has ended")
{
	static const struct stored stored[] = {{50, 'S'}, {60, 'T'}, {0, '1'}};
	volatile char *at;

	setup();
	at = map_shared("m/f");
	at[50 * PAGE] = 'S';
	IN_CHILD {
		at[60 * PAGE] = 'T';
	}
	expect_mapped(at, stored);
	expect_all(stored);
}

static char store_stack[64 << 10] __attribute__((aligned(16)));

static int store(void *at)
{
	*(volatile char *)at = 'S';
	return 0;
}

/* Stores from a thread into what is frozen, maps something meanwhile, and says so. */
static void map_beside_store(volatile char *at, int told)
{
	pid_t pid = ASSERT_OK(clone(store, store_stack + sizeof(store_stack), CLONE_VM | SIGCHLD, (void *)at));
	int status;

	usleep(300000);
	EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	ASSERT_EQ(write(told, "1", 1), 1);
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
}

TEST(frozen, "a store into a frozen mount waits for the thaw, and other threads of the process do not")
{
	static const struct stored stored[] = {{50, 'S'}, {0, '1'}};
	struct pollfd told = {.events = POLLIN};
	int fds[2], dir, status;
	volatile char *at;
	pid_t pid;

	need_shale("overlayfs cannot be frozen");
	setup();
	at = map_shared("m/f");
	dir = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_OK(pipe2(fds, O_CLOEXEC));
	ASSERT_OK(ioctl(dir, FIFREEZE, 0));
	pid = fork();
	if (pid == 0) {
		map_beside_store(at + 50 * PAGE, fds[1]);
		ktap_child_end();
	}
	told.fd = fds[0];
	EXPECT_EQ(poll(&told, 1, 10000), 1);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	expect_file("m/f", only_written);
	ASSERT_OK(ioctl(dir, FITHAW, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	close(fds[0]);
	close(fds[1]);
	close(dir);
	expect_all(stored);
}

/* Nothing here has to wait; lockdep compares what is locked when with what may be. */
TEST(frozen_order, "what is stored to a mapping is saved by an unmount and by a freeze, also with direct writes from mappings")
{
	static const struct stored stored[] = {{7, '1'}, {9, 'S'}, {10, 'T'}, {0, '1'}};
	volatile char *buffer, *at;
	int dir, fd;

	need_shale("overlayfs cannot be frozen");
	setup();
	fd = open("m/f", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		SKIP("the layer has no direct I/O");
	make_pages("m/buffer");
	drop_caches();
	buffer = map_shared("m/buffer");
	ASSERT_EQ(pwrite(fd, (const void *)(buffer + 7 * PAGE), PAGE, 7 * PAGE), PAGE);
	close(fd);
	ASSERT_OK(munmap((void *)buffer, SIZE));
	write_byte("m/f", 7, '1');
	at = map_shared("m/f");
	at[9 * PAGE] = 'S';
	ASSERT_OK(munmap((void *)at, SIZE));
	union_remount();
	at = map_shared("m/f");
	at[10 * PAGE] = 'T';
	dir = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	ASSERT_OK(ioctl(dir, FIFREEZE, 0));
	ASSERT_OK(ioctl(dir, FITHAW, 0));
	close(dir);
	expect_all(stored);
}

TEST(remap_file_pages, "remap_file_pages(2) shows other pages of the file, both layers' alike")
{
	volatile char *at;

	setup();
	at = map_shared("m/f");
	EXPECT_EQ(at[40 * PAGE], letter(40));
	if (syscall(SYS_remap_file_pages, at, 4 * PAGE, 0, 100, 0) < 0)
		SKIP("remap_file_pages: %s", strerror(errno));
	EXPECT_EQ(at[0], letter(100));
	EXPECT_EQ(at[3 * PAGE], letter(103));
	EXPECT_EQ(at[4 * PAGE], letter(4));
	at[PAGE] = 'S';
	ASSERT_OK(munmap((void *)at, SIZE));
	expect_all((const struct stored[]){{101, 'S'}, {0, '1'}});
}

/* Or nothing, where the filesystem cannot punch. */
TEST(removed, "MADV_REMOVE makes zeros and not the layer below, or says that it cannot")
{
	volatile char *at;

	setup();
	at = map_shared("m/f");
	EXPECT_EQ(at[40 * PAGE], letter(40));
	if (madvise((void *)(at + 40 * PAGE), PAGE, MADV_REMOVE) < 0) {
		EXPECT_EQ(errno, EOPNOTSUPP);
		expect_all(only_written);
		return;
	}
	EXPECT_EQ(at[40 * PAGE], 0);
	EXPECT_EQ(at[41 * PAGE], letter(41));
	drop_caches();
	EXPECT_EQ(at[40 * PAGE], 0);
}

/* With and without O_DIRECT, where that can be had. */
static void write_from_mapping(int flags)
{
	static const struct stored stored[] = {{10, 'a' + 200 % 26}, {0, '1'}};
	int fd = open("m/f", O_RDWR | O_CLOEXEC | flags);
	volatile char *at = map_shared("m/f");

	if (fd < 0)
		SKIP("O_DIRECT: %s", strerror(errno));
	EXPECT_EQ(pwrite(fd, (void *)(at + 300 * PAGE), 8 * PAGE, 300 * PAGE), 8 * PAGE);
	EXPECT_EQ(pwrite(fd, (void *)(at + 400 * PAGE), PAGE, 400 * PAGE), PAGE);
	EXPECT_EQ(pread(fd, (void *)(at + 10 * PAGE), PAGE, 200 * PAGE), PAGE);
	EXPECT_EQ(at[10 * PAGE], letter(200));
	memset((void *)(at + 10 * PAGE + 1), letter(10), PAGE - 1);
	EXPECT_EQ(pread(fd, (void *)(at + 500 * PAGE), PAGE, 500 * PAGE), PAGE);
	close(fd);
	expect_mapped(at, stored);
	expect_all(stored);
}

TEST(buffer, "write(2) from and read(2) into a mapping of the very same blocks are right")
{
	setup();
	write_from_mapping(0);
}

TEST(buffer_direct, "direct writes from and reads into a mapping of the very same blocks are right")
{
	setup();
	write_from_mapping(O_DIRECT);
}

TEST(swap, "a file with bytes in two layers is refused as a swap file")
{
	need_shale("overlayfs may do as it likes");
	setup();
	EXPECT(swapon("m/f", 0) < 0);
	EXPECT_EQ(errno, EINVAL);
}

TEST(detached, "a mapping works when its mount was detached, and what is stored to it is in the upper")
{
	static const struct stored stored[] = {{50, 'S'}, {0, '1'}};
	volatile char *at;

	need_union();
	setup();
	at = map_shared("m/f");
	ASSERT_OK(umount2("m", MNT_DETACH));
	drop_caches();
	at[50 * PAGE] = 'S';
	expect_mapped(at, stored);
	drop_caches();
	expect_mapped(at, stored);
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	ASSERT_OK(munmap((void *)at, SIZE));
	for (int i = 0; i < 100 && union_try("m", 0, "lowerdir=l0,upperdir=u,workdir=w") < 0; i++)
		usleep(50000);
	expect_all(stored);
}

TEST(deleted, "a mapping of a file that is deleted and closed keeps showing and taking bytes")
{
	static const struct stored stored[] = {{50, 'S'}, {0, '1'}};
	volatile char *at;

	setup();
	at = map_shared("m/f");
	ASSERT_OK(unlink("m/f"));
	at[50 * PAGE] = 'S';
	drop_caches();
	expect_mapped(at, stored);
}

static sigjmp_buf on_bus;

static void bus(int number)
{
	(void)number;
	siglongjmp(on_bus, 1);
}

/* Stores to all pages that there is room for, and returns how many those were. */
static int store_until_full(volatile char *at)
{
	volatile int page = 1;

	signal(SIGBUS, bus);
	if (!sigsetjmp(on_bus, 1))
		for (; page < PAGES; page++)
			at[page * PAGE] = '+';
	signal(SIGBUS, SIG_DFL);
	return page;
}

static void fill_up(const char *path)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	off_t end = 0;

	for (off_t step = 256 << 20; step >= PAGE; step /= 2)
		while (fallocate(fd, 0, end, step) == 0)
			end += step;
	close(fd);
	sync();
}

static void expect_stored_to(volatile char *at, int end)
{
	struct stored stored[PAGES + 1] = {{0, '1'}};

	for (int i = 1; i < end; i++) {
		stored[i - 1] = (struct stored){i, '+'};
		stored[i] = (struct stored){0, '1'};
	}
	expect_mapped(at, stored);
	if (end == PAGES)
		expect_all(stored);
}

TEST(no_space, "a store for which there is no space raises SIGBUS, and nothing of the file is lost")
{
	volatile char *at;
	int end;

	need_shale("overlayfs has copied all of them");
	if (!strcmp(union_backing(), "tmpfs") || !strcmp(union_backing(), "btrfs"))
		SKIP("%s counts what is read, or promises more than it has", union_backing());
	setup();
	at = map_shared("m/f");
	sync();
	fill_up("filler");
	end = store_until_full(at);
	ktap_note("%d pages could be stored to", end - 1);
	EXPECT(end < PAGES);
	expect_stored_to(at, end);
	ASSERT_OK(unlink("filler"));
	sync();
	EXPECT_EQ(store_until_full(at), PAGES);
	ASSERT_OK(msync((void *)at, SIZE, MS_SYNC));
	expect_stored_to(at, PAGES);
}

/* The numbers of the device and the inode, of newer kernels. */
TEST(proc_maps, "/proc/self/maps shows a mapping of both layers under the file's path in the mount")
{
	unsigned int major, minor;
	unsigned long ino;
	char line[4096];
	bool found = false;
	FILE *maps;

	setup();
	map_shared("m/f");
	maps = fopen("/proc/self/maps", "re");
	while (!found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/m/f\n") != NULL;
	fclose(maps);
	ASSERT(found);
	ASSERT_EQ(sscanf(line, "%*s %*s %*s %x:%x %lu", &major, &minor, &ino), 3);
	if (ino == ino_of("m/f"))
		ktap_note("device %x:%x, inode %lu", major, minor, ino);
}

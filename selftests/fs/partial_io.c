// SPDX-License-Identifier: GPL-2.0-only
/*
 * partial_io.c - tests of writing and copying files that have some blocks in the upper and the rest below, each beside
 * a twin (twins.h) with which results, errors and bytes must agree. What else there is to know about such files
 * is asked in partial_blocks.c; what becomes of them in other layers is in partial.c.
 */
#include "twins.h"

#include <linux/falloc.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

struct files {
	int f, g; /* opened with the flags of the case */
	const char *dir;
};

static long errno_of(long ret)
{
	return ret < 0 ? -errno : ret;
}

static long allocated(int fd, int mode, off_t at, off_t length)
{
	return errno_of(fallocate(fd, mode, at, length));
}

static long do_allocate(struct files *files)
{
	return allocated(files->f, 0, 0, SIZE + 100000);
}

static long do_allocate_keep(struct files *files)
{
	return allocated(files->f, FALLOC_FL_KEEP_SIZE, 10000, SIZE);
}

static long do_punch(struct files *files)
{
	return allocated(files->f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 3 * BLOCK + 7, 5 * BLOCK);
}

static long do_punch_all(struct files *files)
{
	return allocated(files->f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1L << 40);
}

static long do_zero(struct files *files)
{
	return allocated(files->f, FALLOC_FL_ZERO_RANGE, 3 * BLOCK + 7, 5 * BLOCK);
}

static long do_zero_end(struct files *files)
{
	return allocated(files->f, FALLOC_FL_ZERO_RANGE, SIZE - 5000, 20000);
}

static long do_collapse(struct files *files)
{
	return allocated(files->f, FALLOC_FL_COLLAPSE_RANGE, BLOCK, 3 * BLOCK);
}

static long do_insert(struct files *files)
{
	return allocated(files->f, FALLOC_FL_INSERT_RANGE, 5 * BLOCK, 4 * BLOCK);
}

static long do_collapse_end(struct files *files)
{
	return allocated(files->f, FALLOC_FL_COLLAPSE_RANGE, 64 * BLOCK, 4 * BLOCK);
}

static long do_collapse_twice(struct files *files)
{
	long ret = do_collapse(files);

	if (ftruncate(files->f, SIZE + 40000) < 0)
		return -errno;
	return ret ?: do_insert(files) ?: do_collapse(files);
}

static long do_unshare(struct files *files)
{
	return allocated(files->f, FALLOC_FL_UNSHARE_RANGE, 1000, 100 * KIB);
}

static long do_clone(struct files *files)
{
	return errno_of(ioctl(files->f, FICLONE, files->g));
}

static long cloned(int from, off_t from_at, off_t length, int to, off_t to_at)
{
	struct file_clone_range range = {
		.src_fd = from, .src_offset = from_at, .src_length = length, .dest_offset = to_at};

	return errno_of(ioctl(to, FICLONERANGE, &range));
}

static long do_clone_range(struct files *files)
{
	return cloned(files->g, BLOCK, 30 * BLOCK, files->f, 7 * BLOCK);
}

static long do_clone_tail(struct files *files)
{
	return cloned(files->g, 60 * BLOCK, SIZE - 60 * BLOCK, files->f, 80 * BLOCK);
}

static long do_clone_tail_inside(struct files *files)
{
	return cloned(files->g, 60 * BLOCK, SIZE - 60 * BLOCK, files->f, BLOCK);
}

static long do_clone_to_end(struct files *files)
{
	return cloned(files->g, 8 * BLOCK, 0, files->f, 70 * BLOCK);
}

static long do_clone_within(struct files *files)
{
	return cloned(files->f, 0, 20 * BLOCK, files->f, 30 * BLOCK);
}

static long do_clone_overlap(struct files *files)
{
	return cloned(files->f, 0, 20 * BLOCK, files->f, 10 * BLOCK);
}

static long do_clone_odd(struct files *files)
{
	return cloned(files->g, 100, 2 * BLOCK, files->f, 3 * BLOCK);
}

static long do_clone_beyond(struct files *files)
{
	return cloned(files->g, 60 * BLOCK, 100 * BLOCK, files->f, 0);
}

/* Half blocks of a map, where the filesystem has such blocks. */
static long do_clone_1k(struct files *files)
{
	return cloned(files->g, 1024, 9 * 1024, files->f, 3 * 1024);
}

/* The end of the source is not that of what a lower layer has of it. */
static long do_clone_cut(struct files *files)
{
	if (ftruncate(files->g, 30 * BLOCK + 11) < 0)
		return -errno;
	return do_clone(files) ?: cloned(files->g, 0, 0, files->f, 100 * BLOCK);
}

static long dedupe(int from, off_t from_at, off_t length, int to, off_t to_at)
{
	_Alignas(8) char space[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = {0};
	struct file_dedupe_range *range = (struct file_dedupe_range *)space;

	range->src_offset = from_at;
	range->src_length = length;
	range->dest_count = 1;
	range->info[0].dest_fd = to;
	range->info[0].dest_offset = to_at;
	if (ioctl(from, FIDEDUPERANGE, range) < 0)
		return -errno;
	return range->info[0].status == FILE_DEDUPE_RANGE_DIFFERS ? 1 : range->info[0].status;
}

/* What the upper has of g is written over with what f shows. */
static long do_dedupe(struct files *files)
{
	char *buffer = malloc(8 * BLOCK);
	long ret;

	ASSERT_EQ(pread(files->f, buffer, 8 * BLOCK, BLOCK), 8 * BLOCK);
	ASSERT_EQ(pwrite(files->g, buffer, 8 * BLOCK, 64 * KIB), 8 * BLOCK);
	free(buffer);
	ret = dedupe(files->f, BLOCK, 8 * BLOCK, files->g, 64 * KIB);
	return ret ?: dedupe(files->f, 0, 4 * BLOCK, files->g, 64 * KIB);
}

static void bytes_copy(int from, int to, off_t at, size_t length)
{
	char *buffer = malloc(length);

	ASSERT_EQ(pread(from, buffer, length, at), length);
	ASSERT_EQ(pwrite(to, buffer, length, at), length);
	free(buffer);
}

/* From blocks of the upper to such as are below, and to both. */
static long do_dedupe_below(struct files *files)
{
	long ret;

	bytes_copy(files->g, files->f, 160 * KIB, 4 * BLOCK);
	bytes_copy(files->g, files->f, 48 * KIB, 8 * BLOCK);
	ret = dedupe(files->f, 160 * KIB, 4 * BLOCK, files->g, 160 * KIB);
	return ret ?: dedupe(files->f, 48 * KIB, 8 * BLOCK, files->g, 48 * KIB);
}

static long do_dedupe_below_differs(struct files *files)
{
	bytes_copy(files->g, files->f, 160 * KIB, 4 * BLOCK);
	bytes_put(files->f, 160 * KIB + 3 * BLOCK + 4095, 1, 7);
	return dedupe(files->f, 160 * KIB, 4 * BLOCK, files->g, 160 * KIB);
}

static long copied(int from, off_t from_at, size_t length, int to, off_t to_at)
{
	size_t done = 0;
	ssize_t part;

	while (done < length) {
		part = copy_file_range(from, &from_at, to, &to_at, length - done, 0);
		if (part <= 0)
			return done ? (long)done : errno_of(part);
		done += part;
	}
	return done;
}

static long do_copy(struct files *files)
{
	return copied(files->g, 0, 1L << 30, files->f, 0);
}

static long do_copy_odd(struct files *files)
{
	return copied(files->g, 5001, 100000, files->f, 11111);
}

static long do_copy_direct_odd(struct files *files)
{
	loff_t from = 0, to = 60 * KIB;

	return errno_of(copy_file_range(files->f, &from, files->g, &to, 5 * BLOCK + 100, 0));
}

static long do_copy_aligned(struct files *files)
{
	return copied(files->g, 3 * BLOCK, 40 * BLOCK + 77, files->f, 60 * BLOCK);
}

static long do_copy_within(struct files *files)
{
	return copied(files->f, 10 * KIB, 30 * KIB, files->f, 150 * KIB + 1);
}

static long do_copy_overlap(struct files *files)
{
	return copied(files->f, 10 * KIB, 30 * KIB, files->f, 20 * KIB);
}

static long do_sendfile(struct files *files)
{
	off_t from = 3000;
	ssize_t part;
	long done = 0;

	ASSERT_OK(lseek(files->f, 50001, SEEK_SET));
	while ((part = sendfile(files->f, files->g, &from, SIZE)) > 0)
		done += part;
	return part < 0 ? -errno : done;
}

static long piped(int from, off_t from_at, int to, off_t to_at, long length)
{
	int pipes[2];
	long done = 0;
	ssize_t part, put;

	ASSERT_OK(pipe(pipes));
	while (done < length && (part = splice(from, &from_at, pipes[1], NULL, length - done, 0)) > 0)
		for (; part > 0; part -= put, done += put) {
			put = splice(pipes[0], NULL, to, &to_at, part, 0);
			if (put <= 0)
				return errno_of(put);
		}
	close(pipes[0]);
	close(pipes[1]);
	return done;
}

static long do_splice(struct files *files)
{
	return piped(files->g, 0, files->f, 0, SIZE);
}

static long do_splice_odd(struct files *files)
{
	return piped(files->g, 5001, files->f, SIZE - 70000, 100000);
}

/* Pages of one and the same file. */
static long do_splice_within(struct files *files)
{
	return piped(files->f, 0, files->f, 8 * KIB, 8 * KIB);
}

static long do_limit(struct files *files)
{
	struct rlimit old, limit;
	char buffer[3 * BLOCK];
	long ret;

	bytes_fill(buffer, sizeof(buffer), 77);
	signal(SIGXFSZ, SIG_IGN);
	ASSERT_OK(getrlimit(RLIMIT_FSIZE, &old));
	limit = (struct rlimit){14 * KIB + 3, old.rlim_max};
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
	ret = errno_of(pwrite(files->f, buffer, sizeof(buffer), 12 * KIB));
	if (ret == 2 * KIB + 3)
		ret = errno_of(pwrite(files->f, buffer, sizeof(buffer), 16 * KIB));
	ASSERT_OK(setrlimit(RLIMIT_FSIZE, &old));
	return ret;
}

static long do_append(struct files *files)
{
	char buffer[5000];

	bytes_fill(buffer, sizeof(buffer), 5);
	return errno_of(write(files->f, buffer, sizeof(buffer)));
}

static long do_vectors(struct files *files)
{
	static char bytes[64 * KIB];
	struct iovec parts[] = {{bytes, 10}, {bytes + 100, 0}, {bytes + 4000, 30000}, {bytes + 1, 5}};

	bytes_fill(bytes, sizeof(bytes), 9);
	return errno_of(pwritev(files->f, parts, 4, 7 * BLOCK - 3));
}

/* Memory that ends in the middle. */
static long fault(struct files *files, size_t good, off_t at)
{
	char *buffer = pages_alloc(6);
	long ret;

	ASSERT_OK(mprotect(buffer + 3 * BLOCK, 3 * BLOCK, PROT_NONE));
	ret = errno_of(pwrite(files->f, buffer + 3 * BLOCK - good, good + 2 * BLOCK, at));
	munmap(buffer, 6 * BLOCK);
	return ret;
}

static long do_fault_blocks(struct files *files)
{
	return fault(files, 2 * BLOCK, 10 * BLOCK);
}

static long do_fault_all(struct files *files)
{
	return fault(files, 0, 10 * BLOCK + 5);
}

/* How much of it is written is not the same everywhere, but what is not said to be written is not. */
static long do_fault_odd(struct files *files)
{
	char before[5 * BLOCK], after[5 * BLOCK], *buffer = pages_alloc(3);
	long ret;

	ASSERT_EQ(pread(files->f, before, sizeof(before), 10 * BLOCK), (ssize_t)sizeof(before));
	ret = fault(files, BLOCK + 100, 10 * BLOCK + 50);
	ASSERT_EQ(pread(files->f, after, sizeof(after), 10 * BLOCK), (ssize_t)sizeof(after));
	if (ret == -EFAULT)
		ret = 0;
	EXPECT(ret >= 0 && ret <= BLOCK + 100);
	EXPECT(!memcmp(before, after, 50));
	EXPECT(!memcmp(before + 50 + ret, after + 50 + ret, sizeof(after) - 50 - ret));
	EXPECT(!memcmp(buffer + 2 * BLOCK - 100, after + 50, ret));
	munmap(buffer, 3 * BLOCK);
	bytes_put(files->f, 10 * BLOCK, 5 * BLOCK, 1);
	return 0;
}

static long do_direct(struct files *files)
{
	char *buffer = pages_alloc(40);
	long ret = errno_of(pwrite(files->f, buffer, 37 * BLOCK, BLOCK));

	if (ret > 0)
		ret = errno_of(pwrite(files->f, buffer + BLOCK, 3 * BLOCK + 512, 50 * BLOCK + 1024));
	munmap(buffer, 40 * BLOCK);
	return ret;
}

static long do_direct_end(struct files *files)
{
	char *buffer = pages_alloc(8);
	long ret = errno_of(pwrite(files->f, buffer, 8 * BLOCK, 62 * BLOCK));

	munmap(buffer, 8 * BLOCK);
	return ret;
}

static long do_direct_memory(struct files *files)
{
	char *buffer = pages_alloc(8);
	long ret = errno_of(pwrite(files->f, buffer + 1, 2 * BLOCK, 12 * BLOCK));

	munmap(buffer, 8 * BLOCK);
	return ret;
}

static long do_direct_offset(struct files *files)
{
	char *buffer = pages_alloc(8);
	long ret = errno_of(pwrite(files->f, buffer, 2 * BLOCK, 12 * BLOCK + 1));

	munmap(buffer, 8 * BLOCK);
	return ret;
}

static long do_direct_length(struct files *files)
{
	char *buffer = pages_alloc(8);
	long ret = errno_of(pwrite(files->f, buffer, 2 * BLOCK + 1, 12 * BLOCK));

	munmap(buffer, 8 * BLOCK);
	return ret;
}

static long do_direct_vectors(struct files *files)
{
	char *buffer = pages_alloc(8);
	struct iovec parts[] = {{buffer, 512}, {buffer + BLOCK, 2 * BLOCK}, {buffer + 4 * BLOCK, BLOCK - 512}};
	long ret = errno_of(pwritev(files->f, parts, 3, 12 * BLOCK));

	munmap(buffer, 8 * BLOCK);
	return ret;
}

/* Direct reads of all that is there, of a part, and past the end. */
static long do_direct_read(struct files *files)
{
	char *buffer = pages_alloc(80), *want;
	long ret = errno_of(pread(files->f, buffer, 70 * BLOCK, 0));
	size_t size;

	if (ret > 0) {
		want = file_bytes(files->dir[0] == 'm' ? "m/f" : "p/f", &size);
		EXPECT_EQ(ret, (long)size);
		EXPECT(!memcmp(buffer, want, size));
		EXPECT_EQ(pread(files->f, buffer, 10 * BLOCK, 15 * BLOCK + 512), 10 * BLOCK);
		EXPECT(!memcmp(buffer, want + 15 * BLOCK + 512, 10 * BLOCK));
		EXPECT_EQ(pread(files->f, buffer, BLOCK, 64 * BLOCK), SIZE - 64 * BLOCK);
		EXPECT_EQ(pread(files->f, buffer, BLOCK, 65 * BLOCK), 0);
		free(want);
	}
	munmap(buffer, 80 * BLOCK);
	return ret;
}

/* Vectors of which the last is odd, from where the next eight blocks are the upper's: it begins in them and goes on. */
#define ODD_VECTORS(BUFFER) {{BUFFER, 4 * BLOCK}, {(BUFFER) + 4 * BLOCK, 20 * BLOCK - 682}}
#define ODD_VECTORS_AT	    (16 * BLOCK)

static long do_direct_odd_vectors(struct files *files)
{
	char *buffer = pages_alloc(24);
	struct iovec parts[] = ODD_VECTORS(buffer);
	long ret = errno_of(pwritev(files->f, parts, 2, ODD_VECTORS_AT));

	munmap(buffer, 24 * BLOCK);
	return ret;
}

static long do_direct_read_odd_vectors(struct files *files)
{
	char *buffer = pages_alloc(24), *want;
	struct iovec parts[] = ODD_VECTORS(buffer);
	long ret = errno_of(preadv(files->f, parts, 2, ODD_VECTORS_AT));
	size_t size;

	if (ret > 0) {
		want = file_bytes(files->dir[0] == 'm' ? "m/f" : "p/f", &size);
		EXPECT(!memcmp(buffer, want + ODD_VECTORS_AT, ret));
		free(want);
	}
	munmap(buffer, 24 * BLOCK);
	return ret;
}

static long do_direct_read_odd(struct files *files)
{
	char *buffer = pages_alloc(80);
	long ret = errno_of(pread(files->f, buffer, 20 * BLOCK, 15 * BLOCK + 1));

	munmap(buffer, 80 * BLOCK);
	return ret;
}

static const struct io_case {
	struct ktap_row row;
	int flags; /* to open them with */
	long (*run)(struct files *files);
} cases[] = {
	{{"allocate", "allocating keeps what blocks below show, and extends"}, O_RDWR, do_allocate},
	{{"allocate_keep", "allocating with the size kept keeps all"}, O_RDWR, do_allocate_keep},
	{{"punch", "punching odd bytes zeroes exactly them"}, O_RDWR, do_punch},
	{{"punch_all", "punching far beyond the end leaves a hole"}, O_RDWR, do_punch_all},
	{{"zero", "zeroing odd bytes zeroes exactly them"}, O_RDWR, do_zero},
	{{"zero_end", "zeroing over the end extends"}, O_WRONLY, do_zero_end},
	{{"collapse", "collapsing shifts what blocks below show"}, O_RDWR, do_collapse},
	{{"insert", "inserting shifts what blocks below show"}, O_WRONLY, do_insert},
	{{"collapse_end", "collapsing up to the end is refused"}, O_RDWR, do_collapse_end},
	{{"collapse_twice", "collapsing, extending, inserting and collapsing again"}, O_RDWR, do_collapse_twice},
	{{"unshare", "unsharing keeps all, by a descriptor that only writes"}, O_WRONLY, do_unshare},
	{{"clone", "cloning a whole file"}, O_RDWR, do_clone},
	{{"clone_range", "cloning a range"}, O_RDWR, do_clone_range},
	{{"clone_tail", "cloning an odd end beyond the target's end"}, O_RDWR, do_clone_tail},
	{{"clone_tail_inside", "cloning an odd end into the middle is refused"}, O_RDWR, do_clone_tail_inside},
	{{"clone_to_end", "cloning a length of zero goes to the end"}, O_RDWR, do_clone_to_end},
	{{"clone_within", "cloning within a file"}, O_RDWR, do_clone_within},
	{{"clone_overlap", "cloning onto itself is refused"}, O_RDWR, do_clone_overlap},
	{{"clone_odd", "cloning odd offsets is refused"}, O_RDWR, do_clone_odd},
	{{"clone_beyond", "cloning beyond the source's end is refused"}, O_RDWR, do_clone_beyond},
	{{"clone_1k", "cloning parts of 4 KiB does as on the backing filesystem"}, O_RDWR, do_clone_1k},
	{{"clone_cut", "cloning a file that was cut"}, O_RDWR, do_clone_cut},
	{{"dedupe", "dedupe into blocks of the upper"}, O_RDWR, do_dedupe},
	{{"dedupe_below", "dedupe into blocks of the lower layer, and of both"}, O_RDWR, do_dedupe_below},
	{{"dedupe_below_differs", "dedupe into blocks of the lower layer that differ in a byte"}, O_RDWR,
	 do_dedupe_below_differs},
	{{"copy", "copy_file_range of a whole file"}, O_RDWR, do_copy},
	{{"copy_odd", "copy_file_range of odd bytes"}, O_RDWR, do_copy_odd},
	{{"copy_direct_odd", "copy_file_range of odd bytes to a file opened for direct I/O is refused as a whole"},
	 O_RDWR | O_DIRECT, do_copy_direct_odd},
	{{"copy_aligned", "copy_file_range of whole blocks and a rest"}, O_RDWR, do_copy_aligned},
	{{"copy_within", "copy_file_range within a file"}, O_RDWR, do_copy_within},
	{{"copy_overlap", "copy_file_range onto itself is refused"}, O_RDWR, do_copy_overlap},
	{{"sendfile", "sendfile from one to the other"}, O_RDWR, do_sendfile},
	{{"splice", "splice through a pipe from one to the other"}, O_RDWR, do_splice},
	{{"splice_odd", "splice of odd bytes over the end"}, O_RDWR, do_splice_odd},
	{{"splice_within", "splice of a file's own pages into it"}, O_RDWR, do_splice_within},
	{{"splice_append", "splice into a file opened for appending is refused"}, O_RDWR | O_APPEND, do_splice},
	{{"limit", "a limit on the size of files cuts a write"}, O_RDWR, do_limit},
	{{"append", "appending"}, O_WRONLY | O_APPEND, do_append},
	{{"vectors", "writing odd vectors"}, O_WRONLY, do_vectors},
	{{"fault_blocks", "memory that ends after whole blocks: they are written"}, O_RDWR, do_fault_blocks},
	{{"fault_all", "memory that is not there: EFAULT, and nothing changes"}, O_RDWR, do_fault_all},
	{{"fault_odd", "memory that ends in a block: what is not counted stays"}, O_RDWR, do_fault_odd},
	{{"dsync", "writing with O_DSYNC"}, O_WRONLY | O_DSYNC, do_vectors},
	{{"direct", "direct writes"}, O_RDWR | O_DIRECT, do_direct},
	{{"direct_dsync", "direct writes with O_DSYNC"}, O_WRONLY | O_DIRECT | O_DSYNC, do_direct},
	{{"direct_end", "a direct write over the end"}, O_RDWR | O_DIRECT, do_direct_end},
	{{"direct_memory", "a direct write of unaligned memory"}, O_RDWR | O_DIRECT, do_direct_memory},
	{{"direct_offset", "a direct write to an unaligned offset"}, O_RDWR | O_DIRECT, do_direct_offset},
	{{"direct_length", "a direct write of an unaligned length"}, O_RDWR | O_DIRECT, do_direct_length},
	{{"direct_vectors", "a direct write of vectors that make blocks together"}, O_RDWR | O_DIRECT,
	 do_direct_vectors},
	{{"direct_fault", "a direct write of memory that is not there: EFAULT"}, O_RDWR | O_DIRECT, do_fault_all},
	{{"direct_read", "direct reads of several parts"}, O_RDONLY | O_DIRECT, do_direct_read},
	{{"direct_read_odd", "a direct read of an unaligned offset"}, O_RDONLY | O_DIRECT, do_direct_read_odd},
	{{"direct_odd_vectors", "a direct write of vectors of which the last is odd"}, O_RDWR | O_DIRECT,
	 do_direct_odd_vectors},
	{{"direct_read_odd_vectors", "a direct read into vectors of which the last is odd"}, O_RDONLY | O_DIRECT,
	 do_direct_read_odd_vectors},
	{{"direct_splice", "splice between files opened for direct I/O"}, O_RDWR | O_DIRECT, do_splice_within},
};

static long case_run(const struct io_case *c, const char *dir)
{
	struct files files = {.dir = dir};
	char f[16], g[16];
	long ret;

	snprintf(f, sizeof(f), "%s/f", dir);
	snprintf(g, sizeof(g), "%s/g", dir);
	files.f = open(f, c->flags | O_CLOEXEC);
	files.g = open(g, (c->flags & O_DIRECT) | O_RDWR | O_CLOEXEC);
	if ((files.f < 0 || files.g < 0) && (c->flags & O_DIRECT))
		SKIP("%s has no O_DIRECT", union_backing());
	ASSERT_OK(files.f);
	ret = c->run(&files);
	close(files.f);
	close(files.g);
	return ret;
}

TEST_TABLE(io, struct io_case, cases, c)
{
	long ours, theirs;

	twins_setup();
	twins_expect_same();
	theirs = case_run(c, "p");
	ours = case_run(c, "m");
	/* btrfs of 7.3 writes all that goes into one large folio or nothing. */
	if (theirs == -EFAULT && ours > 0)
		SKIP("%s does not write what comes before memory that is not there", union_backing());
	EXPECT_EQ(ours, theirs);
	twins_expect_same();
	drop_caches();
	twins_expect_same();
	union_remount();
	twins_expect_same();
	twin_touch("m/f");
	twin_touch("p/f");
	twins_expect_same();
}

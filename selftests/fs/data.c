// SPDX-License-Identifier: GPL-2.0-only
/*
 * data.c - tests of file data on a union: holes, fallocate, copying inside the kernel, positions, limits.
 * Where filesystems differ, the file on the mount must do what the same file does on the backing
 * filesystem itself. Mappings are in mmap.c.
 */
#include "union.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define KIB 1024
#define MIB (1024 * 1024)

static void fill(char *buffer, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (char)((i * 2654435761U + seed) >> 11);
}

static void make_data(const char *path, size_t size, unsigned int seed)
{
	char *buffer = malloc(size);
	int fd;

	fill(buffer, size, seed);
	fd = ASSERT_OK(open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
	ASSERT_EQ(write(fd, buffer, size), (ssize_t)size);
	ASSERT_OK(close(fd));
	free(buffer);
}

/* Reads the file whole; the caller frees. */
static char *read_all(const char *path, size_t *ret_size)
{
	struct stat st = stat_of(path);
	char *buffer = malloc(st.st_size + 1);
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	size_t got = 0;
	ssize_t part;

	while ((part = read(fd, buffer + got, st.st_size - got)) > 0)
		got += part;
	close(fd);
	*ret_size = got;
	return buffer;
}

static void expect_same_file(const char *a, const char *b)
{
	size_t a_size, b_size;
	char *one = read_all(a, &a_size), *two = read_all(b, &b_size);

	if (EXPECT_EQ(a_size, b_size), a_size == b_size)
		EXPECT(!memcmp(one, two, a_size));
	free(one);
	free(two);
}

/* The file "m/f" starts as this in a lower layer, and a copy of it is "plain" on the backing fs. */
static void setup_twins(size_t size)
{
	lower(0, "x=1");
	make_data("l0/f", size, 7);
	make_data("plain", size, 7);
	union_mount();
}

static const struct fallocate_case {
	struct ktap_row row;
	int mode;
	off_t offset, length;
} fallocates[] = {
	{{"allocate", "fallocate inside a lower file does as on the backing filesystem"}, 0, 4096, 8192},
	{{"extend", "fallocate beyond the end extends a lower file"}, 0, 60 * KIB, 100 * KIB},
	{{"keep_size", "FALLOC_FL_KEEP_SIZE beyond the end keeps the size"}, FALLOC_FL_KEEP_SIZE,
	 60 * KIB, 100 * KIB},
	{{"punch", "punching a hole of whole blocks reads as zeros"},
	 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 8192},
	{{"punch_odd", "punching a hole of odd bytes zeroes exactly them"},
	 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5000, 7777},
	{{"punch_past_end", "punching past the end keeps the size"},
	 FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 60 * KIB, 100 * KIB},
	{{"zero", "zeroing a range does as on the backing filesystem"}, FALLOC_FL_ZERO_RANGE, 5000, 9000},
	{{"zero_extend", "zeroing past the end extends the file as on the backing filesystem"},
	 FALLOC_FL_ZERO_RANGE, 60 * KIB, 20 * KIB},
	{{"collapse", "collapsing a range does as on the backing filesystem"}, FALLOC_FL_COLLAPSE_RANGE,
	 8192, 8192},
	{{"collapse_odd", "collapsing unaligned bytes fails as on the backing filesystem"},
	 FALLOC_FL_COLLAPSE_RANGE, 1000, 1000},
	{{"insert", "inserting a range does as on the backing filesystem"}, FALLOC_FL_INSERT_RANGE, 8192,
	 8192},
	{{"unshare", "unsharing a range does as on the backing filesystem"}, FALLOC_FL_UNSHARE_RANGE, 0,
	 64 * KIB},
	{{"negative", "a negative offset gives the backing filesystem's error"}, 0, -1, 4096},
	{{"zero_length", "a length of zero gives the backing filesystem's error"}, 0, 0, 0},
	{{"punch_grows", "punching without keeping the size gives the backing filesystem's error"},
	 FALLOC_FL_PUNCH_HOLE, 0, 4096},
	{{"unknown", "an unknown mode gives the backing filesystem's error"}, 0x4000, 0, 4096},
};
TEST_TABLE(fallocate, struct fallocate_case, fallocates, c)
{
	int ours, theirs, our_ret, their_ret, our_error, their_error;

	setup_twins(64 * KIB);
	ours = ASSERT_OK(open("m/f", O_RDWR));
	theirs = ASSERT_OK(open("plain", O_RDWR));
	errno = 0;
	our_ret = fallocate(ours, c->mode, c->offset, c->length);
	our_error = errno;
	errno = 0;
	their_ret = fallocate(theirs, c->mode, c->offset, c->length);
	their_error = errno;
	EXPECT_EQ(our_ret, their_ret);
	EXPECT_EQ(our_error, their_error);
	close(ours);
	close(theirs);
	EXPECT_EQ(stat_of("m/f").st_size, stat_of("plain").st_size);
	expect_same_file("m/f", "plain");
	union_remount();
	expect_same_file("m/f", "plain");
}

TEST(truncate_extend, "extending a lower file reads as zeros beyond its old end")
{
	setup_twins(5000);
	ASSERT_OK(truncate("m/f", 20000));
	ASSERT_OK(truncate("plain", 20000));
	expect_same_file("m/f", "plain");
}

TEST(truncate_shrink_extend, "shrinking and extending again does not bring old bytes back")
{
	setup_twins(20000);
	ASSERT_OK(truncate("m/f", 1234));
	ASSERT_OK(truncate("m/f", 20000));
	ASSERT_OK(truncate("plain", 1234));
	ASSERT_OK(truncate("plain", 20000));
	expect_same_file("m/f", "plain");
	union_remount();
	expect_same_file("m/f", "plain");
}

TEST(write_at_offsets, "writes at odd offsets change exactly their bytes")
{
	static const off_t offsets[] = {0, 1, 4095, 4096, 4097, 10000, 65535, 70000};
	int ours, theirs;

	setup_twins(64 * KIB);
	ours = ASSERT_OK(open("m/f", O_RDWR));
	theirs = ASSERT_OK(open("plain", O_RDWR));
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		EXPECT_EQ(pwrite(ours, "0123456789", 10, offsets[i]), 10);
		EXPECT_EQ(pwrite(theirs, "0123456789", 10, offsets[i]), 10);
	}
	close(ours);
	close(theirs);
	expect_same_file("m/f", "plain");
}

TEST(big_file, "a lower file of 8 MiB keeps every byte over promotion")
{
	setup_twins(8 * MIB);
	ASSERT_OK(chmod("m/f", 0600));
	drop_caches();
	expect_same_file("m/f", "plain");
}

TEST(sparse_promotion, "a sparse lower file of 1 GiB stays sparse when it is promoted")
{
	struct stat st;
	int fd;

	lower(0, "f=");
	fd = ASSERT_OK(open("l0/f", O_RDWR));
	ASSERT_EQ(pwrite(fd, "start", 5, 0), 5);
	ASSERT_EQ(pwrite(fd, "middle", 6, 512L * MIB), 6);
	ASSERT_OK(ftruncate(fd, 1024L * MIB));
	close(fd);
	union_mount();
	file_append("m/f", "end");
	st = stat_of("m/f");
	EXPECT_EQ(st.st_size, 1024L * MIB + 3);
	EXPECT(st.st_blocks * 512 < 4 * MIB);
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	for (int i = 0; i < 3; i++) {
		static const char *const want[] = {"start", "middl", "end"};
		static const off_t where[] = {0, 512L * MIB, 1024L * MIB};
		char text[6] = "";

		EXPECT(pread(fd, text, 5, where[i]) >= 3);
		EXPECT_STREQ(text, want[i]);
	}
	close(fd);
}

TEST(beyond_4g, "offsets beyond 4 GiB work")
{
	char text[4] = "";
	int fd;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(pwrite(fd, "far", 3, 5L * 1024 * MIB), 3);
	EXPECT_EQ(pread(fd, text, 3, 5L * 1024 * MIB), 3);
	EXPECT_STREQ(text, "far");
	EXPECT_EQ(stat_of("m/f").st_size, 5L * 1024 * MIB + 3);
	EXPECT_EQ(pread(fd, text, 1, 0), 1);
	EXPECT_EQ(text[0], '1');
	close(fd);
}

TEST(seek_hole_data, "SEEK_HOLE and SEEK_DATA answer as on the layer, before and after promotion")
{
	static const off_t from[] = {0, 100 * KIB, 2 * MIB, 4 * MIB - 1};
	int fd, plain;

	lower(0, "f=");
	fd = ASSERT_OK(open("l0/f", O_RDWR));
	ASSERT_EQ(pwrite(fd, "data", 4, 1 * MIB), 4);
	ASSERT_OK(ftruncate(fd, 4 * MIB));
	ASSERT_OK(fsync(fd));
	close(fd);
	union_mount();
	plain = ASSERT_OK(open(is_bare() ? "m/f" : "l0/f", O_RDONLY));
	for (int round = 0; round < 2; round++) {
		fd = ASSERT_OK(open("m/f", O_RDONLY));
		for (size_t i = 0; i < sizeof(from) / sizeof(from[0]); i++) {
			EXPECT_EQ(lseek(fd, from[i], SEEK_DATA), lseek(plain, from[i], SEEK_DATA));
			EXPECT_EQ(lseek(fd, from[i], SEEK_HOLE), lseek(plain, from[i], SEEK_HOLE));
		}
		EXPECT_ERR(lseek(fd, 4 * MIB, SEEK_DATA), ENXIO);
		EXPECT_ERR(lseek(fd, 2 * MIB, SEEK_DATA), ENXIO);
		close(fd);
		ASSERT_OK(chmod("m/f", 0600));
		sync();
	}
	close(plain);
}

TEST(lseek, "lseek from the end knows the size after promotion by another descriptor")
{
	int fd;

	lower(0, "f=1234");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 4);
	file_append("m/f", "5678");
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 8);
	EXPECT_EQ(lseek(fd, -1, SEEK_END), 7);
	EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	close(fd);
}

static void copy_range(const char *from, const char *to)
{
	int in = ASSERT_OK(open(from, O_RDONLY)), out;
	loff_t done = 0;

	out = ASSERT_OK(open(to, O_CREAT | O_WRONLY, 0644));
	while (done < 100 * KIB) {
		ssize_t got = ASSERT_OK(copy_file_range(in, NULL, out, NULL, 100 * KIB - done, 0));

		if (got == 0)
			break;
		done += got;
	}
	EXPECT_EQ(done, 100 * KIB);
	close(in);
	close(out);
}

TEST(copy_file_range, "copy_file_range copies a lower file to a new one")
{
	setup_twins(100 * KIB);
	copy_range("m/f", "m/new");
	expect_same_file("m/new", "plain");
}

TEST(copy_file_range_into_lower, "copy_file_range into a lower file promotes it")
{
	setup_twins(100 * KIB);
	make_data("m/new", 100 * KIB, 99);
	copy_range("m/new", "m/f");
	expect_same_file("m/f", "m/new");
}

TEST(copy_file_range_self, "copy_file_range inside one promoted file moves the right bytes")
{
	loff_t from = 0, to = 50 * KIB;
	int ours, theirs;

	setup_twins(64 * KIB);
	ours = ASSERT_OK(open("m/f", O_RDWR));
	theirs = ASSERT_OK(open("plain", O_RDWR));
	EXPECT_EQ(copy_file_range(ours, &from, ours, &to, 10 * KIB, 0), 10 * KIB);
	from = 0;
	to = 50 * KIB;
	EXPECT_EQ(copy_file_range(theirs, &from, theirs, &to, 10 * KIB, 0), 10 * KIB);
	expect_same_file("m/f", "plain");
	from = 0;
	to = 1;
	EXPECT_ERR(copy_file_range(ours, &from, ours, &to, 10, 0), EINVAL);
	close(ours);
	close(theirs);
}

TEST(clone, "FICLONE of a lower file works exactly where the backing filesystem has it")
{
	int in, out, plain_in, plain_out, want, want_error;

	setup_twins(64 * KIB);
	plain_in = ASSERT_OK(open("plain", O_RDONLY));
	plain_out = ASSERT_OK(open("plain2", O_CREAT | O_RDWR, 0644));
	errno = 0;
	want = ioctl(plain_out, FICLONE, plain_in);
	want_error = errno;
	in = ASSERT_OK(open("m/f", O_RDONLY));
	out = ASSERT_OK(open("m/new", O_CREAT | O_RDWR, 0644));
	if (want == 0) {
		EXPECT_OK(ioctl(out, FICLONE, in));
		expect_same_file("m/new", "plain");
	} else {
		EXPECT_ERR(ioctl(out, FICLONE, in), want_error);
		EXPECT_EQ(stat_of("m/new").st_size, 0);
	}
}

TEST(clone_into_lower, "FICLONE over a lower file replaces its data where the backing can clone")
{
	int in, out, ret;

	setup_twins(64 * KIB);
	make_data("m/new", 64 * KIB, 3);
	in = ASSERT_OK(open("m/new", O_RDONLY));
	out = ASSERT_OK(open("m/f", O_RDWR));
	ret = ioctl(out, FICLONE, in);
	if (ret < 0 && (errno == EOPNOTSUPP || errno == EINVAL))
		SKIP("%s cannot clone", union_backing());
	EXPECT_EQ(ret, 0);
	expect_same_file("m/f", "m/new");
	expect_same_file(is_bare() ? "m/f" : "l0/f", is_bare() ? "m/new" : "plain");
}

/* 0 when the first 64 KiB of both are shared now, else what the system call or the target's status says. */
static int dedupe(int from, int to)
{
	_Alignas(8) char space[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = {0};
	struct file_dedupe_range *range = (struct file_dedupe_range *)space;

	range->src_length = 64 * KIB;
	range->dest_count = 1;
	range->info[0].dest_fd = to;
	if (ioctl(from, FIDEDUPERANGE, range) < 0)
		return errno;
	return range->info[0].status == FILE_DEDUPE_RANGE_DIFFERS ? EBADE : -range->info[0].status;
}

#define SHARED_BLOCK 4096

/* XFS sets blocks aside around one that is shared when it is written, and has dirty pages count on them. */
TEST(unshare, "unsharing the last shared range of a file loses none of its unwritten bytes")
{
	static char block[SHARED_BLOCK] __attribute__((aligned(SHARED_BLOCK)));
	int fd, shared, direct;

	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/new", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	shared = ASSERT_OK(open("m/shared", O_CREAT | O_RDWR | O_CLOEXEC, 0644));
	memset(block, 'a', sizeof(block));
	ASSERT_EQ(pwrite(fd, block, sizeof(block), 0), SHARED_BLOCK);
	ASSERT_OK(fsync(fd));
	direct = open("m/new", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (ioctl(shared, FICLONE, fd) < 0 || direct < 0)
		SKIP("%s cannot share, or has no O_DIRECT", union_backing());
	ASSERT_EQ(pwrite(direct, block, sizeof(block), 0), SHARED_BLOCK);
	memset(block, 'b', sizeof(block));
	for (int i = 3; i < 20; i++)
		ASSERT_EQ(pwrite(fd, block, sizeof(block), i * SHARED_BLOCK), SHARED_BLOCK);
	if (fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 10 * SHARED_BLOCK, SHARED_BLOCK) < 0)
		SKIP("%s does not unshare", union_backing());
	ASSERT_OK(fsync(fd));
	for (int i = 3; i < 20; i++) {
		ASSERT_EQ(pread(direct, block, sizeof(block), i * SHARED_BLOCK), SHARED_BLOCK);
		EXPECT_EQ(block[0], 'b');
	}
	close(direct);
	close(shared);
	close(fd);
}

TEST(dedupe, "FIDEDUPERANGE of equal ranges works or fails exactly as on the backing filesystem")
{
	int plain_a, plain_b, a, b, want;

	setup_twins(64 * KIB);
	make_data("plain2", 64 * KIB, 7);
	make_data("m/new", 64 * KIB, 7);
	make_data("m/new2", 64 * KIB, 7);
	plain_a = ASSERT_OK(open("plain", O_RDWR));
	plain_b = ASSERT_OK(open("plain2", O_RDWR));
	want = dedupe(plain_a, plain_b);
	if (want)
		overlay_lacks("the right error where there is no dedupe");
	a = ASSERT_OK(open("m/new", O_RDWR));
	b = ASSERT_OK(open("m/new2", O_RDWR));
	EXPECT_EQ(dedupe(a, b), want);
	expect_same_file("m/new2", "plain");
}

TEST(dedupe_lower, "FIDEDUPERANGE into a lower file says whether they are equal, and leaves it there")
{
	int plain_a, plain_b, a, b, want;

	setup_twins(64 * KIB);
	make_data("plain2", 64 * KIB, 7);
	make_data("m/new", 64 * KIB, 7);
	plain_a = ASSERT_OK(open("plain", O_RDWR));
	plain_b = ASSERT_OK(open("plain2", O_RDWR));
	want = dedupe(plain_a, plain_b);
	if (!is_shale())
		SKIP("only shale compares");
	a = ASSERT_OK(open("m/new", O_RDWR));
	b = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_EQ(dedupe(a, b), want);
	ASSERT_EQ(pwrite(a, "different", 9, 64 * KIB - 9), 9);
	EXPECT_EQ(dedupe(a, b), want ?: EBADE);
	EXPECT(!exists("u/f"));
	expect_same_file("m/f", "plain");
}

TEST(fiemap, "FIEMAP of a lower and of a promoted file gives the layer's extents or EOPNOTSUPP")
{
	struct {
		struct fiemap map;
		struct fiemap_extent extent[8];
	} ours, theirs;
	int fd, plain, want;

	setup_twins(64 * KIB);
	sync();
	for (int round = 0; round < 2; round++) {
		ours.map = (struct fiemap){.fm_length = 64 * KIB, .fm_flags = FIEMAP_FLAG_SYNC, .fm_extent_count = 8};
		theirs = ours;
		fd = ASSERT_OK(open("m/f", O_RDONLY));
		plain = ASSERT_OK(open("plain", O_RDONLY));
		want = ioctl(plain, FS_IOC_FIEMAP, &theirs);
		EXPECT_EQ(ioctl(fd, FS_IOC_FIEMAP, &ours), want);
		if (want == 0)
			EXPECT(ours.map.fm_mapped_extents > 0);
		close(fd);
		close(plain);
		ASSERT_OK(chmod("m/f", 0600));
	}
}

TEST(splice, "splice moves data from a lower file to a pipe and from a pipe into it")
{
	int fd, pipes[2];
	char text[16] = "";
	loff_t at = 0;

	lower(0, "f=0123456789");
	union_mount();
	ASSERT_OK(pipe(pipes));
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(splice(fd, &at, pipes[1], NULL, 10, 0), 10);
	EXPECT_EQ(at, 10);
	EXPECT_EQ(read(pipes[0], text, sizeof(text)), 10);
	EXPECT_STREQ(text, "0123456789");
	ASSERT_EQ(write(pipes[1], "abc", 3), 3);
	at = 4;
	EXPECT_EQ(splice(pipes[0], NULL, fd, &at, 3, 0), 3);
	EXPECT_EQ(at, 7);
	EXPECT_STREQ(file_text("m/f"), "0123abc789");
	close(fd);
}

TEST(splice_old_fd, "splice from a descriptor opened before a promotion reads the new data")
{
	int fd, pipes[2];
	char text[16] = "";
	loff_t at = 0;

	lower(0, "f=old");
	union_mount();
	ASSERT_OK(pipe(pipes));
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	file_write("m/f", "newer");
	EXPECT_EQ(splice(fd, &at, pipes[1], NULL, 10, 0), 5);
	EXPECT_EQ(read(pipes[0], text, sizeof(text)), 5);
	EXPECT_STREQ(text, "newer");
	close(fd);
}

TEST(sendfile, "sendfile copies a lower file, and into a lower file")
{
	off_t at = 0;
	int in, out;

	setup_twins(100 * KIB);
	in = ASSERT_OK(open("m/f", O_RDONLY));
	out = ASSERT_OK(open("m/new", O_CREAT | O_RDWR, 0644));
	while (at < 100 * KIB)
		if (ASSERT_OK(sendfile(out, in, &at, 100 * KIB - at)) == 0)
			break;
	expect_same_file("m/new", "plain");
	close(in);
	close(out);
}

TEST(vectors, "readv, writev, preadv2 and pwritev2 work on a promoted file")
{
	struct iovec parts[2];
	char one[4] = "", two[8] = "";
	int fd;

	lower(0, "f=0123456789");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	parts[0] = (struct iovec){"ab", 2};
	parts[1] = (struct iovec){"cd", 2};
	EXPECT_EQ(pwritev(fd, parts, 2, 3), 4);
	EXPECT_EQ(pwritev2(fd, parts, 1, 0, RWF_DSYNC), 2);
	parts[0] = (struct iovec){one, 3};
	parts[1] = (struct iovec){two, 7};
	EXPECT_EQ(preadv(fd, parts, 2, 0), 10);
	EXPECT_STREQ(one, "ab2");
	EXPECT_STREQ(two, "abcd789");
	EXPECT_STREQ(file_text("m/f"), "ab2abcd789");
	close(fd);
}

TEST(append_flag, "RWF_APPEND writes at the end of a lower file whatever offset is given")
{
	struct iovec part = {"ab", 2};
	int fd;

	overlay_lacks("RWF_APPEND on 6.1");
	lower(0, "f=0123456789");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(pwritev2(fd, &part, 1, 0, RWF_APPEND), 2);
	EXPECT_EQ(pwritev2(fd, &part, 1, 3, RWF_APPEND), 2);
	EXPECT_STREQ(file_text("m/f"), "0123456789abab");
	close(fd);
}

TEST(advice, "posix_fadvise, readahead and sync_file_range are accepted")
{
	int fd;

	setup_twins(64 * KIB);
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	EXPECT_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	EXPECT_OK(readahead(fd, 0, 64 * KIB));
	ASSERT_EQ(write(fd, "x", 1), 1);
	EXPECT_OK(sync_file_range(fd, 0, 4096, SYNC_FILE_RANGE_WRITE));
	close(fd);
}

TEST(fsync, "fsync and fdatasync work on files and directories of every layer")
{
	static const char *const paths[] = {"m/f", "m/up", "m/d", "m/ud", "m"};

	lower(0, "f=1 d/a=1");
	upper("up=1 ud/a=1");
	union_mount();
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			int fd = ASSERT_OK(open(paths[i], O_RDONLY));

			EXPECT_OK(fsync(fd));
			EXPECT_OK(fdatasync(fd));
			EXPECT_OK(syncfs(fd));
			close(fd);
		}
		file_append("m/f", "x");
		file_write("m/d/new", "x");
	}
}

TEST(file_size_limit, "RLIMIT_FSIZE stops a write to a lower file with SIGXFSZ or EFBIG")
{
	lower(0, "f=0123456789");
	union_mount();
	IN_CHILD {
		struct rlimit limit = {1000, 1000};
		int fd;

		signal(SIGXFSZ, SIG_IGN);
		ASSERT_OK(setrlimit(RLIMIT_FSIZE, &limit));
		fd = ASSERT_OK(open("m/f", O_RDWR));
		EXPECT_EQ(pwrite(fd, "0123456789", 10, 995), 5);
		EXPECT_ERR(pwrite(fd, "x", 1, 1000), EFBIG);
		EXPECT_ERR(ftruncate(fd, 2000), EFBIG);
	}
	EXPECT_EQ(stat_of("m/f").st_size, 1000);
}

TEST(bad_buffer, "reading into and writing from a bad address gives EFAULT and changes nothing")
{
	void *volatile bad = (void *)16;
	int fd;

	lower(0, "f=0123456789");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_ERR(read(fd, bad, 4), EFAULT);
	EXPECT_ERR(write(fd, bad, 4), EFAULT);
	EXPECT_STREQ(file_text("m/f"), "0123456789");
	close(fd);
}

TEST(two_writers, "two descriptors write to one promoted file and see each other")
{
	char text[16] = "";
	int one, two;

	lower(0, "f=0123456789");
	union_mount();
	one = ASSERT_OK(open("m/f", O_RDWR));
	two = ASSERT_OK(open("m/f", O_RDWR));
	EXPECT_EQ(pwrite(one, "AA", 2, 0), 2);
	EXPECT_EQ(pwrite(two, "BB", 2, 8), 2);
	EXPECT_EQ(pread(one, text, 10, 0), 10);
	EXPECT_STREQ(text, "AA234567BB");
	EXPECT_EQ(pread(two, text, 10, 0), 10);
	EXPECT_STREQ(text, "AA234567BB");
	close(one);
	close(two);
}

TEST(copy_out, "copy_file_range to a file outside the mount copies or gives EXDEV")
{
	int in, out;
	ssize_t got;

	setup_twins(64 * KIB);
	in = ASSERT_OK(open("m/f", O_RDONLY));
	out = ASSERT_OK(open("outside", O_CREAT | O_RDWR, 0644));
	got = copy_file_range(in, NULL, out, NULL, 64 * KIB, 0);
	if (got < 0)
		EXPECT_EQ(errno, EXDEV);
	else
		EXPECT_EQ(got, 64 * KIB);
}

TEST(direct_after_buffered, "O_DIRECT reads see buffered writes to a promoted file and the reverse")
{
	char *buffer = aligned_alloc(4096, 4096);
	int plain, direct;

	setup_twins(64 * KIB);
	direct = open("plain", O_RDWR | O_DIRECT);
	if (direct < 0)
		SKIP("%s has no O_DIRECT", union_backing());
	close(direct);
	plain = ASSERT_OK(open("m/f", O_RDWR));
	direct = ASSERT_OK(open("m/f", O_RDWR | O_DIRECT));
	memset(buffer, 'q', 4096);
	EXPECT_EQ(pwrite(plain, buffer, 4096, 4096), 4096);
	memset(buffer, 0, 4096);
	EXPECT_EQ(pread(direct, buffer, 4096, 4096), 4096);
	EXPECT_EQ(buffer[100], 'q');
	memset(buffer, 'z', 4096);
	EXPECT_EQ(pwrite(direct, buffer, 4096, 8192), 4096);
	memset(buffer, 0, 4096);
	EXPECT_EQ(pread(plain, buffer, 4096, 8192), 4096);
	EXPECT_EQ(buffer[100], 'z');
	close(plain);
	close(direct);
}

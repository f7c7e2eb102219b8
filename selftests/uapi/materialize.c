// SPDX-License-Identifier: GPL-2.0-only
/*
 * materialize.c - tests of SHALE_IOC_MATERIALIZE: that a file needs no lower layer afterwards and shows what it did,
 * to those who have it open as well, and what is left when it cannot be done. Fields that are refused are in ioctl.c.
 */
#include "blocks.h"
#include "union.h"

#include <dirent.h>
#include <errno.h>
#include <linux/shale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define MAP "trusted.shale.map"

static void mount_by_blocks(void)
{
	need_shale("only shale has maps");
	union_mount_with(&union_by_blocks);
}

static int materialize_fd(int fd)
{
	struct shale_ioc_materialize arg = {.size = sizeof(arg)};

	return ioctl(fd, SHALE_IOC_MATERIALIZE, &arg);
}

static int materialize(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	int ret = materialize_fd(fd), error = errno;

	close(fd);
	errno = error;
	return ret;
}

static void lower_file(const char *letters)
{
	lower(0, "f=");
	blocks_make("l0/f", letters);
}

static bool has_map(const char *path)
{
	return getxattr(path, MAP, NULL, 0) >= 0;
}

static int sidecars(void)
{
	DIR *dir = opendir("u/.shale/map");
	const struct dirent *entry;
	int count = 0;

	ASSERT(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* f needs nothing of what l0 has: it shows this when that is gone. */
static void expect_independent(const char *letters)
{
	EXPECT(!has_map("u/f"));
	EXPECT_BLOCKS("m/f", letters);
	EXPECT_BLOCKS("u/f", letters);
	union_umount();
	ASSERT_OK(unlink("l0/f"));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=u,workdir=w,cow=block"));
	EXPECT_BLOCKS("m/f", letters);
}

TEST(partial, "a partial file gets its other blocks, and the lower file may go")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	EXPECT(has_map("u/f"));
	EXPECT_OK(materialize("m/f"));
	EXPECT_RUNS("m/f", "8@0");
	expect_independent("aaabaaaa");
}

TEST(uncached, "so does one that was not opened since the mount")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 0, 'b');
	union_remount();
	EXPECT_OK(materialize("m/f"));
	expect_independent("baaaaaaa");
}

TEST(attributes, "so does one of which only attributes were changed")
{
	lower_file("aaaa");
	mount_by_blocks();
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_OK(materialize("m/f"));
	EXPECT_EQ(stat_of("m/f").st_mode & 0777, 0600);
	expect_independent("aaaa");
}

TEST(lower, "a file of a lower layer is copied up whole")
{
	lower_file("aaaa");
	mount_by_blocks();
	EXPECT_OK(materialize("m/f"));
	EXPECT_RUNS("m/f", "4@0");
	expect_independent("aaaa");
}

TEST(upper, "a file of the upper is left as it is, and so is one that was filled before")
{
	struct stat before, after;

	lower_file("aaaa");
	upper("g=text");
	mount_by_blocks();
	before = stat_of("m/g");
	EXPECT_OK(materialize("m/g"));
	after = stat_of("m/g");
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	block_write("m/f", 1, 'b');
	EXPECT_OK(materialize("m/f"));
	before = stat_of("m/f");
	EXPECT_OK(materialize("m/f"));
	after = stat_of("m/f");
	EXPECT(!memcmp(&before, &after, sizeof(before)));
	expect_independent("abaa");
}

TEST(chain, "blocks are gathered from all layers of a chain")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	union_seal();
	block_write("m/f", 2, 'c');
	union_seal();
	EXPECT_OK(materialize("m/f"));
	EXPECT_RUNS("m/f", "8@0");
	expect_independent("abcaaaaa");
}

TEST(cut, "a file that was cut and grew is filled up to where it was cut")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(truncate("m/f", 2 * BLOCK));
	ASSERT_OK(truncate("m/f", 4 * BLOCK));
	block_write("m/f", 5, 'b');
	EXPECT_OK(materialize("m/f"));
	expect_independent("aa...b");
}

TEST(odd_size, "a file that ends within a block is filled to its end and not further")
{
	lower(0, "f=seventeen_letters");
	mount_by_blocks();
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_OK(materialize("m/f"));
	EXPECT_STREQ(file_text("u/f"), "seventeen_letters");
	file_append("m/f", "_more");
	union_remount();
	EXPECT_STREQ(file_text("m/f"), "seventeen_letters_more");
}

TEST(later, "a file that was filled is changed like any other of the upper")
{
	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	EXPECT_OK(materialize("m/f"));
	block_write("m/f", 4, 'c');
	ASSERT_OK(truncate("m/f", 6 * BLOCK));
	ASSERT_OK(truncate("m/f", 7 * BLOCK));
	EXPECT_BLOCKS("m/f", "aaabca.");
	ASSERT_OK(rename("m/f", "m/g"));
	union_remount();
	EXPECT_BLOCKS("m/g", "aaabca.");
	EXPECT(!has_map("u/g"));
	union_seal();
	EXPECT_BLOCKS("m/g", "aaabca.");
	block_write("m/g", 0, 'd');
	EXPECT_RUNS("m/g", "1@0 6@1");
	union_remount();
	EXPECT_BLOCKS("m/g", "daabca.");
}

#define SCATTERED 2000

static void scatter(const char *path)
{
	int fd = ASSERT_OK(open(path, O_RDWR | O_CLOEXEC));
	char block[BLOCK];

	memset(block, 's', BLOCK);
	for (int i = 0; i < SCATTERED; i += 2)
		ASSERT_EQ(pwrite(fd, block, BLOCK, (off_t)i * BLOCK), BLOCK);
	ASSERT_OK(fsync(fd));
	close(fd);
}

TEST(sidecar, "a map beside the file goes too")
{
	lower(0, "f=");
	ASSERT_OK(truncate("l0/f", (off_t)SCATTERED * BLOCK));
	mount_by_blocks();
	scatter("m/f");
	EXPECT_EQ(sidecars(), 1);
	union_remount();
	EXPECT_OK(materialize("m/f"));
	EXPECT_EQ(sidecars(), 0);
	EXPECT(!has_map("u/f"));
	block_write("m/f", 1, 'x');
	ASSERT_OK(unlink("m/f"));
	EXPECT_EQ(sidecars(), 0);
}

TEST(same, "number, owner, times, mode and attributes stay, and so do the privileges of a program")
{
	static const char capability[20] = {0, 0, 0, 2, 1}; /* cap_chown, as setcap(8) has it */
	struct stat before, after;
	char seen[20];

	lower_file("aaaaaaaa");
	mount_by_blocks();
	ASSERT_OK(chown("m/f", 3, 4));
	ASSERT_OK(chmod("m/f", 06755));
	ASSERT_OK(setxattr("m/f", "trusted.test", "value", 5, 0));
	if (setxattr("m/f", "security.capability", capability, sizeof(capability), 0))
		SKIP("no capabilities of files on this filesystem: %s", strerror(errno));
	block_write("m/f", 1, 'b');
	ASSERT_OK(chmod("m/f", 06755));
	ASSERT_OK(setxattr("m/f", "security.capability", capability, sizeof(capability), 0));
	before = stat_of("m/f");
	usleep(20000);
	EXPECT_OK(materialize("m/f"));
	for (int i = 0; i < 2; i++) {
		after = stat_of("m/f");
		EXPECT_EQ(after.st_ino, before.st_ino);
		EXPECT_EQ(after.st_mode, before.st_mode);
		EXPECT_EQ(after.st_uid, before.st_uid);
		EXPECT_EQ(after.st_size, before.st_size);
		EXPECT_EQ(after.st_nlink, before.st_nlink);
		EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
		EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
		EXPECT_EQ(getxattr("m/f", "trusted.test", seen, sizeof(seen)), 5);
		EXPECT_EQ(getxattr("m/f", "security.capability", seen, sizeof(seen)), 20);
		EXPECT(!memcmp(seen, capability, sizeof(seen)));
		union_remount();
	}
	block_write("m/f", 1, 'c');
	EXPECT_ERR(getxattr("m/f", "security.capability", seen, sizeof(seen)), ENODATA);
}

TEST(dated, "a write after it is dated again")
{
	struct stat before;

	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	EXPECT_OK(materialize("m/f"));
	before = stat_of("m/f");
	usleep(20000);
	block_write("m/f", 1, 'c');
	EXPECT(stat_of("m/f").st_mtim.tv_nsec != before.st_mtim.tv_nsec);
}

TEST(linked, "all names of a file are of the filled one")
{
	lower(0, "f= g&f");
	blocks_make("l0/f", "aaaa");
	mount_by_blocks();
	block_write("m/f", 0, 'b');
	EXPECT_OK(materialize("m/g"));
	EXPECT_BLOCKS("m/f", "baaa");
	union_remount();
	EXPECT_BLOCKS("m/g", "baaa");
	EXPECT_EQ(ino_of("m/f"), ino_of("m/g"));
	EXPECT_RUNS("m/f", "4@0");
	EXPECT_RUNS("m/g", "4@0");
}

TEST(open_files, "descriptors that were open before show the same, and what is written later")
{
	int old, partial;

	lower_file("aaaaaaaa");
	mount_by_blocks();
	old = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	EXPECT_STREQ(blocks_of_fd(old), "aaaaaaaa");
	block_write("m/f", 3, 'b');
	partial = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	EXPECT_OK(materialize("m/f"));
	EXPECT_STREQ(blocks_of_fd(old), "aaabaaaa");
	EXPECT_STREQ(blocks_of_fd(partial), "aaabaaaa");
	EXPECT_EQ(pwrite(partial, "x", 1, 5 * BLOCK), 1);
	EXPECT_STREQ(blocks_of_fd(old), "aaaba?aa");
	block_write("m/f", 5, 'c');
	EXPECT_STREQ(blocks_of_fd(old), "aaabacaa");
	close(old);
	close(partial);
	union_remount();
	EXPECT_BLOCKS("m/f", "aaabacaa");
}

static char *map_file(const char *path, int prot, int flags)
{
	int fd = ASSERT_OK(open(path, prot & PROT_WRITE ? O_RDWR | O_CLOEXEC : O_RDONLY | O_CLOEXEC));
	char *map = mmap(NULL, 8 * BLOCK, prot, flags, fd, 0);

	ASSERT(map != MAP_FAILED);
	close(fd);
	return map;
}

TEST(mappings, "mappings from before show the same, and what is stored to them is kept")
{
	char *readable, *writable, *private;

	lower_file("aaaaaaaa");
	mount_by_blocks();
	block_write("m/f", 3, 'b');
	readable = map_file("m/f", PROT_READ, MAP_SHARED);
	writable = map_file("m/f", PROT_READ | PROT_WRITE, MAP_SHARED);
	private = map_file("m/f", PROT_READ | PROT_WRITE, MAP_PRIVATE);
	EXPECT_EQ(readable[0], 'a');
	writable[BLOCK] = 'm';
	private[2 * BLOCK] = 'p';
	EXPECT_OK(materialize("m/f"));
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(readable[i * BLOCK + 1], i == 3 ? 'b' : 'a');
	EXPECT_EQ(readable[BLOCK], 'm');
	EXPECT_EQ(readable[2 * BLOCK], 'a');
	EXPECT_EQ(private[2 * BLOCK], 'p');
	memset(writable + 6 * BLOCK, 'w', BLOCK);
	EXPECT_EQ(readable[6 * BLOCK], 'w');
	EXPECT_BLOCKS("m/f", "a?abaawa");
	ASSERT_OK(msync(writable, 8 * BLOCK, MS_SYNC));
	munmap(readable, 8 * BLOCK);
	munmap(writable, 8 * BLOCK);
	munmap(private, 8 * BLOCK);
	expect_independent("a?abaawa");
}

TEST(mapped_lower, "a mapping of a file that nobody had written goes on showing it, and what is written later")
{
	char *readable;

	lower_file("aaaaaaaa");
	mount_by_blocks();
	readable = map_file("m/f", PROT_READ, MAP_SHARED);
	EXPECT_EQ(readable[BLOCK], 'a');
	EXPECT_OK(materialize("m/f"));
	EXPECT_RUNS("m/f", "8@0");
	for (int i = 0; i < 8; i++)
		EXPECT_EQ(readable[i * BLOCK], 'a');
	block_write("m/f", 1, 'b');
	EXPECT_EQ(readable[BLOCK], 'b');
	munmap(readable, 8 * BLOCK);
	expect_independent("abaaaaaa");
}

TEST(removed, "a file without a name any more can be filled")
{
	int fd;

	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	ASSERT_OK(unlink("m/f"));
	EXPECT_OK(materialize_fd(fd));
	EXPECT_STREQ(blocks_of_fd(fd), "abaa");
	close(fd);
}

TEST(holes, "holes stay holes")
{
	const off_t size = 1LL << 30;
	struct stat st;

	lower(0, "f=");
	ASSERT_OK(truncate("l0/f", size));
	block_write("l0/f", 1000, 'a');
	block_write("l0/f", 1002, 'a');
	mount_by_blocks();
	block_write("m/f", 2000, 'b');
	EXPECT_OK(materialize("m/f"));
	EXPECT_RUNS("m/f", "262144@0");
	st = stat_of("m/f");
	EXPECT_EQ(st.st_size, size);
	EXPECT(st.st_blocks <= 64 * 1024 / 512);
	union_umount();
	EXPECT(!has_map("u/f"));
	ASSERT_OK(truncate("u/f", 1003LL * BLOCK));
	int fd = ASSERT_OK(open("u/f", O_RDONLY | O_CLOEXEC));
	char bytes[3];
	EXPECT_EQ(pread(fd, bytes, 1, 1000LL * BLOCK), 1);
	EXPECT_EQ(pread(fd, bytes + 1, 1, 1001LL * BLOCK), 1);
	EXPECT_EQ(pread(fd, bytes + 2, 1, 1002LL * BLOCK), 1);
	EXPECT(!memcmp(bytes, "a\0a", 3));
	close(fd);
}

TEST(leftovers, "what was never the file's, but left in the upper by a crash, does not show")
{
	lower(0, "f=");
	blocks_make("l0/f", "a____a__");
	mount_by_blocks();
	block_write("m/f", 7, 'b');
	union_umount();
	block_write("u/f", 2, 'x');
	block_write("u/f", 5, 'y');
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=u,workdir=w,cow=block"));
	EXPECT_BLOCKS("m/f", "a....a.b");
	EXPECT_OK(materialize("m/f"));
	expect_independent("a....a.b");
}

TEST(write_only, "a descriptor for writing only will do, for appending too, and one for reading will not")
{
	int fd;

	lower_file("aaaa");
	mount_by_blocks();
	fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	EXPECT_ERR(materialize_fd(fd), EBADF);
	EXPECT(!exists("u/f"));
	block_write("m/f", 1, 'b');
	EXPECT_ERR(materialize_fd(fd), EBADF);
	EXPECT(has_map("u/f"));
	close(fd);
	fd = ASSERT_OK(open("m/f", O_WRONLY | O_APPEND | O_CLOEXEC));
	EXPECT_OK(materialize_fd(fd));
	close(fd);
	expect_independent("abaa");
}

TEST(not_allowed, "who may not write a file cannot have it filled, and who may write it can")
{
	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	ASSERT_OK(chmod("m/f", 0644));
	AS_UID(1000)
	{
		int fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));

		EXPECT_ERR(materialize_fd(fd), EBADF);
	}
	ASSERT_OK(chown("m/f", 1000, 1000));
	AS_UID(1000)
	{
		EXPECT_OK(materialize("m/f"));
	}
	expect_independent("abaa");
}

TEST(direct, "a descriptor for direct I/O will do")
{
	int fd;

	lower_file("aaaa");
	mount_by_blocks();
	block_write("m/f", 1, 'b');
	fd = open("m/f", O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		SKIP("no direct I/O on this filesystem: %s", strerror(errno));
	EXPECT_OK(materialize_fd(fd));
	close(fd);
	expect_independent("abaa");
}

TEST(volatile, "on a volatile mount too")
{
	lower_file("aaaa");
	need_shale("only shale has maps");
	union_mount_with(&(struct union_opts){.options = "cow=block,volatile"});
	block_write("m/f", 1, 'b');
	EXPECT_OK(materialize("m/f"));
	EXPECT(!has_map("u/f"));
	EXPECT_BLOCKS("u/f", "abaa");
}

#define BIG  16384 /* blocks */
#define RACE 1024

static void big_file(const char *path, int blocks)
{
	int fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	char piece[16 * BLOCK];

	for (int i = 0; i < blocks / 16; i++) {
		memset(piece, 'a' + i % 26, sizeof(piece));
		ASSERT_EQ(write(fd, piece, sizeof(piece)), sizeof(piece));
	}
	close(fd);
}

/* Blocks of the big file that are not as they were, but for number 7. */
static int big_wrong(const char *path, int blocks)
{
	int fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC)), wrong = 0;
	char piece[16 * BLOCK];

	for (int i = 0; i < blocks / 16; i++) {
		ASSERT_EQ(read(fd, piece, sizeof(piece)), sizeof(piece));
		for (int b = 0; b < 16; b++)
			wrong += piece[b * BLOCK] != (i || b != 7 ? 'a' + i % 26 : '!') ||
				 memcmp(piece + b * BLOCK, piece + b * BLOCK + 1, BLOCK - 1);
	}
	close(fd);
	return wrong;
}

static __u64 block_bytes(void)
{
	struct shale_ioc_stats stats = {.size = sizeof(stats)};
	int fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	ASSERT_OK(ioctl(fd, SHALE_IOC_STATS, &stats));
	close(fd);
	return stats.block_bytes;
}

TEST(killed, "a fatal signal ends it with the file as it was, and it can be done again")
{
	__u64 before;
	pid_t child;
	int status;

	lower(0, "x=1");
	big_file("l0/f", BIG);
	mount_by_blocks();
	block_write("m/f", 7, '!');
	before = block_bytes();
	child = ASSERT_OK(fork());
	if (!child)
		_exit(materialize("m/f") ? 1 : 0);
	for (int i = 0; i < 10000 && block_bytes() == before; i++)
		usleep(1000);
	ASSERT_OK(kill(child, SIGKILL));
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT(WIFSIGNALED(status));
	EXPECT(has_map("u/f"));
	EXPECT(block_bytes() - before < (BIG - 1) * BLOCK);
	EXPECT_EQ(big_wrong("m/f", BIG), 0);
	union_remount();
	EXPECT_EQ(big_wrong("m/f", BIG), 0);
	EXPECT_OK(materialize("m/f"));
	union_umount();
	EXPECT_EQ(big_wrong("u/f", BIG), 0);
	EXPECT(!has_map("u/f"));
}

/* In the upper's place a filesystem that can get full, whatever is below it. */
static void small_mount(const char *options)
{
	char full[256];

	side_mount("tmpfs", "small", options);
	ASSERT_OK(mkdir("small/u", 0755));
	ASSERT_OK(mkdir("small/w", 0755));
	if (!exists("m"))
		ASSERT_OK(mkdir("m", 0755));
	snprintf(full, sizeof(full), "lowerdir=l0,upperdir=small/u,workdir=small/w,cow=block");
	ASSERT_OK(union_try("m", 0, full));
}

TEST(no_space, "without space for all of it the file is as it was, and with space it can be done")
{
	need_shale("only shale has maps");
	lower(0, "x=1");
	big_file("l0/f", BIG);
	small_mount("size=32M");
	block_write("m/f", 7, '!');
	EXPECT_ERR(materialize("m/f"), ENOSPC);
	EXPECT_EQ(big_wrong("m/f", BIG), 0);
	EXPECT(has_map("small/u/f"));
	file_write("m/new", "");
	ASSERT_OK(mount(NULL, "small", NULL, MS_REMOUNT, "size=128M"));
	EXPECT_OK(materialize("m/f"));
	EXPECT(!has_map("small/u/f"));
	EXPECT_EQ(big_wrong("small/u/f", BIG), 0);
}

TEST(no_space_lower, "nor is anything left of a lower file that could not be copied up")
{
	need_shale("only shale has maps");
	lower(0, "x=1");
	big_file("l0/f", BIG);
	small_mount("size=32M");
	EXPECT_ERR(materialize("m/f"), ENOSPC);
	EXPECT(!exists("small/u/f"));
	EXPECT_RUNS("m/f", "16384@1");
}

/* Ends when it is killed. */
static void write_for_ever(void)
{
	int fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	char *map = mmap(NULL, (size_t)RACE * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned int seed = 1;

	ASSERT(map != MAP_FAILED);
	for (;;) {
		int block = rand_r(&seed) % RACE;

		/* A letter that the file has anyway, so that what is right is known. */
		if (block % 2)
			map[(size_t)block * BLOCK] = 'a' + block / 16 % 26;
		else
			ASSERT_EQ(pwrite(fd, &(char){'a' + block / 16 % 26}, 1, (off_t)block * BLOCK), 1);
	}
}

TEST(raced, "writers and stores to a mapping at the same time lose nothing")
{
	pid_t child;

	lower(0, "x=1");
	big_file("l0/f", RACE);
	mount_by_blocks();
	child = ASSERT_OK(fork());
	if (!child)
		write_for_ever();
	usleep(50000);
	EXPECT_OK(materialize("m/f"));
	block_write("m/f", 7, '!');
	ASSERT_OK(kill(child, SIGKILL));
	ASSERT_EQ(waitpid(child, NULL, 0), child);
	block_write("m/f", 7, '!');
	EXPECT_EQ(big_wrong("m/f", RACE), 0);
	EXPECT(!has_map("u/f"));
	union_umount();
	EXPECT_EQ(big_wrong("u/f", RACE), 0);
}

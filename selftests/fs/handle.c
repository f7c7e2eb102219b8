// SPDX-License-Identifier: GPL-2.0-only
/*
 * handle.c - tests of file handles, as NFS servers use them: taken on one day, opened on another.
 */
#include "handles.h"
#include "ops.h"
#include "union.h"

#include <stdio.h>
#include <stdlib.h>

TEST(lower_file, "a handle of a lower file opens it, also when nothing is cached")
{
	struct handle handle;

	lower(0, "d/f=text");
	handles_mount();
	handle = handle_take("m/d/f");
	EXPECT_STREQ(handle_text(&handle), "text");
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), "text");
}

TEST(upper_file, "a handle of an upper file opens it, also when nothing is cached")
{
	struct handle handle;

	lower(0, "x=1");
	handles_mount();
	ops_run("m", "mkdir d; create d/f text");
	handle = handle_take("m/d/f");
	EXPECT_STREQ(handle_text(&handle), "text");
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), "text");
}

TEST(promotion, "a handle of a lower file opens the written file after its promotion")
{
	struct handle handle;

	lower(0, "d/f=old");
	handles_mount();
	handle = handle_take("m/d/f");
	file_append("m/d/f", "+new");
	EXPECT_STREQ(handle_text(&handle), "old+new");
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), "old+new");
}

TEST(stable, "the handle of a lower file stays the same bytes when it is promoted")
{
	struct handle before, after;

	lower(0, "f=1");
	handles_mount();
	before = handle_take("m/f");
	file_append("m/f", "2");
	after = handle_take("m/f");
	EXPECT_EQ(before.head.handle_bytes, after.head.handle_bytes);
	EXPECT_EQ(before.head.handle_type, after.head.handle_type);
	EXPECT(!memcmp(before.bytes, after.bytes, before.head.handle_bytes));
}

static const struct remount_case {
	struct ktap_row row;
	const char *path;
	const char *before; /* operations before the handle is taken */
	const char *after;  /* and after */
	const char *want;
} remounts[] = {
	{{"lower", "a handle of a lower file opens it after a remount"}, "d/f", "", "", "1"},
	{{"upper", "a handle of an upper file opens it after a remount"}, "d/n", "create d/n 9", "", "9"},
	{{"promoted", "a handle of a promoted file opens it after a remount"}, "d/f", "append d/f 2", "",
	 "12"},
	{{"promoted_later", "a handle taken before promotion opens the file after a remount"}, "d/f", "",
	 "append d/f 2", "12"},
	{{"renamed", "a handle opens the file after its rename and a remount"}, "d/f", "",
	 "rename d/f e", "1"},
	{{"renamed_dir", "a handle opens the file after its lower directory's rename and a remount"},
	 "d/f", "", "rename d e", "1"},
	{{"promoted_renamed_dir", "and when the file was promoted besides"}, "d/f", "",
	 "append d/f 2; rename d e", "12"},
	{{"linked", "a handle of one of two lower links opens the file after a write through the other"},
	 "h1", "", "append h2 2", "12"},
};
TEST_TABLE(remount, struct remount_case, remounts, c)
{
	struct handle handle;
	char path[64];

	lower(0, "d/f=1 h1=1 h2&h1");
	handles_mount();
	ops_run("m", c->before);
	snprintf(path, sizeof(path), "m/%s", c->path);
	handle = handle_take(path);
	ops_run("m", c->after);
	union_remount();
	EXPECT_STREQ(handle_text(&handle), c->want);
}

TEST(directory, "a handle of a merged directory opens the merged directory")
{
	struct handle handle;
	int fd;

	lower(0, "d/e/a=1");
	upper("d/e/b=2");
	handles_mount();
	handle = handle_take("m/d/e");
	drop_caches();
	fd = ASSERT_OK(handle_open(&handle, O_RDONLY | O_DIRECTORY));
	EXPECT_OK(faccessat(fd, "a", F_OK, 0));
	EXPECT_OK(faccessat(fd, "b", F_OK, 0));
	close(fd);
}

TEST(directory_promoted, "a handle of a lower directory still opens it after promotion and remount")
{
	struct handle handle;
	int fd;

	lower(0, "d/e/a=1");
	handles_mount();
	handle = handle_take("m/d/e");
	file_write("m/d/e/b", "2");
	union_remount();
	fd = ASSERT_OK(handle_open(&handle, O_RDONLY | O_DIRECTORY));
	EXPECT_OK(faccessat(fd, "a", F_OK, 0));
	EXPECT_OK(faccessat(fd, "b", F_OK, 0));
	close(fd);
}

TEST(root, "a handle of the root opens the root after a remount")
{
	struct handle handle;
	struct stat st;
	int fd;

	lower(0, "a=1");
	handles_mount();
	handle = handle_take("m");
	union_remount();
	fd = ASSERT_OK(handle_open(&handle, O_RDONLY | O_DIRECTORY));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_ino, ino_of("m"));
	close(fd);
}

TEST(same_inode, "what a handle opens has the st_ino of the name, after promotion and remount too")
{
	struct handle handle;
	struct stat st;
	int fd;

	lower(0, "d/f=1");
	handles_mount();
	handle = handle_take("m/d/f");
	file_append("m/d/f", "2");
	union_remount();
	fd = ASSERT_OK(handle_open(&handle, O_RDWR));
	ASSERT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_ino, ino_of("m/d/f"));
	EXPECT_EQ(st.st_dev, stat_of("m").st_dev);
	close(fd);
}

TEST(write, "a file opened by handle can be written")
{
	struct handle handle;
	int fd;

	lower(0, "f=1");
	handles_mount();
	handle = handle_take("m/f");
	drop_caches();
	fd = ASSERT_OK(handle_open(&handle, O_WRONLY | O_APPEND));
	EXPECT_EQ(write(fd, "2", 1), 1);
	close(fd);
	EXPECT_STREQ(file_text("m/f"), "12");
}

TEST(removed, "the handle of a removed file gives ESTALE")
{
	struct handle low, up, dir;

	lower(0, "f=1 d/");
	handles_mount();
	file_write("m/n", "1");
	low = handle_take("m/f");
	up = handle_take("m/n");
	dir = handle_take("m/d");
	ops_run("m", "unlink f; unlink n; rmdir d");
	drop_caches();
	EXPECT_ERR(handle_open(&up, O_RDONLY), ESTALE);
	EXPECT_ERR(handle_open(&dir, O_RDONLY), ESTALE);
	union_remount();
	EXPECT_ERR(handle_open(&up, O_RDONLY), ESTALE);
	EXPECT_ERR(handle_open(&dir, O_RDONLY), ESTALE);
	if (is_shale())
		EXPECT_ERR(handle_open(&low, O_RDONLY), ESTALE);
}

TEST(nonsense, "a handle of random bytes gives ESTALE and nothing worse")
{
	struct handle good, bad;

	if (!is_shale() && !strcmp(union_backing(), "xfs"))
		SKIP("the XFS of 6.1 never returns from some of these handles");
	lower(0, "f=1");
	handles_mount();
	good = handle_take("m/f");
	for (unsigned int i = 0; i < good.head.handle_bytes; i++) {
		bad = good;
		bad.bytes[i] ^= 0xff;
		if (handle_open(&bad, O_RDONLY) < 0)
			EXPECT(errno == ESTALE || errno == EINVAL || errno == ENOENT);
	}
	for (unsigned int i = 0; i < MAX_HANDLE_SZ; i += 3) {
		bad = good;
		bad.head.handle_bytes = i;
		memset(bad.bytes, i, sizeof(bad.bytes));
		if (handle_open(&bad, O_RDONLY) < 0)
			EXPECT(errno == ESTALE || errno == EINVAL || errno == ENOENT);
	}
}

/* The XFS of 6.1 looks for a cached inode by the number's low bits only, and then waits for another. */
TEST(high_bits, "a handle with one more bit in any place gives ESTALE and comes back")
{
	struct handle good, bad;
	int held;

	need_shale("others hand such a handle on to the layers as it is");
	lower(0, "d/f=1");
	handles_mount();
	held = ASSERT_OK(open("m/d/f", O_RDONLY));
	good = handle_take("m/d/f");
	for (unsigned int bit = 0; bit < 8 * good.head.handle_bytes; bit++) {
		bad = good;
		bad.bytes[bit / 8] ^= 1 << bit % 8;
		if (handle_open(&bad, O_RDONLY) < 0)
			EXPECT_EQ(errno, ESTALE);
	}
	close(held);
}

TEST(too_small, "too small a buffer gives EOVERFLOW and the size that is needed")
{
	struct handle handle = {0};
	int mount_id;

	lower(0, "f=1");
	handles_mount();
	EXPECT_ERR(name_to_handle_at(AT_FDCWD, "m/f", &handle.head, &mount_id, 0), EOVERFLOW);
	EXPECT(handle.head.handle_bytes > 0);
	EXPECT_OK(name_to_handle_at(AT_FDCWD, "m/f", &handle.head, &mount_id, 0));
}

TEST(unprivileged, "opening by handle needs CAP_DAC_READ_SEARCH: EPERM")
{
	struct handle handle;

	lower(0, "f=1");
	handles_mount();
	handle = handle_take("m/f");
	AS_UID(1000) {
		EXPECT_ERR(handle_open(&handle, O_RDONLY), EPERM);
	}
}

TEST(read_only_mount, "handles work on a mount without an upper")
{
	struct handle handle;

	need_shale("overlayfs would need other options for this");
	lower(0, "d/f=1");
	lower(1, "d/g=2");
	union_mount_with(&(struct union_opts){.readonly = true});
	handle = handle_take("m/d/f");
	drop_caches();
	EXPECT_STREQ(handle_text(&handle), "1");
	handle = handle_take("m/d/g");
	union_remount();
	EXPECT_STREQ(handle_text(&handle), "2");
}

TEST(hidden_by_upper, "a handle of a lower file that was replaced does not open the new file")
{
	struct handle handle;

	lower(0, "f=old x=1");
	handles_mount();
	handle = handle_take("m/f");
	ops_run("m", "unlink f; create f new");
	drop_caches();
	EXPECT(strcmp(handle_text(&handle), "new"));
}

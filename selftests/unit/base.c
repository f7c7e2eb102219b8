// SPDX-License-Identifier: GPL-2.0-only
/*
 * The base of the user side: errors, buffers, and files (resolution that cannot leave a directory,
 * replacement, removal).
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/fs.h"

static int scratch(void)
{
	char path[] = "/tmp/shale-base-XXXXXX";
	int fd;

	ASSERT(mkdtemp(path));
	fd = ASSERT_OK(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	return fd;
}

static void scratch_remove(int fd)
{
	char link[64], path[128] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ASSERT_OK(readlink(link, path, sizeof(path) - 1));
	EXPECT_OK(rmdir(path));
	close(fd);
}

TEST(err_set, "an error has a code and a sentence, and the call returns -1")
{
	struct shale_err err;

	EXPECT_EQ(shale_err_set(&err, EINVAL, "layer %d is wrong", 3), -1);
	EXPECT_EQ(err.code, EINVAL);
	EXPECT_STREQ(err.msg, "layer 3 is wrong");
	EXPECT_EQ(shale_err_set(NULL, EINVAL, "nobody reads this"), -1);
}

TEST(err_errno, "errno is told, and kept")
{
	struct shale_err err;

	errno = ENOENT;
	EXPECT_EQ(shale_err_errno(&err, "opening %s", "x"), -1);
	EXPECT_EQ(err.code, ENOENT);
	EXPECT_STREQ(err.msg, "opening x: No such file or directory");
}

TEST(err_wrap, "what was being done goes before, the code stays")
{
	struct shale_err err;

	shale_err_set(&err, EFBIG, "too big");
	EXPECT_EQ(shale_err_wrap(&err, "layer %s", "a"), -1);
	EXPECT_EQ(err.code, EFBIG);
	EXPECT_STREQ(err.msg, "layer a: too big");
}

TEST(err_long, "a message that does not fit is cut, not overrun")
{
	struct shale_err err;
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	shale_err_set(&err, EINVAL, "%s", text);
	EXPECT_EQ(strlen(err.msg), sizeof(err.msg) - 1);
	shale_err_wrap(&err, "%s", text);
	EXPECT_EQ(strlen(err.msg), sizeof(err.msg) - 1);
	errno = ENOENT;
	shale_err_errno(&err, "%s", text);
	EXPECT_EQ(strlen(err.msg), sizeof(err.msg) - 1);
}

TEST(err_controls, "names cannot break the line or talk to the terminal")
{
	struct shale_err err;

	shale_err_set(&err, EINVAL, "'%s' is wrong", "a\nb\033[2Jc\177");
	EXPECT_STREQ(err.msg, "'a?b?[2Jc?' is wrong");
	shale_err_wrap(&err, "layer %s", "\r");
	EXPECT_STREQ(err.msg, "layer ?: 'a?b?[2Jc?' is wrong");
	errno = ENOENT;
	shale_err_errno(&err, "\t\xc3\xa9");
	EXPECT_STREQ(err.msg, "?\xc3\xa9: No such file or directory");
}

TEST(buf_grow, "a buffer grows, holds NULs and ends in one")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	char *text;

	EXPECT_STREQ(buf_str(&buf), "");
	EXPECT_OK(buf_add(&buf, "a\0b", 3));
	EXPECT_OK(buf_addf(&buf, "%d", 42));
	EXPECT_EQ(buf.len, 5);
	EXPECT(!memcmp(buf.data, "a\0b42", 6));
	buf_clear(&buf);
	for (int i = 0; i < 10000; i++)
		ASSERT_OK(buf_addc(&buf, 'x'));
	EXPECT_EQ(strlen(buf_str(&buf)), 10000);
	text = buf_steal(&buf);
	ASSERT(text);
	EXPECT_EQ(strlen(text), 10000);
	EXPECT_EQ(buf.len, 0);
	free(text);
}

TEST(buf_too_big, "a size that would wrap is refused and changes nothing")
{
	__cleanup_buf struct buf buf = BUF_INIT;

	EXPECT_OK(buf_adds(&buf, "kept"));
	EXPECT_ERR(buf_reserve(&buf, (size_t)-3), ENOMEM);
	EXPECT_STREQ(buf_str(&buf), "kept");
}

TEST(beneath, "nothing above a directory, and nothing through a symlink, can be opened")
{
	int fd = scratch();

	ASSERT_OK(mkdirat(fd, "d", 0755));
	ASSERT_OK(symlinkat("d", fd, "l"));
	ASSERT_OK(symlinkat("/etc", fd, "out"));
	EXPECT_ERR(fs_open_beneath(fd, "..", O_RDONLY, 0), EXDEV);
	EXPECT_ERR(fs_open_beneath(fd, "/etc", O_RDONLY, 0), EXDEV);
	EXPECT_ERR(fs_open_beneath(fd, "l", O_RDONLY, 0), ELOOP);
	EXPECT_ERR(fs_open_beneath(fd, "out/passwd", O_RDONLY, 0), ELOOP);
	EXPECT_ERR(fs_open_beneath(fd, "l/new", O_WRONLY | O_CREAT, 0644), ELOOP);
	close(EXPECT_OK(fs_open_beneath(fd, "d", O_RDONLY, 0)));
	for (const char *const *name = (const char *const[]){ "d", "l", "out", NULL }; *name; name++)
		EXPECT_OK(fs_remove_tree(fd, *name));
	scratch_remove(fd);
}

TEST(read_file, "a file is read whole, and only a regular one up to the limit")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct shale_err err = { 0 };
	int fd = scratch();

	ASSERT_OK(fs_replace_file(fd, "f", "12345", 5, &err));
	EXPECT_OK(fs_read_file(fd, "f", 5, &buf, &err));
	EXPECT_STREQ(buf_str(&buf), "12345");
	EXPECT_EQ(fs_read_file(fd, "f", 4, &buf, &err), -1);
	EXPECT_EQ(err.code, EFBIG);
	EXPECT_STREQ(err.msg, "f: larger than 4 bytes");
	EXPECT_STREQ(buf_str(&buf), "12345");
	ASSERT_OK(mkfifoat(fd, "p", 0644));
	EXPECT_EQ(fs_read_file(fd, "p", 4, &buf, &err), -1);
	EXPECT_STREQ(err.msg, "p: not a regular file");
	ASSERT_OK(symlinkat("f", fd, "l"));
	EXPECT_EQ(fs_read_file(fd, "l", 9, &buf, &err), -1);
	EXPECT_EQ(err.code, ELOOP);
	for (const char *const *name = (const char *const[]){ "f", "p", "l", NULL }; *name; name++)
		EXPECT_OK(fs_remove_tree(fd, *name));
	scratch_remove(fd);
}

TEST(replace, "a file is replaced as a whole and leaves no temporary one")
{
	__cleanup_buf struct buf buf = BUF_INIT;
	struct shale_err err = { 0 };
	int fd = scratch();

	ASSERT_OK(fs_replace_file(fd, "f", "old, longer", 11, &err));
	ASSERT_OK(fs_replace_file(fd, "f", "new", 3, &err));
	EXPECT_OK(fs_read_file(fd, "f", 99, &buf, &err));
	EXPECT_STREQ(buf_str(&buf), "new");
	EXPECT_ERR(faccessat(fd, "f.new", F_OK, 0), ENOENT);
	ASSERT_OK(mkdirat(fd, "dir", 0755));
	EXPECT_EQ(fs_replace_file(fd, "dir", "x", 1, &err), -1);
	EXPECT_EQ(err.code, EISDIR);
	EXPECT_ERR(faccessat(fd, "dir.new", F_OK, 0), ENOENT);
	EXPECT_OK(fs_remove_tree(fd, "f"));
	EXPECT_OK(fs_remove_tree(fd, "dir"));
	scratch_remove(fd);
}

TEST(make_dir, "an existing directory is fine, another file is not")
{
	int fd = scratch();

	EXPECT_OK(fs_mkdir(fd, "d", 0755));
	EXPECT_OK(fs_mkdir(fd, "d", 0755));
	ASSERT_OK(symlinkat("d", fd, "l"));
	EXPECT_ERR(fs_mkdir(fd, "l", 0755), ENOTDIR);
	EXPECT_OK(fs_remove_tree(fd, "d"));
	EXPECT_OK(fs_remove_tree(fd, "l"));
	scratch_remove(fd);
}

TEST(remove_deep, "a tree deeper than a path may be long, with more levels than descriptors, is removed")
{
	int fd = scratch();
	int at = dup(fd);

	for (int i = 0; i < 3000; i++) {
		ASSERT_OK(mkdirat(at, "directory", 0755));
		int next = ASSERT_OK(openat(at, "directory", O_RDONLY | O_DIRECTORY));

		close(at);
		at = next;
	}
	close(at);
	EXPECT_OK(fs_remove_tree(fd, "directory"));
	EXPECT_OK(fs_remove_tree(fd, "directory"));
	scratch_remove(fd);
}

TEST(remove_link, "a symlink is removed, not what it leads to")
{
	int fd = scratch();

	ASSERT_OK(mkdirat(fd, "kept", 0755));
	ASSERT_OK(mkdirat(fd, "kept/in", 0755));
	ASSERT_OK(mkdirat(fd, "tree", 0755));
	ASSERT_OK(symlinkat("../kept", fd, "tree/l"));
	EXPECT_OK(fs_remove_tree(fd, "tree"));
	EXPECT_OK(faccessat(fd, "kept/in", F_OK, 0));
	EXPECT_OK(fs_remove_tree(fd, "kept"));
	scratch_remove(fd);
}

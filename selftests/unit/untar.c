// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits and failures of the layer writer that an archive on disk would be too large for, or that need
 * a source which fails. What becomes of each kind of entry is tested in selftests/image.
 */
#include "ktap.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "archive/untar.h"
#include "base/cleanup.h"
#include "base/fs.h"

#define TAR_MAX (8 << 20)

struct tar {
	struct archive *archive;
	struct archive_entry *entry;
	char *data;
	size_t len;
	size_t pos;
	bool fails; /* at its end */
};

static struct tar tar;

static void tar_begin(void)
{
	tar.data = malloc(TAR_MAX);
	tar.archive = archive_write_new();
	tar.entry = archive_entry_new();
	ASSERT(tar.data && tar.archive && tar.entry);
	ASSERT_EQ(archive_write_set_format_pax(tar.archive), ARCHIVE_OK);
	ASSERT_EQ(archive_write_open_memory(tar.archive, tar.data, TAR_MAX, &tar.len), ARCHIVE_OK);
}

/* The next entry, for the test to adorn before tar_add(). */
static struct archive_entry *tar_entry(const char *path, mode_t mode)
{
	archive_entry_clear(tar.entry);
	archive_entry_set_pathname(tar.entry, path);
	archive_entry_set_mode(tar.entry, mode);
	archive_entry_set_size(tar.entry, 0);
	return tar.entry;
}

static void tar_add(const char *path, mode_t mode)
{
	ASSERT_EQ(archive_write_header(tar.archive, tar_entry(path, mode)), ARCHIVE_OK);
}

static ssize_t tar_read(void *arg, const void **ret_data, struct shale_err *err)
{
	size_t len = tar.len - tar.pos;

	(void)arg;
	if (!len && tar.fails)
		return shale_err_set(err, EIO, "the disk is gone");
	len = len > 10000 ? 10000 : len;
	*ret_data = tar.data + tar.pos;
	tar.pos += len;
	return len;
}

static const char *work;
static int root_fd;

static int unpack(struct untar_opts *opts, struct shale_err *err)
{
	static char path[] = "/dev/shm/shale-untar-XXXXXX";
	struct untar_stats stats = { 0 };
	int ret;

	ASSERT_EQ(archive_write_close(tar.archive), ARCHIVE_OK);
	ASSERT(mkdtemp(path));
	work = path;
	root_fd = ASSERT_OK(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	opts->root_fd = root_fd;
	opts->xattr_prefix = geteuid() ? "user." : "trusted.";
	opts->is_root = !geteuid();
	opts->read = tar_read;
	ret = untar(opts, &stats, err);
	archive_write_free(tar.archive);
	archive_entry_free(tar.entry);
	free(tar.data);
	return ret;
}

static void clean_up(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", work);
	EXPECT_EQ(system(command), 0);
	close(root_fd);
}

TEST(entries, "as many entries as the limit, and not one more")
{
	struct untar_opts opts = { .max_entries = 2 };
	struct shale_err err = { 0 };

	tar_begin();
	tar_add("a", S_IFREG | 0644);
	tar_add("b", S_IFREG | 0644);
	EXPECT_EQ(unpack(&opts, &err), 0);
	clean_up();
}

TEST(entries_over, "more entries than the limit are refused")
{
	struct untar_opts opts = { .max_entries = 2 };
	struct shale_err err = { 0 };

	tar_begin();
	tar_add("a", S_IFREG | 0644);
	tar_add("b", S_IFREG | 0644);
	tar_add("c", S_IFREG | 0644);
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_STREQ(err.msg, "more than 2 entries");
	clean_up();
}

TEST(pending, "more directories than memory is meant for are refused")
{
	struct untar_opts opts = { .max_pending = 10000 };
	struct shale_err err = { 0 };
	char name[16];

	tar_begin();
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		tar_add(name, S_IFDIR | 0755);
	}
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT(strstr(err.msg, "the layer has too many directories"));
	clean_up();
}

TEST(xattrs, "more than 1024 extended attributes of a file are refused")
{
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };
	struct archive_entry *entry;
	char name[32];

	tar_begin();
	entry = tar_entry("many", S_IFREG | 0644);
	for (int i = 0; i < 1025; i++) {
		snprintf(name, sizeof(name), "user.x%d", i);
		archive_entry_xattr_add_entry(entry, name, "", 0);
	}
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_STREQ(err.msg, "'many': more than 1024 extended attributes");
	clean_up();
}

TEST(xattr_value, "an extended attribute of more than 64 KiB is refused")
{
	static char value[65537];
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };
	struct archive_entry *entry;

	tar_begin();
	entry = tar_entry("big", S_IFREG | 0644);
	archive_entry_xattr_add_entry(entry, "user.big", value, sizeof(value));
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_EQ(err.code, ERANGE);
	EXPECT_STREQ(err.msg, "'big': extended attribute user.big is too long");
	clean_up();
}

TEST(acl_entries, "an access control list of more than 1024 entries is refused")
{
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };
	struct archive_entry *entry;

	tar_begin();
	entry = tar_entry("acl", S_IFREG | 0644);
	for (int i = 0; i < 1025; i++)
		archive_entry_acl_add_entry(entry, ARCHIVE_ENTRY_ACL_TYPE_ACCESS,
					    ARCHIVE_ENTRY_ACL_READ, ARCHIVE_ENTRY_ACL_USER,
					    1000 + i, NULL);
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_EQ(err.code, E2BIG);
	EXPECT_STREQ(err.msg, "'acl': an ACL of more than 1024 entries");
	clean_up();
}

TEST(libarchive_xattr, "extended attributes in libarchive's own form are kept")
{
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };
	struct archive_entry *entry;
	char value[8];
	int fd;

	if (geteuid())
		SKIP("only root can set trusted attributes");
	tar_begin();
	entry = tar_entry("x", S_IFREG | 0644);
	archive_entry_xattr_add_entry(entry, "trusted.one", "a\0b", 3);
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	ASSERT_EQ(unpack(&opts, &err), 0);
	fd = ASSERT_OK(openat(root_fd, "x", O_RDONLY));
	EXPECT_EQ(fgetxattr(fd, "trusted.one", value, sizeof(value)), 3);
	EXPECT(!memcmp(value, "a\0b", 3));
	close(fd);
	clean_up();
}

TEST(source_fails, "a failure of the source is the failure told")
{
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };

	tar_begin();
	tar_add("a", S_IFREG | 0644);
	tar.fails = true;
	/* The end marker is cut off, or nobody would read on. */
	ASSERT_EQ(archive_write_close(tar.archive), ARCHIVE_OK);
	tar.len = 512;
	EXPECT_EQ(unpack(&opts, &err), -1);
	EXPECT_EQ(err.code, EIO);
	EXPECT_STREQ(err.msg, "the disk is gone");
	clean_up();
}

TEST(nothing, "an empty stream is an empty layer")
{
	struct untar_opts opts = { 0 };
	struct shale_err err = { 0 };

	tar_begin();
	ASSERT_EQ(archive_write_close(tar.archive), ARCHIVE_OK);
	tar.len = 0;
	EXPECT_EQ(unpack(&opts, &err), 0);
	clean_up();
}

static int put_below(void *arg, struct buf *path, struct shale_err *err)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s%s%s", (const char *)arg, path->len ? "/" : "", buf_str(path));
	buf_clear(path);
	return buf_adds(path, whole) ? shale_err_set(err, ENOMEM, "out of memory") : 0;
}

TEST(plain, "what is no layer has its names, changed as wanted, and neither xattrs nor setuid nor another owner")
{
	struct untar_opts opts = { .is_plain = true, .rename = put_below, .rename_arg = (void *)"new" };
	struct archive_entry *entry;
	struct shale_err err = { 0 };
	struct stat st, linked;

	tar_begin();
	tar_add(".", S_IFDIR | 0750);
	entry = tar_entry(".wh.a", S_IFREG | 06755);
	archive_entry_set_uid(entry, 12345);
	archive_entry_xattr_add_entry(entry, "user.x", "y", 1);
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	entry = tar_entry("hard", S_IFREG | 0644);
	archive_entry_set_hardlink(entry, ".wh.a");
	ASSERT_EQ(archive_write_header(tar.archive, entry), ARCHIVE_OK);
	EXPECT_EQ(unpack(&opts, &err), 0);
	EXPECT_STREQ(err.msg, "");
	ASSERT_OK(fstatat(root_fd, "new/.wh.a", &st, AT_SYMLINK_NOFOLLOW));
	ASSERT_OK(fstatat(root_fd, "new/hard", &linked, AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(st.st_mode, S_IFREG | 0755);
	EXPECT_EQ(st.st_ino, linked.st_ino);
	ASSERT_OK(fstatat(root_fd, "new", &st, AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(st.st_mode, S_IFDIR | 0750);
	clean_up();
}

TEST(plain_kinds, "in what is no layer a directory stays one, and nothing else becomes one")
{
	static const mode_t kinds[][2] = { { S_IFDIR | 0755, S_IFREG | 0644 }, { S_IFREG | 0644, S_IFDIR | 0755 } };

	for (size_t i = 0; i < 2; i++)
		IN_CHILD {
			struct untar_opts opts = { .is_plain = true };
			struct shale_err err = { 0 };

			tar_begin();
			tar_add("a", kinds[i][0]);
			tar_add("a", kinds[i][1]);
			EXPECT_EQ(unpack(&opts, &err), -1);
			EXPECT(strstr(err.msg, "cannot overwrite") != NULL);
			clean_up();
		}
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tar writer: what is in the headers, what is refused, and that libarchive reads back what was
 * written. What other programs make of it is tested in selftests/image/difftar.sh.
 */
#include "ktap.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "archive/tarout.h"

static int take(void *arg, const void *data, size_t len, struct shale_err *err)
{
	(void)err;
	return buf_add(arg, data, len);
}

/* One entry with its data as a whole tar. */
static int write_one(const struct tarout_entry *entry, const char *data, struct buf *out,
		     struct shale_err *err)
{
	struct tarout tarout;
	int ret;

	tarout_init(&tarout, take, out);
	ret = tarout_add(&tarout, entry, err);
	if (!ret)
		ret = tarout_data(&tarout, data, strlen(data), err);
	if (!ret)
		ret = tarout_finish(&tarout, err);
	tarout_release(&tarout);
	return ret;
}

static bool has_record(const struct buf *tar, const char *record)
{
	return memmem(tar->data, tar->len, record, strlen(record));
}

struct record_case {
	struct ktap_row row;
	struct attr attr;
	const char *path;
	const char *record; /* NULL: no pax header at all */
};

#define X10  "xxxxxxxxxx"
#define X90  X10 X10 X10 X10 X10 X10 X10 X10 X10
#define X100 X90 X10

static const struct record_case records[] = {
	{ { "plain", "an ordinary file needs no pax header" }, { .mode = S_IFREG | 0644 }, "a", NULL },
	{ { "path_100", "nor does a name of 100 bytes" }, { .mode = S_IFREG }, X100, NULL },
	{ { "path_101", "a longer one does" }, { .mode = S_IFREG }, X100 "y", "111 path=" X100 "y\n" },
	{ { "dir_100", "a directory's slash counts" }, { .mode = S_IFDIR }, X100, "111 path=" X100 "/\n" },
	{ { "bytes", "a name that is not UTF-8 stands in the header" }, { .mode = S_IFREG }, "\xff\n", NULL },
	{ { "charset", "a long one that is not says so" }, { .mode = S_IFREG }, X100 "\xff", "21 hdrcharset=BINARY\n111 path=" X100 "\xff\n" },
	{ { "charset_not", "one that is does not" }, { .mode = S_IFREG }, X100 "\xc3\xa4", "112 path=" X100 "\xc3\xa4\n" },
	{ { "nanoseconds", "nanoseconds, without zeros at the end" }, { .mode = S_IFREG, .times[1] = { 5, 250000000 } }, "a", "14 mtime=5.25\n" },
	{ { "before_1970", "a time before 1970" }, { .mode = S_IFREG, .times[1] = { -2, 0 } }, "a", "12 mtime=-2\n" },
	{ { "before_fraction", "with a fraction, which POSIX counts backwards" }, { .mode = S_IFREG, .times[1] = { -2, 250000000 } }, "a", "15 mtime=-1.75\n" },
	{ { "just_before", "less than a second before" }, { .mode = S_IFREG, .times[1] = { -1, 1 } }, "a", "22 mtime=-0.999999999\n" },
	{ { "far", "a time after 2242" }, { .mode = S_IFREG, .times[1] = { 8589934592, 0 } }, "a", "20 mtime=8589934592\n" },
	{ { "near", "the last one before" }, { .mode = S_IFREG, .times[1] = { 8589934591, 0 } }, "a", NULL },
	{ { "uid", "a large uid" }, { .mode = S_IFREG, .uid = 2097152 }, "a", "15 uid=2097152\n" },
	{ { "uid_fits", "one that fits" }, { .mode = S_IFREG, .uid = 2097151, .gid = 2097151 }, "a", NULL },
	{ { "gid", "a large gid" }, { .mode = S_IFREG, .gid = 4294967294 }, "a", "18 gid=4294967294\n" },
};

TEST_TABLE(record, struct record_case, records, want)
{
	struct tarout_entry entry = { .path = want->path, .attr = &want->attr };
	struct shale_err err = { 0 };
	struct buf tar = BUF_INIT;

	ASSERT_EQ(write_one(&entry, "", &tar, &err), 0);
	EXPECT_EQ(tar.len % 512, 0);
	EXPECT_EQ(tar.data[156], want->record ? 'x' : S_ISDIR(want->attr.mode) ? '5' : '0');
	if (want->record)
		EXPECT(has_record(&tar, want->record));
	buf_release(&tar);
}

TEST(record_length, "the length of a record counts its own digits, at every size")
{
	struct attr attr = { .mode = S_IFREG };
	struct shale_err err = { 0 };
	char path[1200];

	for (size_t len = 101; len < sizeof(path); len++) {
		struct tarout_entry entry = { .path = path, .attr = &attr };
		struct buf tar = BUF_INIT;
		size_t said;

		memset(path, 'x', len);
		path[len] = '\0';
		ASSERT_EQ(write_one(&entry, "", &tar, &err), 0);
		said = strtoul(tar.data + 512, NULL, 10);
		if (tar.data[512 + said - 1] != '\n' || strtoul(tar.data + 124, NULL, 8) != said)
			ktap_fail(__FILE__, __LINE__, "a name of %zu bytes", len);
		buf_release(&tar);
	}
}

static struct archive *read_open(const struct buf *tar, struct archive_entry **ret_entry)
{
	struct archive *archive = archive_read_new();

	archive_read_support_format_tar(archive);
	if (archive_read_open_memory(archive, tar->data, tar->len) != ARCHIVE_OK ||
	    archive_read_next_header(archive, ret_entry) != ARCHIVE_OK)
		ktap_fail(__FILE__, __LINE__, "%s", archive_error_string(archive));
	return archive;
}

TEST(back, "libarchive reads back what was written")
{
	struct attr_xattr xattrs[] = { { "security.capability", "\1\0\0\2", 4 }, { "user.a", "x\ny", 3 } };
	struct attr attr = { .mode = S_IFREG | 04755, .uid = 2000000000, .gid = 7,
			     .times[1] = { 1700000000, 123456789 }, .xattr_count = 2, .xattrs = xattrs };
	struct tarout_entry entry = { .path = "dir/a\nb", .attr = &attr, .size = 5 };
	struct archive_entry *got;
	struct shale_err err = { 0 };
	struct archive *archive;
	struct buf tar = BUF_INIT;
	const void *value;
	const char *name;
	size_t len;

	ASSERT_EQ(write_one(&entry, "hello", &tar, &err), 0);
	archive = read_open(&tar, &got);
	EXPECT_STREQ(archive_entry_pathname(got), "dir/a\nb");
	EXPECT_EQ(archive_entry_mode(got), S_IFREG | 04755);
	EXPECT_EQ(archive_entry_uid(got), 2000000000);
	EXPECT_EQ(archive_entry_gid(got), 7);
	EXPECT_EQ(archive_entry_size(got), 5);
	EXPECT_EQ(archive_entry_mtime(got), 1700000000);
	EXPECT_EQ(archive_entry_mtime_nsec(got), 123456789);
	EXPECT_EQ(archive_entry_xattr_reset(got), 2);
	while (archive_entry_xattr_next(got, &name, &value, &len) == ARCHIVE_OK)
		EXPECT_EQ(len, strcmp(name, "user.a") ? 4 : 3);
	archive_read_free(archive);
	buf_release(&tar);
}

TEST(types, "each type of file, and a hard link")
{
	static const struct {
		mode_t mode;
		char type;
		const char *target;
		bool is_hardlink;
	} types[] = {
		{ S_IFREG, '0', NULL, false }, { S_IFLNK, '2', "to", false }, { S_IFCHR, '3', NULL, false },
		{ S_IFBLK, '4', NULL, false }, { S_IFDIR, '5', NULL, false }, { S_IFIFO, '6', NULL, false },
		{ S_IFREG, '1', "to", true },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		struct attr attr = { .mode = types[i].mode };
		struct tarout_entry entry = { .path = "a", .attr = &attr, .target = types[i].target,
					      .is_hardlink = types[i].is_hardlink, .device = makedev(8, 300) };
		struct shale_err err = { 0 };
		struct buf tar = BUF_INIT;

		ASSERT_EQ(write_one(&entry, "", &tar, &err), 0);
		EXPECT_EQ(tar.data[156], types[i].type);
		EXPECT_STREQ(tar.data + 157, types[i].target ? types[i].target : "");
		EXPECT_STREQ(tar.data + 337, S_ISCHR(attr.mode) || S_ISBLK(attr.mode) ? "0000454" : "0000000");
		buf_release(&tar);
	}
}

TEST(holes, "libarchive finds the data of a file with holes in its place")
{
	struct tarout_run runs[] = { { 1 << 20, 3 }, { 8 << 20, 2 }, { 9 << 20, 0 } };
	struct attr attr = { .mode = S_IFREG | 0644 };
	struct tarout_entry entry = { .path = X100 "/s", .attr = &attr, .size = 9 << 20, .runs = runs, .run_count = 3 };
	struct archive_entry *got;
	struct shale_err err = { 0 };
	struct archive *archive;
	struct buf tar = BUF_INIT;
	const void *data;
	int64_t offset;
	size_t len;

	ASSERT_EQ(write_one(&entry, "abcde", &tar, &err), 0);
	archive = read_open(&tar, &got);
	EXPECT_STREQ(archive_entry_pathname(got), X100 "/s");
	EXPECT_EQ(archive_entry_size(got), 9 << 20);
	ASSERT_EQ(archive_read_data_block(archive, &data, &len, &offset), ARCHIVE_OK);
	EXPECT_EQ(offset, 1 << 20);
	EXPECT(len == 3 && !memcmp(data, "abc", 3));
	ASSERT_EQ(archive_read_data_block(archive, &data, &len, &offset), ARCHIVE_OK);
	EXPECT_EQ(offset, 8 << 20);
	EXPECT(len == 2 && !memcmp(data, "de", 2));
	archive_read_free(archive);
	buf_release(&tar);
}

TEST(wrong, "what does not go together is refused")
{
	struct attr_xattr xattr = { "user.a=b", "", 0 };
	struct attr attr = { .mode = S_IFREG };
	struct tarout_entry entry = { .path = "a", .attr = &attr, .size = 3 };
	struct shale_err err = { 0 };
	struct buf tar = BUF_INIT;

	EXPECT_EQ(write_one(&entry, "abcd", &tar, &err), -1);
	EXPECT_STREQ(err.msg, "more data than the entry has");
	EXPECT_EQ(write_one(&entry, "ab", &tar, &err), -1);
	EXPECT_STREQ(err.msg, "less data than the last entry has");
	attr.mode = S_IFSOCK;
	EXPECT_EQ(write_one(&entry, "abc", &tar, &err), -1);
	EXPECT_STREQ(err.msg, "a tar cannot hold a file of this type");
	attr = (struct attr){ .mode = S_IFREG, .xattr_count = 1, .xattrs = &xattr };
	EXPECT_EQ(write_one(&entry, "abc", &tar, &err), -1);
	EXPECT_EQ(err.code, EINVAL);
	buf_release(&tar);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * attr.c - tests of owners, modes, times, file flags and permission checks on a union.
 */
#include "ops.h"
#include "union.h"

#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

TEST(chown, "chown of a lower file changes the owner and nothing else")
{
	lower(0, "f=1");
	union_mount();
	EXPECT_OK(chown("m/f", 5, 6));
	EXPECT_EQ(stat_of("m/f").st_uid, 5);
	EXPECT_EQ(stat_of("m/f").st_gid, 6);
	EXPECT_EQ(stat_of("m/f").st_mode, S_IFREG | 0644);
	EXPECT_STREQ(file_text("m/f"), "1");
	EXPECT_OK(chown("m/f", -1, 7));
	EXPECT_EQ(stat_of("m/f").st_uid, 5);
	EXPECT_EQ(stat_of("m/f").st_gid, 7);
	union_remount();
	EXPECT_EQ(stat_of("m/f").st_uid, 5);
	if (!is_bare())
		EXPECT_EQ(stat_of("l0/f").st_uid, 0);
}

TEST(big_ids, "user and group numbers up to 2^32 - 2 are kept")
{
	lower(0, "f=1");
	ASSERT_OK(chown("l0/f", 4294967294U, 2147483648U));
	union_mount();
	EXPECT_EQ(stat_of("m/f").st_uid, 4294967294U);
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT_EQ(stat_of("m/f").st_uid, 4294967294U);
	EXPECT_EQ(stat_of("m/f").st_gid, 2147483648U);
}

TEST(promotion_keeps, "promotion by a write keeps owner, mode and access time")
{
	struct timespec times[2] = {{1111, 5}, {2222, 6}};
	struct stat st;

	lower(0, "f=1");
	ASSERT_OK(chown("l0/f", 12, 34));
	ASSERT_OK(chmod("l0/f", 0751));
	ASSERT_OK(utimensat(AT_FDCWD, "l0/f", times, 0));
	union_mount();
	file_append("m/f", "2");
	st = stat_of("m/f");
	EXPECT_EQ(st.st_uid, 12);
	EXPECT_EQ(st.st_gid, 34);
	EXPECT_EQ(st.st_mode, S_IFREG | 0751);
	EXPECT_EQ(st.st_atim.tv_sec, 1111);
	EXPECT(st.st_mtime > 2222);
}

TEST(chmod_keeps_mtime, "promotion by chmod keeps both times to the nanosecond")
{
	struct timespec times[2] = {{1111, 123456789}, {2222, 987654321}};
	struct stat st;

	lower(0, "f=1 d/x=1");
	ASSERT_OK(utimensat(AT_FDCWD, "l0/f", times, 0));
	ASSERT_OK(utimensat(AT_FDCWD, "l0/d", times, 0));
	union_mount();
	ops_run("m", "chmod 600 f; chmod 700 d");
	st = stat_of("m/f");
	EXPECT_EQ(st.st_atim.tv_nsec, 123456789);
	EXPECT_EQ(st.st_mtim.tv_sec, 2222);
	EXPECT_EQ(st.st_mtim.tv_nsec, 987654321);
	EXPECT_EQ(stat_of("m/d").st_mtim.tv_nsec, 987654321);
	union_remount();
	EXPECT_EQ(stat_of("m/f").st_mtim.tv_nsec, 987654321);
}

TEST(parent_mtime, "promotion of a file does not touch the times of its directory")
{
	struct timespec times[2] = {{1111, 0}, {2222, 0}};

	lower(0, "p/d/f=1");
	ASSERT_OK(utimensat(AT_FDCWD, "l0/p/d", times, 0));
	ASSERT_OK(utimensat(AT_FDCWD, "l0/p", times, 0));
	union_mount();
	file_append("m/p/d/f", "2");
	EXPECT_EQ(stat_of("m/p/d").st_mtime, 2222);
	EXPECT_EQ(stat_of("m/p").st_mtime, 2222);
	union_remount();
	EXPECT_EQ(stat_of("m/p/d").st_mtime, 2222);
	EXPECT_EQ(stat_of("m/p").st_mtime, 2222);
}

static const struct mtime_case {
	struct ktap_row row;
	const char *ops;
} mtimes[] = {
	{{"create", "creating a file moves its lower directory's mtime"}, "create d/n 1"},
	{{"unlink", "removing a lower file moves its directory's mtime"}, "unlink d/f"},
	{{"mkdir", "mkdir moves its lower directory's mtime"}, "mkdir d/n"},
	{{"rmdir", "rmdir of a lower directory moves its parent's mtime"}, "rmdir d/e"},
	{{"rename", "renaming a lower file moves its directory's mtime"}, "rename d/f d/g"},
	{{"link", "linking a lower file moves the directory's mtime"}, "link d/f d/g"},
	{{"symlink", "making a symbolic link moves the directory's mtime"}, "symlink x d/l"},
};
TEST_TABLE(mtime, struct mtime_case, mtimes, c)
{
	struct timespec times[2] = {{1111, 0}, {2222, 0}};
	struct stat st;

	lower(0, "d/f=1 d/e/");
	ASSERT_OK(utimensat(AT_FDCWD, "l0/d", times, 0));
	union_mount();
	EXPECT_EQ(stat_of("m/d").st_mtime, 2222);
	ops_run("m", c->ops);
	st = stat_of("m/d");
	EXPECT(st.st_mtime > 2222);
	EXPECT(st.st_ctime > 2222);
	union_remount();
	EXPECT_EQ(stat_of("m/d").st_mtim.tv_nsec, st.st_mtim.tv_nsec);
}

TEST(ctime, "chmod, link and rename of a lower file move its ctime")
{
	struct timespec before;

	lower(0, "f=1");
	union_mount();
	before = stat_of("m/f").st_ctim;
	usleep(20000);
	ASSERT_OK(chmod("m/f", 0600));
	EXPECT(stat_of("m/f").st_ctim.tv_sec > before.tv_sec ||
	       stat_of("m/f").st_ctim.tv_nsec != before.tv_nsec);
	before = stat_of("m/f").st_ctim;
	usleep(20000);
	ASSERT_OK(link("m/f", "m/g"));
	EXPECT(stat_of("m/f").st_ctim.tv_sec > before.tv_sec ||
	       stat_of("m/f").st_ctim.tv_nsec != before.tv_nsec);
}

TEST(utimes, "utimensat sets, omits and takes the present time on a lower file")
{
	struct timespec times[2] = {{1000, 1}, {2000, 2}};

	lower(0, "f=1 d/x=1");
	union_mount();
	EXPECT_OK(utimensat(AT_FDCWD, "m/f", times, 0));
	EXPECT_EQ(stat_of("m/f").st_atim.tv_sec, 1000);
	EXPECT_EQ(stat_of("m/f").st_mtim.tv_nsec, 2);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	EXPECT_OK(utimensat(AT_FDCWD, "m/f", times, 0));
	EXPECT_EQ(stat_of("m/f").st_atim.tv_sec, 1000);
	EXPECT(stat_of("m/f").st_mtime > 2000);
	times[0] = (struct timespec){3000, 0};
	times[1] = (struct timespec){4000, 0};
	EXPECT_OK(utimensat(AT_FDCWD, "m/d", times, 0));
	EXPECT_EQ(stat_of("m/d").st_mtime, 4000);
	EXPECT_TREE("m", "d/x=1 f=1");
}

TEST(utimes_permission, "only the owner may set other times (EPERM), a writer may set the present")
{
	struct timespec times[2] = {{1000, 0}, {2000, 0}};

	lower(0, "f=1");
	ASSERT_OK(chmod("l0/f", 0666));
	union_mount();
	AS_UID(1000) {
		EXPECT_ERR(utimensat(AT_FDCWD, "m/f", times, 0), EPERM);
		EXPECT_OK(utimensat(AT_FDCWD, "m/f", NULL, 0));
	}
}

static const struct suid_case {
	struct ktap_row row;
	mode_t mode, want;
	uid_t writer;
	const char *ops;
} suids[] = {
	{{"write_user", "a write by an ordinary user clears set-user-ID"}, 04777, 0777, 1000,
	 "append f x"},
	{{"write_user_sgid", "a write by an ordinary user clears set-group-ID with group execute"}, 02777,
	 0777, 1000, "append f x"},
	{{"truncate_user", "a truncation by an ordinary user clears set-user-ID"}, 04777, 0777, 1000,
	 "trunc f 0"},
	{{"write_root", "a write by root keeps set-user-ID"}, 04777, 04777, 0, "append f x"},
	{{"chmod_root", "chmod by root can set all bits of a lower file"}, 0644, 06755, 0,
	 "chmod 6755 f"},
	{{"rename", "a rename keeps set-user-ID of a lower file"}, 04755, 04755, 0,
	 "rename f g; rename g f"},
	{{"link", "a link keeps set-user-ID of a lower file"}, 04755, 04755, 0, "link f g"},
	{{"utimes", "setting an attribute keeps set-user-ID of a lower file"}, 04755, 04755, 0,
	 "setx f trusted.a 1"},
};
TEST_TABLE(suid, struct suid_case, suids, c)
{
	lower(0, "f=1");
	ASSERT_OK(chmod("l0/f", c->mode));
	ASSERT_OK(chmod("l0", 0777));
	union_mount();
	if (c->writer) {
		AS_UID(c->writer) {
			ops_run("m", c->ops);
		}
	} else {
		ops_run("m", c->ops);
	}
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, c->want);
	union_remount();
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, c->want);
}

TEST(suid_chown, "chown clears set-user-ID and set-group-ID of a lower file")
{
	lower(0, "f=1");
	ASSERT_OK(chmod("l0/f", 06755));
	union_mount();
	ASSERT_OK(chown("m/f", 5, 6));
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, 0755);
}

TEST(sgid_chmod_outsider, "chmod by an owner outside the group drops set-group-ID")
{
	lower(0, "f=1");
	ASSERT_OK(chown("l0/f", 1000, 77));
	union_mount();
	AS_UID(1000) {
		EXPECT_OK(chmod("m/f", 02755));
	}
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, 0755);
}

TEST(chmod_link, "chmod through a lower symbolic link changes its target")
{
	lower(0, "f=1 l@f");
	union_mount();
	ASSERT_OK(chmod("m/l", 0600));
	EXPECT_EQ(stat_of("m/f").st_mode & 07777, 0600);
	EXPECT(S_ISLNK(stat_of("m/l").st_mode));
}

/* ------------------------------------------------------------------ permissions */

static const struct access_case {
	struct ktap_row row;
	const char *ops;
} refused[] = {
	{{"read", "a file without read permission cannot be read"}, "read secret EACCES"},
	{{"write", "a file without write permission cannot be written"}, "append f x -> EACCES"},
	{{"truncate", "a file without write permission cannot be truncated"}, "trunc f 0 -> EACCES"},
	{{"chmod", "somebody else's file cannot be given another mode"}, "chmod 777 f -> EPERM"},
	{{"create", "nothing can be created in a directory without write permission"},
	 "create d/n 1 -> EACCES"},
	{{"mkdir", "no directory can be made there"}, "mkdir d/n -> EACCES"},
	{{"unlink", "a lower file cannot be removed there"}, "unlink d/f -> EACCES"},
	{{"rmdir", "a lower directory cannot be removed there"}, "rmdir d/e -> EACCES"},
	{{"rename", "a lower file cannot be renamed there"}, "rename d/f d/g -> EACCES"},
	{{"rename_in", "nothing can be moved into it"}, "rename open/mine d/g -> EACCES"},
	{{"rename_out", "nothing can be moved out of it"}, "rename d/f open/g -> EACCES"},
	{{"link", "no link can be made there"}, "link open/mine d/g -> EACCES"},
	{{"search", "nothing below a directory without search permission is reached"},
	 "stat closed/f -> EACCES"},
	{{"sticky_unlink", "in a sticky directory another's file cannot be removed"},
	 "unlink sticky/f -> EPERM"},
	{{"sticky_rename", "in a sticky directory another's file cannot be renamed"},
	 "rename sticky/f sticky/g -> EPERM"},
	{{"sticky_replace", "in a sticky directory another's file cannot be replaced"},
	 "rename open/mine sticky/f -> EPERM"},
	{{"device", "an ordinary user cannot make a device"}, "mkchr open/dev 1 3 -> EPERM"},
	{{"whiteout_device", "an ordinary user cannot make a device 0:0"},
	 "mkchr open/dev 0 0 -> EPERM"},
};
TEST_TABLE(refuse, struct access_case, refused, c)
{
	lower(0, "secret=1 f=1 d/f=1 d/e/ closed/f=1 sticky/f=1 open/mine=1");
	ASSERT_OK(chmod("l0/secret", 0600));
	ASSERT_OK(chmod("l0/closed", 0700));
	ASSERT_OK(chmod("l0/sticky", 01777));
	ASSERT_OK(chmod("l0/open", 0777));
	ASSERT_OK(chown("l0/open/mine", 1000, 1000));
	union_mount();
	AS_UID(1000) {
		ops_run("m", c->ops);
	}
	EXPECT_TREE("m", "secret=1 f=1 d/f=1 d/e/ closed/f=1 sticky/f=1 open/mine=1");
	if (is_shale() && !exists("u/.shale"))
		EXPECT_TREE("u", "");
}

static const struct access_case allowed[] = {
	{{"own_write", "the owner can write a lower file"}, "append d/f x"},
	{{"own_chmod", "the owner can change a lower file's mode"}, "chmod 600 d/f"},
	{{"create", "files can be created where the directory is the user's"}, "create d/n 1"},
	{{"unlink", "a lower file can be removed there"}, "unlink d/f"},
	{{"unlink_other", "even another's lower file"}, "unlink d/root"},
	{{"rename", "a lower file can be renamed there"}, "rename d/f d/g"},
	{{"rmdir", "a lower directory can be removed there"}, "rmdir d/e"},
	{{"rename_dir", "the user's lower directory can be renamed there"}, "rename d/own d/new"},
	{{"sticky_own", "in a sticky directory the user's own lower file can be removed"},
	 "unlink sticky/mine"},
	{{"mkdir_removed", "a directory can be made in place of a removed one"},
	 "rmdir d/e; mkdir d/e; create d/e/f 1"},
};
TEST_TABLE(allow, struct access_case, allowed, c)
{
	lower(0, "d/f=1 d/root=1 d/e/ d/own/x=1 sticky/mine=1");
	ASSERT_OK(chmod("l0/sticky", 01777));
	ASSERT_OK(chown("l0/d", 1000, 1000));
	ASSERT_OK(chown("l0/d/f", 1000, 1000));
	ASSERT_OK(chown("l0/d/own", 1000, 1000));
	ASSERT_OK(chown("l0/sticky/mine", 1000, 1000));
	union_mount();
	AS_UID(1000) {
		ops_run("m", c->ops);
	}
}

TEST(reaches_hidden_parent, "a process inside a directory keeps working when a parent is closed to it")
{
	lower(0, "p/d/f=1");
	ASSERT_OK(chmod("l0/p", 0700));
	ASSERT_OK(chmod("l0/p/d", 0777));
	ASSERT_OK(chmod("l0/p/d/f", 0666));
	union_mount();
	IN_CHILD {
		ASSERT_OK(chdir("m/p/d"));
		become(1000);
		file_append("f", "2");
		file_write("g", "3");
		EXPECT_STREQ(file_text("f"), "12");
	}
}

TEST(layer_permissions, "what the union shows is reachable though the layer's own parent is closed")
{
	need_union();
	ASSERT_OK(mkdir("closed", 0700));
	tree_make("closed/lower", "f=1");
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(mkdir("extra", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=closed/lower:extra"));
	AS_UID(1000) {
		EXPECT_STREQ(file_text("m/f"), "1");
	}
}

/* ------------------------------------------------------------------ flags */

static int get_flags(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), flags = 0;
	int ret = ioctl(fd, FS_IOC_GETFLAGS, &flags);

	close(fd);
	return ret < 0 ? -errno : flags;
}

/* The flags a filesystem sets itself, such as ext4's extents, are kept. */
static int set_flags(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), old = 0, ret, error;

	ioctl(fd, FS_IOC_GETFLAGS, &old);
	flags |= old & ~(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL);
	ret = ioctl(fd, FS_IOC_SETFLAGS, &flags);
	error = errno;
	close(fd);
	errno = error;
	return ret;
}

static void need_flags(void)
{
	lower(0, "probe=");
	if (get_flags("l0/probe") < 0 || set_flags("l0/probe", FS_NODUMP_FL) < 0)
		SKIP("%s has no file flags here", union_backing());
	ASSERT_OK(unlink("l0/probe"));
}

TEST(flags_immutable, "an immutable lower file cannot be written, renamed, linked or removed: EPERM")
{
	need_flags();
	lower(0, "f=1");
	union_mount();
	ASSERT_OK(set_flags("m/f", FS_IMMUTABLE_FL));
	EXPECT(get_flags("m/f") & FS_IMMUTABLE_FL);
	ops_run("m", "append f x -> EPERM; trunc f 0 -> EPERM; unlink f -> EPERM; rename f g -> EPERM;"
		     "link f g -> EPERM; chmod 600 f -> EPERM");
	union_remount();
	EXPECT(get_flags("m/f") & FS_IMMUTABLE_FL);
	ops_run("m", "append f x -> EPERM; unlink f -> EPERM");
	EXPECT_STREQ(file_text("m/f"), "1");
	ASSERT_OK(set_flags("m/f", 0));
	ops_run("m", "append f 2");
	EXPECT_STREQ(file_text("m/f"), "12");
	if (!is_bare())
		EXPECT(!(get_flags("l0/f") & FS_IMMUTABLE_FL));
}

TEST(flags_append, "an append-only lower file can be appended and not rewritten: EPERM")
{
	need_flags();
	lower(0, "f=1");
	union_mount();
	ASSERT_OK(set_flags("m/f", FS_APPEND_FL));
	ops_run("m", "append f 2; write f x -> EPERM; trunc f 0 -> EPERM; unlink f -> EPERM");
	union_remount();
	ops_run("m", "append f 3; write f x -> EPERM");
	EXPECT_STREQ(file_text("m/f"), "123");
	ASSERT_OK(set_flags("m/f", 0));
}

TEST(flags_immutable_dir, "nothing can be created in or removed from an immutable lower directory")
{
	need_flags();
	lower(0, "d/f=1");
	union_mount();
	ASSERT_OK(set_flags("m/d", FS_IMMUTABLE_FL));
	ops_run("m", "create d/g 1 -> EPERM; unlink d/f -> EPERM; rename d/f d/g -> EPERM");
	ASSERT_OK(set_flags("m/d", 0));
	ops_run("m", "create d/g 1; unlink d/f");
	EXPECT_TREE("m", "d/g=1");
}

TEST(flags_lower_immutable, "an immutable file of a layer is immutable in the mount")
{
	need_flags();
	lower(0, "f=1");
	ASSERT_OK(set_flags("l0/f", FS_IMMUTABLE_FL));
	need_union();
	union_mount();
	ops_run("m", "append f x -> EPERM; unlink f -> EPERM; chmod 600 f -> EPERM");
	EXPECT_STREQ(file_text("m/f"), "1");
}

TEST(flags_plain, "other flags can be set on a lower file and last")
{
	need_flags();
	lower(0, "f=1");
	union_mount();
	ASSERT_OK(set_flags("m/f", FS_NODUMP_FL | FS_NOATIME_FL));
	EXPECT_EQ(get_flags("m/f") & (FS_NODUMP_FL | FS_NOATIME_FL), FS_NODUMP_FL | FS_NOATIME_FL);
	union_remount();
	EXPECT_EQ(get_flags("m/f") & (FS_NODUMP_FL | FS_NOATIME_FL), FS_NODUMP_FL | FS_NOATIME_FL);
	EXPECT_STREQ(file_text("m/f"), "1");
}

TEST(flags_permission, "an ordinary user may not set another's flags nor make a file immutable")
{
	need_flags();
	lower(0, "f=1 own=1");
	ASSERT_OK(chown("l0/own", 1000, 1000));
	union_mount();
	AS_UID(1000) {
		EXPECT(set_flags("m/f", FS_NODUMP_FL) < 0 && (errno == EACCES || errno == EPERM));
		EXPECT_ERR(set_flags("m/own", FS_IMMUTABLE_FL), EPERM);
		EXPECT_OK(set_flags("m/own", FS_NODUMP_FL));
	}
}

TEST(flags_fsx, "FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR work on a lower file")
{
	struct fsxattr attr = {0};
	int fd;

	need_flags();
	lower(0, "f=1");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attr) < 0)
		SKIP("%s has no FSGETXATTR", union_backing());
	attr.fsx_xflags |= FS_XFLAG_NODUMP;
	EXPECT_OK(ioctl(fd, FS_IOC_FSSETXATTR, &attr));
	EXPECT_OK(ioctl(fd, FS_IOC_FSGETXATTR, &attr));
	EXPECT(attr.fsx_xflags & FS_XFLAG_NODUMP);
	close(fd);
}

TEST(unknown_ioctl, "an unknown ioctl gives ENOTTY")
{
	int fd;

	lower(0, "f=1 d/");
	union_mount();
	fd = ASSERT_OK(open("m/f", O_RDONLY));
	EXPECT_ERR(ioctl(fd, _IO(0x99, 99)), ENOTTY);
	close(fd);
	fd = ASSERT_OK(open("m/d", O_RDONLY));
	EXPECT_ERR(ioctl(fd, _IO(0x99, 99)), ENOTTY);
	close(fd);
}

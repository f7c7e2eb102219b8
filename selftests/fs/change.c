// SPDX-License-Identifier: GPL-2.0-only
/*
 * change.c - tests of making and removing names on a union: create, mkdir, symlink, mknod, unlink, rmdir,
 * and what each leaves in the upper. Renames are in rename.c, links in link.c.
 */
#include "ops.h"
#include "union.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static const struct op_case creates[] = {
	{{"file", "a file can be created in the root"}, {"x=1"}, NULL, "create a 1", "a=1 x=1"},
	{{"in_lower_dir", "a file can be created in a lower directory"},
	 {"d/x=1"}, NULL, "create d/a 1", "d/a=1 d/x=1"},
	{{"in_deep_lower_dir", "a file can be created five lower directories down"},
	 {"a/b/c/d/e/x=1"}, NULL, "create a/b/c/d/e/f 1", "a/b/c/d/e/f=1 a/b/c/d/e/x=1"},
	{{"over_lower", "creating exclusively over a lower file gives EEXIST"},
	 {"a=1"}, NULL, "create a 2 -> EEXIST", "a=1"},
	{{"over_dir", "creating exclusively over a lower directory gives EEXIST"},
	 {"d/"}, NULL, "create d 2 -> EEXIST", "d/"},
	{{"over_removed", "a removed lower name can be created again"},
	 {"a=1"}, NULL, "unlink a; create a 2", "a=2"},
	{{"over_found_whiteout", "a name whose whiteout is found after a remount can be created"},
	 {"a=1"}, NULL, "unlink a; remount; create a 2", "a=2"},
	{{"over_lower_whiteout", "a name hidden by a lower whiteout can be created"},
	 {"a!", "a=1"}, NULL, "create a 2", "a=2"},
	{{"in_missing", "creating in a missing directory gives ENOENT"},
	 {"x=1"}, NULL, "create d/a 1 -> ENOENT", "x=1"},
	{{"below_file", "creating below a file gives ENOTDIR"},
	 {"a=1"}, NULL, "create a/b 1 -> ENOTDIR", "a=1"},
	{{"then_remove", "a created and removed name is gone"},
	 {"x=1"}, NULL, "create a 1; unlink a; create a 2; unlink a", "x=1"},
	{{"symlink", "a symbolic link can be created"}, {"x=1"}, NULL, "symlink x l", "l@x x=1"},
	{{"symlink_over_removed", "a symbolic link can take a removed name"},
	 {"a=1"}, NULL, "unlink a; symlink x a", "a@x"},
	{{"symlink_over_lower", "a symbolic link over a lower name gives EEXIST"},
	 {"a=1"}, NULL, "symlink x a -> EEXIST", "a=1"},
	{{"mkdir", "a directory can be created"}, {"x=1"}, NULL, "mkdir d", "d/ x=1"},
	{{"mkdir_over_lower", "mkdir over a lower directory gives EEXIST"},
	 {"d/"}, NULL, "mkdir d -> EEXIST", "d/"},
	{{"mkdir_over_file", "mkdir over a lower file gives EEXIST"},
	 {"a=1"}, NULL, "mkdir a -> EEXIST", "a=1"},
	{{"mkdir_over_removed_dir", "a directory in place of a removed one does not show its names"},
	 {"d/a=1 d/b=2"}, NULL, "unlink d/a; unlink d/b; rmdir d; mkdir d", "d/"},
	{{"mkdir_over_removed_file", "a directory can take the name of a removed file"},
	 {"a=1"}, NULL, "unlink a; mkdir a; create a/b 2", "a/b=2"},
	{{"mkdir_again_nested", "nested directories in place of removed ones stay empty"},
	 {"d/e/a=1"}, NULL, "unlink d/e/a; rmdir d/e; rmdir d; mkdir d; mkdir d/e", "d/e/"},
	{{"mkdir_over_lower_whiteout", "mkdir over a lower whiteout does not bring back what it hides"},
	 {"d!", "d/a=1"}, NULL, "mkdir d; create d/b 2", "d/b=2"},
	{{"fifo", "a fifo can be created and removed"},
	 {"x=1"}, NULL, "mkfifo p; unlink p", "x=1"},
	{{"whiteout_device", "creating a device 0:0, which would be a whiteout, is refused with EPERM"},
	 {"x=1"}, NULL, "mkchr c 0 0 -> EPERM", "x=1"},
	{{"tmpfile_link", "an unnamed temporary file can be linked into a lower directory"},
	 {"d/x=1"}, NULL, "tmpfile d d/a 1", "d/a=1 d/x=1", "O_TMPFILE on 6.1"},
	{{"tmpfile_over_removed", "an unnamed temporary file can take a removed name"},
	 {"a=1"}, NULL, "unlink a; tmpfile . a 2", "a=2", "O_TMPFILE on 6.1"},
	{{"tmpfile_over_lower", "linking a temporary file over a lower name gives EEXIST"},
	 {"a=1"}, NULL, "tmpfile . a 2 -> EEXIST", "a=1", "O_TMPFILE on 6.1"},
};
OP_CASES(create, creates)

static const struct op_case removals[] = {
	{{"lower", "a lower file can be removed"}, {"a=1 b=2"}, NULL, "unlink a", "b=2"},
	{{"upper", "an upper file can be removed"}, {"b=2"}, "a=1", "unlink a", "b=2"},
	{{"both", "removing a file present in both layers does not show the lower one"},
	 {"a=1"}, "a=2", "unlink a", ""},
	{{"three", "removing a file present in three lower layers shows none of them"},
	 {"a=1", "a=2", "a=3"}, NULL, "unlink a", ""},
	{{"written", "a lower file that was written can be removed"},
	 {"a=1"}, NULL, "append a 2; unlink a", ""},
	{{"in_lower_dir", "a file in a lower directory can be removed"},
	 {"d/a=1 d/b=2"}, NULL, "unlink d/a", "d/b=2"},
	{{"symlink", "a lower symbolic link can be removed and its target stays"},
	 {"a=1 l@a"}, NULL, "unlink l", "a=1"},
	{{"missing", "removing a missing name gives ENOENT"},
	 {"a=1"}, NULL, "unlink x -> ENOENT", "a=1"},
	{{"twice", "removing a lower name twice gives ENOENT"},
	 {"a=1"}, NULL, "unlink a; unlink a -> ENOENT", ""},
	{{"after_remount", "a removed name stays removed for unlink after a remount"},
	 {"a=1"}, NULL, "unlink a; remount; unlink a -> ENOENT", ""},
	{{"dir_by_unlink", "unlink of a lower directory gives EISDIR"},
	 {"d/"}, NULL, "unlink d -> EISDIR", "d/"},
	{{"rmdir_empty", "an empty lower directory can be removed"}, {"d/ x=1"}, NULL, "rmdir d", "x=1"},
	{{"rmdir_upper", "an empty upper directory can be removed"}, {"x=1"}, "d/", "rmdir d", "x=1"},
	{{"rmdir_merged_empty", "an empty merged directory can be removed"}, {"d/"}, "d/", "rmdir d", ""},
	{{"rmdir_full", "rmdir of a directory that holds a lower file gives ENOTEMPTY"},
	 {"d/a=1"}, NULL, "rmdir d -> ENOTEMPTY", "d/a=1"},
	{{"rmdir_full_in_lower", "rmdir of a merged directory looks into every layer"},
	 {"d/", "d/a=1"}, "d/", "rmdir d -> ENOTEMPTY", "d/a=1"},
	{{"rmdir_full_recreated", "rmdir of a directory made where a lower one was removed looks into it too"},
	 {"d/"}, NULL, "rmdir d; mkdir d; create d/b 2; rmdir d -> ENOTEMPTY; rmdir d -> ENOTEMPTY", "d/b=2"},
	{{"rmdir_full_over_file", "the same of a directory made where a lower file was removed"},
	 {"d=1"}, NULL, "unlink d; mkdir d; create d/b 2; rmdir d -> ENOTEMPTY", "d/b=2"},
	{{"rmdir_full_opaque", "the same of an opaque directory"},
	 {"d/a=1"}, "d/! d/b=2", "rmdir d -> ENOTEMPTY", "d/b=2"},
	{{"rmdir_full_moved_in", "the same of a directory that was renamed to a lower one's name"},
	 {"d/ e/a=1"}, NULL, "rmdir d; rename e d; rmdir d -> ENOTEMPTY", "d/a=1"},
	{{"rmdir_full_moved_out", "the same of a directory that was renamed to a new name"},
	 {"e/a=1"}, NULL, "rename e d; rmdir d -> ENOTEMPTY", "d/a=1"},
	{{"rmdir_emptied", "a lower directory whose files were removed can be removed"},
	 {"d/a=1 d/b=2"}, NULL, "unlink d/a; unlink d/b; rmdir d", ""},
	{{"rmdir_emptied_remount", "the same holds after a remount"},
	 {"d/a=1 d/b=2"}, NULL, "unlink d/a; unlink d/b; remount; rmdir d", ""},
	{{"rmdir_whiteouts_only", "a directory that holds only whiteouts of the upper can be removed"},
	 {"d/a=1"}, "d/a!", "rmdir d", ""},
	{{"rmdir_lower_whiteouts", "a directory that holds only lower whiteouts can be removed"},
	 {"d/a!", "d/a=1"}, NULL, "rmdir d", ""},
	{{"rmdir_opaque", "an empty opaque directory can be removed and hides the lower one for good"},
	 {"d/a=1"}, "d/!", "rmdir d", ""},
	{{"rmdir_file", "rmdir of a file gives ENOTDIR"}, {"a=1"}, NULL, "rmdir a -> ENOTDIR", "a=1"},
	{{"rmdir_missing", "rmdir of a missing name gives ENOENT"},
	 {"x=1"}, NULL, "rmdir d -> ENOENT", "x=1"},
	{{"rmdir_nested", "a tree of lower directories can be removed from the inside"},
	 {"a/b/c/d/"}, NULL, "rmdir a/b/c/d; rmdir a/b/c; rmdir a/b; rmdir a", ""},
	{{"rmdir_dot", "rmdir of . gives EINVAL"}, {"d/"}, NULL, "rmdir d/. -> EINVAL", "d/"},
	{{"rmdir_dotdot", "rmdir of a directory's .. gives ENOTEMPTY"},
	 {"d/"}, NULL, "rmdir d/.. -> ENOTEMPTY", "d/"},
	{{"remove_recreate_remove", "a lower name removed, made and removed again is gone"},
	 {"a=1"}, NULL, "unlink a; create a 2; unlink a", ""},
	{{"dir_recreate_remove", "a lower directory removed, made and removed again is gone"},
	 {"d/a=1"}, NULL, "unlink d/a; rmdir d; mkdir d; create d/b 2; unlink d/b; rmdir d", ""},
};
OP_CASES(remove, removals)

static const struct op_case writes[] = {
	{{"append", "appending to a lower file keeps what it held"},
	 {"a=1"}, NULL, "append a 2", "a=12"},
	{{"append_remount", "appending goes on after a remount"},
	 {"a=1"}, NULL, "append a 2; remount; append a 3", "a=123"},
	{{"replace", "a lower file can be rewritten from its start"}, {"a=old"}, NULL, "write a n", "a=n"},
	{{"middle_layer", "writing changes the topmost lower file of the name"},
	 {"a=top", "a=bottom"}, NULL, "append a !", "a=top!"},
	{{"through_symlink", "writing through a lower symbolic link changes its target"},
	 {"a=1 l@a"}, NULL, "append l 2", "a=12 l@a"},
	{{"truncate_zero", "truncating a lower file to nothing empties it"},
	 {"a=123"}, NULL, "trunc a 0", "a="},
	{{"truncate_shorter", "truncating a lower file keeps its head"},
	 {"a=12345"}, NULL, "trunc a 2", "a=12"},
	{{"truncate_same", "truncating to the same size changes nothing"},
	 {"a=123"}, NULL, "trunc a 3", "a=123"},
	{{"truncate_dir", "truncating a directory gives EISDIR"},
	 {"d/"}, NULL, "trunc d 0 -> EISDIR", "d/"},
	{{"truncate_missing", "truncating a missing file gives ENOENT"},
	 {"x=1"}, NULL, "trunc a 0 -> ENOENT", "x=1"},
	{{"truncate_negative", "truncating below zero gives EINVAL"},
	 {"a=1"}, NULL, "trunc a -1 -> EINVAL", "a=1"},
	{{"chmod_lower", "chmod of a lower file changes the mode and not the data"},
	 {"a=1"}, NULL, "chmod 600 a; mode 600 a", "a=1"},
	{{"chmod_lower_dir", "chmod of a lower directory keeps its names"},
	 {"d/a=1"}, NULL, "chmod 700 d; mode 700 d", "d/a=1"},
	{{"chmod_root", "chmod of the root of the mount works"},
	 {"a=1"}, NULL, "chmod 750 .; mode 750 .", "a=1"},
	{{"open_only", "opening a lower file for writing without a write changes nothing"},
	 {"a=1"}, NULL, "open a", "a=1"},
	{{"write_deep", "a file five lower directories down can be written"},
	 {"a/b/c/d/e/f=1"}, NULL, "append a/b/c/d/e/f 2", "a/b/c/d/e/f=12"},
	{{"write_dir", "opening a directory for writing gives EISDIR"},
	 {"d/"}, NULL, "append d 1 -> EISDIR", "d/"},
};
OP_CASES(write, writes)

TEST(whiteout_format, "removing a lower file leaves a character device 0:0 in the upper")
{
	struct stat st;

	need_union();
	lower(0, "a=1 d/b=2");
	union_mount();
	ops_run("m", "unlink a; unlink d/b; rmdir d");
	union_umount();
	st = stat_of("u/a");
	EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == 0);
	st = stat_of("u/d");
	EXPECT(S_ISCHR(st.st_mode) && st.st_rdev == 0);
}

TEST(no_needless_whiteout, "removing a file that is only in the upper leaves no whiteout")
{
	need_union();
	lower(0, "x=1");
	union_mount();
	ops_run("m", "create a 1; unlink a; mkdir d; create d/b 2; unlink d/b; rmdir d");
	union_umount();
	EXPECT(!exists("u/a"));
	EXPECT(!exists("u/d"));
}

TEST(opaque_format, "a directory made over a whiteout is marked opaque in overlayfs's format")
{
	char value[8] = "";

	need_union();
	lower(0, "d/a=1");
	union_mount();
	ops_run("m", "unlink d/a; rmdir d; mkdir d");
	union_umount();
	EXPECT_EQ(getxattr("u/d", "trusted.overlay.opaque", value, sizeof(value)), 1);
	EXPECT_STREQ(value, "y");
}

TEST(lower_untouched, "nothing that is done to the mount changes a lower layer")
{
	lower(0, "a=1 b=2 d/c=3 d/e=4 l@a");
	lower(1, "a=0 d/z=9");
	union_mount();
	ops_run("m", "append a x; unlink b; unlink d/c; rename d n; chmod 600 l; unlink l; mkdir d;"
		     "create d/q 1; setx a trusted.k v; link a h; trunc n/e 0");
	if (is_bare())
		return;
	EXPECT_TREE("l0", "a=1 b=2 d/c=3 d/e=4 l@a");
	EXPECT_TREE("l1", "a=0 d/z=9");
	EXPECT_EQ(stat_of("l0/a").st_nlink, 1);
}

TEST(removed_but_open, "a removed lower file stays readable and writable through an open descriptor")
{
	char text[8] = "";
	int fd;

	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDWR));
	ASSERT_OK(unlink("m/a"));
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 1);
	EXPECT_EQ(pwrite(fd, "23", 2, 1), 2);
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 3);
	EXPECT_STREQ(text, "123");
	EXPECT(!exists("m/a"));
	close(fd);
	union_remount();
	EXPECT(!exists("m/a"));
}

TEST(removed_nlink, "fstat of a removed file says it has no links")
{
	struct stat st;
	int low, up;

	overlay_lacks("link counts of removed lower files");
	lower(0, "a=1");
	upper("b=2");
	union_mount();
	low = ASSERT_OK(open("m/a", O_RDONLY));
	up = ASSERT_OK(open("m/b", O_RDONLY));
	ASSERT_OK(unlink("m/a"));
	ASSERT_OK(unlink("m/b"));
	ASSERT_OK(fstat(low, &st));
	EXPECT_EQ(st.st_nlink, 0);
	ASSERT_OK(fstat(up, &st));
	EXPECT_EQ(st.st_nlink, 0);
}

TEST(removed_cwd, "a process in a removed directory gets ENOENT for what it creates there")
{
	int home;

	lower(0, "d/");
	union_mount();
	home = ASSERT_OK(open(".", O_RDONLY));
	ASSERT_OK(chdir("m/d"));
	ASSERT_OK(rmdir("../d"));
	EXPECT_ERR(open("a", O_CREAT | O_WRONLY, 0644), ENOENT);
	EXPECT_ERR(mkdir("b", 0755), ENOENT);
	ASSERT_OK(fchdir(home));
}

TEST(umask, "new files and directories get the mode the umask leaves")
{
	lower(0, "d/x=1");
	union_mount();
	umask(0027);
	ASSERT_OK(close(open("m/d/a", O_CREAT | O_WRONLY, 0666)));
	ASSERT_OK(mkdir("m/d/b", 0777));
	ASSERT_OK(mknod("m/d/c", S_IFIFO | 0666, 0));
	EXPECT_EQ(stat_of("m/d/a").st_mode, S_IFREG | 0640);
	EXPECT_EQ(stat_of("m/d/b").st_mode, S_IFDIR | 0750);
	EXPECT_EQ(stat_of("m/d/c").st_mode, S_IFIFO | 0640);
}

TEST(owner, "new files belong to the user who makes them, not to the mounter")
{
	lower(0, "d/");
	ASSERT_OK(chmod("l0/d", 0777));
	union_mount();
	AS_UID(1000) {
		file_write("m/d/a", "1");
		ASSERT_OK(mkdir("m/d/b", 0755));
		ASSERT_OK(symlink("a", "m/d/c"));
	}
	EXPECT_EQ(stat_of("m/d/a").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/a").st_gid, 1000);
	EXPECT_EQ(stat_of("m/d/b").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/c").st_uid, 1000);
}

TEST(setgid_dir, "what is made in a set-group-ID directory inherits its group")
{
	lower(0, "d/");
	ASSERT_OK(chown("l0/d", 0, 500));
	ASSERT_OK(chmod("l0/d", 02777));
	union_mount();
	AS_UID(1000) {
		file_write("m/d/a", "1");
		ASSERT_OK(mkdir("m/d/b", 0755));
	}
	EXPECT_EQ(stat_of("m/d/a").st_gid, 500);
	EXPECT_EQ(stat_of("m/d/b").st_gid, 500);
	EXPECT_EQ(stat_of("m/d/b").st_mode & 07777, 02755);
}

TEST(setgid_over_whiteout, "the same holds where the name was removed before")
{
	lower(0, "d/a=1 d/b/");
	ASSERT_OK(chown("l0/d", 0, 500));
	ASSERT_OK(chmod("l0/d", 02777));
	union_mount();
	ops_run("m", "unlink d/a; rmdir d/b");
	AS_UID(1000) {
		file_write("m/d/a", "1");
		ASSERT_OK(mkdir("m/d/b", 0755));
	}
	EXPECT_EQ(stat_of("m/d/a").st_gid, 500);
	EXPECT_EQ(stat_of("m/d/a").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/b").st_gid, 500);
	EXPECT_EQ(stat_of("m/d/b").st_mode & 07777, 02755);
}

TEST(dir_nlink, "a directory of the mount never claims more links than it has, and at least one")
{
	lower(0, "d/a/ d/b/");
	upper("d/c/");
	union_mount();
	EXPECT(stat_of("m/d").st_nlink >= 1);
	EXPECT(stat_of("m/d").st_nlink <= 5);
}

TEST(long_symlink, "a symbolic link of 4000 bytes can be made and read")
{
	char target[4001], got[4100];

	lower(0, "x=1");
	union_mount();
	memset(target, 't', 4000);
	target[4000] = '\0';
	if (symlink(target, "m/l") < 0 && errno == ENAMETOOLONG)
		SKIP("the backing filesystem has shorter links");
	EXPECT_EQ(readlink("m/l", got, sizeof(got)), 4000);
	EXPECT(!memcmp(got, target, 4000));
}

TEST(symlink_times, "a lower symbolic link can be given another owner and other times")
{
	struct timespec times[2] = {{1000, 0}, {2000, 0}};

	lower(0, "l@x");
	union_mount();
	EXPECT_OK(lchown("m/l", 7, 8));
	EXPECT_OK(utimensat(AT_FDCWD, "m/l", times, AT_SYMLINK_NOFOLLOW));
	EXPECT_EQ(stat_of("m/l").st_uid, 7);
	EXPECT_EQ(stat_of("m/l").st_mtime, 2000);
	EXPECT_TREE("m", "l@x");
}

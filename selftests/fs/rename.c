// SPDX-License-Identifier: GPL-2.0-only
/*
 * rename.c - tests of rename(2) and renameat2(2) on a union: files and directories of every layer, the
 * flags, and what must be refused.
 */
#include "ops.h"
#include "union.h"

#include <linux/fs.h>
#include <stdio.h>
#include <sys/xattr.h>

static const struct op_case files[] = {
	{{"lower_file", "a file of a lower layer can be renamed"},
	 {"a=1"}, NULL, "rename a b", "b=1"},
	{{"upper_file", "a file of the upper can be renamed"},
	 {"x=1"}, "a=2", "rename a b", "b=2 x=1"},
	{{"lower_over_lower", "a lower file replaces another lower file"},
	 {"a=1 b=2"}, NULL, "rename a b", "b=1"},
	{{"upper_over_lower", "an upper file replaces a lower file"},
	 {"b=2"}, "a=1", "rename a b", "b=1"},
	{{"lower_over_upper", "a lower file replaces an upper file"},
	 {"a=1"}, "b=2", "rename a b", "b=1"},
	{{"into_other_dir", "a lower file can move to another directory"},
	 {"d/a=1 e/x=2"}, NULL, "rename d/a e/a", "d/ e/a=1 e/x=2"},
	{{"into_new_dir", "a lower file can move into a new directory"},
	 {"a=1"}, NULL, "mkdir n; rename a n/a", "n/a=1"},
	{{"back_again", "a renamed lower file can be renamed back"},
	 {"a=1"}, NULL, "rename a b; rename b a", "a=1"},
	{{"recreate_old_name", "the old name of a renamed lower file can be used again"},
	 {"a=1"}, NULL, "rename a b; create a new", "a=new b=1"},
	{{"over_whiteout", "a file can be renamed to a name that was removed"},
	 {"a=1 b=2"}, NULL, "unlink b; rename a b", "b=1"},
	{{"to_whiteout_of_file_then_unlink", "removing the new name does not bring the old files back"},
	 {"a=1 b=2"}, NULL, "rename a b; unlink b", ""},
	{{"same_file", "renaming a name to itself changes nothing"},
	 {"a=1"}, NULL, "rename a a", "a=1"},
	{{"hard_link_to_itself", "renaming one hard link over another of the same file does nothing"},
	 {"a=1 b&a"}, NULL, "rename a b", "a=1 b=1"},
	{{"symlink", "a symbolic link of a lower layer can be renamed"},
	 {"a@target"}, NULL, "rename a b", "b@target"},
	{{"symlink_over_file", "a lower symbolic link replaces a lower file"},
	 {"a@target b=2"}, NULL, "rename a b", "b@target"},
	{{"missing", "renaming a missing name gives ENOENT"},
	 {"a=1"}, NULL, "rename x b -> ENOENT", "a=1"},
	{{"removed", "renaming a removed lower name gives ENOENT"},
	 {"a=1"}, NULL, "unlink a; rename a b -> ENOENT", ""},
	{{"chain", "a lower file survives a chain of renames"},
	 {"a=1"}, NULL, "rename a b; rename b c; rename c d; rename d e", "e=1"},
	{{"middle_layer", "a file of a middle layer hides the one below after its rename"},
	 {"x=0", "a=top", "a=bottom"}, NULL, "rename a b", "b=top x=0"},
	{{"written_first", "a file that was written can be renamed"},
	 {"a=1"}, NULL, "append a 2; rename a b", "b=12"},
	{{"written_after", "a file can be written after its rename"},
	 {"a=1"}, NULL, "rename a b; append b 2", "b=12"},
};
OP_CASES(file, files)

static const struct op_case dirs[] = {
	{{"lower", "a directory of a lower layer can be renamed and keeps what it holds"},
	 {"d/a=1 d/e/b=2"}, NULL, "rename d n", "n/a=1 n/e/b=2"},
	{{"upper", "a directory of the upper can be renamed"},
	 {"x=1"}, "d/a=1", "rename d n", "n/a=1 x=1"},
	{{"merged", "a directory merged of upper and lower can be renamed"},
	 {"d/a=1"}, "d/b=2", "rename d n", "n/a=1 n/b=2"},
	{{"merged_three", "a directory merged of three lower layers can be renamed"},
	 {"d/a=1", "d/b=2", "d/c=3 d/a=0"}, NULL, "rename d n", "n/a=1 n/b=2 n/c=3"},
	{{"into_other", "a lower directory can move into another lower directory"},
	 {"d/a=1 e/x=2"}, NULL, "rename d e/d", "e/d/a=1 e/x=2"},
	{{"out_of_parent", "a lower directory can move up to the root"},
	 {"p/d/a=1"}, NULL, "rename p/d d", "d/a=1 p/"},
	{{"into_new", "a lower directory can move into a new directory"},
	 {"d/a=1"}, NULL, "mkdir n; rename d n/d", "n/d/a=1"},
	{{"twice", "a renamed lower directory can be renamed again"},
	 {"d/a=1"}, NULL, "rename d e; rename e f", "f/a=1"},
	{{"back", "a renamed lower directory can be renamed back"},
	 {"d/a=1"}, NULL, "rename d e; rename e d", "d/a=1"},
	{{"back_after_remount", "a renamed lower directory can be renamed back after a remount"},
	 {"d/a=1"}, NULL, "rename d e; remount; rename e d", "d/a=1"},
	{{"child_then_parent", "a directory and then its parent can be renamed"},
	 {"p/d/a=1 p/b=2"}, NULL, "rename p/d p/e; rename p q", "q/e/a=1 q/b=2"},
	{{"parent_then_child", "a directory and then its child can be renamed"},
	 {"p/d/a=1 p/b=2"}, NULL, "rename p q; rename q/d q/e", "q/e/a=1 q/b=2"},
	{{"swap_by_three", "two lower directories can change places by three renames"},
	 {"a/x=1 b/y=2"}, NULL, "rename a t; rename b a; rename t b", "a/y=2 b/x=1"},
	{{"old_name_is_empty", "a directory made under the old name of a renamed one is empty"},
	 {"d/a=1"}, NULL, "rename d e; mkdir d", "d/ e/a=1"},
	{{"old_name_after_remount", "a directory made under the old name stays empty after a remount"},
	 {"d/a=1"}, NULL, "rename d e; mkdir d; remount; create d/b 2", "d/b=2 e/a=1"},
	{{"write_below", "a file below a renamed lower directory can be written"},
	 {"d/e/a=1"}, NULL, "rename d n; append n/e/a 2", "n/e/a=12"},
	{{"remove_below", "a file below a renamed lower directory can be removed"},
	 {"d/a=1 d/b=2"}, NULL, "rename d n; unlink n/a", "n/b=2"},
	{{"remove_before", "a file removed before its directory's rename stays removed"},
	 {"d/a=1 d/b=2"}, NULL, "unlink d/a; rename d n", "n/b=2"},
	{{"remove_whole", "a renamed lower directory can be emptied and removed"},
	 {"d/a=1"}, NULL, "rename d n; unlink n/a; rmdir n", ""},
	{{"move_file_out", "a file can move out of a renamed lower directory"},
	 {"d/a=1 d/b=2"}, NULL, "rename d n; rename n/a a", "a=1 n/b=2"},
	{{"move_file_in", "a file can move into a renamed lower directory"},
	 {"d/a=1 b=2"}, NULL, "rename d n; rename b n/b", "n/a=1 n/b=2"},
	{{"over_empty_lower", "a lower directory replaces an empty lower directory"},
	 {"d/a=1 e/"}, NULL, "rename d e", "e/a=1"},
	{{"over_emptied", "a directory replaces a lower directory whose files were all removed"},
	 {"d/a=1 e/b=2"}, NULL, "unlink e/b; rename d e", "e/a=1"},
	{{"over_emptied_after_remount", "the same holds when the whiteouts are found after a remount"},
	 {"d/a=1 e/b=2"}, NULL, "unlink e/b; remount; rename d e", "e/a=1"},
	{{"upper_over_emptied", "a new directory replaces an emptied lower directory and hides its files"},
	 {"e/b=2"}, NULL, "mkdir d; unlink e/b; rename d e", "e/"},
	{{"over_full", "replacing a directory that holds a lower file gives ENOTEMPTY"},
	 {"d/a=1 e/b=2"}, NULL, "rename d e -> ENOTEMPTY", "d/a=1 e/b=2"},
	{{"over_merged_full", "replacing a merged directory that holds a file gives ENOTEMPTY"},
	 {"d/a=1 e/b=2"}, "e/c=3", "unlink e/b; rename d e -> ENOTEMPTY", "d/a=1 e/c=3"},
	{{"over_file", "a directory cannot replace a file: ENOTDIR"},
	 {"d/a=1 f=2"}, NULL, "rename d f -> ENOTDIR", "d/a=1 f=2"},
	{{"file_over_dir", "a file cannot replace a directory: EISDIR"},
	 {"d/ f=2"}, NULL, "rename f d -> EISDIR", "d/ f=2"},
	{{"into_itself", "a directory cannot move into itself: EINVAL"},
	 {"d/e/"}, NULL, "rename d d/e/d -> EINVAL", "d/e/"},
	{{"onto_own_parent", "a directory cannot replace its own parent: ENOTEMPTY"},
	 {"d/e/"}, NULL, "rename d/e d -> ENOTEMPTY", "d/e/"},
	{{"over_whiteout", "a directory can take the name of a removed file"},
	 {"d/a=1 f=2"}, NULL, "unlink f; rename d f", "f/a=1"},
	{{"over_removed_dir", "a directory can take the name of a removed directory"},
	 {"d/a=1 e/b=2"}, NULL, "unlink e/b; rmdir e; rename d e", "e/a=1"},
	{{"opaque", "an opaque directory stays opaque when renamed"},
	 {"d/a=1"}, "d/! d/b=2", "rename d n", "n/b=2"},
	{{"lower_opaque", "an opaque directory of a lower layer can be renamed"},
	 {"d/! d/b=2", "d/a=1"}, NULL, "rename d n", "n/b=2"},
	{{"onto_lower_name", "a renamed directory does not merge with a lower directory of its new name"},
	 {"d/a=1 e/b=2"}, NULL, "unlink e/b; rmdir e; rename d e; create e/c 3", "e/a=1 e/c=3"},
	{{"new_dir_onto_lower_name", "a new directory does not merge with a lower one of its new name"},
	 {"e/b=2"}, NULL, "unlink e/b; rmdir e; mkdir d; rename d e", "e/"},
	{{"deep", "a file five levels below a renamed directory is found"},
	 {"a/b/c/d/e/f=1"}, NULL, "rename a z; rename z/b z/y; rename z/y/c z/x",
	 "z/x/d/e/f=1 z/y/"},
	{{"cross_layers_deep", "redirects work when the pieces come from three layers"},
	 {"a/b/1=1", "a/b/2=2", "a/b/3=3"}, NULL, "rename a/b c; rename c a/d",
	 "a/d/1=1 a/d/2=2 a/d/3=3"},
	{{"mkdir_in_renamed", "a directory can be made in a renamed lower directory"},
	 {"d/a=1"}, NULL, "rename d n; mkdir n/e; create n/e/f 2", "n/a=1 n/e/f=2"},
	{{"hard_link_in", "a hard link can be made from a renamed lower directory"},
	 {"d/a=1"}, NULL, "rename d n; link n/a b; append b 2", "b=12 n/a=12"},
};
OP_CASES(dir, dirs)

static const struct op_case flags[] = {
	{{"noreplace_free", "RENAME_NOREPLACE renames to a free name"},
	 {"a=1"}, NULL, "noreplace a b", "b=1"},
	{{"noreplace_lower", "RENAME_NOREPLACE over a lower file gives EEXIST"},
	 {"a=1 b=2"}, NULL, "noreplace a b -> EEXIST", "a=1 b=2"},
	{{"noreplace_upper", "RENAME_NOREPLACE over an upper file gives EEXIST"},
	 {"a=1"}, "b=2", "noreplace a b -> EEXIST", "a=1 b=2"},
	{{"noreplace_dir", "RENAME_NOREPLACE over a lower directory gives EEXIST"},
	 {"d/a=1 e/"}, NULL, "noreplace d e -> EEXIST", "d/a=1 e/"},
	{{"noreplace_removed", "RENAME_NOREPLACE takes the name of a removed file"},
	 {"a=1 b=2"}, NULL, "unlink b; noreplace a b", "b=1"},
	{{"noreplace_dir_free", "RENAME_NOREPLACE renames a lower directory"},
	 {"d/a=1"}, NULL, "noreplace d e", "e/a=1"},
	{{"exchange_lower", "RENAME_EXCHANGE swaps two lower files"},
	 {"a=1 b=2"}, NULL, "exchange a b", "a=2 b=1"},
	{{"exchange_mixed", "RENAME_EXCHANGE swaps an upper and a lower file"},
	 {"a=1"}, "b=2", "exchange a b", "a=2 b=1"},
	{{"exchange_dirs", "RENAME_EXCHANGE swaps two lower directories"},
	 {"d/a=1 e/b=2"}, NULL, "exchange d e", "d/b=2 e/a=1"},
	{{"exchange_merged", "RENAME_EXCHANGE swaps a merged and a lower directory"},
	 {"d/a=1 e/b=2"}, "d/c=3", "exchange d e", "d/b=2 e/a=1 e/c=3"},
	{{"exchange_dir_upper", "RENAME_EXCHANGE swaps an upper and a lower directory"},
	 {"d/a=1"}, "e/b=2", "exchange d e", "d/b=2 e/a=1"},
	{{"exchange_dir_file", "RENAME_EXCHANGE swaps a lower directory and a lower file"},
	 {"d/a=1 f=2"}, NULL, "exchange d f", "d=2 f/a=1"},
	{{"exchange_across", "RENAME_EXCHANGE swaps entries of two directories"},
	 {"d/a/x=1 e/b=2"}, NULL, "exchange d/a e/b", "d/a=2 e/b/x=1"},
	{{"exchange_twice", "two exchanges restore what was"},
	 {"d/a=1 e/b=2"}, NULL, "exchange d e; exchange d e", "d/a=1 e/b=2"},
	{{"exchange_missing", "RENAME_EXCHANGE with a missing name gives ENOENT"},
	 {"a=1"}, NULL, "exchange a b -> ENOENT", "a=1"},
	{{"exchange_removed", "RENAME_EXCHANGE with a removed name gives ENOENT"},
	 {"a=1 b=2"}, NULL, "unlink b; exchange a b -> ENOENT", "a=1"},
	{{"exchange_into_itself", "RENAME_EXCHANGE of a directory with its own child gives EINVAL"},
	 {"d/e/"}, NULL, "exchange d d/e -> EINVAL", "d/e/"},
	{{"exchange_then_remove", "what was exchanged can be removed for good"},
	 {"a=1 b=2"}, NULL, "exchange a b; unlink a", "b=1"},
	{{"exchange_after_remount", "RENAME_EXCHANGE works on what was exchanged before a remount"},
	 {"d/a=1 e/b=2"}, NULL, "exchange d e; remount; exchange d e", "d/a=1 e/b=2"},
};
OP_CASES(flag, flags)

TEST(whiteout_flag, "RENAME_WHITEOUT is refused with EINVAL")
{
	need_union();
	lower(0, "a=1");
	union_mount();
	EXPECT_ERR(renameat2(AT_FDCWD, "m/a", AT_FDCWD, "m/b", RENAME_WHITEOUT), EINVAL);
	EXPECT_TREE("m", "a=1");
}

TEST(unknown_flag, "an unknown rename flag is refused with EINVAL")
{
	lower(0, "a=1");
	union_mount();
	EXPECT_ERR(renameat2(AT_FDCWD, "m/a", AT_FDCWD, "m/b", 1U << 20), EINVAL);
}

TEST(other_mount, "renaming out of the mount gives EXDEV")
{
	need_union();
	lower(0, "a=1");
	union_mount();
	EXPECT_ERR(rename("m/a", "a"), EXDEV);
	EXPECT_TREE("m", "a=1");
}

TEST(keeps_ino, "a renamed lower file and directory keep their st_ino, also over a remount")
{
	ino_t file, dir;

	lower(0, "a=1 d/b=2");
	union_mount();
	file = ino_of("m/a");
	dir = ino_of("m/d");
	ASSERT_OK(rename("m/a", "m/x"));
	ASSERT_OK(rename("m/d", "m/y"));
	EXPECT_EQ(ino_of("m/x"), file);
	EXPECT_EQ(ino_of("m/y"), dir);
	union_remount();
	EXPECT_EQ(ino_of("m/x"), file);
	EXPECT_EQ(ino_of("m/y"), dir);
}

TEST(open_file, "a file that is open stays usable while it is renamed")
{
	char text[8] = "";
	int fd;

	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDWR));
	ASSERT_OK(rename("m/a", "m/b"));
	ASSERT_EQ(pwrite(fd, "2", 1, 1), 1);
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 2);
	EXPECT_STREQ(file_text("m/b"), "12");
	close(fd);
}

TEST(cwd, "a process whose working directory is renamed stays in it")
{
	char here[4096];
	int home;

	lower(0, "d/a=1");
	union_mount();
	home = ASSERT_OK(open(".", O_RDONLY));
	ASSERT_OK(chdir("m/d"));
	ASSERT_OK(rename("../d", "../e"));
	ASSERT(getcwd(here, sizeof(here)) != NULL);
	EXPECT_STREQ(here + strlen(here) - 4, "/m/e");
	EXPECT_STREQ(file_text("a"), "1");
	file_write("b", "2");
	EXPECT_STREQ(file_text("../e/b"), "2");
	ASSERT_OK(fchdir(home));
}

TEST(lower_untouched, "renames leave the lower layer as it was")
{
	lower(0, "a=1 d/b=2 e/c=3");
	union_mount();
	ops_run("m", "rename a x; rename d y; exchange e x; unlink e");
	EXPECT_TREE("l0", "a=1 d/b=2 e/c=3");
}

TEST(many_levels, "forty renames of nested lower directories keep every file reachable")
{
	char spec[4096] = "", from[64], to[64];

	for (int i = 0; i < 40; i++)
		sprintf(spec + strlen(spec), "p/d%d/f=%d ", i, i);
	lower(0, spec);
	union_mount();
	for (int i = 0; i < 40; i++) {
		snprintf(from, sizeof(from), "m/p/d%d", i);
		snprintf(to, sizeof(to), "m/e%d", i);
		EXPECT_OK(rename(from, to));
	}
	union_remount();
	for (int i = 0; i < 40; i++) {
		snprintf(from, sizeof(from), "m/e%d/f", i);
		snprintf(to, sizeof(to), "%d", i);
		EXPECT_STREQ(file_text(from), to);
	}
	EXPECT_TREE_SOUND("m");
}

TEST(long_redirect, "a directory whose old path is longer than 256 bytes can be renamed")
{
	char spec[1200] = "", path[1300];

	overlay_lacks("redirects longer than 256 bytes");

	for (int i = 0; i < 20; i++)
		sprintf(spec + strlen(spec), "%030d/", i);
	snprintf(path, sizeof(path), "m/%s", spec);
	strcat(spec, "a=1");
	lower(0, spec);
	union_mount();
	EXPECT_OK(rename(path, "m/short"));
	EXPECT_STREQ(file_text("m/short/a"), "1");
	union_remount();
	EXPECT_STREQ(file_text("m/short/a"), "1");
}

TEST(opaque_root, "a directory that is moved shows nothing of the layers below an opaque root")
{
	need_shale("overlayfs looks for no mark at the roots of layers");
	lower(0, "a/d/x=1 e/");
	lower(1, "a/d/hidden=1");
	ASSERT_OK(setxattr("l0", "trusted.overlay.opaque", "y", 1, 0));
	union_mount();
	EXPECT_TREE("m", "a/d/x=1 e/");
	ASSERT_OK(rename("m/a/d", "m/e/d"));
	EXPECT_TREE("m", "a/ e/d/x=1");
	union_remount();
	EXPECT_TREE("m", "a/ e/d/x=1");
}

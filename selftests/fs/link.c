// SPDX-License-Identifier: GPL-2.0-only
/*
 * link.c - tests of hard links on a union: those of lower layers stay one file when it is written, through
 * whichever name, and link counts stay right.
 */
#include "ops.h"
#include "union.h"

#include <stdio.h>

static const struct op_case links[] = {
	{{"lower", "a hard link to a lower file can be made"}, {"a=1"}, NULL, "link a b", "a=1 b=1"},
	{{"upper", "a hard link to an upper file can be made"}, {"x=1"}, "a=1", "link a b", "a=1 b=1 x=1"},
	{{"write_new_name", "writing through a new link shows under the old name"},
	 {"a=1"}, NULL, "link a b; append b 2", "a=12 b=12"},
	{{"write_old_name", "writing through the old name shows under a new link"},
	 {"a=1"}, NULL, "link a b; append a 2", "a=12 b=12"},
	{{"alias_write", "writing one name of a lower hard link shows under the other"},
	 {"a=1 b&a"}, NULL, "append a 2", "a=12 b=12"},
	{{"alias_write_second", "writing through the second name shows under the first"},
	 {"a=1 b&a"}, NULL, "append b 2", "a=12 b=12"},
	{{"alias_three", "three names of one lower file all see a write"},
	 {"a=1 b&a d/c&a"}, NULL, "append d/c 2", "a=12 b=12 d/c=12"},
	{{"alias_both", "writes through both names add up"},
	 {"a=1 b&a"}, NULL, "append a 2; append b 3", "a=123 b=123"},
	{{"alias_after_remount", "the names are still one file when the write comes after a remount"},
	 {"a=1 b&a"}, NULL, "append a 2; remount; append b 3", "a=123 b=123"},
	{{"alias_cold", "the second name sees the write when nothing is cached"},
	 {"a=1 b&a"}, NULL, "append a 2; drop; append b 3", "a=123 b=123"},
	{{"alias_chmod", "chmod of one name changes the mode of the other"},
	 {"a=1 b&a"}, NULL, "chmod 600 a; mode 600 b", "a=1 b=1"},
	{{"alias_truncate", "truncating one name truncates the other"},
	 {"a=123 b&a"}, NULL, "trunc a 1", "a=1 b=1"},
	{{"alias_unlink", "removing one name leaves the other"},
	 {"a=1 b&a"}, NULL, "unlink a", "b=1"},
	{{"alias_unlink_then_write", "the other name can be written after one was removed"},
	 {"a=1 b&a"}, NULL, "unlink a; append b 2", "b=12"},
	{{"alias_write_then_unlink", "one name can be removed after a write through the other"},
	 {"a=1 b&a"}, NULL, "append a 2; unlink a", "b=12"},
	{{"alias_unlink_all", "removing all names of a lower hard link removes the file"},
	 {"a=1 b&a"}, NULL, "append a 2; unlink a; unlink b", ""},
	{{"alias_rename", "renaming one name leaves both one file"},
	 {"a=1 b&a"}, NULL, "rename a c; append b 2", "b=12 c=12"},
	{{"alias_rename_written", "renaming a written name leaves both one file"},
	 {"a=1 b&a"}, NULL, "append a 2; rename b c; append c 3", "a=123 c=123"},
	{{"alias_link", "a third name can be added to a lower hard link"},
	 {"a=1 b&a"}, NULL, "link a c; append c 2", "a=12 b=12 c=12"},
	{{"alias_replace", "replacing one name by another file leaves the other name's file"},
	 {"a=1 b&a x=9"}, NULL, "append a 2; rename x a", "a=9 b=12"},
	{{"alias_in_dirs", "names in different directories are one file"},
	 {"d/a=1 e/b&d/a"}, NULL, "append e/b 2", "d/a=12 e/b=12"},
	{{"alias_dir_renamed", "a name below a renamed directory is still the same file"},
	 {"d/a=1 e/b&d/a"}, NULL, "rename d n; append n/a 2", "e/b=12 n/a=12"},
	{{"hidden_alias", "a name hidden by another layer is not the lower file any more"},
	 {"a=top", "a=1 b&a"}, NULL, "append b 2", "a=top b=12"},
	{{"over_lower", "linking over a lower name gives EEXIST"},
	 {"a=1 b=2"}, NULL, "link a b -> EEXIST", "a=1 b=2"},
	{{"over_removed", "a link can take a removed name"},
	 {"a=1 b=2"}, NULL, "unlink b; link a b", "a=1 b=1"},
	{{"dir", "a hard link to a directory is refused with EPERM"},
	 {"d/"}, NULL, "link d e -> EPERM", "d/"},
	{{"missing", "a hard link to a missing name gives ENOENT"},
	 {"x=1"}, NULL, "link a b -> ENOENT", "x=1"},
	{{"symlink", "a hard link to a lower symbolic link is a link to the link"},
	 {"l@x"}, NULL, "link l k", "k@x l@x"},
	{{"nlink_lower", "a lower hard link has its link count"},
	 {"a=1 b&a"}, NULL, "nlink 2 a; nlink 2 b", "a=1 b=1"},
	{{"nlink_after_write", "the link count stays when the file is written"},
	 {"a=1 b&a"}, NULL, "append a 2; nlink 2 a; nlink 2 b", "a=12 b=12"},
	{{"nlink_after_remount", "the link count stays over a remount after the write"},
	 {"a=1 b&a"}, NULL, "append a 2; remount; nlink 2 b; nlink 2 a", "a=12 b=12"},
	{{"nlink_unlink", "removing one name lowers the link count"},
	 {"a=1 b&a c&a"}, NULL, "unlink a; nlink 2 b", "b=1 c=1"},
	{{"nlink_unlink_written", "removing a name of a written file lowers the link count"},
	 {"a=1 b&a c&a"}, NULL, "append c 2; unlink a; nlink 2 b; nlink 2 c", "b=12 c=12"},
	{{"nlink_unlink_after_upper", "the count goes down with a lower name after the written one was looked up"},
	 {"a=1 b&a c&a"}, NULL, "append a 2; remount; nlink 3 a; unlink b; nlink 2 a", "a=12 c=12"},
	{{"nlink_replace_after_upper", "and when a lower name is replaced"},
	 {"a=1 b&a c&a x=9"}, NULL, "append a 2; remount; nlink 3 a; rename x b; nlink 2 a", "a=12 b=9 c=12"},
	{{"nlink_link", "a new name raises the link count"},
	 {"a=1"}, NULL, "link a b; nlink 2 a; nlink 2 b", "a=1 b=1"},
	{{"nlink_all_steps", "link and unlink in turn keep the count right over remounts"},
	 {"a=1 b&a"}, NULL,
	 "link a c; nlink 3 b; unlink a; nlink 2 c; remount; nlink 2 b; link b d; nlink 3 c;"
	 "unlink c; unlink d; nlink 1 b", "b=1"},
	{{"same_ino", "the names of a lower hard link have one st_ino, before and after a write"},
	 {"a=1 b&a"}, NULL, "same a b; append a 2; same a b; remount; same a b", "a=12 b=12"},
	{{"same_ino_new", "a new link has the st_ino of the old name"},
	 {"a=1"}, NULL, "link a b; same a b; remount; same a b", "a=1 b=1"},
};
OP_CASES(link, links)

TEST(open_alias, "a descriptor opened through one name sees a write through another")
{
	char text[8] = "";
	int fd;

	lower(0, "a=1 b&a");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDONLY));
	file_append("m/b", "2");
	EXPECT_EQ(pread(fd, text, sizeof(text), 0), 2);
	EXPECT_STREQ(text, "12");
}

TEST(many_names, "fifty names of one lower file stay one file when it is written")
{
	char from[16], name[16];

	lower(0, "f0=1");
	for (int i = 1; i < 50; i++) {
		snprintf(from, sizeof(from), "l0/f%d", i);
		ASSERT_OK(link("l0/f0", from));
	}
	union_mount();
	file_append("m/f17", "2");
	union_remount();
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "m/f%d", i);
		EXPECT_STREQ(file_text(name), "12");
		EXPECT_EQ(stat_of(name).st_nlink, 50);
		EXPECT_EQ(ino_of(name), ino_of("m/f17"));
	}
	for (int i = 0; i < 49; i++) {
		snprintf(name, sizeof(name), "m/f%d", i);
		ASSERT_OK(unlink(name));
	}
	EXPECT_EQ(stat_of("m/f49").st_nlink, 1);
}

TEST(replaced_link, "a file that replaces the last other name leaves a link count of one")
{
	lower(0, "a=1 b&a x=2");
	union_mount();
	file_append("m/a", "+");
	ASSERT_OK(rename("m/x", "m/b"));
	EXPECT_EQ(stat_of("m/a").st_nlink, 1);
	union_remount();
	EXPECT_EQ(stat_of("m/a").st_nlink, 1);
}

TEST(other_mount, "a hard link to another filesystem gives EXDEV")
{
	need_union();
	lower(0, "a=1");
	union_mount();
	EXPECT_ERR(link("m/a", "b"), EXDEV);
}

TEST(unlinked_source, "a file without names cannot be linked: ENOENT")
{
	char proc[64];
	int fd;

	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDWR));
	ASSERT_OK(unlink("m/a"));
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	EXPECT_ERR(linkat(AT_FDCWD, proc, AT_FDCWD, "m/b", AT_SYMLINK_FOLLOW), ENOENT);
}

/* Hard links of such a layer cannot be kept: each name becomes a file of its own when it is written. */
static void mount_without_uuid(const char *spec)
{
	need_shale("only shale promises what becomes of such links");
	side_mount("ramfs", "l0", NULL);
	lower(0, spec);
	union_mount();
}

TEST(no_uuid_both, "writes by two names that cannot stay one file are both kept")
{
	mount_without_uuid("a=1 b&a");
	EXPECT_EQ(ino_of("m/a"), ino_of("m/b"));
	file_append("m/a", "2");
	EXPECT_TREE("m", "a=12 b=1");
	file_append("m/b", "3");
	EXPECT_TREE("m", "a=12 b=13");
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_TREE("m", "a=12 b=13");
}

TEST(no_uuid_open, "a write to such a file without a name takes no other name along")
{
	int fd;

	mount_without_uuid("a=1 b&a");
	fd = ASSERT_OK(open("m/a", O_WRONLY | O_APPEND | O_CLOEXEC));
	ASSERT_OK(unlink("m/a"));
	EXPECT_EQ(write(fd, "2", 1), 1);
	EXPECT_TREE("m", "b=1");
	file_append("m/b", "3");
	EXPECT_TREE("m", "b=13");
	close(fd);
	union_remount();
	EXPECT_TREE("m", "b=13");
}

TEST(no_uuid_count, "a name of such a file keeps its count when another is written and removed")
{
	mount_without_uuid("a=1 b&a");
	file_append("m/a", "2");
	EXPECT_EQ(stat_of("m/a").st_nlink, 1);
	EXPECT_EQ(stat_of("m/b").st_nlink, 2);
	ASSERT_OK(unlink("m/a"));
	EXPECT_EQ(stat_of("m/b").st_nlink, 2);
	union_remount();
	EXPECT_EQ(stat_of("m/b").st_nlink, 2);
}

TEST(no_uuid_link, "a new link to such a file is one file with the name it was made from")
{
	mount_without_uuid("a=1 b&a");
	ASSERT_OK(link("m/a", "m/c"));
	file_append("m/c", "2");
	file_append("m/b", "3");
	EXPECT_TREE("m", "a=12 b=13 c=12");
	EXPECT_EQ(stat_of("m/a").st_nlink, 2);
	union_remount();
	EXPECT_TREE("m", "a=12 b=13 c=12");
	EXPECT_EQ(ino_of("m/a"), ino_of("m/c"));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * lookup.c - tests of what the merged view shows: which layer wins, both families of whiteouts, opaque
 * directories, redirects found in layers, and what is never shown.
 */
#include "union.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct view {
	struct ktap_row row;
	const char *lower[4];
	const char *upper;
	const char *want;
	const char *lacking; /* what overlayfs does not do, or NULL */
};

static const struct view views[] = {
	{{"one_lower", "a single lower layer shows as it is"}, {"a=1 d/b=2 l@a"}, NULL,
	 "a=1 d/b=2 l@a"},
	{{"empty", "a mount of empty layers is empty"}, {""}, "", ""},
	{{"upper_only", "files of the upper show"}, {""}, "a=1 d/b=2", "a=1 d/b=2"},
	{{"upper_wins", "a file of the upper hides the lower one of its name"}, {"a=old"}, "a=new",
	 "a=new"},
	{{"top_lower_wins", "a file of a higher lower layer hides the one below"},
	 {"a=top", "a=bottom"}, NULL, "a=top"},
	{{"merged_dir", "directories of the same name are merged"}, {"d/a=1"}, "d/b=2",
	 "d/a=1 d/b=2"},
	{{"merged_four", "a directory present in four layers is merged from all of them"},
	 {"d/a=1", "d/b=2", "d/c=3"}, "d/d=4", "d/a=1 d/b=2 d/c=3 d/d=4"},
	{{"merged_deep", "merging goes on below merged directories"}, {"a/b/c/x=1"}, "a/b/c/y=2",
	 "a/b/c/x=1 a/b/c/y=2"},
	{{"file_hides_dir", "a file hides a directory of its name below it"}, {"d/a=1"}, "d=file",
	 "d=file"},
	{{"dir_hides_file", "a directory hides a file of its name below it"}, {"d=file"}, "d/a=1",
	 "d/a=1"},
	{{"file_between_dirs", "a file between two directories of its name ends the merge"},
	 {"d/a=1", "d=file", "d/b=2"}, NULL, "d/a=1"},
	{{"symlink_between_dirs", "a symbolic link to a directory is not merged with a directory"},
	 {"x/f=1 d@x", "d/b=2"}, NULL, "d@x x/f=1"},
	{{"dir_over_symlink", "a directory is not merged with what a symbolic link below points to"},
	 {"d/a=1", "x/f=1 d@x"}, NULL, "d/a=1 x/f=1"},
	{{"whiteout_upper", "a whiteout in the upper hides a lower file"}, {"a=1 b=2"}, "a!", "b=2"},
	{{"whiteout_lower", "a whiteout in a lower layer hides a file below it"},
	 {"a!", "a=1 b=2"}, NULL, "b=2"},
	{{"whiteout_dir", "a whiteout hides a whole lower directory"}, {"d/a=1 b=2"}, "d!", "b=2"},
	{{"whiteout_in_dir", "a whiteout inside a merged directory hides one name"},
	 {"d/a=1 d/b=2"}, "d/a!", "d/b=2"},
	{{"whiteout_not_up", "a whiteout does not hide a file above it"}, {"a=1", "a!", "a=0"}, NULL,
	 "a=1"},
	{{"whiteout_cuts_dir", "a whiteout between two directories of its name ends the merge"},
	 {"d/a=1", "d!", "d/b=2"}, NULL, "d/a=1"},
	{{"whiteout_nothing", "a whiteout that hides nothing does not show"}, {"a=1"}, "x!", "a=1"},
	{{"whiteout_lowest", "a whiteout in the lowest layer does not show"}, {"a=1", "x!"}, NULL,
	 "a=1"},
	{{"whiteout_lowest_dir", "a whiteout in a directory of one layer only does not show"},
	 {"a=1", "d/x! d/y=2"}, NULL, "a=1 d/y=2", "filtering of directories it does not merge"},
	{{"whiteout_only_dir", "a directory that holds nothing but whiteouts shows empty"},
	 {"d/a=1"}, "d/a!", "d/"},
	{{"opaque_upper", "an opaque directory of the upper hides the lower one's names"},
	 {"d/a=1"}, "d/! d/b=2", "d/b=2"},
	{{"opaque_lower", "an opaque directory of a lower layer hides what is below it"},
	 {"d/! d/b=2", "d/a=1"}, NULL, "d/b=2"},
	{{"opaque_not_up", "an opaque directory still merges with the layers above it"},
	 {"d/c=3", "d/! d/b=2", "d/a=1"}, NULL, "d/b=2 d/c=3"},
	{{"opaque_children", "directories below an opaque one are not merged with lower ones"},
	 {"d/e/a=1"}, "d/! d/e/b=2", "d/e/b=2"},
	{{"opaque_empty", "an empty opaque directory shows empty"}, {"d/a=1"}, "d/!", "d/"},
	{{"names", "names with unusual bytes are found"}, {"-=1 #=2 ,=3 :=4 \\=5 \xff\xfe=6"},
	 NULL, "-=1 #=2 ,=3 :=4 \\=5 \xff\xfe=6"},
	{{"case", "names that differ in case are different names"}, {"a=1"}, "A=2", "A=2 a=1"},
};
TEST_TABLE(view, struct view, views, c)
{
	if (c->lacking)
		overlay_lacks(c->lacking);
	for (int i = 0; i < 4 && c->lower[i]; i++)
		lower(i, c->lower[i]);
	if (c->upper)
		upper(c->upper);
	union_mount();
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
}

static const struct view readonly_views[] = {
	{{"merge", "a mount without an upper merges its lower layers"}, {"d/a=1", "d/b=2"}, NULL,
	 "d/a=1 d/b=2"},
	{{"whiteout", "a mount without an upper honours whiteouts"}, {"a! d/b!", "a=1 d/b=2 d/c=3"},
	 NULL, "d/c=3"},
	{{"opaque", "a mount without an upper honours opaque directories"}, {"d/! d/b=2", "d/a=1"},
	 NULL, "d/b=2"},
};
TEST_TABLE(readonly, struct view, readonly_views, c)
{
	for (int i = 0; i < 4 && c->lower[i]; i++)
		lower(i, c->lower[i]);
	union_mount_with(&(struct union_opts){.readonly = true});
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
}

static const struct view aufs_views[] = {
	{{"file", "an AUFS whiteout hides a file below it and does not show itself"},
	 {".wh.a=", "a=1 b=2"}, NULL, "b=2"},
	{{"dir", "an AUFS whiteout hides a directory below it"}, {".wh.d=", "d/a=1 b=2"}, NULL, "b=2"},
	{{"in_dir", "an AUFS whiteout inside a directory hides one name"},
	 {"d/.wh.a=", "d/a=1 d/b=2"}, NULL, "d/b=2"},
	{{"not_up", "an AUFS whiteout does not hide a file above it"}, {"a=1", ".wh.a=", "a=0"}, NULL,
	 "a=1"},
	{{"own_layer", "an AUFS whiteout does not hide a file of its own layer"},
	 {".wh.a= a=1", "a=0"}, NULL, "a=1"},
	{{"replaced_dir", "a directory beside its AUFS whiteout is not merged with the one below"},
	 {".wh.d= d/a=1", "d/b=2"}, NULL, "d/a=1"},
	{{"opaque", "an AUFS opaque mark hides what is below the directory"},
	 {"d/.wh..wh..opq= d/b=2", "d/a=1"}, NULL, "d/b=2"},
	{{"opaque_not_up", "an AUFS opaque directory still merges with the layers above it"},
	 {"d/c=3", "d/.wh..wh..opq= d/b=2", "d/a=1"}, NULL, "d/b=2 d/c=3"},
	{{"opaque_children", "nothing below an AUFS opaque directory is merged with lower ones"},
	 {"d/.wh..wh..opq= d/e/b=2", "d/e/a=1"}, NULL, "d/e/b=2"},
	{{"opaque_root", "an AUFS opaque mark at a layer's root hides the layers below"},
	 {".wh..wh..opq= a=1", "b=2"}, NULL, "a=1"},
	{{"lowest", "an AUFS whiteout in the lowest layer does not show"}, {"a=1", ".wh.x= b=2"}, NULL,
	 "a=1 b=2"},
	{{"mixed", "both families of whiteouts work in one stack"},
	 {".wh.a=", "b!", "a=1 b=2 c=3"}, NULL, "c=3"},
	{{"plink_dirs", "AUFS's own directories at a layer's root do not show"},
	 {".wh..wh.plnk/ .wh..wh.orph/ a=1"}, NULL, "a=1"},
};
TEST_TABLE(aufs, struct view, aufs_views, c)
{
	need_shale("only shale reads AUFS's whiteouts");
	for (int i = 0; i < 4 && c->lower[i]; i++)
		lower(i, c->lower[i]);
	union_mount();
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
	for (int i = 0; i < 4 && c->want[0]; i++)
		EXPECT(!exists("m/.wh.a"));
}

TEST(aufs_direct, "an AUFS whiteout cannot be reached by its own name")
{
	need_shale("only shale reads AUFS's whiteouts");
	lower(0, "d/.wh.a= d/.wh..wh..opq=");
	lower(1, "d/a=1");
	union_mount();
	EXPECT_ERR(access("m/d/.wh.a", F_OK), ENOENT);
	EXPECT_ERR(access("m/d/.wh..wh..opq", F_OK), ENOENT);
	EXPECT_ERR(open("m/d/.wh.a", O_RDONLY), ENOENT);
}

TEST(aufs_create, "creating a name that begins with .wh. is refused with EPERM, whatever creates it")
{
	need_shale("only shale reads AUFS's whiteouts");
	lower(0, "a=1 d/b=2");
	union_mount();
	EXPECT_ERR(open("m/.wh.a", O_CREAT | O_WRONLY, 0644), EPERM);
	EXPECT_ERR(mkdir("m/d/.wh.x", 0755), EPERM);
	EXPECT_ERR(symlink("a", "m/.wh.l"), EPERM);
	EXPECT_ERR(link("m/a", "m/.wh.h"), EPERM);
	EXPECT_ERR(mknod("m/.wh.n", S_IFIFO | 0644, 0), EPERM);
	EXPECT_ERR(rename("m/a", "m/.wh.r"), EPERM);
	EXPECT_ERR(rename("m/d", "m/.wh.d"), EPERM);
	EXPECT_TREE("m", "a=1 d/b=2");
}

TEST(whiteout_overlay_only, "whiteout=overlay shows .wh. names as ordinary files and lets them be made")
{
	need_shale("only shale has whiteout=");
	lower(0, ".wh.a=x b!");
	lower(1, "a=1 b=2");
	union_mount_with(&(struct union_opts){.options = "whiteout=overlay"});
	EXPECT_TREE("m", ".wh.a=x a=1");
	file_write("m/.wh.c", "y");
	EXPECT_TREE("m", ".wh.a=x .wh.c=y a=1");
}

TEST(whiteout_aufs_only, "whiteout=aufs does not take a device 0:0 of a lower layer for a whiteout")
{
	need_shale("only shale has whiteout=");
	lower(0, ".wh.a= b!");
	lower(1, "a=1 b=2");
	union_mount_with(&(struct union_opts){.options = "whiteout=aufs"});
	EXPECT(!exists("m/a"));
	EXPECT(exists("m/b") && S_ISCHR(stat_of("m/b").st_mode));
}

TEST(private_dir, "the directory .shale at a layer's root is neither listed nor reachable")
{
	need_shale("only shale has a private directory");
	lower(0, ".shale/secret=1 a=1");
	upper(".shale/other=2");
	union_mount();
	EXPECT_TREE("m", "a=1");
	EXPECT_ERR(access("m/.shale", F_OK), ENOENT);
	EXPECT_ERR(access("m/.shale/secret", F_OK), ENOENT);
}

TEST(private_dir_create, "creating .shale at the root is refused, and allowed further down")
{
	need_shale("only shale has a private directory");
	lower(0, "d/a=1");
	union_mount();
	EXPECT_ERR(mkdir("m/.shale", 0755), EPERM);
	EXPECT_ERR(open("m/.shale", O_CREAT | O_RDWR, 0644), EPERM);
	EXPECT_ERR(rename("m/d", "m/.shale"), EPERM);
	EXPECT_OK(mkdir("m/d/.shale", 0755));
	EXPECT_TREE("m", "d/a=1 d/.shale/");
}

static void redirect(const char *path, const char *to)
{
	ASSERT_OK(setxattr(path, "trusted.overlay.redirect", to, strlen(to), 0));
}

TEST(redirect_absolute, "an absolute redirect in a layer is followed from the layers' root")
{
	need_union();
	lower(0, "new/b=2 old!");
	lower(1, "p/q/a=1");
	redirect("l0/new", "/p/q");
	union_mount();
	EXPECT_TREE("m", "new/a=1 new/b=2 p/q/a=1");
}

TEST(redirect_relative, "a redirect that is a plain name is followed in the same parent")
{
	need_union();
	lower(0, "p/new/b=2 p/old!");
	lower(1, "p/old/a=1");
	redirect("l0/p/new", "old");
	union_mount();
	EXPECT_TREE("m", "p/new/a=1 p/new/b=2");
}

TEST(redirect_chain, "redirects of two layers follow each other")
{
	need_union();
	lower(0, "c/3=3 b!");
	lower(1, "b/2=2 a!");
	lower(2, "a/1=1");
	redirect("l0/c", "/b");
	redirect("l1/b", "/a");
	union_mount();
	EXPECT_TREE("m", "c/1=1 c/2=2 c/3=3");
}

TEST(redirect_missing, "a redirect to a name that no lower layer has shows the directory alone")
{
	need_union();
	lower(0, "new/b=2");
	lower(1, "x=1");
	redirect("l0/new", "/nowhere");
	union_mount();
	EXPECT_TREE("m", "new/b=2 x=1");
}

TEST(redirect_bad, "a malformed redirect gives an error for that directory and not the wrong files")
{
	static const char *const bad[] = {"", "a/b", "/a/../b", "//a", "/a/", "..", "."};

	need_shale("overlayfs tolerates some of these");
	lower(0, "");
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char dir[16];

		snprintf(dir, sizeof(dir), "l0/n%u", i);
		tree_make(dir, "x=1");
		redirect(dir, bad[i]);
	}
	lower(1, "a/b/secret=1 b/secret=2");
	union_mount();
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char path[32];

		snprintf(path, sizeof(path), "m/n%u/secret", i);
		EXPECT_ERR(access(path, F_OK), EIO);
	}
}

static const struct opaque_root {
	struct ktap_row row;
	bool is_marked; /* by overlayfs's xattr, else in AUFS's way */
} opaque_roots[] = {
	{{"overlay", "a redirect leads to no layer below an opaque root"}, true},
	{{"aufs", "a redirect leads to no layer below a root with AUFS's opaque mark"}, false},
};

TEST_TABLE(redirect_opaque_root, struct opaque_root, opaque_roots, root)
{
	need_shale("overlayfs looks for no mark at the roots of layers");
	lower(0, "new/c=3");
	lower(1, "old/b=2 r/x=1");
	lower(2, "old/a=1 p/q=1");
	redirect("l0/new", "/old");
	redirect("l1/r", "/p");
	if (root->is_marked)
		ASSERT_OK(setxattr("l1", "trusted.overlay.opaque", "y", 1, 0));
	else
		lower(1, ".wh..wh..opq=");
	union_mount();
	EXPECT_TREE("m", "new/b=2 new/c=3 old/b=2 r/x=1");
}

TEST(redirect_opaque_upper, "a redirect of the upper leads nowhere when its root is opaque")
{
	need_shale("overlayfs looks for no mark at the roots of layers");
	lower(0, "old/a=1");
	upper("new/b=2");
	redirect("u/new", "/old");
	ASSERT_OK(setxattr("u", "trusted.overlay.opaque", "y", 1, 0));
	union_mount();
	EXPECT_TREE("m", "new/b=2");
	union_seal();
	EXPECT_TREE("m", "new/b=2");
}

TEST(redirect_to_file, "a redirect to a file shows the directory alone")
{
	need_union();
	lower(0, "new/b=2");
	lower(1, "f=1");
	redirect("l0/new", "/f");
	union_mount();
	EXPECT_STREQ(file_text("m/new/b"), "2");
	EXPECT_TREE("m/new", "b=2");
}

TEST(xattr_whiteout, "an empty file marked as whiteout in a directory marked opaque=x hides its name")
{
	need_shale("overlayfs before 6.7 does not know this form");
	lower(0, "d/a= d/b=2");
	ASSERT_OK(setxattr("l0/d", "trusted.overlay.opaque", "x", 1, 0));
	ASSERT_OK(setxattr("l0/d/a", "trusted.overlay.whiteout", "", 0, 0));
	lower(1, "d/a=1 d/c=3");
	union_mount();
	EXPECT_TREE("m", "d/b=2 d/c=3");
}

TEST(metacopy, "a file with overlayfs's metacopy mark shows the data of the lower file")
{
	need_union();
	lower(0, "f=");
	lower(1, "f=data");
	ASSERT_OK(truncate("l0/f", 4));
	ASSERT_OK(setxattr("l0/f", "trusted.overlay.metacopy", "", 0, 0));
	ASSERT_OK(chmod("l0/f", 0600));
	union_mount_with(&(struct union_opts){.options = is_overlay() ? "metacopy=on" : NULL});
	EXPECT_STREQ(file_text("m/f"), "data");
	EXPECT_EQ(stat_of("m/f").st_mode & 0777, 0600);
	file_append("m/f", "!");
	EXPECT_STREQ(file_text("m/f"), "data!");
}

TEST(negative_then_created, "a name that was looked up in vain is found once it is made")
{
	lower(0, "d/x=1");
	union_mount();
	EXPECT_ERR(access("m/d/a", F_OK), ENOENT);
	file_write("m/d/a", "1");
	EXPECT_STREQ(file_text("m/d/a"), "1");
}

TEST(name_too_long, "a name of 256 bytes gives ENAMETOOLONG and one of 255 works")
{
	char path[300] = "m/";

	lower(0, "x=1");
	union_mount();
	memset(path + 2, 'n', 255);
	path[257] = '\0';
	EXPECT_ERR(access(path, F_OK), ENOENT);
	file_write(path, "1");
	EXPECT_STREQ(file_text(path), "1");
	EXPECT_OK(unlink(path));
	strcat(path, "n");
	EXPECT_ERR(access(path, F_OK), ENAMETOOLONG);
	EXPECT_ERR(mkdir(path, 0755), ENAMETOOLONG);
}

TEST(dotdot, "the parent of a merged directory is the merged parent")
{
	lower(0, "a/b/x=1 a/y=2");
	upper("a/b/z=3");
	union_mount();
	EXPECT_STREQ(file_text("m/a/b/../y"), "2");
	EXPECT_EQ(ino_of("m/a/b/.."), ino_of("m/a"));
	EXPECT_EQ(ino_of("m/a/b/../.."), ino_of("m"));
}

TEST(symlink_follow, "a symbolic link of a lower layer leads to the merged file")
{
	lower(0, "l@d/a d/a=old e@d");
	upper("d/a=new");
	union_mount();
	EXPECT_STREQ(file_text("m/l"), "new");
	EXPECT_STREQ(file_text("m/e/a"), "new");
}

TEST(symlink_loop, "a loop of symbolic links gives ELOOP")
{
	lower(0, "a@b b@a");
	union_mount();
	EXPECT_ERR(open("m/a", O_RDONLY), ELOOP);
}

TEST(special_files, "fifos, sockets and devices of a lower layer show with their type and number")
{
	lower(0, "x=1");
	ASSERT_OK(mknod("l0/fifo", S_IFIFO | 0640, 0));
	ASSERT_OK(mknod("l0/sock", S_IFSOCK | 0600, 0));
	ASSERT_OK(mknod("l0/null", S_IFCHR | 0666, makedev(1, 3)));
	union_mount();
	EXPECT(S_ISFIFO(stat_of("m/fifo").st_mode));
	EXPECT(S_ISSOCK(stat_of("m/sock").st_mode));
	EXPECT_EQ(stat_of("m/null").st_rdev, makedev(1, 3));
	EXPECT_EQ(write(ASSERT_OK(open("m/null", O_WRONLY)), "x", 1), 1);
}

TEST(stale_lookup, "a name removed and made again shows the new file each time")
{
	char text[8];

	lower(0, "a=0");
	union_mount();
	for (int i = 1; i < 20; i++) {
		ASSERT_OK(unlink("m/a"));
		EXPECT_ERR(access("m/a", F_OK), ENOENT);
		snprintf(text, sizeof(text), "%d", i);
		file_write("m/a", text);
		EXPECT_STREQ(file_text("m/a"), text);
	}
}

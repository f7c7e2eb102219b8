// SPDX-License-Identifier: GPL-2.0-only
/*
 * layers.c - tests of how layers are given to a mount: long lists, escapes, one by one by name or by
 * descriptor, unions on unions.
 */
#include "ops.h"
#include "union.h"

#include <linux/shale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/xattr.h>

static const struct escape_case {
	struct ktap_row row;
	const char *dir;
	const char *escaped; /* as in mount(2)'s string */
} escapes[] = {
	{{"colon", "a colon in a layer's name is written \\:"}, "a:b", "a\\:b"},
	{{"comma", "a comma in a layer's name is written \\,"}, "a,b", "a\\,b"},
	{{"backslash", "a backslash in a layer's name is written \\\\"}, "a\\b", "a\\\\b"},
	{{"all", "all three can come together"}, "a:b,c\\d:", "a\\:b\\,c\\\\d\\:"},
	{{"blank", "blanks and other bytes need no escape"}, "a b\tc=d\"e'", "a b\tc=d\"e'"},
	{{"needless", "a backslash before another letter is dropped"}, "abc", "a\\bc"},
};
TEST_TABLE(escape, struct escape_case, escapes, c)
{
	char options[256];

	need_shale("overlayfs escapes differently on each kernel");
	tree_make(c->dir, "f=1");
	lower(0, "g=2");
	ASSERT_OK(mkdir("m", 0755));
	snprintf(options, sizeof(options), "lowerdir=%s:l0", c->escaped);
	EXPECT_OK(union_try("m", 0, options));
	EXPECT_TREE("m", "f=1 g=2");
}

TEST(escape_upper, "escapes work in upperdir and workdir as well")
{
	need_shale("overlayfs escapes differently on each kernel");
	lower(0, "f=1");
	ASSERT_OK(mkdir("u,p", 0755));
	ASSERT_OK(mkdir("w,k", 0755));
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=u\\,p,workdir=w\\,k"));
	file_append("m/f", "2");
	EXPECT_STREQ(file_text("u,p/f"), "12");
}

TEST(escape_shown, "what /proc/mounts shows can be given to mount(2) again")
{
	char line[4096], options[4096] = "", *out = options;
	FILE *table;

	need_shale("overlayfs escapes differently on each kernel");
	tree_make("a:b,c", "f=1");
	lower(0, "g=2");
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=a\\:b\\,c:l0"));
	table = fopen("/proc/self/mounts", "re");
	while (fgets(line, sizeof(line), table)) {
		char *at = strstr(line, "lowerdir=");

		if (!strstr(line, "/m shale ") || !at)
			continue;
		for (; *at && *at != ' '; at++) {
			unsigned int byte;

			if (*at == '\\' && sscanf(at + 1, "%3o", &byte) == 1) {
				*out++ = (char)byte;
				at += 3;
			} else {
				*out++ = *at;
			}
		}
		*out = '\0';
	}
	fclose(table);
	ASSERT_OK(umount2("m", 0));
	EXPECT_OK(union_try("m", 0, options));
	EXPECT_TREE("m", "f=1 g=2");
}

/* A context that gets its layers one by one. */
static int open_context(void)
{
	return ASSERT_OK(fsopen(union_fstype(), FSOPEN_CLOEXEC));
}

static void attach(int fs)
{
	int mnt;

	ASSERT_OK(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mnt = ASSERT_OK(fsmount(fs, FSMOUNT_CLOEXEC, 0));
	if (!exists("m"))
		ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(move_mount(mnt, "", AT_FDCWD, "m", MOVE_MOUNT_F_EMPTY_PATH));
	close(mnt);
	close(fs);
}

TEST(add_string, "lowerdir+ adds layers one by one, the topmost first")
{
	int fs;

	need_shale("lowerdir+ came to overlayfs with 6.8");
	lower(0, "a=top");
	lower(1, "a=middle b=middle");
	lower(2, "a=bottom b=bottom c=bottom");
	fs = open_context();
	for (int i = 0; i < 3; i++) {
		char name[8];

		snprintf(name, sizeof(name), "l%d", i);
		ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", name, 0));
	}
	attach(fs);
	EXPECT_TREE("m", "a=top b=middle c=bottom");
}

TEST(add_descriptor, "lowerdir+ takes the descriptor of a directory")
{
	int fs;

	need_shale("layer descriptors came to overlayfs with 6.13");
	lower(0, "a=top");
	lower(1, "a=bottom b=bottom");
	fs = open_context();
	for (int i = 0; i < 2; i++) {
		int dir = ASSERT_OK(open(i ? "l1" : "l0", O_RDONLY | O_DIRECTORY));

		ASSERT_OK(fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, dir));
		close(dir);
	}
	attach(fs);
	EXPECT_TREE("m", "a=top b=bottom");
}

TEST(add_after_list, "lowerdir+ adds below what lowerdir= gave")
{
	int fs;

	need_shale("overlayfs does not mix the two");
	lower(0, "a=top");
	lower(1, "a=bottom b=bottom");
	fs = open_context();
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "l0", 0));
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "l1", 0));
	attach(fs);
	EXPECT_TREE("m", "a=top b=bottom");
}

TEST(add_special_name, "a name given to lowerdir+ needs no escapes")
{
	int fs;

	need_shale("lowerdir+ came to overlayfs with 6.8");
	tree_make("a:b,c\\d", "f=1");
	fs = open_context();
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "a:b,c\\d", 0));
	attach(fs);
	EXPECT_TREE("m", "f=1");
}

TEST(add_file, "lowerdir+ refuses the descriptor of a file")
{
	char log[512] = "";
	int fs, file;

	need_shale("layer descriptors came to overlayfs with 6.13");
	lower(0, "f=1");
	fs = open_context();
	file = ASSERT_OK(open("l0/f", O_RDONLY));
	EXPECT_ERR(fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, file), EINVAL);
	EXPECT(read(fs, log, sizeof(log) - 1) > 0);
	EXPECT(strstr(log, "lowerdir+: the descriptor is not a directory"));
	EXPECT_ERR(fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, 9999), EBADF);
	EXPECT_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "lowerdir+", NULL, 0), EINVAL);
	close(fs);
}

/* COUNT layers, each with a file of its own and one name that all have. */
static void mount_stack(int count)
{
	struct rlimit limit = {8192, 8192};
	char path[64], number[16];
	int fs;

	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "L/%d", i);
		if (i == 0)
			ASSERT_OK(mkdir("L", 0755));
		ASSERT_OK(mkdir(path, 0755));
		snprintf(path, sizeof(path), "L/%d/d", i);
		ASSERT_OK(mkdir(path, 0755));
		snprintf(path, sizeof(path), "L/%d/d/f%d", i, i);
		file_write(path, "x");
		snprintf(path, sizeof(path), "L/%d/d/all", i);
		snprintf(number, sizeof(number), "%d", i);
		file_write(path, number);
	}
	fs = open_context();
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "L/%d", i);
		ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0));
	}
	ASSERT_OK(mkdir("u", 0755));
	ASSERT_OK(mkdir("w", 0755));
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", "u", 0));
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "workdir", "w", 0));
	attach(fs);
}

static const struct count_case {
	struct ktap_row row;
	int count;
} counts[] = {
	{{"one", "one layer added alone"}, 1},
	{{"two", "two layers"}, 2},
	{{"ten", "ten layers"}, 10},
	{{"hundred_thirty", "a hundred and thirty layers"}, 130},
	{{"six_hundred", "six hundred layers: each shows its file, the topmost wins, and it can be written"},
	 600},
};
TEST_TABLE(stack, struct count_case, counts, c)
{
	char path[64];

	need_shale("lowerdir+ came to overlayfs with 6.8");
	mount_stack(c->count);
	EXPECT_STREQ(file_text("m/d/all"), "0");
	for (int i = 0; i < c->count; i += 1 + c->count / 50) {
		snprintf(path, sizeof(path), "m/d/f%d", i);
		EXPECT_STREQ(file_text(path), "x");
	}
	snprintf(path, sizeof(path), "m/d/f%d", c->count - 1);
	file_append(path, "y");
	EXPECT_STREQ(file_text(path), "xy");
	ASSERT_OK(unlink("m/d/all"));
	EXPECT(!exists("m/d/all"));
	ASSERT_OK(rename("m/d", "m/e"));
	snprintf(path, sizeof(path), "m/e/f%d", c->count / 2);
	EXPECT(exists(path));
	EXPECT_TREE_SOUND("m");
}

TEST(too_many, "more than 4095 lower layers are refused with one clear line")
{
	char path[32], log[512] = "";
	int fs, ret = 0;

	need_shale("this is shale's limit");
	ASSERT_OK(mkdir("L", 0755));
	fs = open_context();
	for (int i = 0; i < SHALE_MAX_LAYERS && ret == 0; i++) {
		snprintf(path, sizeof(path), "L/%d", i);
		ASSERT_OK(mkdir(path, 0755));
		ret = fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0);
		if (ret < 0)
			EXPECT_EQ(i, SHALE_MAX_LAYERS - 1);
	}
	EXPECT_EQ(ret, -1);
	EXPECT_EQ(errno, EINVAL);
	EXPECT(read(fs, log, sizeof(log) - 1) > 0);
	EXPECT(strstr(log, "lowerdir: more than 4095 layers"));
	close(fs);
}

/* ------------------------------------------------------------------ unions on unions */

static void mount_on(const char *target, const char *options)
{
	if (!exists(target))
		ASSERT_OK(mkdir(target, 0755));
	if (union_try(target, 0, options) < 0) {
		ktap_fail(__FILE__, __LINE__, "mount -o %s: %s", options, strerror(errno));
		ktap_stop();
	}
}

TEST(nested, "a union can be a lower layer of another")
{
	need_union();
	lower(0, "a=1 d/b=2 gone=x");
	union_mount();
	ops_run("m", "append a x; unlink gone; rename d e");
	tree_make("l9", "top=9");
	ASSERT_OK(mkdir("u2", 0755));
	ASSERT_OK(mkdir("w2", 0755));
	mount_on("n", "lowerdir=l9:m,upperdir=u2,workdir=w2");
	EXPECT_TREE("n", "a=1x e/b=2 top=9");
	ops_run("n", "append a y; append e/b z; unlink top");
	EXPECT_TREE("n", "a=1xy e/b=2z");
	EXPECT_TREE("m", "a=1x e/b=2");
	if (is_shale())
		EXPECT_TREE_SOUND("n");
}

TEST(nested_directory, "a directory inside a union can be a lower layer of another")
{
	need_union();
	lower(0, "d/a=1");
	upper("d/b=2");
	union_mount();
	tree_make("l9", "c=3");
	mount_on("n", "lowerdir=m/d:l9");
	EXPECT_TREE("n", "a=1 b=2 c=3");
}

TEST(nested_too_deep, "a union on a union on a union is refused with the reason")
{
	char log[512] = "";
	int fs;

	need_shale("overlayfs has other words");
	lower(0, "a=1");
	tree_make("x", "");
	mount_on("m", "lowerdir=l0:x");
	tree_make("y", "");
	mount_on("n", "lowerdir=m:y");
	fs = open_context();
	ASSERT_OK(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "n", 0));
	EXPECT_ERR(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
	EXPECT(read(fs, log, sizeof(log) - 1) > 0);
	EXPECT(strstr(log, "stacked on other filesystems too deeply"));
	close(fs);
}

TEST(on_overlay, "a mount of overlayfs can be a lower layer")
{
	need_shale("this is about two filesystems");
	tree_make("o1", "a=1 d/b=2");
	tree_make("o2", "c=3");
	ASSERT_OK(mkdir("l0", 0755));
	if (mount("o", "l0", "overlay", 0, "lowerdir=o1:o2") < 0)
		SKIP("no overlayfs here: %s", strerror(errno));
	union_mount();
	EXPECT_TREE("m", "a=1 c=3 d/b=2");
	ops_run("m", "append a x; rename d e; unlink c");
	EXPECT_TREE("m", "a=1x e/b=2");
	EXPECT_TREE_SOUND("m");
	union_remount();
	EXPECT_TREE("m", "a=1x e/b=2");
}

TEST(under_overlay, "a union can be a lower layer of overlayfs")
{
	need_shale("this is about two filesystems");
	lower(0, "a=1 d/b=2");
	union_mount();
	ASSERT_OK(mkdir("n", 0755));
	ASSERT_OK(mkdir("u2", 0755));
	ASSERT_OK(mkdir("w2", 0755));
	if (mount("o", "n", "overlay", 0, "lowerdir=m,upperdir=u2,workdir=w2") < 0)
		SKIP("no overlayfs here: %s", strerror(errno));
	EXPECT_TREE("n", "a=1 d/b=2");
	ops_run("n", "append a x; unlink d/b");
	EXPECT_TREE("n", "a=1x d/");
	EXPECT_TREE("m", "a=1 d/b=2");
}

/* The upper becomes the topmost lower layer of a new mount. */
static void mount_sealed(void)
{
	tree_make("u2", "");
	tree_make("w2", "");
	mount_on("m", is_overlay() ? "lowerdir=u:l0,upperdir=u2,workdir=w2,redirect_dir=on" :
				     "lowerdir=u:l0,upperdir=u2,workdir=w2");
}

TEST(upper_becomes_lower, "the upper of one mount works as a lower layer of the next")
{
	need_union();
	lower(0, "a=1 b=2 d/c=3 e/f=4 g/h=5");
	union_mount();
	ops_run("m", "append a x; unlink b; rename d n; unlink e/f; rmdir e; mkdir e; create e/z 9");
	union_umount();
	mount_sealed();
	EXPECT_TREE("m", "a=1x e/z=9 g/h=5 n/c=3");
	ops_run("m", "append a y; rename n o; create b new");
	EXPECT_TREE("m", "a=1xy b=new e/z=9 g/h=5 o/c=3");
	EXPECT_TREE_SOUND("m");
}

TEST(redirect_below_opaque, "a directory moved into an opaque one keeps its contents when both are a lower layer")
{
	need_union();
	lower(0, "a/b=1 c/d=2");
	union_mount();
	ops_run("m", "rename c e; mkdir c; rename a c/a");
	union_umount();
	mount_sealed();
	ops_run("m", "rename c/a f");
	union_umount();
	mount_sealed();
	EXPECT_TREE("m", "c/ e/d=2 f/b=1");
}

/* ------------------------------------------------------------------ going back to overlayfs */

static const struct back_case {
	struct ktap_row row;
	const char *ops;
} backs[] = {
	{{"writes", "an upper with written and created files is a valid overlayfs upper"},
	 "append a x; create n 1; mkdir q; create q/r 2; symlink a l; append d/b y; chmod 600 d/b"},
	{{"removals", "an upper with removed files and directories is a valid overlayfs upper"},
	 "unlink a; unlink d/b; unlink e/f; rmdir e; mkdir e; create e/g 1"},
	{{"renames", "an upper with renamed directories is a valid overlayfs upper"},
	 "rename d x; rename e x/y; rename a x/z; mkdir d; create d/w 1"},
	{{"links", "an upper with hard links is a valid overlayfs upper"},
	 "append h1 x; link a k; append k z; unlink h2"},
	{{"exchange", "an upper after exchanges is a valid overlayfs upper"},
	 "exchange a d; exchange e h1; append d x"},
};
TEST_TABLE(back, struct back_case, backs, c)
{
	char *want;

	need_shale("overlayfs is the other half of this");
	lower(0, "a=1 d/b=2 e/f=3 h1=4 h2&h1");
	union_mount_with(&(struct union_opts){.cow = "copy"});
	ops_run("m", c->ops);
	want = strdup(tree_dump("m"));
	union_umount();
	tree_make("w2", "");
	if (mount("o", "m", "overlay", 0,
		  "lowerdir=l0,upperdir=u,workdir=w2,redirect_dir=on,metacopy=off") < 0) {
		ktap_fail(__FILE__, __LINE__, "overlayfs refuses the upper: %s", strerror(errno));
		ktap_stop();
	}
	if (exists("u/.shale")) {
		/* Our own directory is an ordinary one to overlayfs. */
		ASSERT_EQ(system("rm -rf m/.shale"), 0);
	}
	EXPECT_STREQ(tree_dump("m"), want);
}

TEST(forth, "an upper that overlayfs wrote is read right")
{
	char *want;

	need_shale("overlayfs is the other half of this");
	lower(0, "a=1 b=2 d/c=3 e/f=4 g/h=5");
	upper("");
	tree_make("w", "");
	ASSERT_OK(mkdir("m", 0755));
	if (mount("o", "m", "overlay", 0, "lowerdir=l0,upperdir=u,workdir=w,redirect_dir=on") < 0)
		SKIP("no overlayfs here: %s", strerror(errno));
	ops_run("m", "append a x; unlink b; rename d n; unlink e/f; rmdir e; mkdir e; create e/z 9;"
		     "rename g n/g");
	want = strdup(tree_dump("m"));
	ASSERT_OK(umount2("m", 0));
	union_mount();
	EXPECT_STREQ(tree_dump("m"), want);
	EXPECT_TREE_SOUND("m");
	ops_run("m", "append n/c y; rename n o");
	EXPECT_TREE("m", "a=1x e/z=9 o/c=3y o/g/h=5");
}

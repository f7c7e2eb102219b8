// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of uppers and between trees, and the layer tars that are made of them: what is told, in which
 * order, and that the same changes have the same digest whichever way they were found.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/changes.h"
#include "archive/difftar.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "store/digest.h"

static char dir[64];

static void in_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/shale-changes.XXXXXX");
	ASSERT(mkdtemp(dir));
	ASSERT_OK(chdir(dir));
}

static void out_dir(void)
{
	ASSERT_OK(chdir("/tmp"));
	EXPECT_OK(fs_remove_tree(AT_FDCWD, dir + strlen("/tmp/")));
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ASSERT_OK(fd);
	ASSERT_OK(fs_write_full(fd, text, strlen(text)));
	close(fd);
}

static void whiteout(const char *path)
{
	if (mknod(path, S_IFCHR, makedev(0, 0)) < 0)
		SKIP("whiteouts need root or a newer kernel");
}

/* "user." where trusted is not ours. */
static const char *prefix(void)
{
	return geteuid() ? "user." : "trusted.";
}

static void mark(const char *path, const char *name, const char *value)
{
	char full[128];

	snprintf(full, sizeof(full), "%s%s", prefix(), name);
	if (lsetxattr(path, full, value, strlen(value), 0) < 0)
		SKIP("%s: no %s", path, full);
}

static int note(void *arg, const struct change *change, struct shale_err *err)
{
	static const char *const words[] = { "", "-", "!" };

	(void)err;
	buf_addf(arg, "%s%s%s%s%s ", words[change->kind], *change->path ? change->path : "/",
		 change->link ? "=" : "", change->link ? change->link : "",
		 change->kind == CHANGE_ENTRY && S_ISDIR(change->st.st_mode) ? "/" : "");
	return 0;
}

static int open_dir(const char *path)
{
	return path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

/* What is told of an upper, and with which error it ends. */
static void expect_upper(const char *view, const char *base, bool has_aufs, const char *wanted)
{
	struct changes_upper upper = {
		.upper_fd = open_dir("upper"),
		.view_fd = open_dir(view),
		.base_fd = open_dir(base),
		.xattr_prefix = prefix(),
		.has_aufs = has_aufs,
	};
	struct shale_err err = { 0 };
	struct buf told = BUF_INIT;

	if (changes_of_upper(&upper, note, &told, &err) < 0)
		buf_addf(&told, "%s", err.msg);
	EXPECT_STREQ(buf_str(&told), wanted);
	buf_release(&told);
	fd_closep(&upper.upper_fd);
	fd_closep(&upper.view_fd);
	fd_closep(&upper.base_fd);
}

TEST(order, "names come by their bytes, a directory before what is in it")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/d", 0755);
	mkdir("upper/d/e", 0755);
	put("upper/d/e/f", "f");
	put("upper/d-", "x");
	put("upper/a", "a");
	put("upper/\xff", "x");
	symlink("to", "upper/Z");
	mkfifo("upper/d/p", 0600);
	expect_upper(NULL, NULL, false, "Z a d/ d/e/ d/e/f d/p d- \xff ");
	out_dir();
}

TEST(overlay_format, "whiteouts and opaque directories of overlayfs")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/o", 0755);
	mkdir("upper/p", 0755);
	put("upper/o/f", "f");
	whiteout("upper/gone");
	whiteout("upper/p/gone");
	mark("upper/o", "overlay.opaque", "y");
	mark("upper/p", "overlay.opaque", "x");
	put("upper/p/w", "");
	mark("upper/p/w", "overlay.whiteout", "");
	put("upper/p/x", "");
	expect_upper(NULL, NULL, false, "-gone o/ !o o/f p/ -p/gone -p/w p/x ");
	out_dir();
}

TEST(aufs_format, "those of AUFS, in the same order")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/.wh..wh.plnk", 0755);
	put("upper/.wh..wh.plnk/x", "");
	mkdir("upper/o", 0755);
	put("upper/o/f", "f");
	put("upper/o/.wh..wh..opq", "");
	put("upper/.wh.gone", "");
	put("upper/a", "a");
	expect_upper(NULL, NULL, true, "a -gone o/ !o o/f ");
	expect_upper(NULL, NULL, false, ".wh..wh.plnk/ .wh..wh.plnk/x .wh.gone a o/ o/.wh..wh..opq o/f ");
	out_dir();
}

TEST(private, "what is the module's own is no change, and sockets are none")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/.shale", 0700);
	mkdir("upper/d", 0755);
	mkdir("upper/d/.shale", 0700);
	mknod("upper/s", S_IFSOCK | 0600, 0);
	expect_upper(NULL, NULL, false, "d/ d/.shale/ ");
	out_dir();
}

TEST(links, "names of one file are told as one, also those that only the merged tree has")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/d", 0755);
	put("upper/b", "b");
	link("upper/b", "upper/d/c");
	expect_upper(NULL, NULL, false, "b d/ d/c=b ");
	mkdir("view", 0755);
	mkdir("view/a", 0755);
	mkdir("view/d", 0755);
	link("upper/b", "view/b");
	link("upper/b", "view/d/c");
	/* Upper and view are one file system here, so the three names of the view and two of the upper make five. */
	link("upper/b", "view/a/other");
	expect_upper("view", NULL, false, "b d/ d/c=b a/other=b ");
	out_dir();
}

TEST(renamed, "a directory that was renamed is new where it is, as the merged tree has it")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/new", 0755);
	mark("upper/new", "overlay.redirect", "old");
	put("upper/new/b", "b");
	whiteout("upper/old");
	mkdir("view", 0755);
	mkdir("view/new", 0755);
	mkdir("view/new/sub", 0755);
	put("view/new/a", "a");
	put("view/new/b", "b");
	put("view/new/sub/c", "c");
	expect_upper("view", NULL, false, "new/ !new new/a new/b new/sub/ new/sub/c -old ");
	expect_upper(NULL, NULL, false, "new/ !new new: the directory was renamed, and nothing is mounted");
	out_dir();
}

TEST(moved_back, "a directory that was renamed and got its name again is where it was, with what was changed in it")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/d", 0755);
	mark("upper/d", "overlay.redirect", "d");
	put("upper/d/b", "b");
	mkdir("upper/d/e", 0755);
	mark("upper/d/e", "overlay.redirect", "/d/e");
	put("upper/d/e/c", "c");
	expect_upper(NULL, NULL, false, "d/ d/b d/e/ d/e/c ");
	mark("upper/d/e", "overlay.redirect", "/e");
	expect_upper(NULL, NULL, false, "d/ d/b d/e/ !d/e d/e: the directory was renamed, and nothing is mounted");
	mark("upper/d/e", "overlay.redirect", "d/e");
	expect_upper(NULL, NULL, false, "d/ d/b d/e/ !d/e d/e: the directory was renamed, and nothing is mounted");
	out_dir();
}

TEST(partial, "a file of which the upper has only some bytes needs the merged tree")
{
	in_dir();
	mkdir("upper", 0755);
	put("upper/f", "f");
	mark("upper/f", "shale.map", "x");
	expect_upper(NULL, NULL, false, "f: some of its bytes are in a lower layer, and nothing is mounted");
	mkdir("view", 0755);
	put("view/f", "whole");
	expect_upper("view", NULL, false, "f ");
	out_dir();
}

TEST(root, "the root is told of only if it differs by more than its times")
{
	in_dir();
	mkdir("upper", 0755);
	mkdir("base", 0755);
	expect_upper(NULL, "base", false, "");
	chmod("upper", 0751);
	expect_upper(NULL, "base", false, "// ");
	out_dir();
}

static void expect_between(struct timespec since, const char *wanted)
{
	struct changes_trees trees = {
		.base_fd = open_dir("base"),
		.tree_fd = open_dir("tree"),
		.since = since,
	};
	struct shale_err err = { 0 };
	struct buf told = BUF_INIT;

	if (changes_between(&trees, note, &told, &err) < 0)
		buf_addf(&told, "%s", err.msg);
	EXPECT_STREQ(buf_str(&told), wanted);
	buf_release(&told);
	fd_closep(&trees.base_fd);
	fd_closep(&trees.tree_fd);
}

static void age(const char *path)
{
	struct timespec times[2] = { { 1000000000, 5 }, { 1000000000, 5 } };

	ASSERT_OK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

/* Two trees that are the same. */
static void make_twins(void)
{
	static const char *const roots[] = { "base", "tree" };
	char path[64];

	for (int i = 0; i < 2; i++) {
		mkdir(roots[i], 0755);
		for (const char *const *name = (const char *const[]){ "d", "d/e", "gone", NULL }; *name; name++) {
			snprintf(path, sizeof(path), "%s/%s", roots[i], *name);
			mkdir(path, 0755);
		}
		for (const char *const *name = (const char *const[]){ "a", "d/b", "d/e/c", "gone/x", NULL }; *name; name++) {
			snprintf(path, sizeof(path), "%s/%s", roots[i], *name);
			put(path, "same");
			age(path);
		}
		snprintf(path, sizeof(path), "%s/l", roots[i]);
		symlink("to", path);
		age(path);
		for (const char *const *name = (const char *const[]){ "d/e", "d", "gone", NULL }; *name; name++) {
			snprintf(path, sizeof(path), "%s/%s", roots[i], *name);
			age(path);
		}
	}
}

TEST(between, "what differs between two trees, and the directories on the way to it")
{
	const struct timespec never = { 0 };

	in_dir();
	make_twins();
	expect_between(never, "");
	put("tree/d/e/c", "othe");
	age("tree/d/e/c");
	expect_between(never, "d/ d/e/ d/e/c ");
	put("tree/d/e/c", "same");
	age("tree/d/e/c");
	chmod("tree/a", 0600);
	expect_between(never, "a ");
	chmod("tree/a", 0644);
	unlink("tree/l");
	symlink("ot", "tree/l");
	age("tree/l");
	expect_between(never, "l ");
	unlink("tree/l");
	put("tree/l", "file");
	expect_between(never, "l ");
	ASSERT_OK(fs_remove_tree(AT_FDCWD, "tree/gone"));
	put("tree/gone", "file");
	mkdir("tree/new", 0755);
	put("tree/new/n", "n");
	unlink("tree/d/b");
	age("tree/d");
	expect_between(never, "d/ -d/b gone l new/ new/n ");
	out_dir();
}

TEST(since, "what was not touched since the tree was made is not looked at")
{
	struct timespec later;

	in_dir();
	make_twins();
	put("tree/a", "othe");
	age("tree/a");
	clock_gettime(CLOCK_REALTIME, &later);
	later.tv_sec += 10;
	expect_between(later, "");
	later.tv_sec -= 1000;
	expect_between(later, "a ");
	out_dir();
}

static int take(void *arg, const void *data, size_t len, struct shale_err *err)
{
	(void)err;
	return buf_add(arg, data, len);
}

/* The layer tar of an upper. */
static int make_tar(bool has_aufs, const char *view, struct buf *out, struct shale_err *err)
{
	struct changes_upper upper = {
		.upper_fd = open_dir("upper"),
		.view_fd = open_dir(view),
		.base_fd = -1,
		.xattr_prefix = prefix(),
		.has_aufs = has_aufs,
	};
	struct difftar difftar;
	int ret;

	ASSERT_EQ(difftar_init(&difftar, take, out, err), 0);
	ret = changes_of_upper(&upper, difftar_add, &difftar, err);
	if (!ret)
		ret = difftar_finish(&difftar, err);
	difftar_release(&difftar);
	fd_closep(&upper.upper_fd);
	fd_closep(&upper.view_fd);
	return ret;
}

static bool has_same_digest(const struct buf *a, const struct buf *b)
{
	struct digest left, right;

	return digest_of(a->data, a->len, &left, NULL) == 0 &&
	       digest_of(b->data, b->len, &right, NULL) == 0 && digest_is_equal(&left, &right);
}

TEST(families, "the same change in both families of whiteouts is the same tar")
{
	struct shale_err err = { 0 };
	struct buf overlay = BUF_INIT, aufs = BUF_INIT;

	in_dir();
	mkdir("upper", 0755);
	mkdir("upper/o", 0755);
	put("upper/o/f", "f");
	whiteout("upper/gone");
	mark("upper/o", "overlay.opaque", "y");
	age("upper/o/f");
	age("upper/o");
	ASSERT_EQ(make_tar(false, NULL, &overlay, &err), 0);
	unlink("upper/gone");
	put("upper/.wh.gone", "");
	removexattr("upper/o", geteuid() ? "user.overlay.opaque" : "trusted.overlay.opaque");
	put("upper/o/.wh..wh..opq", "");
	age("upper/o");
	ASSERT_EQ(make_tar(true, NULL, &aufs, &err), 0);
	EXPECT(has_same_digest(&overlay, &aufs));
	EXPECT(memmem(aufs.data, aufs.len, "o/.wh..wh..opq", 14));
	EXPECT(memmem(aufs.data, aufs.len, ".wh.gone", 9));
	buf_release(&overlay);
	buf_release(&aufs);
	out_dir();
}

TEST(holes, "the tar of a file depends on its bytes, not on where the filesystem has holes")
{
	struct shale_err err = { 0 };
	struct buf sparse = BUF_INIT, dense = BUF_INIT;
	static char zeros[3 << 20];
	int fd;

	in_dir();
	mkdir("upper", 0755);
	fd = open("upper/f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	ASSERT_OK(ftruncate(fd, 8 << 20));
	ASSERT_EQ(pwrite(fd, "data", 4, 5000000), 4);
	age("upper/f");
	ASSERT_EQ(make_tar(false, NULL, &sparse, &err), 0);
	EXPECT(sparse.len < 16384);
	ASSERT_EQ(pwrite(fd, zeros, sizeof(zeros), 0), sizeof(zeros));
	ASSERT_EQ(pwrite(fd, zeros, 100000, 8000000), 100000);
	close(fd);
	age("upper/f");
	ASSERT_EQ(make_tar(false, NULL, &dense, &err), 0);
	EXPECT(has_same_digest(&sparse, &dense));
	buf_release(&sparse);
	buf_release(&dense);
	out_dir();
}

TEST(no_map, "a file with short runs of zeros has no map")
{
	struct shale_err err = { 0 };
	struct buf tar = BUF_INIT;
	int fd;

	in_dir();
	mkdir("upper", 0755);
	fd = open("upper/f", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(pwrite(fd, "data", 4, i * (DIFFTAR_HOLE_MIN - 4096)), 4);
	close(fd);
	ASSERT_EQ(make_tar(false, NULL, &tar, &err), 0);
	EXPECT(!memmem(tar.data, tar.len, "GNU.sparse", 10));
	EXPECT(tar.len > 3 * (DIFFTAR_HOLE_MIN - 4096));
	buf_release(&tar);
	out_dir();
}

TEST(partial_bytes, "the bytes of a partial file are the merged tree's")
{
	struct shale_err err = { 0 };
	struct buf tar = BUF_INIT;

	in_dir();
	mkdir("upper", 0755);
	put("upper/f", "\1\1\1\1\1");
	mark("upper/f", "shale.map", "x");
	mkdir("view", 0755);
	put("view/f", "whole");
	ASSERT_EQ(make_tar(false, "view", &tar, &err), 0);
	EXPECT(memmem(tar.data, tar.len, "whole", 5));
	EXPECT(!memmem(tar.data, tar.len, "shale.map", 9));
	buf_release(&tar);
	out_dir();
}

TEST(refused, "a name that would be a whiteout cannot go into a layer")
{
	struct shale_err err = { 0 };
	struct buf tar = BUF_INIT;

	in_dir();
	mkdir("upper", 0755);
	put("upper/.wh.x", "x");
	EXPECT_EQ(make_tar(false, NULL, &tar, &err), -1);
	EXPECT_STREQ(err.msg, "'.wh.x': in a layer the name would be a whiteout");
	buf_release(&tar);
	out_dir();
}

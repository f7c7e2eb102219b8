// SPDX-License-Identifier: GPL-2.0-only
/*
 * mount.c - tests of mounting: options and what is said when one is wrong, directories in use, remounting,
 * what /proc/mounts and statfs(2) show, freezing, volatile. How layers are given is in layers.c.
 */
#include "ops.h"
#include "union.h"

#include <linux/shale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

/* From linux/fs.h, which does not go together with sys/mount.h. */
#define FIFREEZE _IOWR('X', 119, int)
#define FITHAW	 _IOWR('X', 120, int)

#define LOG_SIZE 4096

/*
 * Sets the options, separated by blanks, one by one with fsconfig(2) and creates the superblock. Returns
 * 0 or an errno; the log of the fs_context goes to ret_log.
 */
static int try_context(const char *options, char *ret_log)
{
	char *copy = strdup(options), *save = NULL;
	int fs = fsopen(union_fstype(), FSOPEN_CLOEXEC), error = 0;
	ssize_t got;

	ret_log[0] = '\0';
	if (fs < 0)
		return errno;
	for (char *key = strtok_r(copy, " ", &save); key && !error; key = strtok_r(NULL, " ", &save)) {
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
			error = errno;
	}
	if (!error && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		error = errno;
	for (size_t at = 0; (got = read(fs, ret_log + at, LOG_SIZE - at - 1)) > 0;) {
		at += got;
		ret_log[at] = '\0';
	}
	close(fs);
	free(copy);
	return error;
}

static const struct refused_case {
	struct ktap_row row;
	const char *options;
	int error;
	const char *says; /* part of what the log has to say */
} refused[] = {
	{{"unknown", "an unknown option is refused by name"}, "lowerdir=l0 bogus=1", EINVAL,
	 "Unknown parameter 'bogus'"},
	{{"no_layers", "a mount without lowerdir is refused"}, "", EINVAL, "lowerdir: is missing"},
	{{"empty_lower", "an empty lowerdir is refused"}, "lowerdir=", EINVAL, "lowerdir"},
	{{"empty_among", "an empty name among the lower layers is refused"}, "lowerdir=l0::l1", EINVAL,
	 "lowerdir"},
	{{"lower_missing", "a missing lower layer is named"}, "lowerdir=l0:nowhere", ENOENT,
	 "lowerdir: cannot find 'nowhere'"},
	{{"lower_file", "a lower layer that is a file is named"}, "lowerdir=l0/file", ENOTDIR,
	 "lowerdir: 'l0/file' is not a directory"},
	{{"upper_missing", "a missing upper is named"}, "lowerdir=l0 upperdir=nowhere workdir=w", ENOENT,
	 "upperdir: cannot find 'nowhere'"},
	{{"upper_file", "an upper that is a file is named"}, "lowerdir=l0 upperdir=l0/file workdir=w",
	 ENOTDIR, "upperdir: 'l0/file' is not a directory"},
	{{"work_missing", "a missing work directory is named"}, "lowerdir=l0 upperdir=u workdir=nowhere",
	 ENOENT, "workdir: cannot find 'nowhere'"},
	{{"no_work", "an upper without work directory is refused"}, "lowerdir=l0 upperdir=u", EINVAL,
	 "workdir: is missing"},
	{{"no_upper", "a work directory without upper is refused"}, "lowerdir=l0 workdir=w", EINVAL,
	 "upperdir: is missing"},
	{{"volatile_no_upper", "volatile without upper is refused"}, "lowerdir=l0 volatile", EINVAL,
	 "volatile"},
	{{"whiteout_word", "an unknown word for whiteout= is refused"}, "lowerdir=l0 whiteout=none", EINVAL,
	 "whiteout"},
	{{"whiteout_empty", "whiteout without a word is refused"}, "lowerdir=l0 whiteout", EINVAL,
	 "whiteout"},
	{{"cow_word", "an unknown word for cow= is refused"}, "lowerdir=l0 cow=blocks", EINVAL, "cow"},
	{{"cow_number", "a number for cow= is refused"}, "lowerdir=l0 cow=1", EINVAL, "cow"},
	{{"cow_nothing", "cow= with nothing behind it is refused"}, "lowerdir=l0 cow=", EINVAL, "cow"},
	{{"cow_empty", "cow without a word is refused"}, "lowerdir=l0 cow", EINVAL, "cow"},
	{{"xino_off", "xino=off is refused: it is always on"}, "lowerdir=l0 xino=off", EINVAL,
	 "xino: is always on"},
	{{"redirect_off", "redirect_dir=off is refused: it is always on"}, "lowerdir=l0 redirect_dir=off",
	 EINVAL, "redirect_dir: is always on"},
	{{"redirect_nofollow", "redirect_dir=nofollow is refused: it is always on"},
	 "lowerdir=l0 redirect_dir=nofollow", EINVAL, "redirect_dir: is always on"},
	{{"index_off", "index=off is refused: it is always on"}, "lowerdir=l0 index=off", EINVAL,
	 "index: is always on"},
	{{"metacopy_off", "metacopy=off is refused: it is always on"}, "lowerdir=l0 metacopy=off", EINVAL,
	 "metacopy: is always on"},
	{{"nfs_export_off", "nfs_export=off is refused: it is always on"}, "lowerdir=l0 nfs_export=off",
	 EINVAL, "nfs_export: is always on"},
	{{"index_word", "an unknown word for index= is refused"}, "lowerdir=l0 index=maybe", EINVAL,
	 "index"},
	{{"volatile_value", "a value for volatile is refused"},
	 "lowerdir=l0 upperdir=u workdir=w volatile=1", EINVAL, "volatile"},
	{{"work_in_upper", "a work directory inside the upper is refused"},
	 "lowerdir=l0 upperdir=u workdir=u/sub", EINVAL, "workdir: must be beside upperdir"},
	{{"upper_in_work", "an upper inside the work directory is refused"},
	 "lowerdir=l0 upperdir=u/sub workdir=u", EINVAL, "workdir: must be beside upperdir"},
	{{"work_is_upper", "a work directory that is the upper is refused"},
	 "lowerdir=l0 upperdir=u workdir=u", EINVAL, "workdir: must be beside upperdir"},
	{{"work_other_fs", "a work directory on another filesystem is refused"},
	 "lowerdir=l0 upperdir=u workdir=other/w", EINVAL, "workdir: must be on the same"},
	{{"upper_in_lower", "an upper inside a lower layer is refused with ELOOP"},
	 "lowerdir=l0 upperdir=l0/sub workdir=w", ELOOP, "overlap"},
	{{"lower_in_upper", "a lower layer inside the upper is refused with ELOOP"},
	 "lowerdir=u/sub upperdir=u workdir=w", ELOOP, "overlap"},
	{{"work_in_lower", "a work directory inside a lower layer is refused with ELOOP"},
	 "lowerdir=l0 upperdir=u workdir=l0/sub", ELOOP, "overlap"},
	{{"lower_is_upper", "a lower layer that is the upper is refused with ELOOP"},
	 "lowerdir=u upperdir=u workdir=w", ELOOP, "overlap"},
	{{"lower_twice", "one directory as two lower layers is refused with ELOOP"}, "lowerdir=l0:l1:l0",
	 ELOOP, "overlap"},
	{{"lower_nested", "a lower layer inside another is refused with ELOOP"}, "lowerdir=l0:l0/sub",
	 ELOOP, "overlap"},
};
TEST_TABLE(refuse, struct refused_case, refused, c)
{
	char log[LOG_SIZE];

	need_shale("only shale says this");
	lower(0, "file=1 sub/");
	lower(1, "x=1");
	upper("sub/");
	ASSERT_OK(mkdir("w", 0755));
	side_mount("tmpfs", "other", NULL);
	ASSERT_OK(mkdir("other/w", 0755));
	EXPECT_EQ(try_context(c->options, log), c->error);
	if (!strstr(log, c->says))
		ktap_fail(__FILE__, __LINE__, "expected the log to say \"%s\", it says \"%s\"", c->says,
			  log);
	EXPECT_TREE("l0", "file=1 sub/");
}

struct accepted_case {
	struct ktap_row row;
};

static const struct accepted_case accepted[] = {
	{{"xino=on", "xino=on is accepted"}},
	{{"xino=auto", "xino=auto is accepted"}},
	{{"redirect_dir=on", "redirect_dir=on is accepted"}},
	{{"redirect_dir=follow", "redirect_dir=follow is accepted"}},
	{{"index=on", "index=on is accepted"}},
	{{"metacopy=on", "metacopy=on is accepted"}},
	{{"nfs_export=on", "nfs_export=on is accepted"}},
	{{"whiteout=both", "whiteout=both is accepted"}},
	{{"whiteout=overlay", "whiteout=overlay is accepted"}},
	{{"whiteout=aufs", "whiteout=aufs is accepted"}},
	{{"cow=auto", "cow=auto is accepted"}},
	{{"cow=block", "cow=block is accepted"}},
	{{"cow=clone", "cow=clone is accepted"}},
	{{"cow=copy", "cow=copy is accepted"}},
	{{"volatile", "volatile is accepted"}},
};
TEST_TABLE(accept, struct accepted_case, accepted, c)
{
	need_shale("overlayfs has other words");
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.options = c->row.name});
	EXPECT_STREQ(file_text("m/a"), "1");
	file_append("m/a", "2");
}

TEST(upper_busy, "an upper in use by another mount is refused with EBUSY, and free after its umount")
{
	char log[LOG_SIZE];

	need_shale("overlayfs only warns without index");
	lower(0, "a=1");
	union_mount();
	ASSERT_OK(mkdir("w2", 0755));
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w2", log), EBUSY);
	EXPECT(strstr(log, "upperdir: is in use by another mount"));
	union_umount();
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w2", log), 0);
}

TEST(work_busy, "a work directory in use by another mount is refused with EBUSY")
{
	char log[LOG_SIZE];

	need_shale("overlayfs only warns without index");
	lower(0, "a=1");
	union_mount();
	ASSERT_OK(mkdir("u2", 0755));
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u2 workdir=w", log), EBUSY);
	EXPECT(strstr(log, "workdir: is in use by another mount"));
}

TEST(overlay_busy, "an upper in use by a mount of overlayfs is refused with EBUSY")
{
	char log[LOG_SIZE];

	need_shale("this is about two filesystems");
	lower(0, "a=1");
	upper("");
	ASSERT_OK(mkdir("w", 0755));
	ASSERT_OK(mkdir("n", 0755));
	if (mount("o", "n", "overlay", 0, "lowerdir=l0,upperdir=u,workdir=w") < 0)
		SKIP("no overlayfs here: %s", strerror(errno));
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w", log), EBUSY);
}

TEST(failed_mount_frees, "directories are free again after a mount that failed")
{
	char log[LOG_SIZE];

	need_shale("this looks at shale's own claims");
	lower(0, "a=1");
	upper("");
	ASSERT_OK(mkdir("w", 0755));
	EXPECT_EQ(try_context("lowerdir=u upperdir=u workdir=w", log), ELOOP);
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w", log), 0);
}

TEST(shared_lowers, "many mounts can share their lower layers")
{
	need_union();
	lower(0, "a=1");
	lower(1, "b=2");
	for (int i = 0; i < 5; i++) {
		char name[8], options[128];

		snprintf(name, sizeof(name), "m%d", i);
		ASSERT_OK(mkdir(name, 0755));
		snprintf(options, sizeof(options), "u%d", i);
		ASSERT_OK(mkdir(options, 0755));
		snprintf(options, sizeof(options), "w%d", i);
		ASSERT_OK(mkdir(options, 0755));
		snprintf(options, sizeof(options), "lowerdir=l0:l1,upperdir=u%d,workdir=w%d", i, i);
		EXPECT_OK(union_try(name, 0, options));
	}
	file_append("m3/a", "x");
	EXPECT_STREQ(file_text("m3/a"), "1x");
	EXPECT_STREQ(file_text("m2/a"), "1");
}

/* ------------------------------------------------------------------ uppers that cannot carry it */

/* An empty FAT16 of 16 MiB: the boot sector and the first entries of both tables are all it takes. */
static void mount_vfat(void)
{
	static const unsigned char boot[] = {
		0xeb, 0x3c, 0x90, 's', 'h', 'a', 'l', 'e', ' ', ' ', ' ', 0, 2, /* 512 bytes a sector */
		4, 1, 0, 2, 0, 2,   /* 4 sectors a cluster, 1 reserved, 2 tables, 512 root entries */
		0, 0x80, 0xf8, 32, 0, /* 32768 sectors, 32 sectors a table */
		32, 0, 64, 0,
	};
	static const unsigned char table[] = {0xf8, 0xff, 0xff, 0xff};
	int fd = ASSERT_OK(open("vfat.img", O_CREAT | O_RDWR | O_CLOEXEC, 0644));

	ASSERT_OK(ftruncate(fd, 16 << 20));
	ASSERT_EQ(pwrite(fd, boot, sizeof(boot), 0), (ssize_t)sizeof(boot));
	ASSERT_EQ(pwrite(fd, "\x55\xaa", 2, 510), 2);
	ASSERT_EQ(pwrite(fd, table, sizeof(table), 512), (ssize_t)sizeof(table));
	ASSERT_EQ(pwrite(fd, table, sizeof(table), 33 * 512), (ssize_t)sizeof(table));
	close(fd);
	ASSERT_OK(mkdir("side", 0755));
	if (system("mount -t vfat -o loop vfat.img side 2>/dev/null"))
		SKIP("no vfat here");
}

static const struct weak_case {
	struct ktap_row row;
	const char *type;
	const char *says;
} weak[] = {
	{{"ramfs", "an upper on ramfs, which has no attributes, is refused with what it lacks"}, "ramfs",
	 "upperdir: ramfs has no extended attributes"},
	{{"vfat", "an upper on vfat is refused with what it lacks"}, "vfat", "upperdir: "},
	{{"readonly", "an upper on a read-only filesystem is refused with EROFS"}, "ro",
	 "upperdir: is on a read-only filesystem"},
};
TEST_TABLE(weak_upper, struct weak_case, weak, c)
{
	char log[LOG_SIZE];
	int error;

	need_shale("overlayfs would try to do with less");
	lower(0, "a=1");
	if (!strcmp(c->type, "vfat"))
		mount_vfat();
	else
		side_mount(strcmp(c->type, "ro") ? c->type : "tmpfs", "side", NULL);
	ASSERT_OK(mkdir("side/u", 0755));
	ASSERT_OK(mkdir("side/w", 0755));
	if (!strcmp(c->type, "ro"))
		ASSERT_OK(mount(NULL, "side", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	error = try_context("lowerdir=l0 upperdir=side/u workdir=side/w", log);
	EXPECT_EQ(error, !strcmp(c->type, "ro")	    ? EROFS :
			 !strcmp(c->type, "vfat") ? EINVAL :
						    EOPNOTSUPP);
	if (!strstr(log, c->says))
		ktap_fail(__FILE__, __LINE__, "expected the log to say \"%s\", it says \"%s\"", c->says,
			  log);
}

TEST(lower_vfat, "a lower layer on vfat, whose names ignore case, is refused with that reason")
{
	char log[LOG_SIZE];

	need_shale("overlayfs has other words");
	lower(0, "a=1");
	mount_vfat();
	EXPECT_EQ(try_context("lowerdir=side", log), EINVAL);
	EXPECT(strstr(log, "ignores case"));
}

TEST(lower_ramfs, "a lower layer on ramfs, without attributes and handles, can be read and promoted")
{
	need_union();
	side_mount("ramfs", "l0", NULL);
	lower(0, "a=1 d/b=2");
	union_mount();
	EXPECT_TREE("m", "a=1 d/b=2");
	ops_run("m", "append a x; rename d e; unlink e/b");
	EXPECT_TREE("m", "a=1x e/");
	union_remount();
	EXPECT_TREE("m", "a=1x e/");
}

TEST(lower_readonly, "a lower layer on a read-only mount works under a writable upper")
{
	need_union();
	side_mount("tmpfs", "l0", NULL);
	lower(0, "a=1 d/b=2");
	ASSERT_OK(mount(NULL, "l0", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	union_mount();
	ops_run("m", "append a x; rename d e; unlink e/b");
	EXPECT_TREE("m", "a=1x e/");
	EXPECT_TREE("l0", "a=1 d/b=2");
}

/* ------------------------------------------------------------------ remounting */

TEST(remount_ro, "remounting read-only refuses writes with EROFS, remounting read-write allows them")
{
	need_union();
	lower(0, "a=1");
	union_mount();
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	ops_run("m", "append a x -> EROFS; create b 1 -> EROFS; unlink a -> EROFS");
	EXPECT_STREQ(file_text("m/a"), "1");
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	ops_run("m", "append a x; create b 1");
	EXPECT_TREE("m", "a=1x b=1");
}

TEST(remount_ro_busy, "remounting read-only while a file is open for writing gives EBUSY")
{
	int fd;

	need_union();
	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDWR));
	EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	EXPECT_EQ(write(fd, "2", 1), 1);
	close(fd);
	EXPECT_OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
}

TEST(remount_rw_no_upper, "a mount without an upper cannot be remounted read-write: EROFS")
{
	need_union();
	lower(0, "a=1");
	lower(1, "b=1");
	union_mount_with(&(struct union_opts){.readonly = true});
	EXPECT_ERR(mount(NULL, "m", NULL, MS_REMOUNT, NULL), EROFS);
	EXPECT_ERR(open("m/a", O_RDWR), EROFS);
}

TEST(mount_ro_with_upper, "a mount with an upper can be made read-only and writable later")
{
	need_union();
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.mount_ro = true});
	EXPECT_ERR(open("m/a", O_RDWR), EROFS);
	ASSERT_OK(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
	file_append("m/a", "2");
	EXPECT_STREQ(file_text("m/a"), "12");
}

TEST(remount_options, "remounting with the options mount(8) repeats is accepted")
{
	need_union();
	lower(0, "a=1");
	union_mount();
	EXPECT_OK(mount(NULL, "m", NULL, MS_REMOUNT, "lowerdir=l0,upperdir=u,workdir=w"));
	file_append("m/a", "2");
	EXPECT_STREQ(file_text("m/a"), "12");
}

TEST(reconfigure, "changing a layer by fsconfig on a mount is refused and says so")
{
	char log[LOG_SIZE] = "";
	int fs;

	need_shale("overlayfs ignores it on some kernels");
	lower(0, "a=1");
	union_mount();
	fs = ASSERT_OK(fspick(AT_FDCWD, "m", FSPICK_CLOEXEC));
	EXPECT_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "l0", 0), EINVAL);
	EXPECT(read(fs, log, sizeof(log) - 1) > 0);
	EXPECT(strstr(log, "cannot be changed by remounting"));
	close(fs);
}

TEST(bind_ro, "a read-only bind mount of the union refuses writes and the union takes them")
{
	need_union();
	lower(0, "a=1 d/b=1");
	union_mount();
	ASSERT_OK(mkdir("n", 0755));
	ASSERT_OK(mount("m/d", "n", NULL, MS_BIND, NULL));
	ASSERT_OK(mount(NULL, "n", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_ERR(open("n/b", O_RDWR), EROFS);
	file_append("m/d/b", "2");
	EXPECT_STREQ(file_text("n/b"), "12");
}

TEST(mount_below, "another filesystem can be mounted on a lower directory, which is then busy")
{
	lower(0, "d/a=1");
	union_mount();
	ASSERT_OK(mount("t", "m/d", "tmpfs", 0, NULL));
	file_write("m/d/new", "1");
	EXPECT_ERR(rmdir("m/d"), EBUSY);
	EXPECT_ERR(rename("m/d", "m/e"), EBUSY);
	ASSERT_OK(umount2("m/d", 0));
	EXPECT_TREE("m", "d/a=1");
}

TEST(umount_busy, "umount with an open file gives EBUSY, lazily it works and the file stays usable")
{
	char text[8] = "";
	int fd;

	need_union();
	lower(0, "a=1");
	union_mount();
	fd = ASSERT_OK(open("m/a", O_RDWR));
	EXPECT_ERR(umount2("m", 0), EBUSY);
	ASSERT_OK(umount2("m", MNT_DETACH));
	EXPECT_EQ(pwrite(fd, "2", 1, 1), 1);
	EXPECT_EQ(pread(fd, text, 8, 0), 2);
	close(fd);
	EXPECT_STREQ(file_text("u/a"), "12");
}

TEST(layer_stays_busy, "the filesystem of a layer stays busy while the union is mounted")
{
	need_union();
	side_mount("tmpfs", "l0", NULL);
	lower(0, "a=1");
	union_mount();
	EXPECT_OK(umount2("l0", 0));
	EXPECT_STREQ(file_text("m/a"), "1");
	union_umount();
}

/* ------------------------------------------------------------------ what is shown */

static bool shown_options(char *ret_options, size_t size)
{
	char line[LOG_SIZE];
	bool found = false;
	FILE *table = fopen("/proc/self/mounts", "re");

	while (fgets(line, sizeof(line), table)) {
		char *type = strstr(line, is_shale() ? " shale " : " overlay ");

		if (!strstr(line, "/m ") || !type)
			continue;
		snprintf(ret_options, size, "%s", strchr(type + 1, ' ') + 1);
		*strchr(ret_options, ' ') = '\0';
		found = true;
	}
	fclose(table);
	return found;
}

TEST(shown, "/proc/mounts shows the layers in order")
{
	char options[LOG_SIZE];

	need_union();
	lower(0, "a=1");
	lower(1, "a=1");
	union_mount();
	ASSERT(shown_options(options, sizeof(options)));
	EXPECT(strstr(options, "lowerdir=l0:l1"));
	EXPECT(strstr(options, "upperdir=u"));
	EXPECT(strstr(options, "workdir=w"));
}

TEST(shown_cow, "/proc/mounts shows how files are copied up where that was asked for, and not as it is by default")
{
	static const char *const words[] = {"cow=auto", "cow=block", "cow=clone", "cow=copy"};
	char options[LOG_SIZE], shown[32];
	int silent = 0;

	need_shale("overlayfs has other words");
	if (*(getenv("SHALE_TEST_COW") ?: ""))
		SKIP("all mounts are told here");
	lower(0, "a=1");
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		union_mount_with(&(struct union_opts){.options = words[i]});
		ASSERT(shown_options(options, sizeof(options)));
		snprintf(shown, sizeof(shown), ",%s", words[i]);
		if (!strstr(options, ",cow="))
			silent++;
		else
			EXPECT(strstr(options, shown));
		union_umount();
	}
	EXPECT_EQ(silent, 1);
	union_mount();
	ASSERT(shown_options(options, sizeof(options)));
	EXPECT(!strstr(options, ",cow="));
}

TEST(shown_words, "/proc/mounts shows volatile, userxattr and a narrowed whiteout")
{
	char options[LOG_SIZE];

	need_shale("overlayfs has other words");
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.options = "volatile,whiteout=aufs"});
	ASSERT(shown_options(options, sizeof(options)));
	EXPECT(strstr(options, ",volatile"));
	EXPECT(strstr(options, ",whiteout=aufs"));
	EXPECT(!strstr(options, "userxattr"));
}

TEST(statfs, "statfs shows the upper's space and shale's own type")
{
	struct statfs ours, theirs;

	lower(0, "a=1");
	union_mount();
	ASSERT_OK(statfs("m", &ours));
	ASSERT_OK(statfs(is_bare() ? "m" : "u", &theirs));
	EXPECT_EQ(ours.f_blocks, theirs.f_blocks);
	EXPECT_EQ(ours.f_bsize, theirs.f_bsize);
	EXPECT_EQ(ours.f_namelen, 255);
	EXPECT(llabs((long long)ours.f_bavail - (long long)theirs.f_bavail) < 10000);
	if (is_shale())
		EXPECT_EQ(ours.f_type, SHALE_SUPER_MAGIC);
}

TEST(statfs_flags, "statvfs shows a read-only mount as one")
{
	struct statvfs st;

	need_union();
	lower(0, "a=1");
	lower(1, "b=1");
	union_mount_with(&(struct union_opts){.readonly = true});
	ASSERT_OK(statvfs("m", &st));
	EXPECT(st.f_flag & ST_RDONLY);
}

TEST(listed, "the filesystem is listed in /proc/filesystems as one without a device")
{
	char line[128];
	bool found = false;
	FILE *list = fopen("/proc/filesystems", "re");

	need_shale("this is about shale");
	while (fgets(line, sizeof(line), list))
		found |= !strcmp(line, "nodev\tshale\n");
	fclose(list);
	EXPECT(found);
}

/* ------------------------------------------------------------------ freezing, syncing, volatile */

TEST(freeze, "a frozen mount blocks writers until it is thawed")
{
	int dir, status;
	pid_t pid;

	need_shale("overlayfs cannot be frozen");
	lower(0, "a=1");
	union_mount();
	dir = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY));
	ASSERT_OK(ioctl(dir, FIFREEZE, 0));
	pid = fork();
	if (pid == 0) {
		file_append("m/a", "2");
		_exit(0);
	}
	usleep(300000);
	EXPECT_EQ(waitpid(pid, &status, WNOHANG), 0);
	EXPECT_STREQ(file_text("m/a"), "1");
	ASSERT_OK(ioctl(dir, FITHAW, 0));
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_STREQ(file_text("m/a"), "12");
	close(dir);
}

TEST(volatile_marks, "a volatile mount marks its work directory, and fsync and syncfs succeed on it")
{
	int fd;

	need_shale("overlayfs has other words");
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.options = "volatile"});
	fd = ASSERT_OK(open("m/a", O_RDWR | O_CLOEXEC));
	ASSERT_EQ(write(fd, "2", 1), 1);
	EXPECT_OK(fsync(fd));
	EXPECT_OK(syncfs(fd));
	close(fd);
	EXPECT(exists("w/work/incompat/volatile"));
}

TEST(volatile_refused, "after a volatile mount the upper is refused until the mark is removed")
{
	char log[LOG_SIZE];

	need_shale("overlayfs has other words");
	lower(0, "a=1");
	union_mount_with(&(struct union_opts){.options = "volatile"});
	file_append("m/a", "2");
	union_umount();
	EXPECT(exists("w/work/incompat/volatile"));
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w", log), EINVAL);
	EXPECT(strstr(log, "was mounted volatile before"));
	ASSERT_EQ(system("rm -r w/work/incompat"), 0);
	EXPECT_EQ(try_context("lowerdir=l0 upperdir=u workdir=w", log), 0);
}

TEST(work_cleaned, "what an interrupted mount left in the work directory is removed by the next")
{
	need_union();
	lower(0, "a=1");
	tree_make("w", "work/left=1 work/dir/over=2");
	union_mount();
	EXPECT_TREE("m", "a=1");
	union_umount();
	EXPECT(!exists("w/work/left"));
	EXPECT(!exists("w/work/dir"));
}

TEST(userxattr, "userxattr keeps all private attributes in user.*")
{
	lower(0, "d/a=1 e/b=2");
	need_shale("overlayfs has no redirects with userxattr");
	upper("");
	if (system("setfattr -n user.probe -v 1 u 2>/dev/null"))
		SKIP("%s has no user attributes here", union_backing());
	union_mount_with(&(struct union_opts){.options = "userxattr"});
	ops_run("m", "rename d n; unlink e/b; rmdir e; mkdir e; append n/a x");
	EXPECT_TREE("m", "e/ n/a=1x");
	union_remount();
	EXPECT_TREE("m", "e/ n/a=1x");
	union_umount();
	EXPECT_EQ(system("getfattr -d -m '^trusted' -R u 2>/dev/null | grep -q '^trusted'"), 256);
	EXPECT_EQ(system("getfattr -n user.overlay.redirect u/n >/dev/null 2>&1"), 0);
	EXPECT_EQ(system("getfattr -n user.overlay.opaque u/e >/dev/null 2>&1"), 0);
}

TEST(many_mounts, "a hundred mounts and umounts in a row work")
{
	lower(0, "a=1");
	union_mount();
	for (int i = 0; i < 100; i++)
		union_remount();
	EXPECT_STREQ(file_text("m/a"), "1");
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * userns.c - tests of unions and user namespaces: mounting inside one, and idmapped mounts of a union.
 */
#include "ops.h"
#include "union.h"

#include <dirent.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define MAPPED 100000

static int write_map(pid_t pid, const char *file, const char *text)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text)) < 0 ? -1 : 0;
	close(fd);
	return ret;
}

static const char *ids = "0 100000 65536";

static void map_ids(pid_t pid)
{
	ASSERT_OK(write_map(pid, "uid_map", ids));
	ASSERT_OK(write_map(pid, "gid_map", ids));
}

/*
 * Runs the rest as root of a new user namespace whose ids are those from MAPPED on; 0 in that process, as
 * IN_CHILD expects, 1 in the one that waited for it.
 */
static int userns_begin(void)
{
	int ready[2], go[2];
	char byte;
	pid_t pid;
	int status;

	ASSERT_OK(pipe(ready));
	ASSERT_OK(pipe(go));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(KTAP_SKIP);
		byte = 1;
		ASSERT_EQ(write(ready[1], &byte, 1), 1);
		ASSERT_EQ(read(go[0], &byte, 1), 1);
		ASSERT_OK(setresgid(0, 0, 0));
		ASSERT_OK(setresuid(0, 0, 0));
		return 0;
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1) {
		map_ids(pid);
		ASSERT_EQ(write(go[1], &byte, 1), 1);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == KTAP_SKIP)
		SKIP("no user namespaces here");
	if (!WIFEXITED(status))
		ktap_fail(__FILE__, __LINE__, "the process was killed by %s", strsignal(WTERMSIG(status)));
	return 1;
}

#define IN_USERNS for (int userns_ = userns_begin(); userns_ == 0; ktap_child_end())

static void own_tree(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "chown -R %d:%d %s", MAPPED, MAPPED, path);
	ASSERT_EQ(system(command), 0);
}

static void need_user_xattr(void)
{
	if (system("touch probe && setfattr -n user.probe -v 1 probe 2>/dev/null"))
		SKIP("%s has no user attributes here", union_backing());
}

static void setup_userns(const char *spec)
{
	need_shale("overlayfs needs its userxattr for this");
	need_user_xattr();
	lower(0, spec);
	upper("");
	ASSERT_OK(mkdir("w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	own_tree(".");
}

static const char own_options[] = "lowerdir=l0,upperdir=u,workdir=w";

TEST(mount, "root of a user namespace can mount a union of layers that belong to it")
{
	setup_userns("a=1 d/b=2 e/c=3");
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, own_options));
		EXPECT_TREE("m", "a=1 d/b=2 e/c=3");
		ops_run("m", "append a x; create n 1; mkdir q; append d/b y; chmod 600 a; mode 600 a");
		EXPECT_TREE("m", "a=1x d/b=2y e/c=3 n=1 q/");
		EXPECT_TREE_SOUND("m");
	}
	EXPECT_EQ(stat_of("u/n").st_uid, MAPPED);
}

TEST(removals, "removing, renaming and opaque directories work in such a mount, also after a remount")
{
	setup_userns("a=1 d/b=2 e/c=3 f/g=4 h1=5 h2&h1");
	IN_USERNS {
		for (int round = 0; round < 2; round++) {
			ASSERT_OK(union_try("m", 0, own_options));
			if (round == 0)
				ops_run("m", "unlink a; rename d n; unlink e/c; rmdir e; mkdir e;"
					     "create e/z 9; append h1 x; rename f n/f");
			EXPECT_TREE("m", "e/z=9 h1=5x h2=5x n/b=2 n/f/g=4");
			EXPECT_TREE_SOUND("m");
			ASSERT_OK(umount2("m", 0));
		}
	}
}

TEST(owners, "such a mount shows owners in the namespace's numbers")
{
	setup_userns("a=1 b=2");
	ASSERT_OK(chown("l0/b", MAPPED + 1000, MAPPED + 1000));
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, own_options));
		EXPECT_EQ(stat_of("m/a").st_uid, 0);
		EXPECT_EQ(stat_of("m/b").st_uid, 1000);
		EXPECT_OK(chown("m/a", 5, 6));
		EXPECT_EQ(stat_of("m/a").st_uid, 5);
	}
	EXPECT_EQ(stat_of("u/a").st_uid, MAPPED + 5);
}

TEST(foreign_owner, "a file of an owner outside the namespace cannot be changed in such a mount")
{
	setup_userns("a=1");
	ASSERT_OK(chown("l0/a", 0, 0));
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, own_options));
		EXPECT_STREQ(file_text("m/a"), "1");
		EXPECT(open("m/a", O_RDWR) < 0);
		EXPECT(chmod("m/a", 0777) < 0);
	}
	EXPECT(!exists("u/a"));
}

TEST(no_devices, "a device of a layer cannot be opened in such a mount")
{
	setup_userns("a=1");
	ASSERT_EQ(system("mknod -m 666 l0/null c 1 3"), 0);
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, own_options));
		EXPECT_ERR(open("m/null", O_RDWR), EACCES);
	}
}

TEST(foreign_upper, "a namespace cannot use an upper it may not write")
{
	setup_userns("a=1");
	ASSERT_EQ(system("chown -R 0:0 u w && chmod 755 u w"), 0);
	IN_USERNS {
		EXPECT(union_try("m", 0, own_options) < 0);
	}
	EXPECT_TREE("u", "");
}

TEST(trusted_ignored, "trusted.overlay attributes of a layer mean nothing in such a mount")
{
	setup_userns("d/a=1");
	tree_make("l1", "d/b=2");
	ASSERT_EQ(system("setfattr -n trusted.overlay.opaque -v y l0/d && chown -R 100000:100000 l1"), 0);
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1,upperdir=u,workdir=w"));
		EXPECT_TREE("m", "d/a=1 d/b=2");
	}
}

static bool lists(const char *path, const char *name)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool found = false;

	while (dir && (entry = readdir(dir)))
		found |= !strcmp(entry->d_name, name);
	if (dir)
		closedir(dir);
	return found;
}

TEST(foreign_dir, "names in a directory of a layer that the mounter may not read do not show in such a mount")
{
	setup_userns("private/mine=1 other/x=1");
	tree_make("l1", "private/secret=1 other/y=1");
	ASSERT_OK(chmod("l1/private", 0700));
	IN_USERNS {
		ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1,upperdir=u,workdir=w,whiteout=aufs"));
		EXPECT(!lists("m/private", "secret"));
		EXPECT(lists("m/other", "y"));
		ASSERT_OK(umount2("m", 0));
		ASSERT_OK(union_try("m", 0, "lowerdir=l0:l1,upperdir=u,workdir=w"));
		EXPECT(!lists("m/private", "secret"));
	}
}

/* ------------------------------------------------------------------ idmapped mounts */

static int userns_fd(void)
{
	char path[64];
	int pipes[2], fd;
	char byte;
	pid_t pid;

	ASSERT_OK(pipe(pipes));
	pid = fork();
	if (pid == 0) {
		byte = unshare(CLONE_NEWUSER) == 0;
		ASSERT_EQ(write(pipes[1], &byte, 1), 1);
		pause();
		_exit(0);
	}
	ASSERT_EQ(read(pipes[0], &byte, 1), 1);
	if (!byte)
		SKIP("no user namespaces here");
	map_ids(pid);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = ASSERT_OK(open(path, O_RDONLY | O_CLOEXEC));
	kill(pid, 9);
	waitpid(pid, NULL, 0);
	return fd;
}

/* Attaches a clone of SOURCE, its ids shifted by MAPPED, on TARGET. */
static void attach_idmapped(const char *source, const char *target)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = userns_fd()};
	int tree = ASSERT_OK(open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));

	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		if (is_shale() && !strcmp(source, "m"))
			ASSERT_OK(-1);
		SKIP("%s cannot be idmapped: %s", source, strerror(errno));
	}
	if (!exists(target))
		ASSERT_OK(mkdir(target, 0755));
	ASSERT_OK(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
	close(tree);
	close(attr.userns_fd);
}

TEST(idmap_show, "an idmapped mount of a union shows owners of every layer shifted")
{
	need_shale("overlayfs cannot be idmapped on all kernels");
	lower(0, "a=1");
	upper("b=2");
	ASSERT_OK(chown("l0/a", 5, 6));
	ASSERT_OK(chown("u/b", 7, 8));
	union_mount();
	attach_idmapped("m", "n");
	EXPECT_EQ(stat_of("n/a").st_uid, MAPPED + 5);
	EXPECT_EQ(stat_of("n/a").st_gid, MAPPED + 6);
	EXPECT_EQ(stat_of("n/b").st_uid, MAPPED + 7);
	EXPECT_EQ(stat_of("m/a").st_uid, 5);
}

TEST(idmap_create, "what is made through an idmapped mount of a union belongs to the unshifted owner")
{
	need_shale("overlayfs cannot be idmapped on all kernels");
	lower(0, "d/x=1");
	ASSERT_OK(chmod("l0/d", 0777));
	union_mount();
	attach_idmapped("m", "n");
	AS_UID(MAPPED + 1000) {
		file_write("n/d/f", "1");
		ASSERT_OK(mkdir("n/d/e", 0755));
		ASSERT_OK(symlink("f", "n/d/l"));
		ASSERT_OK(rename("n/d/f", "n/d/g"));
	}
	EXPECT_EQ(stat_of("m/d/g").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/e").st_uid, 1000);
	EXPECT_EQ(stat_of("n/d/g").st_uid, MAPPED + 1000);
}

TEST(idmap_unmapped, "an owner the mapping does not know cannot create: EOVERFLOW")
{
	need_shale("overlayfs cannot be idmapped on all kernels");
	lower(0, "d/x=1");
	ASSERT_OK(chmod("l0/d", 0777));
	union_mount();
	attach_idmapped("m", "n");
	AS_UID(1000) {
		EXPECT_ERR(open("n/d/f", O_CREAT | O_WRONLY, 0644), EOVERFLOW);
		EXPECT_ERR(mkdir("n/d/e", 0755), EOVERFLOW);
	}
	EXPECT_TREE("m", "d/x=1");
}

TEST(idmap_promote, "promotion through an idmapped mount of a union keeps the owner")
{
	need_shale("overlayfs cannot be idmapped on all kernels");
	lower(0, "d/f=1");
	ASSERT_OK(chown("l0/d/f", 1000, 1000));
	union_mount();
	attach_idmapped("m", "n");
	AS_UID(MAPPED + 1000) {
		file_append("n/d/f", "2");
		ASSERT_OK(chmod("n/d/f", 0600));
	}
	EXPECT_EQ(stat_of("m/d/f").st_uid, 1000);
	EXPECT_EQ(stat_of("m/d/f").st_mode & 07777, 0600);
	EXPECT_STREQ(file_text("m/d/f"), "12");
}

TEST(idmap_chown, "chown through an idmapped mount of a union is shifted back")
{
	need_shale("overlayfs cannot be idmapped on all kernels");
	lower(0, "f=1");
	union_mount();
	attach_idmapped("m", "n");
	EXPECT_OK(chown("n/f", MAPPED + 12, MAPPED + 13));
	EXPECT_EQ(stat_of("m/f").st_uid, 12);
	EXPECT_EQ(stat_of("m/f").st_gid, 13);
}

TEST(idmap_lower, "an idmapped mount as a lower layer shows its shifted owners")
{
	need_union();
	tree_make("raw", "f=1 d/g=2");
	ASSERT_OK(chown("raw/f", 5, 6));
	attach_idmapped("raw", "l0");
	union_mount();
	EXPECT_EQ(stat_of("m/f").st_uid, MAPPED + 5);
	file_append("m/f", "2");
	EXPECT_EQ(stat_of("m/f").st_uid, MAPPED + 5);
	EXPECT_STREQ(file_text("m/f"), "12");
}

static const char *acl_of(const char *path, const char *options)
{
	static char text[256];
	char command[128];
	FILE *out;

	snprintf(command, sizeof(command), "getfacl -cEn %s %s 2>&1 | tr '\\n' ' '", options, path);
	out = popen(command, "re");
	ASSERT(out);
	text[fread(text, 1, sizeof(text) - 1, out)] = '\0';
	pclose(out);
	return text;
}

/* Root is the same there, who mounts it has to be somebody. */
static void mount_idmapped_upper(void)
{
	ids = "0 0 1000\n1000 101000 1000";
	tree_make("raw", "u/ w/");
	attach_idmapped("raw", "up");
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=up/u,workdir=up/w"));
}

TEST(idmap_acl, "an ACL that is copied to an idmapped upper stays what it was below")
{
	need_shale("overlayfs has ways of its own");
	lower(0, "f=1");
	if (system("setfacl -m u:101000:rw l0/f 2>/dev/null"))
		SKIP("%s has no ACLs here", union_backing());
	mount_idmapped_upper();
	EXPECT_STREQ(acl_of("m/f", ""), "user::rw- user:101000:rw- group::r-- mask::rw- other::r--  ");
	ASSERT_OK(chmod("m/f", 0640));
	EXPECT_STREQ(acl_of("l0/f", ""), "user::rw- user:101000:rw- group::r-- mask::rw- other::r--  ");
	EXPECT_STREQ(acl_of("m/f", ""), "user::rw- user:101000:rw- group::r-- mask::r-- other::---  ");
	EXPECT_STREQ(acl_of("raw/u/f", ""), "user::rw- user:1000:rw- group::r-- mask::r-- other::---  ");
}

TEST(idmap_default_acl, "directories made anew on an idmapped upper get their parent's default ACL, which stays")
{
	static const char want[] = "user::rwx user:101000:rwx group::r-x mask::rwx other::r-x  ";

	need_shale("overlayfs has ways of its own");
	lower(0, "p/d/x=1");
	if (system("setfacl -d -m u:101000:rwx l0/p 2>/dev/null"))
		SKIP("%s has no ACLs here", union_backing());
	mount_idmapped_upper();
	ops_run("m", "unlink p/d/x; rmdir p/d; mkdir p/d; rmdir p/d; mkdir p/d");
	EXPECT_STREQ(acl_of("m/p/d", "-d"), want);
	EXPECT_STREQ(acl_of("m/p", "-d"), want);
	EXPECT_STREQ(acl_of("l0/p", "-d"), want);
}

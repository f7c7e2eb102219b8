// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash.c - the machine stops in the middle of changes to names: every name is then in its old state or in
 * its new one, the change can be made again, and the work directory is clean. What comes out of
 * each change is in rename.c, change.c and link.c.
 *
 * The layers are on an ext4 of their own. While one process makes all the changes of the table, each in
 * a directory of its own, the other shuts the filesystem down at a random moment: its journal then ends
 * with the last call that had returned, as after a power cut, and is replayed by the next mount.
 */
#include "union.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define EXT4_IOC_SHUTDOWN _IOR('X', 125, __u32)
#define SHUTDOWN_LOGFLUSH 1

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

#define ROUNDS 8

enum verb { CREATE, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME, EXCHANGE, TRUNCATE };

/* One change in a directory of two lower layers and an upper. */
static const struct change {
	const char *lower[2], *upper;
	enum verb verb;
	const char *a, *b;
} changes[] = {
	{{"f=1"}, "f!", CREATE, "f", NULL},
	{{"s/x=1"}, "s!", MKDIR, "s", NULL},
	{{"s/x=1"}, "", MKDIR, "n", NULL},
	{{"f=1"}, "f!", SYMLINK, "to", "f"},
	{{"f=1 g=2"}, "f!", LINK, "g", "f"},
	{{"f=1"}, "", UNLINK, "f", NULL},
	{{"f=1"}, "f=2", UNLINK, "f", NULL},
	{{"f=1", "f=0"}, "g=1", UNLINK, "g", NULL},
	{{"s/"}, "", RMDIR, "s", NULL},
	{{"s/x=1 s/y=2"}, "s/x! s/y!", RMDIR, "s", NULL},
	{{"k=1"}, "s/x! s/y!", RMDIR, "s", NULL},
	{{"f=1"}, "", RENAME, "f", "g"},
	{{"f=1 g=2"}, "", RENAME, "f", "g"},
	{{"f=1", "g=2"}, "g=3", RENAME, "f", "g"},
	{{"f=1", "g=2"}, "g!", RENAME, "f", "g"},
	{{"s/x=1"}, "", RENAME, "s", "t"},
	{{"s/x=1", "s/y=2"}, "s/z=3", RENAME, "s", "t"},
	{{"s/x=1", "t/y=2"}, "t!", RENAME, "s", "t"},
	{{"s/x=1", "t/y=2"}, "t/y!", RENAME, "s", "t"},
	{{"t/y=2"}, "t! s/!", RENAME, "s", "t"},
	{{"t/y=2"}, "t! s/x=1", RENAME, "s", "t"},
	{{"p/s/x=1 q/k=1"}, "", RENAME, "p/s", "q/t"},
	{{"p/s/x=1", "p/s/y=1 q/s/z=1"}, "q/s!", RENAME, "p/s", "q/s"},
	{{"f=1 g=2"}, "", EXCHANGE, "f", "g"},
	{{"f=1 s/x=2"}, "", EXCHANGE, "f", "s"},
	{{"s/x=1", "t/y=2"}, "s/z=3", EXCHANGE, "s", "t"},
	{{"p/s/x=1 q/t/y=2"}, "", EXCHANGE, "p/s", "q/t"},
	{{"f=1"}, "", TRUNCATE, "f", NULL},
	{{"a=1 b&a c&a"}, "", TRUNCATE, "a", NULL},
	{{"a=1 b&a c&a"}, "", UNLINK, "b", NULL},
	{{"a=1 b&a c&a"}, "", RENAME, "b", "d"},
	{{"a=1 b&a f=2"}, "", RENAME, "f", "b"},
};

#define NR (sizeof(changes) / sizeof(changes[0]))

static char *old_tree[NR], *new_tree[NR];

static int truncate_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_TRUNC | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int change_make(const struct change *c, int dir)
{
	switch (c->verb) {
	case CREATE:
		return mknodat(dir, c->a, S_IFREG | 0644, 0);
	case MKDIR:
		return mkdirat(dir, c->a, 0755);
	case SYMLINK:
		return symlinkat(c->a, dir, c->b);
	case LINK:
		return linkat(dir, c->a, dir, c->b, 0);
	case UNLINK:
		return unlinkat(dir, c->a, 0);
	case RMDIR:
		return unlinkat(dir, c->a, AT_REMOVEDIR);
	case RENAME:
		return renameat(dir, c->a, dir, c->b);
	case EXCHANGE:
		return syscall(SYS_renameat2, dir, c->a, dir, c->b, RENAME_EXCHANGE);
	case TRUNCATE:
		return truncate_at(dir, c->a);
	}
	return -1;
}

static const char *place(const char *layer, size_t i)
{
	static char path[32];

	snprintf(path, sizeof(path), "%s/d%zu", layer, i);
	return path;
}

static int change_at(size_t i)
{
	int dir = open(place("m", i), O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (dir < 0)
		return -1;
	ret = change_make(&changes[i], dir);
	close(dir);
	return ret;
}

static void disk_mount(void)
{
	ASSERT_EQ(system("mount -t ext4 -o loop disk.img disk"), 0);
	ASSERT_OK(chdir("disk"));
}

static void disk_umount(void)
{
	ASSERT_OK(chdir(".."));
	ASSERT_OK(umount2("disk", 0));
}

static void upper_make(void)
{
	tree_remove("u");
	tree_remove("w");
	tree_make("u", "");
	for (size_t i = 0; i < NR; i++)
		tree_make(place("u", i), changes[i].upper);
	union_mount();
}

static void layers_make(void)
{
	tree_make("l0", "");
	tree_make("l1", "");
	for (size_t i = 0; i < NR; i++) {
		tree_make(place("l0", i), changes[i].lower[0]);
		tree_make(place("l1", i), changes[i].lower[1] ?: "");
	}
}

static void trees_learn(void)
{
	upper_make();
	for (size_t i = 0; i < NR; i++) {
		old_tree[i] = strdup(tree_dump(place("m", i)));
		EXPECT_OK(change_at(i));
		new_tree[i] = strdup(tree_dump(place("m", i)));
		EXPECT(strcmp(old_tree[i], new_tree[i]));
	}
	union_umount();
}

static long microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void changes_make(unsigned int round)
{
	for (size_t i = 0; i < NR; i++)
		change_at((i + round * 7) % NR);
}

/* How long all changes take when nothing stops them. */
static long duration_learn(void)
{
	long start;

	upper_make();
	start = microseconds();
	changes_make(0);
	start = microseconds() - start;
	union_umount();
	return start;
}

static void crash_while_changing(unsigned int round, long duration)
{
	int fd = ASSERT_OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	__u32 flag = SHUTDOWN_LOGFLUSH;
	pid_t child;

	fflush(stdout);
	child = ASSERT_OK(fork());
	if (child == 0) {
		changes_make(round);
		_exit(0);
	}
	usleep(random() % duration);
	ASSERT_OK(ioctl(fd, EXT4_IOC_SHUTDOWN, &flag));
	ASSERT_EQ(waitpid(child, NULL, 0), child);
	close(fd);
	union_umount();
	disk_umount();
}

/* How many changes were made before the crash. */
static unsigned int old_or_new(void)
{
	unsigned int made = 0;

	disk_mount();
	union_mount();
	expect_work_clean();
	for (size_t i = 0; i < NR; i++) {
		const char *tree = tree_dump(place("m", i));

		if (!strcmp(tree, new_tree[i])) {
			made++;
			continue;
		}
		if (!EXPECT_STREQ(tree, old_tree[i])) {
			ktap_note("in d%zu, which was to become \"%s\"", i, new_tree[i]);
			continue;
		}
		EXPECT_OK(change_at(i));
		EXPECT_STREQ(tree_dump(place("m", i)), new_tree[i]);
	}
	union_umount();
	return made;
}

TEST(names, "after a crash each name is in its old state or in its new one, and can be changed again")
{
	unsigned int partly = 0;
	long duration;

	need_shale("this is about what shale writes");
	if (strcmp(union_backing(), "ext4"))
		SKIP("crashes are made on an ext4 of its own, once");
	ASSERT_EQ(system("modprobe -q loop; truncate -s 64M disk.img && mkfs.ext4 -q disk.img && mkdir disk"),
		  0);
	disk_mount();
	layers_make();
	trees_learn();
	duration = duration_learn();
	for (unsigned int round = 0; round < ROUNDS && !ktap_has_failed(); round++) {
		unsigned int made;

		srandom(round);
		upper_make();
		sync();
		crash_while_changing(round, duration);
		made = old_or_new();
		partly += made > 0 && made < NR;
	}
	ktap_note("%u of %d crashes came between the changes", partly, ROUNDS);
	EXPECT(partly > 0);
	disk_umount();
}

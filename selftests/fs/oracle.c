// SPDX-License-Identifier: GPL-2.0-only
/*
 * oracle.c - random operations on names, done to a union and to a plain directory of the same backing
 * filesystem with the same tree: each must succeed or fail alike, and the trees must stay the same over
 * remounts. In half of the cases there are hard links, in the others the upper becomes the topmost lower
 * layer now and then. The seed is in the table, so that a case that fails does so again.
 */
#include "union.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#define OPS	     600
#define COMPARE_EACH 20
#define REMOUNT_EACH 100
#define SEAL_EACH    200
#define DEPTH_MAX    3
#define PATH_SIZE    64

static const char names[] = "abcd";

static unsigned int seed;
static bool has_links;

static unsigned int pick(unsigned int count)
{
	return (unsigned int)rand_r(&seed) % count;
}

/* One operation: what it is done to, and how it is written in a report. */
struct step {
	int verb;
	char path[PATH_SIZE], other[PATH_SIZE];
};

struct verb {
	const char *name;
	unsigned int weight;
	int (*run)(const struct step *s);
};

static int append_and_close(int fd)
{
	ssize_t put;

	if (fd < 0)
		return -1;
	put = write(fd, "x", 1);
	close(fd);
	return put == 1 ? 0 : -1;
}

static int do_create(const struct step *s)
{
	return append_and_close(open(s->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

static int do_append(const struct step *s)
{
	return append_and_close(open(s->path, O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int do_truncate(const struct step *s)
{
	return truncate(s->path, 0);
}

static int do_chmod(const struct step *s)
{
	return chmod(s->path, 0700 + strlen(s->other));
}

static int do_mkdir(const struct step *s)
{
	return mkdir(s->path, 0755);
}

static int do_symlink(const struct step *s)
{
	return symlink(s->other, s->path);
}

static int do_link(const struct step *s)
{
	return link(s->other, s->path);
}

static int do_unlink(const struct step *s)
{
	return unlink(s->path);
}

static int do_rmdir(const struct step *s)
{
	return rmdir(s->path);
}

static int do_rename(const struct step *s)
{
	int ret = rename(s->other, s->path);

	/* POSIX leaves open which of the two a full directory gives; XFS differs from all others. */
	if (ret < 0 && errno == EEXIST)
		errno = ENOTEMPTY;
	return ret;
}

static int do_noreplace(const struct step *s)
{
	return renameat2(AT_FDCWD, s->other, AT_FDCWD, s->path, RENAME_NOREPLACE);
}

static int do_exchange(const struct step *s)
{
	return renameat2(AT_FDCWD, s->other, AT_FDCWD, s->path, RENAME_EXCHANGE);
}

static const struct verb verbs[] = {
	{"create", 6, do_create},   {"append", 4, do_append},	  {"truncate", 1, do_truncate},
	{"chmod", 1, do_chmod},	    {"mkdir", 7, do_mkdir},	  {"symlink", 1, do_symlink},
	{"link", 3, do_link},	    {"unlink", 6, do_unlink},	  {"rmdir", 6, do_rmdir},
	{"rename", 8, do_rename},   {"noreplace", 2, do_noreplace}, {"exchange", 3, do_exchange},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static int pick_verb(void)
{
	unsigned int total = 0, at;
	int verb = 0;

	for (size_t i = 0; i < VERBS; i++)
		total += verbs[i].weight;
	for (at = pick(total); at >= verbs[verb].weight; verb++)
		at -= verbs[verb].weight;
	return verb;
}

static void pick_path(char path[PATH_SIZE])
{
	unsigned int depth = 1 + pick(DEPTH_MAX);

	for (unsigned int i = 0; i < depth; i++) {
		path[2 * i] = names[pick(sizeof(names) - 1)];
		path[2 * i + 1] = i + 1 < depth ? '/' : '\0';
	}
}

static int run_in(const char *dir, const struct step *s)
{
	int home = ASSERT_OK(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int err;

	ASSERT_OK(chdir(dir));
	err = verbs[s->verb].run(s) < 0 ? errno : 0;
	ASSERT_OK(fchdir(home));
	close(home);
	return err;
}

/* What stat(2) must say alike of a path in both trees. */
static void expect_same_stat(const struct step *s, int number)
{
	char ours[PATH_SIZE + 8], twins[PATH_SIZE + 8];
	struct stat a = {0}, b = {0};

	snprintf(ours, sizeof(ours), "m/%s", s->path);
	snprintf(twins, sizeof(twins), "twin/%s", s->path);
	if (lstat(ours, &a) != lstat(twins, &b))
		ktap_fail(__FILE__, __LINE__, "%d: %s is only in one of the trees", number, s->path);
	if (a.st_mode != b.st_mode || (!S_ISDIR(a.st_mode) && a.st_nlink != b.st_nlink) ||
	    (S_ISREG(a.st_mode) && a.st_size != b.st_size))
		ktap_fail(__FILE__, __LINE__, "%d: %s: mode %o links %d size %d, expected %o %d %d", number,
			  s->path, a.st_mode, (int)a.st_nlink, (int)a.st_size, b.st_mode,
			  (int)b.st_nlink, (int)b.st_size);
}

static void step_run(int number)
{
	struct step s = {.verb = pick_verb()};
	int ours, twins;

	pick_path(s.path);
	pick_path(s.other);
	if (verbs[s.verb].run == do_link && !has_links)
		return;
	ours = run_in("m", &s);
	twins = run_in("twin", &s);
	if (ours != twins) {
		ktap_fail(__FILE__, __LINE__, "%d: %s %s (%s): %s, expected %s", number, verbs[s.verb].name,
			  s.path, s.other, strerrorname_np(ours), strerrorname_np(twins));
		ktap_stop();
	}
	expect_same_stat(&s, number);
}

static void expect_same_tree(int number)
{
	char *want = strdup(tree_dump("twin"));
	const char *got = tree_dump("m");

	if (strcmp(got, want)) {
		ktap_fail(__FILE__, __LINE__, "%d: the tree is \"%s\", expected \"%s\"", number, got, want);
		ktap_stop();
	}
	EXPECT_TREE_SOUND("m");
	free(want);
}

/* The upper becomes the topmost lower layer, and a new one is put on it. */
static void seal(int *layers)
{
	char from[16], to[16];

	union_umount();
	for (int i = *layers - 1; i >= 0; i--) {
		snprintf(from, sizeof(from), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i + 1);
		ASSERT_OK(rename(from, to));
	}
	ASSERT_OK(rename("u", "l0"));
	tree_remove("w");
	ASSERT_OK(mkdir("u", 0755));
	ASSERT_OK(mkdir("w", 0755));
	lower((*layers)++, "");
	union_mount();
}

static void layers_make(void)
{
	lower(0, "a/ a/b! a/c=1 b! c/! c/d=2 d/a/b=3");
	lower(1, has_links ? "a/b/c=4 b/a=5 c/a/b=6 d/a/d=8 d/b@a d/c&d/a/d" :
			     "a/b/c=4 b/a=5 c/a/b=6 d/a/ d/b@a");
	lower(2, "a/ b/c/d=7 c/b=8 d/a/c/d=9 d/c=10");
}

static void twin_make(void)
{
	tree_make("twin", tree_dump("m"));
	if (!has_links)
		return;
	ASSERT_OK(unlink("twin/d/c"));
	ASSERT_OK(link("twin/d/a/d", "twin/d/c"));
}

static void oracle_run(void)
{
	int layers = 3;

	need_union();
	layers_make();
	union_mount();
	twin_make();
	for (int i = 1; i <= OPS; i++) {
		step_run(i);
		if (i % COMPARE_EACH == 0)
			expect_same_tree(i);
		if (!has_links && i % SEAL_EACH == 0)
			seal(&layers);
		else if (i % REMOUNT_EACH == 0)
			union_remount();
		if (i % REMOUNT_EACH == 0)
			expect_same_tree(i);
	}
}

struct oracle_case {
	struct ktap_row row;
	unsigned int seed;
	bool has_links;
};

static const struct oracle_case cases[] = {
	{{"seal1", "a union and its sealed uppers do what a plain directory does, at random"}, 1, false},
	{{"seal2", "the same with other numbers"}, 2, false},
	{{"seal3", "and with others"}, 3, false},
	{{"seal4", "and with others"}, 4, false},
	{{"links1", "a union with hard links does what a plain directory does, at random"}, 5, true},
	{{"links2", "the same with other numbers"}, 6, true},
	{{"links3", "and with others"}, 7, true},
	{{"links4", "and with others"}, 8, true},
};

TEST_TABLE(names, struct oracle_case, cases, c)
{
	seed = c->seed;
	has_links = c->has_links;
	oracle_run();
}

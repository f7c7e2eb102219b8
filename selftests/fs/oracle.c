// SPDX-License-Identifier: GPL-2.0-only
/*
 * oracle.c - random operations on names, done to a union and to a plain directory of the same backing
 * filesystem with the same tree: each must succeed or fail alike, and the trees must stay the same over
 * remounts. In half of the cases there are hard links, in the others the upper becomes the topmost lower
 * layer now and then. The seed is in the table, so that a case that fails does so again.
 */
#include "ops.h"
#include "union.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OPS	     600
#define COMPARE_EACH 20
#define REMOUNT_EACH 100
#define SEAL_EACH    200
#define DEPTH_MAX    3
#define PATH_SIZE    64
#define OP_SIZE	     (2 * PATH_SIZE + 16)

static const char names[] = "abcd";

static unsigned int seed;
static bool has_links;

static unsigned int pick(unsigned int count)
{
	return (unsigned int)rand_r(&seed) % count;
}

/* What follows the verb in an operation of ops.h. */
enum shape { PATH, PATH_WORD, OTHER_PATH, MODE_PATH };

static const struct kind {
	const char *verb;
	unsigned int weight;
	enum shape shape;
	const char *word;
} kinds[] = {
	{"create", 6, PATH_WORD, "x"}, {"append", 4, PATH_WORD, "x"}, {"trunc", 1, PATH_WORD, "0"},
	{"chmod", 1, MODE_PATH},       {"mkdir", 7, PATH},	      {"symlink", 1, OTHER_PATH},
	{"link", 3, OTHER_PATH},       {"unlink", 6, PATH},	      {"rmdir", 6, PATH},
	{"rename", 8, OTHER_PATH},     {"noreplace", 2, OTHER_PATH},  {"exchange", 3, OTHER_PATH},
};

static bool is_verb(const struct kind *kind, const char *verb)
{
	return !strcmp(kind->verb, verb);
}

static const struct kind *pick_kind(void)
{
	const struct kind *kind = kinds;
	unsigned int total = 0, at;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		total += kinds[i].weight;
	for (at = pick(total); at >= kind->weight; kind++)
		at -= kind->weight;
	return kind;
}

static void pick_path(char path[PATH_SIZE])
{
	unsigned int depth = 1 + pick(DEPTH_MAX);

	for (unsigned int i = 0; i < depth; i++) {
		path[2 * i] = names[pick(sizeof(names) - 1)];
		path[2 * i + 1] = i + 1 < depth ? '/' : '\0';
	}
}

static void op_compose(char op[OP_SIZE], const struct kind *kind, const char *path, const char *other)
{
	switch (kind->shape) {
	case PATH:
		snprintf(op, OP_SIZE, "%s %s", kind->verb, path);
		break;
	case PATH_WORD:
		snprintf(op, OP_SIZE, "%s %s %s", kind->verb, path, kind->word);
		break;
	case OTHER_PATH:
		snprintf(op, OP_SIZE, "%s %s %s", kind->verb, other, path);
		break;
	case MODE_PATH:
		snprintf(op, OP_SIZE, "%s %zo %s", kind->verb, 0700 + strlen(other), path);
		break;
	}
}

/* POSIX leaves open which of the two a full directory gives; XFS differs from all others. */
static int op_try(const char *dir, const struct kind *kind, const char *op)
{
	int err = ops_try(dir, op);

	return err == EEXIST && is_verb(kind, "rename") ? ENOTEMPTY : err;
}

/* What stat(2) must say alike of a path in both trees. */
static void expect_same_stat(const char *path, int number)
{
	char ours[PATH_SIZE + 8], twins[PATH_SIZE + 8];
	struct stat a = {0}, b = {0};

	snprintf(ours, sizeof(ours), "m/%s", path);
	snprintf(twins, sizeof(twins), "twin/%s", path);
	if (lstat(ours, &a) != lstat(twins, &b))
		ktap_fail(__FILE__, __LINE__, "%d: %s is only in one of the trees", number, path);
	if (a.st_mode != b.st_mode || (!S_ISDIR(a.st_mode) && a.st_nlink != b.st_nlink) ||
	    (S_ISREG(a.st_mode) && a.st_size != b.st_size))
		ktap_fail(__FILE__, __LINE__, "%d: %s: mode %o links %d size %d, expected %o %d %d", number,
			  path, a.st_mode, (int)a.st_nlink, (int)a.st_size, b.st_mode,
			  (int)b.st_nlink, (int)b.st_size);
}

static void step_run(int number)
{
	const struct kind *kind = pick_kind();
	char path[PATH_SIZE], other[PATH_SIZE], op[OP_SIZE];
	int ours, twins;

	pick_path(path);
	pick_path(other);
	if (is_verb(kind, "link") && !has_links)
		return;
	op_compose(op, kind, path, other);
	ours = op_try("m", kind, op);
	twins = op_try("twin", kind, op);
	if (ours != twins) {
		ktap_fail(__FILE__, __LINE__, "%d: \"%s\" gave %s, expected %s", number, op,
			  strerrorname_np(ours), strerrorname_np(twins));
		ktap_stop();
	}
	expect_same_stat(path, number);
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

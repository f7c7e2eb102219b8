// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where shale cp puts things: docker's rules, of paths of all kinds.
 */
#include "ktap.h"

#include <stdio.h>

#include "shale/copy_plan.h"

struct planned {
	struct ktap_row row;
	const char *source;
	bool is_dir;
	const char *target; /* it is a directory if a 'd' stands in front, a file if 'f', and not there if '-' */
	const char *want;   /* the directory and the name, or the error */
};

static const struct planned plans[] = {
	{ { "into", "a file into a directory" }, "/a/f", false, "d/t", "/t f" },
	{ { "into_slash", "with a slash" }, "/a/f", false, "d/t/", "/t/ f" },
	{ { "over", "a file over a file" }, "/a/f", false, "f/t/g", "/t/ g" },
	{ { "new", "a file that is new" }, "/a/f", false, "-/t/g", "/t/ g" },
	{ { "here", "a file that is new here" }, "/a/f", false, "-g", ". g" },
	{ { "root", "a file that is new in the root" }, "/a/f", false, "-/g", "/ g" },
	{ { "no_dir", "a file into a directory that is not there" }, "/a/f", false, "-/t/", "no such directory: /t/" },
	{ { "dir_into", "a directory into one" }, "/a/d", true, "d/t", "/t d" },
	{ { "dir_slash", "its name is before its slash" }, "/a/d//", true, "d/t", "/t d" },
	{ { "dir_new", "a directory that is new" }, "/a/d", true, "-/t/e", "/t/ e" },
	{ { "dir_new_slash", "the same with a slash" }, "/a/d", true, "-/t/e/", "/t/ e" },
	{ { "dir_new_dot", "the same with a dot" }, "/a/d", true, "-/t/e/.", "/t/ e" },
	{ { "dir_over", "a directory over a file" }, "/a/d", true, "f/t", "cannot copy directory: /t is none" },
	{ { "contents", "what is in a directory" }, "/a/d/.", true, "d/t", "/t " },
	{ { "contents_new", "the same as a new one" }, "/a/d/.", true, "-/t/e", "/t/ e" },
	{ { "dot", "this directory" }, ".", true, "d/t", "/t " },
	{ { "all", "everything" }, "/", true, "d.", ". " },
};

TEST_TABLE(planned, struct planned, plans, c)
{
	const struct copy_end source = { c->source, true, c->is_dir };
	const struct copy_end target = { c->target + 1, *c->target != '-', *c->target == 'd' };
	struct shale_err err = { 0 };
	struct copy_plan plan;
	char got[2 * PATH_MAX + 2];

	if (copy_plan_make(&source, &target, &plan, &err))
		snprintf(got, sizeof(got), "%s", err.msg);
	else
		snprintf(got, sizeof(got), "%s %s", plan.dir, plan.name);
	EXPECT_STREQ(got, c->want);
}

TEST(split, "containers are told from paths with colons")
{
	static const char *const ours[] = { "a", "/a:b", "./a:b", "../a:b", ".:b", ":b", "-", "" };
	char container[PATH_MAX];
	const char *path;

	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		EXPECT(!copy_plan_split(ours[i], container, &path));
	EXPECT(copy_plan_split("box:/a:b", container, &path));
	EXPECT_STREQ(container, "box");
	EXPECT_STREQ(path, "/a:b");
}

TEST(follow, "links lead from where they are")
{
	struct shale_err err = { 0 };
	char path[PATH_MAX], link[PATH_MAX];

	ASSERT_EQ(copy_plan_follow("/a/l", "b/c", path, &err), 0);
	EXPECT_STREQ(path, "/a/b/c");
	ASSERT_EQ(copy_plan_follow("/a/l", "/c", path, &err), 0);
	EXPECT_STREQ(path, "/c");
	ASSERT_EQ(copy_plan_follow("l", "../c", path, &err), 0);
	EXPECT_STREQ(path, "./../c");
	memset(link, 'x', sizeof(link) - 1);
	link[sizeof(link) - 1] = '\0';
	EXPECT_EQ(copy_plan_follow("/a/l", link, path, &err), -1);
	EXPECT_EQ(err.code, ENAMETOOLONG);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stacks of lower objects, inode numbers and redirects, kmod/stack.c and kmod/redirect.c, on the host.
 * What is found in real layers is tested in selftests/fs/lookup.
 */
#include "ktap.h"

#include <stdio.h>
#include <stdlib.h>
#include <linux/dcache.h>
#include <linux/slab.h>

#include "redirect.h"
#include "stack.h"

long shim_alloc_left = -1;

struct dentry {
	int references;
};

void dput(struct dentry *dentry)
{
	if (dentry)
		dentry->references--;
}

TEST(stack_free, "freeing a stack puts each of its dentries once")
{
	struct dentry dentries[3] = {{1}, {1}, {1}};
	struct shale_stack *stack = shale_stack_alloc(3);

	ASSERT(stack);
	EXPECT_EQ(stack->nr, 3);
	for (int i = 0; i < 3; i++)
		stack->path[i].dentry = &dentries[i];
	shale_stack_free(stack);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(dentries[i].references, 0);
}

TEST(stack_free_partly, "a stack that is filled in part, and no stack at all, can be freed")
{
	struct dentry dentry = {1};
	struct shale_stack *stack = shale_stack_alloc(5);

	ASSERT(stack);
	stack->path[2].dentry = &dentry;
	shale_stack_free(stack);
	EXPECT_EQ(dentry.references, 0);
	shale_stack_free(NULL);
}

TEST(stack_no_memory, "without memory there is no stack")
{
	shim_alloc_left = 0;
	EXPECT(!shale_stack_alloc(1));
	shim_alloc_left = -1;
}

struct ino_case {
	struct ktap_row row;
	struct shale_key key;
	unsigned int bits;
	u64 want;
};

static const struct ino_case ino_cases[] = {
	{{"one_fs", "on one filesystem the number is the layer's own"}, {12345, 0}, 0, 12345},
	{{"one_fs_large", "even where all 64 bits are used"}, {~0ULL, 0}, 0, ~0ULL},
	{{"first", "the first of two filesystems shows its numbers"}, {12345, 0}, 1, 12345},
	{{"second", "the second one's have its number above them"}, {12345, 1}, 1, 12345 | 1ULL << 62},
	{{"third", "with three there are two bits"}, {7, 2}, 2, 7 | 2ULL << 61},
	{{"many", "with 4096 there are twelve"}, {7, 4095}, 12, 7 | 4095ULL << 51},
	{{"largest", "the largest number that fits is kept"}, {(1ULL << 62) - 1, 1}, 1, (1ULL << 63) - 1},
};

TEST_TABLE(ino, struct ino_case, ino_cases, c)
{
	EXPECT_EQ(shale_key_to_ino(&c->key, c->bits), c->want);
}

TEST(ino_too_large, "numbers that do not fit have the highest bit, and differ by filesystem and number")
{
	const struct shale_key a = {1ULL << 62, 0}, b = {1ULL << 62, 1}, c = {(1ULL << 62) + 1, 0};
	u64 ino_a = shale_key_to_ino(&a, 1), ino_b = shale_key_to_ino(&b, 1);
	u64 ino_c = shale_key_to_ino(&c, 1);

	EXPECT(ino_a >> 63 && ino_b >> 63 && ino_c >> 63);
	EXPECT(ino_a != ino_b);
	EXPECT(ino_a != ino_c);
	EXPECT(ino_b != ino_c);
}

TEST(key_equal, "keys are equal when number and filesystem are")
{
	const struct shale_key a = {1, 2}, same = {1, 2}, ino = {3, 2}, fsid = {1, 3};

	EXPECT(shale_key_equal(&a, &same));
	EXPECT(!shale_key_equal(&a, &ino));
	EXPECT(!shale_key_equal(&a, &fsid));
}

struct valid_case {
	struct ktap_row row;
	const char *redirect;
	bool want;
};

static const struct valid_case valid_cases[] = {
	{{"name", "a name"}, "dir", true},
	{{"dots_in_name", "a name with dots"}, "...", true},
	{{"path", "a path from the root"}, "/a/b c/d", true},
	{{"top", "a name in the root"}, "/a", true},
	{{"empty", "nothing"}, "", false},
	{{"root", "the root"}, "/", false},
	{{"relative_path", "a path from elsewhere"}, "a/b", false},
	{{"dot", "the directory itself"}, ".", false},
	{{"dotdot", "the directory above"}, "..", false},
	{{"up", "a path that leads up"}, "/a/../b", false},
	{{"up_first", "a path that leads up at once"}, "/..", false},
	{{"here", "a path that stays"}, "/a/./b", false},
	{{"double", "two slashes"}, "/a//b", false},
	{{"double_first", "two slashes first"}, "//a", false},
	{{"trailing", "a slash at the end"}, "/a/", false},
};

TEST_TABLE(valid, struct valid_case, valid_cases, c)
{
	EXPECT_EQ(shale_redirect_is_valid(c->redirect, strlen(c->redirect)), c->want);
}

TEST(valid_nul, "a redirect with a NUL in it is none")
{
	EXPECT(!shale_redirect_is_valid("a\0b", 3));
	EXPECT(!shale_redirect_is_valid("a", 2));
}

struct follow_case {
	struct ktap_row row;
	const char *path;
	size_t name_len, rest_len;
	const char *redirect, *want;
};

static const struct follow_case follow_cases[] = {
	{{"name_last", "a name replaces the last one"}, "/a/b", 1, 0, "new", "/a/new"},
	{{"name_middle", "a name replaces one on the way"}, "/a/bb/c/d", 2, 4, "x", "/a/x/c/d"},
	{{"name_first", "a name replaces the first one"}, "/a/b", 1, 2, "xyz", "/xyz/b"},
	{{"path_last", "a path replaces all"}, "/a/b", 1, 0, "/x/y", "/x/y"},
	{{"path_middle", "a path replaces all up to the name"}, "/a/b/c", 1, 2, "/x/y", "/x/y/c"},
	{{"path_first", "a path replaces the first name"}, "/a/b/c", 1, 4, "/x", "/x/b/c"},
};

TEST_TABLE(follow, struct follow_case, follow_cases, c)
{
	char *path = shale_redirect_follow(c->path, c->name_len, c->rest_len, c->redirect);

	ASSERT(path);
	EXPECT_STREQ(path, c->want);
	kfree(path);
}

TEST(follow_no_memory, "without memory there is no path")
{
	shim_alloc_left = 0;
	EXPECT(!shale_redirect_follow("/a", 1, 0, "b"));
	shim_alloc_left = -1;
}

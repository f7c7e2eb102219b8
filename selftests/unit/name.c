// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names in a layer's tar: cleaning, and telling whiteouts apart.
 */
#include "ktap.h"

#include <stdlib.h>

#include "archive/name.h"

struct name_case {
	struct ktap_row row;
	const char *text;
	const char *path; /* NULL: refused */
	enum name_kind kind;
	const char *message;
};

static const struct name_case names[] = {
	{ { "plain", "a path" }, "a/b", "a/b", NAME_PLAIN, NULL },
	{ { "dots", "single dots and slashes" }, "./a//./b/", "a/b", NAME_PLAIN, NULL },
	{ { "root", "the root" }, "./", "", NAME_PLAIN, NULL },
	{ { "empty", "nothing" }, "", "", NAME_PLAIN, NULL },
	{ { "absolute", "a leading slash" }, "///a", "a", NAME_PLAIN, NULL },
	{ { "three_dots", "three dots are a name" }, "a/...", "a/...", NAME_PLAIN, NULL },
	{ { "bytes", "any bytes" }, "a\xff\n", "a\xff\n", NAME_PLAIN, NULL },
	{ { "inside", ".wh. inside a name" }, "a.wh.b", "a.wh.b", NAME_PLAIN, NULL },
	{ { "private_deep", ".shale below the root" }, "a/.shale", "a/.shale", NAME_PLAIN, NULL },
	{ { "private_like", "a name that begins like it" }, ".shale2", ".shale2", NAME_PLAIN, NULL },
	{ { "whiteout", "a whiteout" }, "a/.wh.b", "a/b", NAME_WHITEOUT, NULL },
	{ { "whiteout_top", "at the root" }, ".wh.b", "b", NAME_WHITEOUT, NULL },
	{ { "whiteout_dir", "with a slash behind" }, ".wh.b/", "b", NAME_WHITEOUT, NULL },
	{ { "whiteout_twice", "of a name that begins with .wh." }, "a/.wh..wh.b", "a/.wh..wh.b", NAME_IGNORED, NULL },
	{ { "opaque", "an opaque directory" }, "a/b/.wh..wh..opq", "a/b", NAME_OPAQUE, NULL },
	{ { "opaque_top", "an opaque root" }, ".wh..wh..opq", "", NAME_OPAQUE, NULL },
	{ { "plnk", "AUFS's links" }, ".wh..wh.plnk/1.2", ".wh..wh.plnk/1.2", NAME_IGNORED, NULL },
	{ { "up", "two dots" }, "..", NULL, 0, "the name contains '..'" },
	{ { "up_middle", "in the middle" }, "a/../b", NULL, 0, "the name contains '..'" },
	{ { "up_last", "at the end" }, "a/..", NULL, 0, "the name contains '..'" },
	{ { "up_absolute", "after a slash" }, "/..", NULL, 0, "the name contains '..'" },
	{ { "private", ".shale at the root" }, "./.shale", NULL, 0, "the name .shale is reserved" },
	{ { "private_in", "something in it" }, ".shale/x", NULL, 0, "the name .shale is reserved" },
	{ { "private_whiteout", "its whiteout" }, ".wh..shale", NULL, 0, "the name .shale is reserved" },
	{ { "nothing", "a whiteout of nothing" }, ".wh.", NULL, 0, "a whiteout of nothing" },
	{ { "whiteout_dot", "of ." }, ".wh..", NULL, 0, "a whiteout of nothing" },
	{ { "whiteout_up", "of .." }, "a/.wh...", NULL, 0, "a whiteout of nothing" },
	{ { "whiteout_way", "a whiteout as a directory" }, ".wh.a/b", NULL, 0, "a whiteout is not a directory" },
	{ { "opaque_way", "an opaque mark as a directory" }, "a/.wh..wh..opq/b", NULL, 0, "a whiteout is not a directory" },
};

TEST_TABLE(name, struct name_case, names, c)
{
	__cleanup_buf struct buf path = BUF_INIT;
	struct shale_err err = { 0 };
	enum name_kind kind;

	if (c->message) {
		EXPECT_EQ(name_parse(c->text, &path, &kind, &err), -1);
		EXPECT_EQ(err.code, EINVAL);
		EXPECT_STREQ(err.msg, c->message);
		return;
	}
	ASSERT_EQ(name_parse(c->text, &path, &kind, &err), 0);
	EXPECT_STREQ(buf_str(&path), c->path);
	EXPECT_EQ(kind, c->kind);
}

/* count components of len bytes each. */
static int clean_long(size_t len, size_t count, struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;
	__cleanup_buf struct buf text = BUF_INIT;

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < len; j++)
			ASSERT_OK(buf_addc(&text, 'x'));
		ASSERT_OK(buf_addc(&text, '/'));
	}
	return name_clean(buf_str(&text), &path, err);
}

TEST(component, "a component may have 255 bytes and no more")
{
	struct shale_err err = { 0 };

	EXPECT_EQ(clean_long(NAME_MAX_COMPONENT, 1, &err), 0);
	EXPECT_EQ(clean_long(NAME_MAX_COMPONENT + 1, 1, &err), -1);
	EXPECT_EQ(err.code, ENAMETOOLONG);
	EXPECT_STREQ(err.msg, "a component is longer than 255 bytes");
}

TEST(path, "a path may have 4095 bytes and no more")
{
	struct shale_err err = { 0 };

	EXPECT_EQ(clean_long(1, 2048, &err), 0);
	EXPECT_EQ(clean_long(1, 2049, &err), -1);
	EXPECT_EQ(err.code, ENAMETOOLONG);
	EXPECT_STREQ(err.msg, "the name is longer than 4095 bytes");
}

TEST(base, "the last component")
{
	EXPECT_STREQ(name_base("a/b"), "b");
	EXPECT_STREQ(name_base("a"), "a");
	EXPECT_STREQ(name_base(""), "");
}

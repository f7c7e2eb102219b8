// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys that detach from a container: how they are written, and what of typed bytes is passed on.
 */
#include "ktap.h"

#include <stdio.h>

#include "shale/detach.h"

struct typing {
	struct ktap_row row;
	const char *keys;
	const char *pieces[4]; /* as they are read */
	const char *passed;
	bool is_detached;
};

static const struct typing typings[] = {
	{ { "none", "other keys" }, "ctrl-p,ctrl-q", { "abc", "\x11" }, "abc\x11", false },
	{ { "both", "the keys" }, "ctrl-p,ctrl-q", { "\x10\x11" }, "", true },
	{ { "apart", "the keys one by one" }, "ctrl-p,ctrl-q", { "a\x10", "\x11", "b" }, "a", true },
	{ { "half", "half of them is passed on with the next one" }, "ctrl-p,ctrl-q", { "\x10", "x" }, "\x10x", false },
	{ { "held", "half of them is held back" }, "ctrl-p,ctrl-q", { "x\x10" }, "x", false },
	{ { "twice", "the first one twice" }, "ctrl-p,ctrl-q", { "\x10\x10\x11" }, "\x10", true },
	{ { "again", "keys that begin anew within themselves" }, "a,b,a,c", { "ababac" }, "ab", true },
	{ { "letters", "letters, and control with others" }, "x,CTRL-[,ctrl-_", { "x\x1b\x1f" }, "", true },
};

TEST_TABLE(typing, struct typing, typings, c)
{
	unsigned char out[64];
	struct shale_err err = { 0 };
	struct detach detach;
	bool is_detached = false;
	size_t len = 0;

	ASSERT_EQ(detach_parse(c->keys, &detach, &err), 0);
	for (size_t i = 0; i < 4 && c->pieces[i] && !is_detached; i++)
		len += detach_filter(&detach, (const unsigned char *)c->pieces[i], strlen(c->pieces[i]), out + len,
				     &is_detached);
	out[len] = '\0';
	EXPECT_STREQ((char *)out, c->passed);
	EXPECT_EQ(is_detached, c->is_detached);
}

TEST(refused, "keys that there are not")
{
	static const char *const bad[] = { "", "ctrl-", "ctrl-1", "ab", "a,,b", "a,", "ctrl-p,alt-q",
					   "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a" };
	struct shale_err err;
	struct detach detach;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		err = (struct shale_err){ 0 };
		EXPECT_EQ(detach_parse(bad[i], &detach, &err), -1);
		EXPECT(strstr(err.msg, "invalid detach keys") != NULL);
	}
}

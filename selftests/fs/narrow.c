// SPDX-License-Identifier: GPL-2.0-only
/*
 * narrow.c - tests of searches that do not ask every layer (kmod/narrow.c): what they find is what a search
 * through all layers finds, whatever makes names seem to be or not to be, and how many layers they ask is
 * counted by the module itself.
 */
#include "union.h"

#include <linux/shale.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define MANY 40
/* Names that are missing often enough for narrow.c to read the directories. */
#define TRIES 12

static struct shale_ioc_stats stats_get(void)
{
	struct shale_ioc_stats stats = {.size = sizeof(stats)};
	int fd = ASSERT_OK(open("m", O_RDONLY | O_DIRECTORY));

	ASSERT_OK(ioctl(fd, SHALE_IOC_STATS, &stats));
	close(fd);
	return stats;
}

/* What RUN asks of layers. */
#define ASKED(RUN)                                                     \
	({                                                             \
		__u64 asked_before = stats_get().layer_lookups;        \
                                                                       \
		RUN;                                                   \
		stats_get().layer_lookups - asked_before;              \
	})

static void miss(const char *dir, int times)
{
	static int seq;
	char path[64];

	for (int i = 0; i < times; i++) {
		snprintf(path, sizeof(path), "%s/missing%d", dir, seq++);
		EXPECT(!exists(path));
	}
}

/* Layer i has d/own<i>, and d/every, and the lowest d/low. */
static void many_layers(void)
{
	char spec[64];

	for (int i = 0; i < MANY; i++) {
		snprintf(spec, sizeof(spec), "d/own%d=%d d/every=%d%s", i, i, i, i + 1 == MANY ? " d/low=low" : "");
		lower(i, spec);
	}
}

static void many_mount(void)
{
	need_shale("other filesystems do not count what they ask of layers");
	many_layers();
	union_mount();
}

TEST(missing, "a name that no layer has is asked of none of them after a few that were missing, too")
{
	many_mount();
	EXPECT(!exists("m/d/first"));
	miss("m/d", TRIES);
	EXPECT_EQ(ASKED(miss("m/d", 10)), 0);
}

TEST(listed, "after a listing a name that is missing is asked of no layer")
{
	many_mount();
	EXPECT_EQ(tree_count_files("m/d"), MANY + 2);
	EXPECT_EQ(ASKED(miss("m/d", 1)), 0);
}

TEST(lowest, "a name that only the lowest layer has is asked of that one")
{
	many_mount();
	miss("m/d", TRIES);
	EXPECT_EQ(ASKED(EXPECT_STREQ(file_text("m/d/low"), "low")), 1);
}

TEST(few, "a directory that is searched once is not read")
{
	struct shale_ioc_stats before;

	many_mount();
	before = stats_get();
	EXPECT_STREQ(file_text("m/d/low"), "low");
	/* d in all layers, low in all of them. */
	EXPECT_EQ(stats_get().layer_lookups - before.layer_lookups, 2 * MANY + 1);
}

TEST(all, "each layer's own names are found, and the topmost of those that all have")
{
	char path[32], text[16];

	many_mount();
	miss("m/d", TRIES);
	for (int i = 0; i < MANY; i++) {
		snprintf(path, sizeof(path), "m/d/own%d", i);
		snprintf(text, sizeof(text), "%d", i);
		EXPECT_STREQ(file_text(path), text);
	}
	EXPECT_STREQ(file_text("m/d/every"), "0");
	EXPECT_EQ(tree_count_files("m/d"), MANY + 2);
}

TEST(upper_names, "names that are made, removed and made again above are what is found")
{
	many_mount();
	miss("m/d", TRIES);
	file_write("m/d/new", "new");
	EXPECT_STREQ(file_text("m/d/new"), "new");
	EXPECT_OK(unlink("m/d/low"));
	EXPECT(!exists("m/d/low"));
	EXPECT_OK(unlink("m/d/new"));
	EXPECT(!exists("m/d/new"));
	EXPECT(!exists("u/d/new"));
	EXPECT(exists("u/d/low"));
	file_write("m/d/low", "again");
	EXPECT_OK(rename("m/d/own7", "m/d/moved"));
	EXPECT(!exists("m/d/own7"));
}

static const struct narrow_case {
	struct ktap_row row;
	const char *layers[4];
	const char *want;
	const char *hidden;
} narrow_cases[] = {
	{{"whiteout", "a whiteout in the middle hides what is below it"},
	 {"d/a=1", "d/b!", "d/b=3 d/c=3"}, "d/a=1 d/c=3", "m/d/b"},
	{{"whiteout_aufs", "so does one of AUFS's family"},
	 {"d/a=1", "d/.wh.b=", "d/b=3 d/c=3"}, "d/a=1 d/c=3", "m/d/b"},
	{{"replaced", "a directory beside its own whiteout of AUFS's family is not merged"},
	 {"d/x/a=1", "d/.wh.x= d/x/b=2", "d/x/c=3"}, "d/x/a=1 d/x/b=2", "m/d/x/c"},
	{{"opaque", "an opaque directory ends the search, though below the name is"},
	 {"d/a=1", "d/x/! d/x/b=2", "d/x/c=3 d/a=3"}, "d/a=1 d/x/b=2", "m/d/x/c"},
	{{"opaque_aufs", "an opaque mark of AUFS's family does, too"},
	 {"d/a=1", "d/x/.wh..wh..opq= d/x/b=2", "d/x/c=3"}, "d/a=1 d/x/b=2", "m/d/x/c"},
	{{"file_over", "a file hides a directory below, and a directory a file"},
	 {"d/x=1", "d/x/a=2 d/y/a=2", "d/y=3"}, "d/x=1 d/y/a=2", "m/d/x/a"},
	{{"gap", "a directory is merged over a layer that has not got it"},
	 {"d/x/a=1", "d/z=2", "d/x/c=3", "d/x/e=4"}, "d/x/a=1 d/x/c=3 d/x/e=4 d/z=2", "m/d/x/z"},
};
TEST_TABLE(view, struct narrow_case, narrow_cases, c)
{
	need_shale("AUFS's whiteouts are among them");
	for (int i = 0; i < 4 && c->layers[i]; i++)
		lower(i, c->layers[i]);
	union_mount();
	miss("m", TRIES);
	miss("m/d", TRIES);
	miss("m/d/x", TRIES);
	EXPECT_EQ(ASKED(miss("m/d", 1)), 0);
	EXPECT(!exists(c->hidden));
	EXPECT_TREE("m", c->want);
	EXPECT_TREE_SOUND("m");
}

TEST(redirect, "a directory that was renamed in a layer is looked for below under its old name")
{
	need_shale("overlayfs does so only when told to");
	lower(0, "p/old/a=1 p/old/b=1 p/other=1");
	lower(1, "p/old/c=2 p/x=2");
	union_mount();
	EXPECT_OK(rename("m/p/old", "m/p/new"));
	file_write("m/p/new/d", "d");
	union_seal();
	miss("m/p", TRIES);
	EXPECT_TREE("m/p/new", "a=1 b=1 c=2 d=d");
	EXPECT(!exists("m/p/old"));
	EXPECT_TREE("m/p", "new/a=1 new/b=1 new/c=2 new/d=d other=1 x=2");
}

TEST(long_names, "names of 255 bytes are told apart by their last one")
{
	char name[2][300];

	need_shale("this is about its sets of names");
	for (int i = 0; i < 2; i++) {
		memset(name[i], 'n', sizeof(name[i]));
		memcpy(name[i], "m/d/", 4);
		name[i][4 + 254] = '0' + i;
		name[i][4 + 255] = '\0';
	}
	lower(0, "d/a=1");
	lower(1, "d/b=1");
	ASSERT_OK(chdir("l1"));
	file_write(name[0] + 2, "there");
	ASSERT_OK(chdir(".."));
	union_mount();
	miss("m/d", TRIES);
	EXPECT(exists(name[0]));
	EXPECT(!exists(name[1]));
}

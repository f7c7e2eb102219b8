// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recognising a store's layers in lines of mountinfo, however their paths are escaped.
 */
#include "ktap.h"

#include <stdio.h>

#include "store/mounts.h"

#define ONE  "1111111111111111111111111111111111111111111111111111111111111111"
#define TWO  "2222222222222222222222222222222222222222222222222222222222222222"
#define HEAD "36 35 0:40 / /mnt rw,relatime shared:1 - "

struct line_case {
	struct ktap_row row;
	const char *line;
	const char *store;
	const char *seen; /* first digit of each layer, in order */
};

static const struct line_case lines[] = {
	{ { "shale", "layers of shale" },
	  HEAD "shale shale ro,lowerdir=/s/layers/sha256/" ONE "/diff:/s/layers/sha256/" TWO "/diff\n", "/s", "12" },
	{ { "overlay", "of overlayfs" },
	  HEAD "overlay overlay rw,lowerdir=/s/layers/sha256/" TWO "/diff,upperdir=/u,workdir=/w\n", "/s", "2" },
	{ { "plus", "one parameter each" },
	  HEAD "shale x rw,lowerdir+=/s/layers/sha256/" ONE "/diff,lowerdir+=/s/layers/sha256/" TWO "/diff\n", "/s", "12" },
	{ { "blank", "a blank in the store's path" },
	  HEAD "shale x rw,lowerdir=/a\\040b/layers/sha256/" ONE "/diff\n", "/a b", "1" },
	{ { "colon", "a colon in it" },
	  HEAD "shale x rw,lowerdir=/a\\134:b/layers/sha256/" ONE "/diff\n", "/a:b", "1" },
	{ { "comma", "a comma in it" },
	  HEAD "shale x rw,lowerdir=/a\\134\\054b/layers/sha256/" ONE "/diff\n", "/a,b", "1" },
	{ { "other", "another store" },
	  HEAD "shale x rw,lowerdir=/t/layers/sha256/" ONE "/diff\n", "/s", "" },
	{ { "short", "a path that is cut" },
	  HEAD "shale x rw,lowerdir=/s/layers/sha256/111", "/s", "" },
	{ { "bare", "a line without options" }, "36 35 0:40 / /mnt rw", "/s", "" },
	{ { "empty", "an empty line" }, "", "/s", "" },
};

struct seen {
	char text[8];
	char target[32];
};

static int note(void *arg, const struct digest *diff_id, const char *target)
{
	struct seen *seen = arg;
	size_t len = strlen(seen->text);

	if (len + 1 < sizeof(seen->text))
		seen->text[len] = '0' + (diff_id->sum[0] & 15);
	snprintf(seen->target, sizeof(seen->target), "%s", target);
	return 0;
}

TEST_TABLE(line, struct line_case, lines, c)
{
	struct seen seen = { "", "" };

	EXPECT_EQ(mounts_scan_line(c->line, c->store, note, &seen), 0);
	EXPECT_STREQ(seen.text, c->seen);
	if (*c->seen)
		EXPECT_STREQ(seen.target, "/mnt");
}

TEST(target, "the mount point is told as it is")
{
	struct seen seen = { "", "" };

	EXPECT_EQ(mounts_scan_line("36 35 0:40 / /a\\040b rw - shale x lowerdir=/s/layers/sha256/" ONE
				   "/diff", "/s", note, &seen), 0);
	EXPECT_STREQ(seen.target, "/a b");
}

static int refuse(void *arg, const struct digest *diff_id, const char *target)
{
	(void)arg;
	(void)diff_id;
	(void)target;
	return -1;
}

TEST(ends_early, "who is told can stop the search")
{
	EXPECT_EQ(mounts_scan_line(HEAD "shale x lowerdir=/s/layers/sha256/" ONE "/diff", "/s",
				   refuse, NULL), -1);
}

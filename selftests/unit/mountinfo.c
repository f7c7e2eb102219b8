// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of /proc/self/mountinfo taken apart: with and without optional fields, and what is no line.
 */
#include "ktap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kapi/mountinfo.h"

struct line_case {
	struct ktap_row row;
	const char *line;
	const char *attrs; /* NULL: it is no line */
	const char *options;
};

static const struct line_case line_cases[] = {
	{ { "plain", "no optional field" },
	  "36 35 98:0 / /m rw,noatime - shale shale rw,lowerdir=/a:/b\n", "rw,noatime",
	  "rw,lowerdir=/a:/b" },
	{ { "optional", "two optional fields" },
	  "36 35 98:0 / /m ro,idmapped shared:1 master:2 - ext4 /dev/vda rw\n", "ro,idmapped", "rw" },
	{ { "dash", "a target with a dash in it" },
	  "36 35 98:0 / /a-b rw - tmpfs none rw,size=1k\n", "rw", "rw,size=1k" },
	{ { "escapes", "blanks stay escaped" },
	  "36 35 98:0 / /a\\040b rw - shale s rw,lowerdir=/x\\040y\n", "rw",
	  "rw,lowerdir=/x\\040y" },
	{ { "no_newline", "the last line may have no newline" },
	  "36 35 98:0 / /m rw - shale s rw", "rw", "rw" },
	{ { "no_dash", "without a dash" }, "36 35 98:0 / /m rw shale s rw\n", NULL, NULL },
	{ { "short", "ends after the type" }, "36 35 98:0 / /m rw - shale\n", NULL, NULL },
	{ { "few", "too few words before the dash" }, "36 35 - shale s rw\n", NULL, NULL },
	{ { "empty", "an empty line" }, "\n", NULL, NULL },
};

TEST_TABLE(line, struct line_case, line_cases, c)
{
	struct mountinfo info = { .line = NULL };
	char *line = strdup(c->line);
	int ret = mountinfo_parse(line, &info);

	EXPECT_EQ(ret, c->attrs ? 0 : -1);
	if (c->attrs) {
		EXPECT_STREQ(info.attrs, c->attrs);
		EXPECT_STREQ(info.options, c->options);
	}
	free(line);
}

TEST(proc, "the mount of a descriptor is found")
{
	struct mountinfo info = { .line = NULL };
	struct shale_err err = { 0 };
	int fd = ASSERT_OK(open("/proc/self", O_PATH | O_CLOEXEC));

	ASSERT(!mountinfo_get(fd, &info, &err));
	EXPECT(!strncmp(info.attrs, "rw", 2) || !strncmp(info.attrs, "ro", 2));
	mountinfo_release(&info);
}

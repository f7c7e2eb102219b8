// SPDX-License-Identifier: GPL-2.0-only
/*
 * coherent_lower.c - that a shared read-only mapping made of a file before anything was written to it shows
 * what is written then, in whatever way. The rest of the table of pairs is in coherent.c.
 */
#include "union.h"

#include "../coherent/coherent.h"

#include <stdio.h>
#include <sys/mman.h>

static const struct mapping_case {
	struct ktap_row row;
	const char *reader;
} cases[] = {
	{{"read", "a shared mapping of a lower file that was read shows every kind of write"}, "shared_old"},
	{{"unread", "a shared mapping of a lower file that was not read shows every kind of write"},
	 "shared_unread"},
	{{"proc", "a shared mapping of a lower file in another process shows every kind of write"},
	 "shared_proc"},
};

TEST_TABLE(mapping, struct mapping_case, cases, c)
{
	overlay_lacks("mappings of lower files that show writes");
	for (int i = 0; i < WRITERS; i++)
		if (pairs_can(&writers[i]))
			pairs_add(&writers[i], reader_named(c->reader), &states[0], i);
	pairs_run();
}

static void between_nothing(void)
{
}

static void between_chmod(void)
{
	ASSERT_OK(chmod("m/f", 0600));
}

static void between_rename(void)
{
	ASSERT_OK(rename("m/f", "m/new"));
}

static void between_unlink(void)
{
	ASSERT_OK(unlink("m/f"));
}

static void between_link(void)
{
	ASSERT_OK(link("m/f", "m/new"));
	ASSERT_OK(unlink("m/f"));
}

static const struct between_case {
	struct ktap_row row;
	void (*between)(void);
} between_cases[] = {
	{{"write", "two writes in a row show in a mapping from before the first"}, between_nothing},
	{{"chmod", "a mapping shows what is written after the file was promoted without a write"},
	 between_chmod},
	{{"rename", "a mapping shows what is written after the file was renamed"}, between_rename},
	{{"unlink", "a mapping shows what is written after the file was removed"}, between_unlink},
	{{"link", "a mapping shows what is written after the file's name was replaced by a link"}, between_link},
};

TEST_TABLE(between, struct between_case, between_cases, c)
{
	unsigned char *map;
	int fd, old;

	overlay_lacks("mappings of lower files that show writes");
	lower(0, "");
	file_make("l0/f");
	union_mount_with(&union_by_blocks);
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	old = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	map = map_make(old, PROT_READ, MAP_SHARED);
	ASSERT(map && map_touch(map, SIZE) == SIZE);
	c->between();
	for (off_t at = BLOCK; at < 3 * BLOCK; at += BLOCK) {
		EXPECT_EQ(file_put(fd, at, 100, FRESH_BYTES), 0);
		EXPECT(!memcmp(map + at, bytes_at(FRESH_BYTES, at), 100));
		EXPECT(!memcmp(map + at + 100, bytes_at(OLD_BYTES, at + 100), 100));
	}
	close(fd);
	close(old);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trying a filesystem: what is found on one that can do everything asked, that nothing is left
 * behind, and what is said where nothing can be tried. What the filesystems of the virtual machine
 * can do is tested there, through shale doctor.
 */
#include "ktap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kapi/probe.h"

static const struct check *check_find(const struct check_list *list, const char *name)
{
	for (size_t i = 0; i < list->nr; i++)
		if (!strcmp(list->check[i].name, name))
			return &list->check[i];
	return NULL;
}

static size_t entries_count(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	ASSERT(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

TEST(tmpfs, "tmpfs: exchange, temporary files, holes and types are found, reflink is not")
{
	static const char *const able[] = { "O_TMPFILE", "RENAME_EXCHANGE", "RENAME_NOREPLACE",
					    "d_type", "holes" };
	char root[] = "/dev/shm/shale-probe-XXXXXX";
	struct check_list list = { .nr = 0 };
	struct shale_err err = { 0 };
	int fd;

	ASSERT(mkdtemp(root));
	fd = ASSERT_OK(open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	EXPECT(!probe_dir(fd, &list, &err));
	EXPECT_STREQ(check_find(&list, "filesystem")->detail, "tmpfs");
	for (size_t i = 0; i < sizeof(able) / sizeof(able[0]); i++)
		EXPECT_STREQ(check_find(&list, able[i])->detail, "yes");
	EXPECT_EQ(check_find(&list, "reflink")->state, CHECK_NOTE);
	EXPECT_STREQ(check_find(&list, "reflink")->detail,
		     "no (Operation not supported): copying a file copies its data");
	EXPECT_EQ(entries_count(root), 2);
	EXPECT_OK(rmdir(root));
}

TEST(proc, "where no directory can be made, nothing is tried")
{
	struct check_list list = { .nr = 0 };
	struct shale_err err = { 0 };
	int fd = ASSERT_OK(open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	EXPECT_EQ(probe_dir(fd, &list, &err), -1);
	EXPECT_STREQ(err.msg, "cannot make a directory to try things in: No such file or directory");
}

TEST(full_list, "a list that is full keeps its newest finding")
{
	struct check_list list = { .nr = 0 };

	for (int i = 0; i < CHECK_MAX + 2; i++)
		check_add(&list, "check", CHECK_OK, "%d", i);
	EXPECT_EQ(list.nr, CHECK_MAX);
	EXPECT_STREQ(list.check[CHECK_MAX - 1].detail, "33");
	EXPECT(!check_first_problem(&list));
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * contents.c - short runs of the oracle of contents (selftests/oracle), which does random operations on the
 * bytes of files and compares with a model; and the proof that it notices one write that is not in its model.
 */
#include "union.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define OPERATIONS 700
#define PATH_SIZE  512

/* The oracle is built beside the directory of this program. */
static void oracle_path(char path[PATH_SIZE])
{
	ssize_t length = ASSERT_OK(readlink("/proc/self/exe", path, PATH_SIZE - 32));

	path[length] = '\0';
	*strrchr(path, '/') = '\0';
	strcpy(strrchr(path, '/'), "/oracle/oracle");
}

/* What it prints becomes notes; its exit status. */
static int oracle(unsigned long seed)
{
	char command[PATH_SIZE + 64], path[PATH_SIZE], line[512];
	FILE *out;

	oracle_path(path);
	setenv("SHALE_TEST_FSTYPE", union_fstype(), 1);
	snprintf(command, sizeof(command), "%s o %d %lu", path, OPERATIONS, seed);
	out = popen(command, "re");
	ASSERT(out);
	while (fgets(line, sizeof(line), out))
		ktap_note("%s", line);
	return WEXITSTATUS(pclose(out));
}

TEST(fixed, "random operations on contents do what a model says, from a fixed seed")
{
	EXPECT_EQ(oracle(1), 0);
}

TEST(random, "and from a seed that is new each time, and printed")
{
	EXPECT_EQ(oracle(time(NULL) % 1000000), 0);
}

TEST(forgotten, "the oracle fails when a single write is missing in its model")
{
	setenv("SHALE_ORACLE_FORGET", "50", 1);
	EXPECT_EQ(oracle(1), 1);
}

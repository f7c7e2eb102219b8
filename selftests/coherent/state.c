// SPDX-License-Identifier: GPL-2.0-only
/*
 * state.c - what a file can have been through when the write of a pair comes.
 */
#include "coherent.h"

#include <sys/stat.h>

/* A whole block, and parts of two others. */
static const struct range between[] = {{2 * BLOCK, BLOCK}, {LAST - 2 * BLOCK + 4000, 200}};

static void make_promoted(const char *path)
{
	ASSERT_OK(chmod(path, 0600));
}

static void make_partly(const char *path)
{
	int fd = ASSERT_OK(open(path, O_WRONLY | O_CLOEXEC));

	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++)
		ASSERT_EQ(file_put(fd, between[i].at, between[i].length, STATE_BYTES), 0);
	close(fd);
}

static void apply_partly(struct model *m)
{
	for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++)
		model_put(m, between[i].at, between[i].length, STATE_BYTES);
}

const struct state states[STATES] = {
	{"never written", "l0", NULL, NULL, 4, 2},
	{"promoted", "l0", make_promoted, NULL, 1, 1},
	{"partly written", "l0", make_partly, apply_partly, 2, 1},
	{"of the upper", "u", NULL, NULL, 1, 1},
};

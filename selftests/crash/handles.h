/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * handles.h - file handles that a workload takes, and whether they open their files after a crash.
 */
#ifndef SELFTESTS_CRASH_HANDLES_H
#define SELFTESTS_CRASH_HANDLES_H

#include "expect.h"

#include <fcntl.h>

#define HANDLES_MAX 16

struct handles {
	struct taken {
		struct file_handle head;
		unsigned char bytes[MAX_HANDLE_SZ];
		char path[PATH_SIZE]; /* as it was taken */
		ino_t ino;
		unsigned int step;
	} taken[HANDLES_MAX];
	unsigned int count;
};

/* Of the file PATH of the union, whose root is open, in this step. */
bool handles_take(struct handles *handles, int root, const char *path, unsigned int step);

/*
 * Each opens the file it was taken of. It may be stale after names were changed, once there was a handle, and were
 * not synced. Writes the reason into WHY if it does not hold.
 */
bool handles_hold(const struct handles *handles, const struct model *model, struct moment moment, char *why);

#endif /* SELFTESTS_CRASH_HANDLES_H */

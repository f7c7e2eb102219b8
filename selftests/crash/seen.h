/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * seen.h - what is found in the union: all names, attributes and bytes, read once.
 */
#ifndef SELFTESTS_CRASH_SEEN_H
#define SELFTESTS_CRASH_SEEN_H

#include "names.h"

#include <sys/stat.h>

struct seen {
	struct seen_name {
		char path[PATH_SIZE];
		struct stat stat;
		unsigned char *bytes; /* stat.st_size of them; NULL: a directory */
	} name[NAMES_MAX];
	unsigned int count;
};

/* False, with a line said, when something cannot be read. */
bool seen_read(struct seen *seen, const char *root);
void seen_free(struct seen *seen);

#endif /* SELFTESTS_CRASH_SEEN_H */

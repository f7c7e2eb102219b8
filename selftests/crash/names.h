/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * names.h - the merged tree as the model sees it: a list of paths, each a directory or one of the files
 * that the model numbers; and what a step does to it.
 */
#ifndef SELFTESTS_CRASH_NAMES_H
#define SELFTESTS_CRASH_NAMES_H

#include "workload.h"

#include <stdbool.h>

#define NAMES_MAX 40
#define DIRECTORY (-1)
#define NO_NAME	  (-2)

struct names {
	struct name {
		char path[PATH_SIZE];
		int file; /* or DIRECTORY */
	} name[NAMES_MAX];
	unsigned int count;
};

int names_find(const struct names *names, const char *path); /* the file, DIRECTORY or NO_NAME */
void names_add(struct names *names, const char *path, int file);

/* Whether the step changes names at all. */
bool step_is_of_names(const struct step *step);
/* Does it; CREATED is the number of a created file. False: it cannot be done to these names. */
bool names_apply(struct names *names, const struct step *step, int created);

/* Is PATH in the directory DIR ("." is the root), not deeper? */
bool path_is_in(const char *path, const char *dir);

#endif /* SELFTESTS_CRASH_NAMES_H */

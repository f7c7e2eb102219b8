/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * docker's rules of where cp puts things. Pure.
 */
#ifndef SHALE_CLI_COPY_PLAN_H
#define SHALE_CLI_COPY_PLAN_H

#include <limits.h>
#include <stdbool.h>

#include "base/err.h"

/* One end of a copy, as it was given and as it was found. */
struct copy_end {
	const char *path;
	bool exists, is_dir;
};

struct copy_plan {
	char dir[PATH_MAX];  /* what is copied goes into this directory, */
	char name[PATH_MAX]; /* under this name; "": what is in the source goes there itself */
};

int copy_plan_make(const struct copy_end *source, const struct copy_end *target, struct copy_plan *ret_plan,
		   struct shale_err *err);
/* Splits CONTAINER:PATH; false: it is a path of ours, or "-". */
bool copy_plan_split(const char *word, char ret_container[PATH_MAX], const char **ret_path);
/* What a link at PATH leads to, as a path from the same root. */
int copy_plan_follow(const char *path, const char *link, char ret_path[PATH_MAX], struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a verb's archive goes: to standard output, or into a file, which is there whole or not at all.
 */
#ifndef SHALE_CLI_OUTPUT_H
#define SHALE_CLI_OUTPUT_H

#include "base/err.h"

typedef int (*output_fn)(void *arg, int fd, struct shale_err *err);

/* PATH may be NULL, for standard output. What is no regular file (a pipe, /dev/null) is written as it is. */
int output_write(const char *path, output_fn write, void *arg, struct shale_err *err);

#endif

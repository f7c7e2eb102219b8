/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that a verb is given to work on, one by one.
 */
#ifndef SHALE_CLI_FILE_H
#define SHALE_CLI_FILE_H

#include "base/err.h"

/* Opens a regular file, a link to one included. What is no such file is refused, and never opened: that could wait,
 * or wake a device. */
int file_open(const char *name, int flags, int *ret_fd, struct shale_err *err);

#endif

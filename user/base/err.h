/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors of the library: fill them where the fault is known, wrap them on the way up.
 *
 * All three functions return -1, so that a caller can write `return shale_err_set(...)`. A NULL
 * err is allowed and means that nobody will read the message. Printing is the programs' business.
 */
#ifndef SHALE_BASE_ERR_H
#define SHALE_BASE_ERR_H

#include <shale.h>

/* Replaces *err. @code is a positive errno. */
int shale_err_set(struct shale_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Replaces *err with the current errno and appends ": strerror". */
int shale_err_errno(struct shale_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Prefixes "what was being done: " to the message that is already there. */
int shale_err_wrap(struct shale_err *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif

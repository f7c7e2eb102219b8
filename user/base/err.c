// SPDX-License-Identifier: GPL-2.0-only
/*
 * Filling and wrapping struct shale_err. Formats into the fixed message buffer and truncates, so
 * that reporting a failure can itself never fail. Called from every room.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names from an archive must neither break the line nor talk to the terminal. */
static void hide_controls(struct shale_err *err)
{
	for (char *at = err->msg; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

int shale_err_set(struct shale_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	hide_controls(err);
	return -1;
}

int shale_err_errno(struct shale_err *err, const char *fmt, ...)
{
	int code = errno;
	char why[128];
	size_t used;
	va_list ap;

	if (!err)
		return -1;
	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s",
		 strerror_r(code, why, sizeof(why)));
	hide_controls(err);
	return -1;
}

int shale_err_wrap(struct shale_err *err, const char *fmt, ...)
{
	char inner[sizeof(err->msg)];
	size_t used;
	va_list ap;

	if (!err)
		return -1;
	memcpy(inner, err->msg, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	used = strlen(err->msg);
	snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", inner);
	hide_controls(err);
	return -1;
}

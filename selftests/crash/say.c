// SPDX-License-Identifier: GPL-2.0-only
/*
 * say.c - the lines of the crash harness, and the shell commands that it cannot do without; see say.h.
 */
#include "say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say_args(const char *fmt, va_list args)
{
	printf("# ");
	vprintf(fmt, args);
}

void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_args(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
}

void die(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	va_start(args, fmt);
	say_args(fmt, args);
	va_end(args);
	if (err)
		printf(": %s", strerror(err));
	printf("\n");
	fflush(stdout);
	exit(1);
}

void shell(const char *fmt, ...)
{
	char command[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	fflush(stdout);
	errno = 0;
	if (system(command) != 0)
		die("this failed: %s", command);
}

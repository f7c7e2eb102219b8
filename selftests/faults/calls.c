// SPDX-License-Identifier: GPL-2.0-only
/*
 * calls.c - results of calls; see calls.h.
 */
#include "calls.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

int error_of(long ret)
{
	return ret < 0 ? errno : 0;
}

int end_with(int fd, int err)
{
	if (fd >= 0 && close(fd) < 0 && !err)
		err = errno;
	return err;
}

static sigjmp_buf bus_jump;

static void bus_caught(int signal)
{
	siglongjmp(bus_jump, signal);
}

int guarded(int (*run)(void *), void *arg)
{
	struct sigaction action = {.sa_handler = bus_caught}, old;
	int err;

	sigaction(SIGBUS, &action, &old);
	err = sigsetjmp(bus_jump, 1) ? EIO : run(arg);
	sigaction(SIGBUS, &old, NULL);
	return err;
}

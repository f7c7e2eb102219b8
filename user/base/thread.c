// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starting threads; see thread.h. Called by servers.
 */
#include "base/thread.h"

#include <signal.h>

int thread_start(pthread_t *ret_thread, size_t stack, void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int code;

	pthread_attr_init(&attr);
	if (stack)
		pthread_attr_setstacksize(&attr, stack);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	code = pthread_create(ret_thread, &attr, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return code;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads beside those who wait for signals.
 */
#ifndef SHALE_BASE_THREAD_H
#define SHALE_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

/* One that no signal is delivered to; stack 0: of the system's size. 0, or the number of an error. */
int thread_start(pthread_t *ret_thread, size_t stack, void *(*run)(void *), void *arg);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls.h - what a call that may fail has given, as an errno.
 */
#ifndef SELFTESTS_FAULTS_CALLS_H
#define SELFTESTS_FAULTS_CALLS_H

/* Room for the reason that something is wrong. */
#define REASON_SIZE 320

/* The errno of a call that gave RET, or 0. */
int error_of(long ret);
/* Closes FD, if it is one; ERR or, if that is 0, the error of closing. */
int end_with(int fd, int err);
/* RUN, which loads from and stores to mapped memory; EIO where that gave SIGBUS. */
int guarded(int (*run)(void *), void *arg);

#endif /* SELFTESTS_FAULTS_CALLS_H */

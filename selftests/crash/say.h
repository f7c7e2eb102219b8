/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * say.h - how the crash harness speaks: lines that begin with "# ", which are comments in KTAP. die() is
 * for the harness itself being unable to go on; a violation of what is tested is never a reason to die.
 */
#ifndef SELFTESTS_CRASH_SAY_H
#define SELFTESTS_CRASH_SAY_H

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* With the meaning of errno behind it, unless that is 0. Status 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* A command of the shell that has to succeed. */
void shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* SELFTESTS_CRASH_SAY_H */

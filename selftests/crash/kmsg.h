/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmsg.h - what the kernel says while a crash point is tried.
 */
#ifndef SELFTESTS_CRASH_KMSG_H
#define SELFTESTS_CRASH_KMSG_H

#include <stdbool.h>
#include <stddef.h>

/* From now on. */
void kmsg_begin(void);
/* Has it reported damage since? Then the line is in REPORT. */
bool kmsg_has_report(char *report, size_t size);

#endif /* SELFTESTS_CRASH_KMSG_H */

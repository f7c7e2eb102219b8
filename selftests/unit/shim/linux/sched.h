/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sched.h - what lets others run in the kernel and is nothing in user space, for MODEL files that are
 * tested on the host.
 */
#ifndef SHIM_LINUX_SCHED_H
#define SHIM_LINUX_SCHED_H

#define cond_resched() do { } while (0)

#endif /* SHIM_LINUX_SCHED_H */

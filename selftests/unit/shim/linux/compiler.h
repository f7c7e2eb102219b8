/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compiler.h - loads and stores of what other threads change, for MODEL files that are tested on the
 * host. Atomic operations here order by themselves, more strictly than the kernel's, so that barriers
 * between them are nothing: a sanitizer does not understand barriers. A missing one is not found.
 * With shim_is_racing set, other threads get their turn where they can do the most harm.
 */
#ifndef SHIM_LINUX_COMPILER_H
#define SHIM_LINUX_COMPILER_H

#include <sched.h>
#include <stdbool.h>

__attribute__((weak)) bool shim_is_racing;

static inline void shim_race(void)
{
	if (shim_is_racing)
		sched_yield();
}

#define READ_ONCE(x)		 __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define WRITE_ONCE(x, v)	 __atomic_store_n(&(x), v, __ATOMIC_RELEASE)
#define smp_load_acquire(p)	 __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v)	 __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_rmb()		 do { } while (0)
#define smp_wmb()		 do { } while (0)

#endif /* SHIM_LINUX_COMPILER_H */

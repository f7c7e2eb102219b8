/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rcupdate.h - RCU for MODEL files that are tested on the host: freeing waits until nobody reads. So
 * what is used after its reader let go, or read without being a reader, is freed memory, and
 * AddressSanitizer says so.
 */
#ifndef SHIM_LINUX_RCUPDATE_H
#define SHIM_LINUX_RCUPDATE_H

#include <pthread.h>

#include <linux/slab.h>

struct rcu_head {
	void *unused[2];
};

__attribute__((weak)) pthread_rwlock_t shim_rcu =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

#define rcu_read_lock()	  pthread_rwlock_rdlock(&shim_rcu)
#define rcu_read_unlock() pthread_rwlock_unlock(&shim_rcu)

#define kfree_rcu(p, member)                       \
	do {                                       \
		pthread_rwlock_wrlock(&shim_rcu);  \
		pthread_rwlock_unlock(&shim_rcu);  \
		kfree(p);                          \
	} while (0)

#endif /* SHIM_LINUX_RCUPDATE_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slab.h - the kernel's allocator over malloc(3), for MODEL files that are tested on the host. A test
 * sets shim_alloc_left to the number of allocations that succeed before one fails; below zero none does.
 */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <stdlib.h>

#define GFP_KERNEL	   0
#define GFP_KERNEL_ACCOUNT 0

extern long shim_alloc_left;

static inline void *shim_alloc(size_t nr, size_t size)
{
	if (shim_alloc_left == 0)
		return NULL;
	if (shim_alloc_left > 0)
		shim_alloc_left--;
	return calloc(nr, size);
}

#define kmalloc(size, gfp)	shim_alloc(1, size)
#define kvzalloc(size, gfp)	shim_alloc(1, size)
#define kvcalloc(nr, size, gfp) shim_alloc(nr, size)
#define struct_size(p, member, nr) (sizeof(*(p)) + (nr) * sizeof((p)->member[0]))
#define kfree(p)		free(p)
#define kvfree(p)		free(p)

#endif /* SHIM_LINUX_SLAB_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slab.h - the kernel's allocator over malloc(3), for MODEL files that are tested on the host. A test
 * sets shim_alloc_left to the number of allocations that succeed before one fails; below zero none does.
 * shim_alloc_bytes is what was allocated and not freed.
 */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <malloc.h>
#include <stdlib.h>

#define GFP_KERNEL	   0
#define GFP_KERNEL_ACCOUNT 0
#define GFP_NOFS	   0
#define __GFP_ACCOUNT	   0

extern long shim_alloc_left;
__attribute__((weak)) long shim_alloc_bytes;

static inline void *shim_alloc(size_t nr, size_t size)
{
	void *p;

	if (shim_alloc_left == 0)
		return NULL;
	if (shim_alloc_left > 0)
		shim_alloc_left--;
	p = calloc(nr, size);
	__atomic_fetch_add(&shim_alloc_bytes, malloc_usable_size(p), __ATOMIC_RELAXED);
	return p;
}

static inline void shim_free(const void *p)
{
	__atomic_fetch_sub(&shim_alloc_bytes, malloc_usable_size((void *)p), __ATOMIC_RELAXED);
	free((void *)p);
}

#define kmalloc(size, gfp)	shim_alloc(1, size)
#define kvmalloc(size, gfp)	shim_alloc(1, size)
#define kzalloc(size, gfp)	shim_alloc(1, size)
#define kvzalloc(size, gfp)	shim_alloc(1, size)
#define kvcalloc(nr, size, gfp) shim_alloc(nr, size)
#define struct_size(p, member, nr) (sizeof(*(p)) + (nr) * sizeof((p)->member[0]))
#define kfree(p)		shim_free(p)
#define kvfree(p)		shim_free(p)

#endif /* SHIM_LINUX_SLAB_H */

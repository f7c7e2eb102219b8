/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmap.h - mappings, where kernels differ. For mmap_parts.c and mapped.c.
 */
#ifndef _SHALE_COMPAT_MMAP_H
#define _SHALE_COMPAT_MMAP_H

#include <linux/fs.h>
#include <linux/mm.h>

#ifndef HAVE_VM_FLAGS_SET
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}
#endif

/* Of the two ways to make a mapping a file has one. */
static inline void compat_only_mmap(struct file_operations *fops)
{
#ifdef HAVE_MMAP_PREPARE
	fops->mmap_prepare = NULL;
#endif
}

#endif /* _SHALE_COMPAT_MMAP_H */

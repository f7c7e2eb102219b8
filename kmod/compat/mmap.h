/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mmap.h - mappings, where kernels differ. For mmap_parts.c, mapped.c and real_pages.c.
 */
#ifndef _SHALE_COMPAT_MMAP_H
#define _SHALE_COMPAT_MMAP_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#ifdef HAVE_FOLIO_BATCH_H
#include <linux/folio_batch.h>
#else
#include <linux/pagevec.h>
#endif

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

/* From now on the page cache of a file is made of single pages. The flags are also changed by others, bit by bit. */
static inline void compat_single_pages(struct address_space *mapping)
{
#ifdef HAVE_FOLIO_ORDERS
	unsigned int bit;

	if (mapping_min_folio_order(mapping))
		return;
	for (bit = 0; bit < AS_FOLIO_ORDER_BITS; bit++)
		clear_bit(AS_FOLIO_ORDER_MAX + bit, &mapping->flags);
#else
	clear_bit(AS_LARGE_FOLIO_SUPPORT, &mapping->flags);
#endif
}

#endif /* _SHALE_COMPAT_MMAP_H */

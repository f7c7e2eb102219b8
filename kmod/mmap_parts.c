// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap_parts.c - FACE: mappings of a regular file whose bytes are in several layers. The mapping is one of the top part's
 * file, and what that does not have is put into its pages when they are needed: the page of a block
 * that is not the top's is filled with what is below, under its lock, and stays clean. So reading through a mapping
 * writes nothing. A store makes the block the top's first, in ->page_mkwrite, where the filesystem dirties the page.
 *
 * A filled page may be dropped and come back as the hole that it is on disk; nobody maps it then without
 * coming here, and read(2) never asks for it. No inode is locked in a fault, and nothing is copied from or
 * to user memory; what may sleep for the layers below comes before the locks. See the list in map.c.
 */
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "cow.h"
#include "cred.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"

static u64 pos_of(const struct vm_fault *vmf)
{
	return (u64)vmf->pgoff << PAGE_SHIFT;
}

/* The bytes of a page that are below the top, or none. */
static u64 bytes_below(const struct shale_parts *parts, u64 pos)
{
	u64 limit = shale_map_limit(parts->maps[0]), nr;

	if (pos >= limit || shale_map_run(parts->maps[0], pos >> SHALE_MAP_BLOCK_SHIFT, 1, &nr))
		return 0;
	return min_t(u64, PAGE_SIZE, limit - pos);
}

static int below_read_as_mounter(struct shale_parts *parts, u64 pos, u64 len, u8 *buf)
{
	const struct cred *old = shale_cred_begin(parts->inode->i_sb);
	int err = shale_parts_below_read(parts, pos, len, buf);

	shale_cred_end(old);
	return err;
}

static void page_fill(struct page *page, const u8 *buf, u64 len)
{
	memcpy_to_page(page, 0, (const char *)buf, len);
	flush_dcache_page(page);
}

/* The page of a fault, locked by the top part's filesystem. */
static vm_fault_t fault_fill(struct vm_fault *vmf, struct shale_parts *parts, const u8 *buf)
{
	vm_fault_t ret;
	u64 len;

	down_read(&parts->sem);
	ret = parts->vm_ops->fault(vmf);
	if (ret & VM_FAULT_LOCKED) {
		len = bytes_below(parts, pos_of(vmf));
		if (len)
			page_fill(vmf->page, buf, len);
	}
	up_read(&parts->sem);
	return ret;
}

static vm_fault_t parts_fault(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	u64 pos = pos_of(vmf), len = bytes_below(parts, pos);
	vm_fault_t ret = VM_FAULT_SIGBUS;
	struct page *page;

	if (!len)
		return parts->vm_ops->fault(vmf);
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return VM_FAULT_OOM;
	if (!below_read_as_mounter(parts, pos, len, page_address(page)))
		ret = fault_fill(vmf, parts, page_address(page));
	__free_page(page);
	return ret;
}

/* What is mapped without being asked for: only what the top has. */
static vm_fault_t parts_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	struct shale_map *const top_and_rest[] = { parts->maps[0], NULL };
	u64 pos = (u64)start << PAGE_SHIFT, stop = ((u64)end + 1) << PAGE_SHIFT;
	struct shale_run run;
	vm_fault_t ret = 0;

	for (; pos < stop; pos += run.len) {
		run = shale_cow_run(top_and_rest, pos, stop - pos);
		/* The page that the limit is in has something from below. */
		if (run.part)
			run.len = round_up(run.len, PAGE_SIZE);
		else
			ret |= parts->vm_ops->map_pages(vmf, pos >> PAGE_SHIFT,
							((pos + run.len) >> PAGE_SHIFT) - 1);
	}
	return ret;
}

/* tmpfs has nothing to prepare for a store, and only wants the page locked. */
static vm_fault_t page_lock(struct vm_fault *vmf)
{
	lock_page(vmf->page);
	if (vmf->page->mapping == vmf->vma->vm_file->f_mapping)
		return VM_FAULT_LOCKED;
	unlock_page(vmf->page);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t parts_page_mkwrite(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	u64 first, nr;
	vm_fault_t ret;

	sb_start_pagefault(parts->inode->i_sb);
	down_read(&parts->sem);
	ret = parts->vm_ops->page_mkwrite ? parts->vm_ops->page_mkwrite(vmf) : page_lock(vmf);
	if (ret & VM_FAULT_LOCKED) {
		shale_cow_blocks(parts->maps[0], pos_of(vmf), PAGE_SIZE, &first, &nr);
		if (shale_map_set(parts->maps[0], first, nr)) {
			unlock_page(vmf->page);
			ret = VM_FAULT_OOM;
		} else if (nr) {
			shale_mapio_dirty(parts->inode);
		}
	}
	up_read(&parts->sem);
	sb_end_pagefault(parts->inode->i_sb);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = parts_fault,
	.map_pages = parts_map_pages,
	.page_mkwrite = parts_page_mkwrite,
};

/* msync(2) and fsync(2) through the mapping's own file: the map goes with the data. */
static int parts_fsync(struct file *real, loff_t start, loff_t end, int datasync)
{
	struct shale_parts *parts = container_of(real->f_op, struct shale_parts, fops);
	const struct cred *old = shale_cred_begin(parts->inode->i_sb);
	int err = shale_mapio_flush(parts->inode);

	shale_cred_end(old);
	return err ?: parts->real_fops->fsync(real, start, end, datasync);
}

int shale_parts_mmap_prepare(struct file *file, struct shale_parts *parts)
{
	struct file *top = shale_file_slot(file, !parts->upper);
	int err;

	if (IS_ERR(top))
		return PTR_ERR(top);
	if (parts->is_mappable)
		return 0;
	err = shale_parts_below_open(parts);
	if (err)
		return err;
	parts->real_fops = top->f_op;
	parts->fops = *top->f_op;
	if (parts->fops.fsync)
		parts->fops.fsync = parts_fsync;
	smp_store_release(&parts->is_mappable, true);
	return 0;
}

int shale_parts_mmap(struct file *real, struct shale_parts *parts, struct vm_area_struct *vma)
{
	int err = shale_real_mmap(real, vma);

	if (err)
		return err;
	/* Who keeps something in the mapping, or counts its copies, cannot be stood in front of. */
	if (vma->vm_private_data || !vma->vm_ops || vma->vm_ops->open || vma->vm_ops->close)
		return -ENODEV;
	if (real->f_op == parts->real_fops)
		WRITE_ONCE(real->f_op, &parts->fops);
	WRITE_ONCE(parts->vm_ops, vma->vm_ops);
	vma->vm_ops = &vm_ops;
	vma->vm_private_data = parts;
	return 0;
}

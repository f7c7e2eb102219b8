// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap_parts.c - FACE: mappings of a regular file whose bytes are in several layers. The mapping is one of the top part's
 * file, and what that does not have is put into its pages when they are needed, by fill.c, which dirties
 * none. So reading through a mapping writes nothing. A store makes the blocks the top's first, in ->page_mkwrite,
 * where the filesystem dirties the folio.
 *
 * A filled page may be dropped and come back as the hole that it is on disk; nobody maps it then without coming here, and
 * read(2) never asks for it. Each fault leaves the whole folio filled, not a page of it: some kernels map
 * all of a folio for a fault of one page, all do where it fits a huge page, and its blocks become dirty together.
 *
 * No inode is locked in a fault, and nothing is copied from or to user memory; what may sleep for the layers below
 * is read while no lock is held, and then it is tried again. See the list in map.c.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/pagevec.h>

#include "compat/mmap.h"
#include "cow.h"
#include "cred.h"
#include "fill.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"

/* Until the processor tries the access again, and signals are seen. */
#define TRIES 16

static bool folio_is_needless(struct shale_parts *parts, struct folio *folio)
{
	return shale_fill_is_needless(parts, folio_pos(folio), folio_size(folio));
}

/* FOLIO is locked. Writers hold the semaphore while they lock folios, so it is not waited for. */
static bool folio_fill(struct shale_parts *parts, struct folio *folio, const struct shale_below *below)
{
	bool is_done;

	if (folio_is_needless(parts, folio))
		return true;
	if (!down_read_trylock(&parts->sem))
		return false;
	is_done = shale_fill_folio(parts, folio, below);
	up_read(&parts->sem);
	return is_done;
}

/* Nothing is locked: waits for writers, and for the layers below. */
static int folio_wait(struct shale_parts *parts, u64 pos, u64 len, struct shale_below *below)
{
	down_read(&parts->sem);
	up_read(&parts->sem);
	return shale_below_read(below, parts, pos, len);
}

static vm_fault_t error_of(int err)
{
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/*
 * A folio comes locked from its filesystem, and goes on so if it could be filled at once. As long as it does, the
 * mapping cannot have gone: who let go of its lock returns without a folio.
 */
static vm_fault_t fault_fill(struct vm_fault *vmf, struct shale_parts *parts, struct shale_below *below)
{
	struct folio *folio = page_folio(vmf->page);
	u64 pos = folio_pos(folio), len = folio_size(folio);
	int err;

	if (folio_fill(parts, folio, below))
		return VM_FAULT_LOCKED;
	folio_unlock(folio);
	folio_put(folio);
	vmf->page = NULL;
	err = folio_wait(parts, pos, len, below);
	return err ? error_of(err) : 0;
}

static vm_fault_t parts_fault(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	struct shale_below below = {};
	vm_fault_t ret, filled = 0;
	int i;

	for (i = 0; !filled && i < TRIES; i++) {
		ret = parts->vm_ops->fault(vmf);
		if (!(ret & VM_FAULT_LOCKED))
			break;
		filled = fault_fill(vmf, parts, &below);
		ret = (ret & ~VM_FAULT_LOCKED) | (filled ?: VM_FAULT_NOPAGE);
	}
	shale_below_free(&below);
	return ret;
}

/* Is what FOLIO holds shown as it is? Takes no lock that it would wait for. */
static bool folio_try(struct shale_parts *parts, struct address_space *mapping, struct folio *folio)
{
	bool is_filled;

	if (!folio_test_uptodate(folio) || !folio_trylock(folio))
		return false;
	is_filled = folio->mapping == mapping && folio_test_uptodate(folio) &&
		    (folio_is_needless(parts, folio) || shale_fill_folio(parts, folio, NULL));
	folio_unlock(folio);
	return is_filled;
}

/* Pages that are mapped without being asked for, from folios that are held: nobody drops those in between, so what
 * is mapped is what was filled. */
static vm_fault_t batch_map(struct vm_fault *vmf, struct folio_batch *batch, pgoff_t start, pgoff_t end)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	pgoff_t next = start; /* behind the folios that are filled, from START on */
	vm_fault_t ret = 0;
	unsigned int i;

	for (i = 0; i < folio_batch_count(batch); i++) {
		struct folio *folio = batch->folios[i];
		bool is_filled = folio_try(parts, mapping, folio);

		if (next > start && (!is_filled || folio->index > next)) {
			ret |= parts->vm_ops->map_pages(vmf, start, next - 1);
			start = next;
		}
		if (is_filled) {
			if (next == start)
				start = max(start, folio->index);
			next = min(end + 1, folio_next_index(folio));
		} else {
			start = next = min(end + 1, folio_next_index(folio));
		}
	}
	if (next > start)
		ret |= parts->vm_ops->map_pages(vmf, start, next - 1);
	return ret;
}

static void batch_put(struct folio_batch *batch)
{
	unsigned int i;

	for (i = 0; i < folio_batch_count(batch); i++)
		folio_put(batch->folios[i]);
}

static vm_fault_t folios_map(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	struct folio_batch batch;
	vm_fault_t ret = 0;
	pgoff_t from;

	while (start <= end) {
		from = start;
		folio_batch_init(&batch);
		if (!filemap_get_folios(mapping, &start, end, &batch))
			break;
		ret |= batch_map(vmf, &batch, from, end);
		batch_put(&batch);
	}
	return ret;
}

/* No folio is larger, and each is aligned to its size. */
static bool is_all_of_top(struct shale_parts *parts, pgoff_t start, pgoff_t end)
{
	u64 first = round_down((u64)start << PAGE_SHIFT, PMD_SIZE);

	return shale_fill_is_needless(parts, first, round_up(((u64)end + 1) << PAGE_SHIFT, PMD_SIZE) - first);
}

/* May be called under RCU, so nothing here sleeps. */
static vm_fault_t parts_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	vm_fault_t ret;

	if (is_all_of_top(parts, start, end))
		return parts->vm_ops->map_pages(vmf, start, end);
	if (!down_read_trylock(&parts->sem))
		return 0;
	ret = folios_map(vmf, start, end);
	up_read(&parts->sem);
	return ret;
}

/* Before a folio is dirtied as a whole, all of it is what the file shows. The page that is stored to was filled before
 * it was mapped. */
static vm_fault_t folio_prepare(struct shale_parts *parts, struct folio *folio, struct address_space *mapping)
{
	u64 pos = folio_pos(folio), len = folio_size(folio);
	struct shale_below below = {};
	bool is_filled = false;
	int i, err = 0;

	if (!folio_test_large(folio) || folio_is_needless(parts, folio))
		return 0;
	for (i = 0; !is_filled && !err && i < TRIES; i++) {
		folio_lock(folio);
		is_filled = folio->mapping != mapping || folio_fill(parts, folio, &below);
		folio_unlock(folio);
		if (!is_filled)
			err = folio_wait(parts, pos, len, &below);
	}
	shale_below_free(&below);
	if (err)
		return error_of(err);
	return is_filled ? 0 : VM_FAULT_NOPAGE;
}

/* What the kernel does with a page that ->page_mkwrite did not lock; tmpfs has none. */
static vm_fault_t page_lock(struct vm_fault *vmf)
{
	lock_page(vmf->page);
	if (page_folio(vmf->page)->mapping == vmf->vma->vm_file->f_mapping)
		return VM_FAULT_LOCKED;
	unlock_page(vmf->page);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t blocks_take(struct shale_parts *parts, struct folio *folio)
{
	u64 first, nr;

	shale_cow_blocks(parts->maps[0], folio_pos(folio), folio_size(folio), &first, &nr);
	if (shale_map_set(parts->maps[0], first, nr)) {
		folio_unlock(folio);
		return VM_FAULT_OOM;
	}
	if (nr)
		shale_mapio_dirty(parts->inode);
	return VM_FAULT_LOCKED;
}

static vm_fault_t mkwrite_locked(struct vm_fault *vmf, struct shale_parts *parts)
{
	vm_fault_t ret = 0;

	if (parts->vm_ops->page_mkwrite)
		ret = parts->vm_ops->page_mkwrite(vmf);
	if (!(ret & (VM_FAULT_LOCKED | VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)))
		ret |= page_lock(vmf);
	if (!(ret & VM_FAULT_LOCKED))
		return ret;
	return (ret & ~VM_FAULT_LOCKED) | blocks_take(parts, page_folio(vmf->page));
}

static vm_fault_t parts_page_mkwrite(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	vm_fault_t ret;

	sb_start_pagefault(parts->inode->i_sb);
	ret = folio_prepare(parts, page_folio(vmf->page), vmf->vma->vm_file->f_mapping);
	if (!ret) {
		down_read(&parts->sem);
		ret = mkwrite_locked(vmf, parts);
		up_read(&parts->sem);
	}
	sb_end_pagefault(parts->inode->i_sb);
	return ret;
}

static const struct vm_operations_struct vm_ops = {
	.fault = parts_fault,
	.map_pages = parts_map_pages,
	.page_mkwrite = parts_page_mkwrite,
};

int shale_parts_mmap(struct file *file, struct shale_parts *parts, struct vm_area_struct *vma)
{
	struct file *real = shale_file_slot(file, !parts->upper), *mapped;
	int err;

	if (IS_ERR(real))
		return PTR_ERR(real);
	mapped = shale_mapped_file(file, parts);
	if (IS_ERR(mapped))
		return PTR_ERR(mapped);
	err = shale_real_mmap(real, vma);
	if (err)
		return err;
	/* Who keeps something in the mapping, or counts its copies, cannot be stood in front of. */
	if (vma->vm_private_data || !vma->vm_ops || vma->vm_ops->open || vma->vm_ops->close)
		return -ENODEV;
	/* Nor can a file that is itself one of another layer's. */
	if (vma->vm_file != real)
		return -ENODEV;
	WRITE_ONCE(parts->vm_ops, vma->vm_ops);
	vma_set_file(vma, mapped);
	shale_parts_map(vma, parts);
	return 0;
}

/* A huge page put together from small ones is mapped without a fault, holes and all. */
void shale_parts_map(struct vm_area_struct *vma, struct shale_parts *parts)
{
	vm_flags_set(vma, VM_NOHUGEPAGE);
	vma->vm_ops = &vm_ops;
	vma->vm_private_data = parts;
}

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
#include <linux/sched.h>

#include "cow.h"
#include "cred.h"
#include "fill.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"

/* Until the processor tries the access again, and signals are seen. */
#define TRIES 16
/* As many as are usually mapped around a fault. */
#define HELD 16

/* FOLIO is locked. Writers hold the semaphore while they lock folios, so it is not waited for. */
static bool folio_fill(struct shale_filling *f, struct folio *folio)
{
	bool is_done;

	if (shale_fill_is_needless(f->parts, folio_pos(folio), folio_size(folio)))
		return true;
	if (!down_read_trylock(&f->parts->sem))
		return false;
	is_done = shale_fill_folio(f, folio);
	up_read(&f->parts->sem);
	return is_done;
}

/*
 * A writer has the semaphore. It is not waited for: who faults may hold locks of layers, as some filesystems do while
 * they copy to the user's memory. So the access is tried again a moment later, and signals end it.
 */
static void writer_pass(void)
{
	schedule_timeout_killable(1);
}

/* Nothing of ours is locked: lets writers go first, and waits for the layers below. */
static int folio_wait(struct shale_filling *f, u64 pos, u64 len)
{
	if (down_read_trylock(&f->parts->sem))
		up_read(&f->parts->sem);
	else
		writer_pass();
	return shale_filling_read(f, pos, len);
}

static vm_fault_t error_of(int err)
{
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/*
 * A folio comes locked from its filesystem, and goes on so if it could be filled at once. As long as it does, the
 * mapping cannot have gone: who let go of its lock returns without a folio.
 */
static vm_fault_t fault_fill(struct vm_fault *vmf, struct shale_filling *f)
{
	struct folio *folio = page_folio(vmf->page);
	u64 pos = folio_pos(folio), len = folio_size(folio);
	int err;

	if (folio_fill(f, folio))
		return VM_FAULT_LOCKED;
	folio_unlock(folio);
	folio_put(folio);
	vmf->page = NULL;
	err = folio_wait(f, pos, len);
	return err ? error_of(err) : 0;
}

static vm_fault_t parts_fault(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	struct shale_filling f;
	vm_fault_t ret, filled = 0;
	int i;

	shale_filling_begin(&f, parts, vmf->pgoff);
	for (i = 0; !filled && i < TRIES; i++) {
		ret = parts->vm_ops->fault(vmf);
		if (!(ret & VM_FAULT_LOCKED))
			break;
		filled = fault_fill(vmf, &f);
		ret = (ret & ~VM_FAULT_LOCKED) | (filled ?: VM_FAULT_NOPAGE);
	}
	shale_filling_end(&f);
	return ret;
}

/* Is what FOLIO holds shown as it is? Takes no lock that it would wait for. */
static bool folio_try(struct shale_filling *f, struct address_space *mapping, struct folio *folio)
{
	bool is_filled;

	if (!folio_test_uptodate(folio) || !folio_trylock(folio))
		return false;
	is_filled = folio->mapping == mapping && folio_test_uptodate(folio) && shale_fill_folio(f, folio);
	folio_unlock(folio);
	return is_filled;
}

/*
 * Pages that are mapped without being asked for. Folios are held from when they are filled until their filesystem has
 * mapped them: nobody drops them in between, so what is mapped is what was filled.
 */
struct around {
	struct vm_fault *vmf;
	struct shale_filling f;
	pgoff_t start, end; /* filled and not mapped yet */
	unsigned int nr;
	struct folio *held[HELD];
	vm_fault_t ret;
};

static void around_map(struct around *a)
{
	if (a->end > a->start)
		a->ret |= a->f.parts->vm_ops->map_pages(a->vmf, a->start, a->end - 1);
	while (a->nr)
		folio_put(a->held[--a->nr]);
	a->start = a->end;
}

/* Takes over the reference to FOLIO. */
static void around_add(struct around *a, struct folio *folio)
{
	bool is_filled = folio_try(&a->f, a->vmf->vma->vm_file->f_mapping, folio);

	if (!is_filled || folio->index > a->end || a->nr == HELD)
		around_map(a);
	a->held[a->nr++] = folio;
	if (a->start == a->end)
		a->start = max(a->start, folio->index);
	a->end = min(a->f.last + 1, folio_next_index(folio));
	if (!is_filled)
		a->start = a->end;
}

static void folios_map(struct around *a)
{
	struct address_space *mapping = a->vmf->vma->vm_file->f_mapping;
	pgoff_t next = a->start;
	struct folio_batch batch;
	unsigned int i;

	do {
		folio_batch_init(&batch);
		filemap_get_folios(mapping, &next, a->f.last, &batch);
		for (i = 0; i < folio_batch_count(&batch); i++)
			around_add(a, batch.folios[i]);
	} while (folio_batch_count(&batch) && next <= a->f.last);
	around_map(a);
}

/* No folio is larger, and each is aligned to its size. */
static bool is_all_of_top(struct shale_parts *parts, pgoff_t start, pgoff_t end)
{
	u64 first = round_down((u64)start << PAGE_SHIFT, PMD_SIZE);

	if (!shale_fill_is_needless(parts, (u64)start << PAGE_SHIFT, PAGE_SIZE))
		return false;
	return shale_fill_is_needless(parts, first, round_up(((u64)end + 1) << PAGE_SHIFT, PMD_SIZE) - first);
}

/* May be called under RCU, so nothing here sleeps. */
static vm_fault_t parts_map_pages(struct vm_fault *vmf, pgoff_t start, pgoff_t end)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	struct around a = { .vmf = vmf, .start = start, .end = start };

	if (is_all_of_top(parts, start, end))
		return parts->vm_ops->map_pages(vmf, start, end);
	if (!down_read_trylock(&parts->sem))
		return 0;
	shale_filling_begin(&a.f, parts, end);
	folios_map(&a);
	shale_filling_end(&a.f);
	up_read(&parts->sem);
	return a.ret;
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

/* The folio is dirtied as a whole, and was filled as a whole before any page of it was mapped. */
static vm_fault_t blocks_take(struct shale_parts *parts, struct folio *folio)
{
	u64 first, nr;

	shale_cow_blocks(parts->maps[0], folio_pos(folio), folio_size(folio), &first, &nr);
	if (nr && shale_map_set(parts->maps[0], first, nr)) {
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

/*
 * A freeze is not waited for either. It saves maps, and for that needs a layer that can be written to; who freezes that
 * waits for its writers; and these may need the memory of which the lock is held here, to read what they write. So
 * the access is tried again, without any lock in between. No signal hastens that: in the kernel nothing would end it.
 */
static vm_fault_t frozen_pass(void)
{
	schedule_timeout_uninterruptible(HZ / 50);
	return VM_FAULT_NOPAGE;
}

static vm_fault_t parts_page_mkwrite(struct vm_fault *vmf)
{
	struct shale_parts *parts = vmf->vma->vm_private_data;
	vm_fault_t ret = VM_FAULT_NOPAGE;

	if (!__sb_start_write_trylock(parts->inode->i_sb, SB_FREEZE_PAGEFAULT))
		return frozen_pass();
	if (down_read_trylock(&parts->sem)) {
		ret = mkwrite_locked(vmf, parts);
		up_read(&parts->sem);
	} else {
		writer_pass();
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
	/* Its mappings are of the device, without pages that could be filled. */
	if (IS_DAX(file_inode(real)))
		return -ENODEV;
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

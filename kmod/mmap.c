// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap.c - FACE: mappings of regular files. A mapping is one of the layer's file, so processes of
 * all containers share its pages; only its path is ours. Nothing of ours runs at a fault. A mapping
 * taken before a promotion keeps showing the lower file.
 */
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>

#include <asm/syscall.h>

#include "cred.h"
#include "parts.h"
#include "real.h"

/*
 * A shared writable mapping needs an upper, and ->mmap has mmap_lock, under which nothing of what a
 * promotion locks may be taken: directories and files are locked around copies to and from user
 * memory, which may fault. So the call is broken off, the file is promoted and settled on the way out
 * of the kernel, and the system call starts again as after a signal.
 */
struct promotion {
	struct callback_head head;
	struct file *file;
	bool wants_upper;
};

int shale_mmap_prepare(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct shale_parts *parts = shale_inode_parts(inode);
	const struct cred *old;
	int err;

	if (!parts || smp_load_acquire(&parts->is_mappable))
		return 0;
	inode_lock(inode);
	old = shale_cred_begin(inode->i_sb);
	err = shale_parts_mmap_prepare(file, parts);
	shale_cred_end(old);
	inode_unlock(inode);
	return err;
}

static void promote_on_exit(struct callback_head *head)
{
	struct promotion *p = container_of(head, struct promotion, head);
	int err = p->wants_upper ? shale_promote_inode(p->file->f_path.dentry) : 0;

	if (!err)
		err = shale_mmap_prepare(p->file);
	if (!err && p->wants_upper)
		err = shale_file_settle(p->file);
	/* The result of a system call that then does not start again. */
	if (err)
		syscall_set_return_value(current, task_pt_regs(current), err, 0);
	fput(p->file);
	kfree(p);
}

static int promote_and_restart(struct file *file, bool wants_upper)
{
	struct promotion *p;
	int err;

	if (current->flags & PF_KTHREAD)
		return -EAGAIN;
	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->file = get_file(file);
	p->wants_upper = wants_upper;
	init_task_work(&p->head, promote_on_exit);
	err = task_work_add(current, &p->head, TWA_SIGNAL);
	if (!err)
		return -ERESTARTNOINTR;
	fput(file);
	kfree(p);
	return err;
}

/* A file that only has other attributes than the one below. Private mappings may keep what they show, and so
 * they share the pages of all containers. */
static bool is_untouched(const struct inode *inode, const struct shale_parts *parts)
{
	struct shale_map_run run;

	return parts->nr == 2 && shale_map_limit(parts->maps[0]) >= i_size_read(inode) &&
	       i_size_read(d_inode(shale_parts_object(inode, parts, 1).dentry)) == i_size_read(inode) &&
	       !shale_map_next(parts->maps[0], 0, shale_map_limit_blocks(i_size_read(inode)), &run);
}

int shale_mmap(struct file *file, struct vm_area_struct *vma)
{
	const vm_flags_t stores = VM_SHARED | VM_MAYWRITE;
	struct inode *inode = file_inode(file);
	struct shale_parts *parts = shale_inode_parts(inode);
	const struct cred *old;
	unsigned int slot;
	struct file *real;
	int err;

	/* msync(2) goes to the upper's file and never comes by here. */
	if ((vma->vm_flags & stores) == stores &&
	    (!shale_inode_upper(inode) || !shale_file_is_settled(inode)))
		return promote_and_restart(file, true);
	if (parts && !(vma->vm_flags & VM_MAYSHARE) && is_untouched(inode, parts)) {
		slot = parts->upper ? 1 : 2;
		parts = NULL;
	} else if (parts) {
		if (!smp_load_acquire(&parts->is_mappable))
			return promote_and_restart(file, false);
		slot = !parts->upper;
	} else {
		slot = shale_file_data_slot(inode);
	}
	real = shale_file_slot(file, slot);
	if (IS_ERR(real))
		return PTR_ERR(real);
	old = shale_cred_begin(inode->i_sb);
	if (parts)
		err = shale_parts_mmap(real, parts, vma);
	else
		err = shale_real_mmap(real, vma);
	shale_cred_end(old);
	shale_file_accessed(file);
	return err;
}

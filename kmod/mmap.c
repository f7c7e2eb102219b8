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
};

static void promote_on_exit(struct callback_head *head)
{
	struct promotion *p = container_of(head, struct promotion, head);
	int err = shale_file_prepare(p->file, true);

	/* The result of a system call that then does not start again. */
	if (err)
		syscall_set_return_value(current, task_pt_regs(current), err, 0);
	fput(p->file);
	kfree(p);
}

static int promote_and_restart(struct file *file)
{
	struct promotion *p;
	int err;

	if (current->flags & PF_KTHREAD)
		return -EAGAIN;
	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->file = get_file(file);
	init_task_work(&p->head, promote_on_exit);
	err = task_work_add(current, &p->head, TWA_SIGNAL);
	if (!err)
		return -ERESTARTNOINTR;
	fput(file);
	kfree(p);
	return err;
}

int shale_mmap(struct file *file, struct vm_area_struct *vma)
{
	const vm_flags_t stores = VM_SHARED | VM_MAYWRITE;
	struct inode *inode = file_inode(file);
	const struct cred *old;
	struct file *real;
	int err;

	/* msync(2) goes to the upper's file and never comes by here. */
	if ((vma->vm_flags & stores) == stores && !shale_file_is_prepared(inode, true))
		return promote_and_restart(file);
	real = shale_file_real(file);
	if (IS_ERR(real))
		return PTR_ERR(real);
	old = shale_cred_begin(inode->i_sb);
	err = shale_real_mmap(real, vma);
	shale_cred_end(old);
	shale_file_accessed(file);
	return err;
}

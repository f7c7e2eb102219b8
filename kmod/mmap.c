// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap.c - FACE: mappings of regular files. A private mapping of a file that one layer has is one of that layer's file, so
 * processes of all containers share its pages; only its path is ours, and nothing of ours runs at a fault. It keeps
 * showing what it shows. A shared one has to show what is written later, and so is one of an upper, or of what will be the
 * upper (shadow.c). Those of files whose bytes are in several layers are in mmap_parts.c.
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
 * What a mapping needs before it can be made, and ->mmap has mmap_lock, under which nothing may be taken of
 * what making an upper locks: directories and files are locked around copies to and from user memory, which may
 * fault. So the call is broken off, this is done on the way out of the kernel, and the system call starts again as after
 * a signal.
 */
enum need { NEEDS_NOTHING, NEEDS_UPPER, NEEDS_SHADOW, NEEDS_PARTS };

struct preparation {
	struct callback_head head;
	struct file *file;
	enum need need;
};

int shale_mmap_prepare(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct shale_parts *parts = shale_inode_parts(inode);
	const struct cred *old;
	int err;

	if (!parts || smp_load_acquire(&parts->is_mappable))
		return 0;
	mutex_lock(&SHALE_I(inode)->lock);
	old = shale_cred_begin(inode->i_sb);
	err = shale_mapped_prepare(parts);
	shale_cred_end(old);
	mutex_unlock(&SHALE_I(inode)->lock);
	return err;
}

static int upper_prepare(struct file *file)
{
	int err = shale_file_prepare(file, true);

	return err ?: shale_mmap_prepare(file);
}

/* Reading goes without it. */
static int shadow_prepare(struct file *file)
{
	struct inode *inode = file_inode(file);

	if (shale_shadow_make(file->f_path.dentry))
		set_bit(SHALE_I_UNSHADOWED, &SHALE_I(inode)->flags);
	return shale_mmap_prepare(file);
}

static int prepare(const struct preparation *p)
{
	switch (p->need) {
	case NEEDS_UPPER:
		return upper_prepare(p->file);
	case NEEDS_SHADOW:
		return shadow_prepare(p->file);
	default:
		return shale_mmap_prepare(p->file);
	}
}

static void prepare_on_exit(struct callback_head *head)
{
	struct preparation *p = container_of(head, struct preparation, head);
	int err = prepare(p);

	/* The result of a system call that then does not start again. */
	if (err)
		syscall_set_return_value(current, task_pt_regs(current), err, 0);
	fput(p->file);
	kfree(p);
}

static int prepare_and_restart(struct file *file, enum need need)
{
	struct preparation *p;
	int err;

	if (current->flags & PF_KTHREAD)
		return -EAGAIN;
	p = kmalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	p->file = get_file(file);
	p->need = need;
	init_task_work(&p->head, prepare_on_exit);
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

/* What is mapped: PARTS or, without, what is in SLOT. */
struct source {
	struct shale_parts *parts;
	unsigned int slot;
};

/* Who sees the upper sees its parts. */
static void source_now(const struct inode *inode, struct source *src)
{
	src->slot = shale_file_data_slot(inode);
	src->parts = shale_inode_parts(inode);
}

/* Where the bytes are now, for who need not follow them. */
static void source_private(const struct inode *inode, struct source *src)
{
	source_now(inode, src);
	if (src->parts && is_untouched(inode, src->parts)) {
		src->slot = src->parts->upper ? 1 : 2;
		src->parts = NULL;
	}
}

/* A shadow is looked for first: who does not see it any more sees the upper. That there can be none is believed
 * once, so that the next mapping tries again. */
static enum need source_shared(struct inode *inode, struct source *src)
{
	src->parts = shale_inode_shadow(inode);
	if (src->parts)
		return NEEDS_NOTHING;
	if (!shale_inode_upper(inode) && shale_shadow_is_wanted(inode) && !(current->flags & PF_KTHREAD) &&
	    !test_and_clear_bit(SHALE_I_UNSHADOWED, &SHALE_I(inode)->flags))
		return NEEDS_SHADOW;
	source_now(inode, src);
	return NEEDS_NOTHING;
}

static enum need source_find(struct inode *inode, const struct vm_area_struct *vma, struct source *src)
{
	const vm_flags_t stores = VM_SHARED | VM_MAYWRITE;
	enum need need = NEEDS_NOTHING;

	/* msync(2) goes to the upper's file and never comes by here. */
	if ((vma->vm_flags & stores) == stores && !shale_file_is_prepared(inode, true))
		return NEEDS_UPPER;
	if (vma->vm_flags & VM_MAYSHARE)
		need = source_shared(inode, src);
	else
		source_private(inode, src);
	if (!need && src->parts && !smp_load_acquire(&src->parts->is_mappable))
		return NEEDS_PARTS;
	return need;
}

static int source_map(struct file *file, const struct source *src, struct vm_area_struct *vma)
{
	struct file *real;

	if (src->parts)
		return shale_parts_mmap(file, src->parts, vma);
	if (!src->slot && (vma->vm_flags & VM_SHARED) && shale_real_logs_names(SHALE_FS(file_inode(file)->i_sb)))
		real = shale_mapped_upper(file);
	else
		real = shale_file_slot(file, src->slot);
	return IS_ERR(real) ? PTR_ERR(real) : shale_real_mmap(real, vma);
}

int shale_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct inode *inode = file_inode(file);
	struct source src = {};
	const struct cred *old;
	enum need need;
	int err;

	need = source_find(inode, vma, &src);
	if (need)
		return prepare_and_restart(file, need);
	old = shale_cred_begin(inode->i_sb);
	err = source_map(file, &src, vma);
	shale_cred_end(old);
	shale_file_accessed(file);
	return err;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * opened.c - FACE: the open files of layers behind one open regular file of ours. At open it is the one that has the
 * data; a promotion brings the upper's, and a file whose bytes are in several layers has one of each as they
 * are needed. So old descriptors see what new ones write. Asked by file.c, mmap.c and parts_io.c.
 */
#include <linux/file.h>
#include <linux/slab.h>

#include "cred.h"
#include "parts.h"
#include "real.h"

/* What of our flags says how our descriptor was made and not how it behaves. */
#define OPEN_ONLY_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC)

/*
 * file->private_data is the layer's file or, with SEVERAL set, a struct opened: most files never need two
 * and no allocation. It changes once, by cmpxchg, and so does each slot. What is open stays open
 * until release, so its user needs no reference.
 */
#define SEVERAL 1UL

/* By slot, see shale_file_slot(), and then two of mappings; NULL: not opened yet. */
struct opened {
	unsigned int nr;
	struct file *real[];
};

static struct opened *opened_of(void *private)
{
	unsigned long bits = (unsigned long)private;

	return bits & SEVERAL ? (struct opened *)(bits & ~SEVERAL) : NULL;
}

static unsigned int lower_nr(const struct inode *inode)
{
	const struct shale_stack *lower = shale_inode_lower(inode);

	return lower ? lower->nr : 0;
}

/* The slot of a file that was opened when the data was in one layer. */
static unsigned int slot_of(const struct inode *inode, const struct file *real)
{
	const struct dentry *upper = shale_inode_upper(inode);

	return upper && file_inode(real) == d_inode(upper) ? 0 : lower_nr(inode);
}

/* A promotion shows the parts before the upper, and who found them asks for the first. */
static void upper_path(const struct inode *inode, struct path *ret_path)
{
	const struct shale_parts *parts = shale_inode_parts(inode);

	if (!parts || !parts->upper)
		parts = shale_inode_shadow(inode);
	if (parts && parts->upper)
		*ret_path = shale_path_real(shale_parts_object(inode, parts, 0));
	else
		shale_inode_top(inode, ret_path);
}

static bool is_mapped_slot(const struct inode *inode, unsigned int slot)
{
	return slot > lower_nr(inode);
}

/* Of a mapped slot: that of the same object. */
static unsigned int object_slot(const struct inode *inode, unsigned int slot)
{
	return is_mapped_slot(inode, slot) ? slot - 1 - lower_nr(inode) : slot;
}

static void slot_path(const struct inode *inode, unsigned int slot, struct path *ret_path)
{
	slot = object_slot(inode, slot);
	if (slot)
		*ret_path = shale_path_real(shale_inode_lower(inode)->path[slot - 1]);
	else
		upper_path(inode, ret_path);
}

/* Lower layers are read-only, whatever the descriptor may do once there is an upper. Who only writes reads as well what
 * a block that is written in part shows besides; and who maps a file reads or writes it and nothing else. */
static unsigned int slot_flags(const struct file *file, unsigned int slot)
{
	unsigned int flags = (file->f_flags & ~OPEN_ONLY_FLAGS) | O_NOATIME;

	if (is_mapped_slot(file_inode(file), slot))
		flags &= O_ACCMODE | O_LARGEFILE | O_NOATIME;
	if (object_slot(file_inode(file), slot))
		flags &= ~(O_ACCMODE | O_APPEND);
	else if ((flags & O_ACCMODE) == O_WRONLY)
		flags = (flags & ~O_ACCMODE) | O_RDWR;
	if (shale_real_logs_names(SHALE_FS(file_inode(file)->i_sb)))
		flags &= ~O_SYNC;
	return flags;
}

/*
 * fcntl(2) changes these on our file alone. What appends or not is the upper's business only; a mapping's is neither.
 * A layer that has no direct I/O says so when it is asked to do it.
 */
static void flags_follow(const struct file *file, struct file *real, unsigned int slot)
{
	const struct inode *inode = file_inode(file);
	unsigned int mask = slot ? O_DIRECT : O_DIRECT | O_APPEND;
	unsigned int flags = READ_ONCE(file->f_flags);

	if (!(real->f_mode & FMODE_CAN_ODIRECT))
		flags &= ~O_DIRECT;
	if (!((flags ^ READ_ONCE(real->f_flags)) & mask) || is_mapped_slot(inode, slot))
		return;
	spin_lock(&real->f_lock);
	real->f_flags = (real->f_flags & ~mask) | (flags & mask);
	real->f_iocb_flags = iocb_flags(real);
	spin_unlock(&real->f_lock);
}

static struct file *slot_open(struct file *file, unsigned int slot)
{
	struct inode *inode = file_inode(file);
	const struct cred *old;
	struct file *real;
	struct path path;

	slot_path(inode, slot, &path);
	old = shale_cred_begin(inode->i_sb);
	real = shale_real_open_for(file, &path, slot_flags(file, slot));
	shale_cred_end(old);
	return real;
}

static struct opened *opened_make(struct file *file, struct file *first)
{
	struct inode *inode = file_inode(file);
	unsigned int nr = 1 + lower_nr(inode) + 2;
	struct opened *opened = kzalloc(struct_size(opened, real, nr), GFP_KERNEL);
	void *seen;

	if (!opened)
		return NULL;
	opened->nr = nr;
	opened->real[slot_of(inode, first)] = first;
	seen = cmpxchg(&file->private_data, first, (void *)((unsigned long)opened | SEVERAL));
	if (seen == first)
		return opened;
	kfree(opened);
	return opened_of(seen);
}

static struct file *slot_get(struct file *file, unsigned int slot)
{
	void *private = READ_ONCE(file->private_data);
	struct opened *opened = opened_of(private);
	struct file *real, *seen;

	if (!opened && slot_of(file_inode(file), private) == slot)
		return private;
	if (!opened)
		opened = opened_make(file, private);
	if (!opened)
		return ERR_PTR(-ENOMEM);
	real = smp_load_acquire(&opened->real[slot]);
	if (real)
		return real;
	real = slot_open(file, slot);
	if (IS_ERR(real))
		return real;
	seen = cmpxchg(&opened->real[slot], NULL, real);
	if (!seen)
		return real;
	fput(real);
	return seen;
}

struct file *shale_file_slot(struct file *file, unsigned int slot)
{
	struct file *real = slot_get(file, slot);

	if (!IS_ERR(real))
		flags_follow(file, real, slot);
	return real;
}

unsigned int shale_file_mapped_slot(const struct inode *inode, unsigned int slot)
{
	return 1 + lower_nr(inode) + slot;
}

unsigned int shale_file_data_slot(const struct inode *inode)
{
	return shale_inode_upper(inode) ? 0 : lower_nr(inode);
}

struct file *shale_file_real(struct file *file)
{
	return shale_file_slot(file, shale_file_data_slot(file_inode(file)));
}

int shale_file_source(struct file *file, struct shale_source *ret)
{
	const struct inode *inode = file_inode(file);
	const unsigned int slot = shale_file_data_slot(inode);

	/* Who sees the upper sees its parts, so these are looked for last. */
	ret->parts = shale_inode_parts(inode);
	ret->real = ret->parts ? NULL : shale_file_slot(file, slot);
	return PTR_ERR_OR_ZERO(ret->real);
}

int shale_opened_make(struct file *file)
{
	struct file *real = slot_open(file, shale_file_data_slot(file_inode(file)));

	if (IS_ERR(real))
		return PTR_ERR(real);
	file->private_data = real;
	file->f_mode |= real->f_mode & FMODE_NOWAIT;
	return 0;
}

void shale_opened_release(struct file *file)
{
	struct opened *opened = opened_of(file->private_data);
	unsigned int slot;

	if (!opened) {
		fput(file->private_data);
		return;
	}
	for (slot = 0; slot < opened->nr; slot++)
		if (opened->real[slot])
			fput(opened->real[slot]);
	kfree(opened);
}

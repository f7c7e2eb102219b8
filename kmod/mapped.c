// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapped.c - FACE: the open file that a mapping of a file in several layers is of, or of an upper that must not be synced
 * past us. It is one of the top part's, nobody else's, and its operations are the filesystem's but for those that reach
 * it past us, from the kernel's memory management. How a mapping gets its pages is in mmap_parts.c.
 */
#include <linux/file.h>
#include <linux/mm.h>

#include "compat/mmap.h"
#include "cred.h"
#include "parts.h"
#include "real.h"

static struct shale_parts *parts_of(const struct file *mapped)
{
	return container_of(mapped->f_op, struct shale_parts, fops);
}

/* msync(2): the map goes with the data, and a sync of data alone may leave an attribute out. */
static int mapped_fsync(struct file *mapped, loff_t start, loff_t end, int datasync)
{
	struct shale_parts *parts = parts_of(mapped);
	const struct cred *old = shale_cred_begin(parts->inode->i_sb);
	int err = shale_sync(parts->inode, parts->real_fops, mapped, start, end, false);

	shale_cred_end(old);
	return err;
}

/* MADV_REMOVE would make a hole through which the layers below are seen. */
static long mapped_fallocate(struct file *mapped, int mode, loff_t pos, loff_t len)
{
	return -EOPNOTSUPP;
}

/* remap_file_pages(2) maps what a mapping is of once more. */
static int mapped_mmap(struct file *mapped, struct vm_area_struct *vma)
{
	shale_parts_map(vma, parts_of(mapped));
	return 0;
}

/* Where the filesystem would put a mapping is a matter of huge pages, which there are none of. */
static void fops_make(struct shale_parts *parts, const struct file_operations *real)
{
	parts->real_fops = real;
	parts->fops = *real;
	parts->fops.mmap = mapped_mmap;
	compat_only_mmap(&parts->fops);
	parts->fops.get_unmapped_area = NULL;
	if (real->fsync)
		parts->fops.fsync = mapped_fsync;
	if (real->fallocate)
		parts->fops.fallocate = mapped_fallocate;
}

int shale_mapped_prepare(struct shale_parts *parts)
{
	const struct path top = shale_path_real(shale_parts_object(parts->inode, parts, 0));
	int err;

	if (parts->is_mappable)
		return 0;
	err = shale_parts_below_open(parts);
	if (err)
		return err;
	shale_real_use_pages(d_inode(top.dentry));
	fops_make(parts, d_inode(top.dentry)->i_fop);
	smp_store_release(&parts->is_mappable, true);
	return 0;
}

struct file *shale_mapped_file(struct file *file, struct shale_parts *parts)
{
	unsigned int slot = shale_file_mapped_slot(parts->inode, !parts->upper);
	struct file *mapped = shale_file_slot(file, slot);

	if (!IS_ERR(mapped) && mapped->f_op != &parts->fops)
		WRITE_ONCE(mapped->f_op, &parts->fops);
	return mapped;
}

/* ------------------------------------------------------------------ of an upper without parts */

static int upper_fsync(struct file *mapped, loff_t start, loff_t end, int datasync)
{
	struct shale_fs *fs = container_of(mapped->f_op, struct shale_fs, mapped_fops);

	return shale_real_sync(fs, fs->real_fops, mapped, start, end, datasync);
}

/* All regular files of the one filesystem that needs this have the same operations. */
static void upper_fops_make(struct shale_fs *fs, const struct file_operations *real)
{
	spin_lock(&fs->unsaved_lock);
	if (!fs->real_fops) {
		fs->mapped_fops = *real;
		fs->mapped_fops.fsync = upper_fsync;
		fs->real_fops = real;
	}
	spin_unlock(&fs->unsaved_lock);
}

struct file *shale_mapped_upper(struct file *file)
{
	struct inode *inode = file_inode(file);
	struct shale_fs *fs = SHALE_FS(inode->i_sb);
	struct file *mapped = shale_file_slot(file, shale_file_mapped_slot(inode, 0));

	if (!IS_ERR(mapped) && READ_ONCE(mapped->f_op) != &fs->mapped_fops) {
		upper_fops_make(fs, d_inode(shale_inode_upper(inode))->i_fop);
		WRITE_ONCE(mapped->f_op, &fs->mapped_fops);
	}
	return mapped;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_extents.c - GROUND: where a file of a layer has data, for who copies it and leaves holes out: what is called a hole
 * and is none would be lost. Called with the mounter's credentials.
 */
#include <linux/fiemap.h>
#include <linux/magic.h>
#include <linux/pagemap.h>

#include "real.h"

/* How near the beginning of an extent is found, and the first look for one. */
#define GRAIN 4096

/* Also true where it cannot be known. */
static bool has_extents(struct inode *inode, loff_t pos, loff_t len)
{
	struct fiemap_extent_info count = {};

	return inode->i_op->fiemap(inode, &count, pos, len) || count.fi_extents_mapped;
}

/* There is one in the LEN bytes at POS. */
static loff_t extent_search(struct inode *inode, loff_t pos, loff_t len)
{
	loff_t half;

	while (len > GRAIN) {
		half = round_up(len / 2, GRAIN);
		if (!has_extents(inode, pos, half)) {
			pos += half;
			half = len - half;
		}
		len = half;
	}
	return pos;
}

/*
 * XFS before 6.9 has SEEK_DATA call bytes a hole that lie behind one in which a copied extent may grow. What it lists as
 * extents is right, once everything is written.
 */
static loff_t extents_start(struct inode *inode, loff_t pos, loff_t end)
{
	loff_t window = GRAIN, len;

	if (filemap_write_and_wait_range(inode->i_mapping, pos, end - 1))
		return pos;
	for (; pos < end; pos += len, window *= 2) {
		len = min(window, end - pos);
		if (has_extents(inode, pos, len))
			return extent_search(inode, pos, len);
	}
	return end;
}

loff_t shale_real_data(struct file *real, loff_t pos, loff_t end)
{
	struct inode *inode = file_inode(real);
	loff_t start;

	if (inode->i_sb->s_magic == XFS_SUPER_MAGIC && inode->i_op->fiemap)
		return extents_start(inode, pos, end);
	start = vfs_llseek(real, pos, SEEK_DATA);
	if (start == -ENXIO)
		return end;
	return start < pos ? pos : min(start, end);
}

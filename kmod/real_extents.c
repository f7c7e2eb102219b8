// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_extents.c - GROUND: where a file of a layer has data, for who copies it and leaves holes out: what is called a hole
 * and is none would be lost. Called with the mounter's credentials.
 */
#include <linux/fiemap.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "real.h"

/* How near the beginning of an extent is found, and the first look for one. */
#define GRAIN 4096
/* Of a file that is looked at. */
#define CHUNK (64 * 1024)

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

/* Once everything is written what is not in extents is a hole; what is may be one that is allocated. */
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

static loff_t block_search(const u8 *buf, size_t len)
{
	size_t at = 0;

	while (at < len && !memchr_inv(buf + at, 0, min_t(size_t, len - at, GRAIN)))
		at += GRAIN;
	return min(at, len);
}

/* The first block that is not of zeros. */
static loff_t bytes_start(struct file *real, loff_t pos, loff_t end)
{
	u8 *buf = kvmalloc(CHUNK, GFP_KERNEL);
	loff_t found = 0, len = 0;

	for (; buf && pos < end && found == len; pos += found) {
		len = min_t(loff_t, CHUNK, end - pos);
		if (fatal_signal_pending(current) || shale_real_read_buf(real, buf, len, pos))
			break;
		found = block_search(buf, len);
		cond_resched();
	}
	kvfree(buf);
	return pos;
}

/*
 * XFS before 6.9 has SEEK_DATA call bytes a hole that lie behind one in which a copied extent may grow. So what it
 * passes over is looked at, where there are extents.
 */
static loff_t passed_over(struct file *real, loff_t pos, loff_t end)
{
	if (pos < end)
		pos = extents_start(file_inode(real), pos, end);
	return pos < end ? bytes_start(real, pos, end) : end;
}

loff_t shale_real_data(struct file *real, loff_t pos, loff_t end)
{
	const struct inode *inode = file_inode(real);
	loff_t start = vfs_llseek(real, pos, SEEK_DATA);

	if (start == -ENXIO)
		start = end;
	start = start < pos ? pos : min(start, end);
	if (inode->i_sb->s_magic == XFS_SUPER_MAGIC && inode->i_op->fiemap)
		return passed_over(real, pos, start);
	return start;
}

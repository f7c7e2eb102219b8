// SPDX-License-Identifier: GPL-2.0-only
/*
 * sync.c - MODEL: syncing one regular file: its bytes, its map, and its name. Called by what writes and syncs files,
 * by msync(2) too.
 */
#include "mapio.h"
#include "real.h"

/*
 * Promotion links the upper to its name after the upper was synced, so the name is not on disk. A sync of
 * data alone need not care for names, and on ext4 does not when it finds all blocks allocated. So until an
 * upper was synced with its metadata once, it is so synced whatever was asked for. That this is forgotten
 * when the inode is evicted costs one more such sync.
 */
bool shale_sync_is_settled(const struct inode *inode)
{
	return SHALE_FS(inode->i_sb)->config.is_volatile || !shale_inode_has_origin(inode) ||
	       test_bit(SHALE_I_SETTLED, &SHALE_I(inode)->flags);
}

int shale_sync(struct inode *inode, const struct file_operations *fops, struct file *real, loff_t start, loff_t end,
	       bool datasync)
{
	int err = shale_mapio_flush(inode);
	const u64 saved = shale_mapio_saved(inode);
	const bool has_upper = shale_inode_upper(inode);
	const bool whole = !datasync || !shale_sync_is_settled(inode) || !shale_mapio_is_synced(inode);

	if (!err)
		err = shale_real_sync(SHALE_FS(inode->i_sb), fops, real, start, end, !whole);
	/* What will be the upper of a file can be synced before it has a name. */
	if (!err && whole && has_upper) {
		set_bit(SHALE_I_SETTLED, &SHALE_I(inode)->flags);
		shale_mapio_synced(inode, saved);
	}
	return err;
}

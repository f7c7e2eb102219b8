/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mapio.h - MODEL: maps of blocks on disk, in the attribute of a file and beside it in its layer. Creds are the
 * mounter's.
 */
#ifndef _SHALE_MAPIO_H
#define _SHALE_MAPIO_H

#include "parts.h"

/* What an object has. -ENODATA: it has no map. Errors of what was found there are in the log. */
int shale_mapio_read(struct shale_fs *fs, const struct shale_path *object, struct shale_map_head *ret_head,
		     struct shale_map *ret_map);
/* Gives a new upper, which nobody sees yet, its map. "write", see real.h. */
int shale_mapio_create(struct shale_fs *fs, struct dentry *upper, const struct shale_parts *parts);

/* The map of INODE's upper has changed: it is written within SHALE_MAPIO_SECONDS, or by the next sync. */
#define SHALE_MAPIO_SECONDS 5
void shale_mapio_dirty(struct inode *inode);
/* Writes what has changed, after the data that it is about. */
int shale_mapio_flush(struct inode *inode);
int shale_mapio_flush_all(struct shale_fs *fs); /* creds are anybody's */
/*
 * What was written of a map may be on its way to the disk, though the blocks it is about are there; then a sync of
 * data alone leaves it out. So once something was written, the next sync is one of metadata. An older SAVED is safe.
 */
u64 shale_mapio_saved(const struct inode *inode); /* 0 without a map */
void shale_mapio_synced(struct inode *inode, u64 saved);
bool shale_mapio_is_synced(const struct inode *inode); /* what was written: there may be more to write */
/* INODE's upper has all blocks: its map goes, and with it the need for what is below. Our inode is locked. */
int shale_mapio_remove(struct inode *inode);
/* After INODE lost a name: with the last one what its map has beside the file goes. What a crash leaves of
 * it fsck.shale removes. */
void shale_mapio_forget(struct inode *inode);
void shale_mapio_init(struct shale_fs *fs);
void shale_mapio_stop(struct shale_fs *fs); /* before inodes go: writes all for the last time */

#endif /* _SHALE_MAPIO_H */

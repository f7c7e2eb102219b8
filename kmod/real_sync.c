// SPDX-License-Identifier: GPL-2.0-only
/*
 * real_sync.c - GROUND: syncing one open file or directory of the upper, and what keeps that apart from names that are
 * being made there. Called by whoever syncs, and by real.c for names.
 *
 * btrfs syncs one file by logging what belongs to it. The log is one for all files of its subvolume, so whoever syncs
 * any of them writes all that is in it. What has happened to several names, or to a name and an object that the log
 * does not have yet, can be in there by half. Not in such a log are the bytes of a file that got its name from
 * promotion, when a directory's log leads to it; a whiteout at the old name, or in the place of what is in the log;
 * the directory of the index when it is new. A commit of everything has all of it. So
 *
 * - nothing is synced by itself while such a name is made, and what was made is committed before;
 * - where a whiteout takes part nothing of ours is in the log when the change begins, or somebody else's sync, of another
 *   union on this filesystem for one, would write the half of it.
 *
 * The other filesystems sync names in the order in which they were made.
 */
#include <linux/magic.h>
#include <linux/pagemap.h>

#include "real.h"

bool shale_real_logs_names(const struct shale_fs *fs)
{
	const struct vfsmount *upper = fs->layers[0].mnt;

	return upper && upper->mnt_sb->s_magic == BTRFS_SUPER_MAGIC;
}

static int names_commit(struct shale_fs *fs)
{
	struct super_block *sb = shale_upper_layer(fs)->mnt->mnt_sb;
	int err;

	lockdep_assert_held(&fs->names_sem);
	err = sb->s_op->sync_fs(sb, 1);
	pr_debug("names_commit = %d\n", err);
	if (!err)
		WRITE_ONCE(fs->has_new_names, false);
	return err;
}

int shale_real_names_begin(struct shale_fs *fs, bool with_whiteout)
{
	int err = 0;

	if (!shale_real_logs_names(fs))
		return 0;
	down_write(&fs->names_sem);
	if (with_whiteout && fs->has_logged)
		err = names_commit(fs);
	if (err)
		up_write(&fs->names_sem);
	else if (with_whiteout)
		fs->has_logged = false;
	return err;
}

void shale_real_names_end(struct shale_fs *fs, bool is_made)
{
	if (!shale_real_logs_names(fs))
		return;
	if (is_made)
		fs->has_new_names = true;
	up_write(&fs->names_sem);
}

int shale_real_fsync(struct file *file, loff_t start, loff_t end, bool datasync)
{
	int err = vfs_fsync_range(file, start, end, datasync);

	pr_debug("fsync(%pD2) = %d\n", file, err);
	return err;
}

static int fsync_by(const struct file_operations *fops, struct file *file, loff_t start, loff_t end, bool datasync)
{
	return fops ? fops->fsync(file, start, end, datasync) : shale_real_fsync(file, start, end, datasync);
}

/* Who makes names waits for it, so the data is written before. */
int shale_real_sync(struct shale_fs *fs, const struct file_operations *fops, struct file *file, loff_t start,
		    loff_t end, bool datasync)
{
	int err = 0;

	if (!shale_real_logs_names(fs) || fs->config.is_volatile)
		return fsync_by(fops, file, start, end, datasync);
	filemap_fdatawrite_range(file->f_mapping, start, end);
	down_read(&fs->names_sem);
	if (READ_ONCE(fs->has_new_names))
		err = names_commit(fs);
	WRITE_ONCE(fs->has_logged, true);
	if (!err)
		err = fsync_by(fops, file, start, end, datasync);
	up_read(&fs->names_sem);
	return err;
}

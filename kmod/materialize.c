// SPDX-License-Identifier: GPL-2.0-only
/*
 * materialize.c - FACE: SHALE_IOC_MATERIALIZE: a file gets all bytes that it shows of lower layers, and then needs
 * these no more. A piece at a time, so that writers, freezing and fatal signals do not wait for the whole.
 * Called by ioctl.c.
 *
 * Whatever stops it leaves a partial file with more blocks than before. Only when it has all of them the map
 * goes, in an order that mapio.c has. A hole below becomes a hole of the top part, but not blindly: where
 * a crash has left bytes that were never synced, whose blocks are not the top's, zeros are written.
 */
#include <linux/mount.h>
#include <linux/sched/signal.h>

#include "cow.h"
#include "cred.h"
#include "mapio.h"
#include "parts_io.h"
#include "real.h"

/* At most this much with our inode locked: of data, and of a hole, which is only set in the map. */
#define DATA_PIECE (1024 * 1024)
#define HOLE_PIECE (1024ULL * 1024 * 1024)

/* The next bytes from *POS on that are not the top's. */
static bool missing_next(struct shale_parts *parts, u64 *pos, u64 *ret_len)
{
	struct shale_map *const top_and_rest[] = { parts->maps[0], NULL };
	u64 limit = shale_map_limit(parts->maps[0]);
	struct shale_run run;

	for (; *pos < limit; *pos += run.len) {
		run = shale_cow_run(top_and_rest, *pos, limit - *pos);
		*ret_len = run.len;
		if (run.part)
			return true;
	}
	return false;
}

/* Where the top's file has no data either, as long as nobody stores to a mapping. *END: up to where; nothing is taken if
 * that is POS. */
static int hole_take(struct file *file, struct shale_parts *parts, u64 pos, u64 *end)
{
	struct file *top = shale_file_slot(file, 0);
	u64 first, nr, stop;
	int err = 0;

	if (IS_ERR(top))
		return PTR_ERR(top);
	shale_parts_lock(parts);
	stop = shale_parts_hole_end(top, pos, *end);
	if (stop > pos) {
		shale_cow_blocks(parts->maps[0], pos, stop - pos, &first, &nr);
		err = nr ? shale_map_set(parts->maps[0], first, nr) : 0;
	}
	shale_parts_unlock(parts);
	*end = stop;
	shale_mapio_dirty(file_inode(file));
	return err;
}

static int data_take(struct file *file, struct shale_parts *parts, u64 *pos, u64 end)
{
	u64 start = *pos;
	loff_t stop;

	end = min(end, start + DATA_PIECE);
	stop = shale_parts_seek(file, parts, start, SEEK_HOLE);
	if (stop < 0)
		return stop;
	*pos = min(end, round_up((u64)stop + (stop == start), SHALE_MAP_BLOCK_SIZE));
	return shale_parts_take_carefully(file, parts, start, *pos - start);
}

/* Some of the bytes from *POS on, which moves to what is left. */
static int piece_take(struct file *file, struct shale_parts *parts, u64 *pos, u64 len)
{
	u64 end = *pos + min(len, HOLE_PIECE), stop = end;
	loff_t data;
	int err;

	data = shale_parts_data(file, parts, *pos, end);
	if (data < 0)
		return data;
	if (data < (loff_t)end)
		stop = round_down(data, SHALE_MAP_BLOCK_SIZE);
	if (stop > *pos) {
		err = hole_take(file, parts, *pos, &stop);
		if (err)
			return err;
	}
	if (stop <= *pos)
		return data_take(file, parts, pos, end);
	*pos = stop;
	return 0;
}

/* Each time anew: what the file needs to be changed, and nothing that others wait for long. */
static int change_begin(struct file *file, const struct cred **ret_old)
{
	int err = mnt_want_write_file(file);

	if (err)
		return err;
	inode_lock(file_inode(file));
	*ret_old = shale_cred_begin(file_inode(file)->i_sb);
	return 0;
}

static void change_end(struct file *file, const struct cred *old)
{
	shale_cred_end(old);
	inode_unlock(file_inode(file));
	mnt_drop_write_file(file);
}

static int missing_take(struct file *file, struct shale_parts *parts)
{
	const struct cred *old;
	u64 pos = 0, len;
	int err = 0;

	while (!err && missing_next(parts, &pos, &len)) {
		if (fatal_signal_pending(current))
			return -EINTR;
		err = change_begin(file, &old);
		if (err)
			return err;
		err = piece_take(file, parts, &pos, len);
		change_end(file, old);
		cond_resched();
	}
	return err;
}

/* Another call may have come first. */
static int map_remove(struct file *file)
{
	struct inode *inode = file_inode(file);
	const struct cred *old;
	int err;

	err = change_begin(file, &old);
	if (err)
		return err;
	if (test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags))
		err = shale_mapio_remove(inode);
	shale_inode_copyattr(inode);
	change_end(file, old);
	return err;
}

static int promote_whole(struct file *file)
{
	int err = mnt_want_write_file(file);

	if (err)
		return err;
	err = shale_promote_whole(file->f_path.dentry);
	mnt_drop_write_file(file);
	return err;
}

int shale_materialize(struct file *file)
{
	struct inode *inode = file_inode(file);
	int err;

	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	err = promote_whole(file);
	if (err)
		return err;
	if (test_bit(SHALE_I_PARTIAL, &SHALE_I(inode)->flags)) {
		err = missing_take(file, shale_inode_parts(inode));
		if (!err)
			err = map_remove(file);
	}
	return err ?: shale_file_prepare(file, true);
}

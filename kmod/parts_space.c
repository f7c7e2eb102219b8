// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts_space.c - FACE: where a regular file whose bytes are in several layers has data: fallocate in all its modes,
 * taking blocks over that nobody writes, and seeking for data and holes. Called by file.c; for what changes
 * something our inode is locked. How a block becomes the top part's is described in parts_io.c.
 */
#include <linux/falloc.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "cow.h"
#include "mapio.h"
#include "parts_io.h"
#include "real.h"

/* Of what is taken over at a time: bounds the buffer, and how long page faults of the file wait. */
#define CHUNK (64 * 1024)

/* ------------------------------------------------------------------ taking blocks over */

/* Bytes that become the top's as they are. */
struct taking {
	struct file *file, *top;
	struct shale_parts *parts;
	u8 *buf; /* of CHUNK bytes, or of one block where that is all */
	bool is_careful;
};

/*
 * Nobody has asked for a write of these blocks, so where it may fail unheard they are the top's only once they are on its
 * disk. Until then they show what is below, whatever has become of the pages.
 */
static int run_settle(struct taking *t, const u8 *bytes, u64 pos, u64 len)
{
	ssize_t ret = shale_real_write_quietly(t->top, bytes, len, pos);
	u64 first, nr;

	if (ret >= 0 && t->is_careful)
		ret = shale_real_write_pages(t->top, pos, len);
	if (ret < 0)
		return ret;
	shale_cow_blocks(t->parts->maps[0], pos, len, &first, &nr);
	ret = shale_map_set(t->parts->maps[0], first, nr);
	shale_parts_report(t->parts, pos, len, len, ret);
	return ret;
}

/* Nothing of what the buffer shows is new, so blocks that are the top's by now are left alone. */
static int bytes_settle(struct taking *t, u64 pos, u64 len)
{
	struct shale_map *const top_and_rest[] = { t->parts->maps[0], NULL };
	const u64 start = pos, end = pos + len;
	struct shale_run run;
	int err = 0;

	shale_real_start_write(t->top);
	shale_parts_lock(t->parts);
	for (; !err && pos < end; pos += run.len) {
		run = shale_cow_run(top_and_rest, pos, end - pos);
		if (run.part)
			err = run_settle(t, t->buf + (pos - start), pos, run.len);
	}
	shale_parts_unlock(t->parts);
	shale_real_end_write(t->top);
	return err;
}

static int bytes_take(struct taking *t, u64 pos, u64 len)
{
	int err;

	if (!shale_cow_widen(t->parts->maps[0], &pos, &len))
		return 0;
	err = shale_parts_show(t->file, t->parts, t->buf, pos, pos + len);
	return err ?: bytes_settle(t, pos, len);
}

static int chunks_take(struct taking *t, u64 pos, u64 end)
{
	u64 piece;
	int err = 0;

	for (; !err && pos < end; pos += piece) {
		if (fatal_signal_pending(current))
			return -EINTR;
		piece = min_t(u64, end - pos, CHUNK - pos % CHUNK);
		err = bytes_take(t, pos, piece);
		cond_resched();
	}
	return err;
}

static int take(struct file *file, struct shale_parts *parts, u64 pos, u64 len, bool is_careful)
{
	struct taking t = {
		.file = file, .top = shale_file_slot(file, 0), .parts = parts, .is_careful = is_careful,
	};
	u64 end = min(pos + len, shale_map_limit(parts->maps[0]));
	int err;

	if (IS_ERR(t.top))
		return PTR_ERR(t.top);
	if (pos >= end)
		return 0;
	t.buf = kvmalloc(pos >> SHALE_MAP_BLOCK_SHIFT == (end - 1) >> SHALE_MAP_BLOCK_SHIFT ?
				 SHALE_MAP_BLOCK_SIZE : CHUNK, GFP_KERNEL);
	if (!t.buf)
		return -ENOMEM;
	err = chunks_take(&t, pos, end);
	kvfree(t.buf);
	shale_mapio_dirty(parts->inode);
	return err;
}

int shale_parts_take(struct file *file, struct shale_parts *parts, u64 pos, u64 len)
{
	return take(file, parts, pos, len, false);
}

int shale_parts_take_carefully(struct file *file, struct shale_parts *parts, u64 pos, u64 len)
{
	return take(file, parts, pos, len, true);
}

/* ------------------------------------------------------------------ zeros */

/*
 * Page faults have filled pages of blocks that are not the top's, and its filesystem may leave the pages of a hole alone. They
 * go as a whole, or the rest of a page would show zeros before, and if, there are some.
 */
static void filled_forget(struct file *top, struct shale_parts *parts, u64 pos, u64 len)
{
	struct shale_map *const top_and_rest[] = { parts->maps[0], NULL };
	const u64 end = pos + len;
	struct shale_run run;
	u64 start;

	for (; pos < end; pos += run.len) {
		run = shale_cow_run(top_and_rest, pos, end - pos);
		start = round_down(pos, SHALE_MAP_BLOCK_SIZE);
		if (run.part)
			shale_real_forget_pages(top, start,
						round_up(pos + run.len, SHALE_MAP_BLOCK_SIZE) - start);
	}
}

static int zeros_set_locked(struct file *top, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	u64 first, nr;
	int err;

	filled_forget(top, parts, pos, len);
	err = shale_real_fallocate_held(top, mode, pos, len);
	if (err)
		return err;
	/* Where its own file had a hole nothing changed for the top's filesystem. */
	shale_real_modified(top);
	shale_cow_blocks(parts->maps[0], pos, len, &first, &nr);
	return nr ? shale_map_set(parts->maps[0], first, nr) : 0;
}

/* Only of blocks that are not the top's: a page fault may have made one so meanwhile, and there are stores in it. */
static int holes_set_locked(struct file *top, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct shale_map *const top_and_rest[] = { parts->maps[0], NULL };
	const u64 end = pos + len;
	struct shale_run run;
	int err = 0;

	for (; !err && pos < end; pos += run.len) {
		run = shale_cow_run(top_and_rest, pos, end - pos);
		if (run.part)
			err = zeros_set_locked(top, parts, mode, pos, run.len);
	}
	return err;
}

/* Blocks that only become zeros and holes. */
static int zeros_set(struct file *top, struct shale_parts *parts, int mode, u64 pos, u64 len,
		     int (*set)(struct file *, struct shale_parts *, int, u64, u64))
{
	int err;

	shale_real_start_write(top);
	shale_parts_lock(parts);
	err = set(top, parts, mode, pos, len);
	shale_parts_unlock(parts);
	shale_real_end_write(top);
	shale_mapio_dirty(parts->inode);
	return err;
}

/* The blocks at the edges keep what they show besides. */
static int zeros_make(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct file *top = shale_file_slot(file, 0);
	const u64 end = pos + len;
	int err = 0;

	if (IS_ERR(top))
		return PTR_ERR(top);
	if (!IS_ALIGNED(pos, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(file, parts, pos, 1);
	if (!err && !IS_ALIGNED(end, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(file, parts, end, 1);
	return err ?: zeros_set(top, parts, mode, pos, len, zeros_set_locked);
}

/* ------------------------------------------------------------------ taking everything over */

u64 shale_parts_hole_end(struct file *real, u64 pos, u64 end)
{
	u64 data = shale_real_data(real, pos, end);

	return data == end ? end : max_t(u64, pos, round_down(data, SHALE_MAP_BLOCK_SIZE));
}

static u64 data_end(struct file *real, u64 pos, u64 end)
{
	loff_t data = shale_real_llseek(real, pos, SEEK_DATA);
	loff_t hole = data < 0 ? data : shale_real_llseek(real, data, SEEK_HOLE);

	return hole <= (loff_t)pos ? end : min_t(u64, end, round_up(hole, SHALE_MAP_BLOCK_SIZE));
}

/* What shows of one part becomes the top's, and holes become holes. */
static int run_fill(struct file *file, struct shale_parts *parts, struct file *real, u64 pos, u64 end)
{
	struct file *top = shale_file_slot(file, 0);
	u64 stop;
	int err = 0;

	for (; !err && pos < end; pos = stop) {
		if (fatal_signal_pending(current))
			return -EINTR;
		stop = shale_parts_hole_end(real, pos, end);
		err = -EOPNOTSUPP;
		if (stop > pos)
			err = zeros_set(top, parts, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos,
					stop - pos, holes_set_locked);
		else
			stop = data_end(real, pos, end);
		if (err == -EOPNOTSUPP)
			err = shale_parts_take(file, parts, pos, stop - pos);
	}
	return err;
}

int shale_parts_fill(struct file *file, struct shale_parts *parts)
{
	const u64 end = shale_map_limit(parts->maps[0]);
	struct shale_run run;
	struct file *real;
	u64 pos;
	int err = 0;

	for (pos = 0; !err && pos < end; pos += run.len) {
		run = shale_cow_run(parts->maps, pos, end - pos);
		real = shale_parts_file(file, parts, run.part);
		if (IS_ERR(real))
			err = PTR_ERR(real);
		else if (run.part)
			err = run_fill(file, parts, real, pos, pos + run.len);
	}
	return err;
}

/* ------------------------------------------------------------------ fallocate */

/* What the layer says no to, whatever it can do. */
static bool is_shift_refused(struct file *file, struct file *top, int mode, u64 pos, u64 len)
{
	const u64 size = i_size_read(file_inode(file));

	if (!IS_ALIGNED(pos | len, i_blocksize(file_inode(top))))
		return true;
	return mode & FALLOC_FL_COLLAPSE_RANGE ? pos + len >= size : pos >= size;
}

/* A range beyond the end can be neither taken out nor inserted, so asking for that changes nothing. */
static bool can_shift(struct file *top, int mode)
{
	const u64 block = i_blocksize(file_inode(top));
	const u64 beyond = round_up(i_size_read(file_inode(top)), block) + block;

	return shale_real_fallocate(top, mode, beyond, block) != -EOPNOTSUPP;
}

/*
 * A map says which blocks are the top's by their place, and the places change. So all of them become the top's first,
 * and the map that says so is saved before the layer's filesystem shifts anything: in its journal, or synced. What
 * a crash leaves is then all the top's, shifted or not, and no place shows a block of below. Where there is
 * no room for all of it nothing has changed but who has which bytes.
 */
static int range_shift(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct file *top = shale_file_slot(file, 0);
	int err;

	if (is_shift_refused(file, top, mode, pos, len))
		return shale_real_fallocate(top, mode, pos, len);
	if (!can_shift(top, mode))
		return -EOPNOTSUPP;
	err = shale_parts_fill(file, parts);
	if (!err)
		err = shale_mapio_flush(parts->inode);
	return err ?: shale_real_fallocate(top, mode, pos, len);
}

/* What is allocated in the top below blocks that are not its own waits there until they are written. */
static int range_allocate(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	int err = shale_real_fallocate(shale_file_slot(file, 0), mode, pos, len);

	if (!err && (mode & FALLOC_FL_UNSHARE_RANGE))
		err = shale_parts_take(file, parts, pos, len);
	return err;
}

int shale_parts_fallocate(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct file *top = shale_file_slot(file, 0);
	int err;

	if (IS_ERR(top))
		return PTR_ERR(top);
	if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE))
		return range_shift(file, parts, mode, pos, len);
	err = shale_parts_grow(parts->inode, mode & FALLOC_FL_KEEP_SIZE ? 0 : pos + len);
	if (err)
		return err;
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return zeros_make(file, parts, mode, pos, len);
	return range_allocate(file, parts, mode, pos, len);
}

/* ------------------------------------------------------------------ seeking */

loff_t shale_parts_data(struct file *file, struct shale_parts *parts, u64 pos, u64 end)
{
	struct shale_run run;
	struct file *real;
	u64 data;

	for (; pos < end; pos += run.len) {
		run = shale_cow_run(parts->maps, pos, end - pos);
		real = shale_parts_file(file, parts, run.part);
		if (IS_ERR(real))
			return PTR_ERR(real);
		data = shale_real_data(real, pos, pos + run.len);
		if (data < pos + run.len)
			return data;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return end;
}

static loff_t run_seek(struct file *real, u64 pos, u64 end, int whence)
{
	loff_t found = shale_real_llseek(real, pos, whence);

	if (found == -ENXIO || found >= (loff_t)end)
		return end;
	return found < 0 ? found : max_t(loff_t, found, pos);
}

/* What holds data in a part is data of the file where the part shows. */
loff_t shale_parts_seek(struct file *file, struct shale_parts *parts, loff_t pos, int whence)
{
	u64 size = i_size_read(file_inode(file)), at = pos, end;
	struct shale_run run;
	struct file *real;
	loff_t found;

	if (pos < 0 || at >= size)
		return -ENXIO;
	for (; at < size; at = end) {
		run = shale_cow_run(parts->maps, at, size - at);
		end = at + run.len;
		real = shale_parts_file(file, parts, run.part);
		if (IS_ERR(real))
			return PTR_ERR(real);
		found = run_seek(real, at, end, whence);
		if (found < 0 || found < (loff_t)end)
			return found;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return whence == SEEK_HOLE ? size : -ENXIO;
}

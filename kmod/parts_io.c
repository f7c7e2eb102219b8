// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts_io.c - FACE: reading and writing a regular file whose bytes are in several layers, by runs of what one of them
 * has. Called by file.c; for writing our inode is locked. Mappings are in mmap.c.
 *
 * Bytes that the top part does not have yet are written through a buffer of ours, together with what their
 * blocks show besides, and only then are the blocks the top's. The buffer is filled without a lock that a page
 * fault takes, since the user's memory may be a mapping of this very block; the lock is held while the buffer is
 * written and the blocks are set, so that a store through a mapping comes before or after, but is never lost.
 */
#include <linux/falloc.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uio.h>

#include "cow.h"
#include "mapio.h"
#include "parts.h"
#include "real.h"
#include "trace.h"

/* Of a write at a time: bounds the buffer, and how long page faults of the file wait. */
#define CHUNK (64 * 1024)

static struct file *part_file(struct file *file, const struct shale_parts *parts, unsigned int part)
{
	return shale_file_slot(file, part + !parts->upper);
}

/* Direct reads of less than a block of the device: only the end of what a part shows can be that. */
static bool is_direct_possible(const struct kiocb *iocb, const struct iov_iter *iter)
{
	return IS_ALIGNED(iocb->ki_pos | iov_iter_count(iter), SHALE_MAP_BLOCK_SIZE);
}

static ssize_t run_read(struct file *real, struct kiocb *iocb, struct iov_iter *iter, u64 len)
{
	size_t rest = iov_iter_count(iter) - min_t(u64, len, iov_iter_count(iter));
	int flags = iocb->ki_flags;
	ssize_t ret;

	iov_iter_truncate(iter, len);
	if (rest && !is_direct_possible(iocb, iter))
		iocb->ki_flags &= ~IOCB_DIRECT;
	ret = shale_real_read_iter(real, iocb, iter);
	iocb->ki_flags = flags;
	if (ret != -EIOCBQUEUED)
		iov_iter_reexpand(iter, iov_iter_count(iter) + rest);
	return ret;
}

static ssize_t runs_read(struct file *file, struct shale_parts *parts, struct kiocb *iocb,
			 struct iov_iter *iter)
{
	u64 size = i_size_read(file_inode(file));
	struct kiocb sync = *iocb;
	ssize_t ret = 0, done = 0;
	struct shale_run run;
	struct file *real;

	sync.ki_complete = NULL;
	while (iov_iter_count(iter) && sync.ki_pos < size) {
		run = shale_cow_run(parts->maps, sync.ki_pos,
				    min_t(u64, iov_iter_count(iter), size - sync.ki_pos));
		real = part_file(file, parts, run.part);
		ret = IS_ERR(real) ? PTR_ERR(real) : run_read(real, &sync, iter, run.len);
		if (ret <= 0)
			break;
		done += ret;
		/* What can be had at once was asked for, and that is it. */
		if (ret < run.len || (iocb->ki_flags & IOCB_NOWAIT))
			break;
	}
	iocb->ki_pos = sync.ki_pos;
	return done ?: ret;
}

ssize_t shale_parts_read(struct file *file, struct shale_parts *parts, struct kiocb *iocb,
			 struct iov_iter *iter)
{
	u64 size = i_size_read(file_inode(file)), len;
	struct shale_run run;
	struct file *real;

	if (iocb->ki_pos >= size)
		return 0;
	len = min_t(u64, iov_iter_count(iter), size - iocb->ki_pos);
	run = shale_cow_run(parts->maps, iocb->ki_pos, len);
	if (run.len < len)
		return runs_read(file, parts, iocb, iter);
	real = part_file(file, parts, run.part);
	if (IS_ERR(real))
		return PTR_ERR(real);
	/* The top ends where we do, and then so does the request. */
	return run_read(real, iocb, iter, run.part ? len : iov_iter_count(iter));
}

/* Bytes on their way into the top part. */
struct takeover {
	struct file *file, *top;
	struct shale_parts *parts;
	u64 pos, len;		/* what the user writes */
	u64 wide_pos, wide_len; /* with what its blocks show besides */
	u64 buf_pos;		/* of the first byte in BUF */
	u8 *buf;
};

/* False: all of it is the top's already. */
static bool takeover_widen(struct takeover *t)
{
	t->wide_pos = t->pos;
	t->wide_len = t->len;
	return shale_cow_widen(t->parts->maps[0], &t->wide_pos, &t->wide_len);
}

/* What is below the top: blocks that are its own by now are not written. */
static int bytes_show(struct takeover *t, u64 pos, u64 end)
{
	struct shale_run run;
	struct file *real;
	int err = 0;

	for (; !err && pos < end; pos += run.len) {
		run = shale_cow_run(t->parts->maps, pos, end - pos);
		if (!run.part)
			continue;
		real = part_file(t->file, t->parts, run.part);
		err = IS_ERR(real) ? PTR_ERR(real) :
				     shale_real_read_buf(real, t->buf + (pos - t->buf_pos), run.len, pos);
	}
	return err;
}

/* Fewer bytes than asked for where the user's memory ends. */
static int buf_fill(struct takeover *t, struct iov_iter *iter)
{
	int err;

	t->len = copy_from_iter(t->buf + (t->pos - t->buf_pos), t->len, iter);
	if (!t->len)
		return -EFAULT;
	takeover_widen(t);
	err = bytes_show(t, t->wide_pos, t->pos);
	return err ?: bytes_show(t, t->pos + t->len, t->wide_pos + t->wide_len);
}

/* The blocks that are complete become the top's. How much of what the user writes is then there. */
static ssize_t blocks_set(struct takeover *t, u64 end)
{
	u64 first, nr;
	int err;

	if (end < t->wide_pos + t->wide_len)
		end = round_down(end, SHALE_MAP_BLOCK_SIZE);
	end = min(end, t->pos + t->len);
	if (end <= t->pos)
		return 0;
	shale_cow_blocks(t->parts->maps[0], t->pos, end - t->pos, &first, &nr);
	err = shale_map_set(t->parts->maps[0], first, nr);
	return err ?: end - t->pos;
}

static void takeover_report(struct takeover *t, u64 pos, u64 len, u64 copied, ssize_t ret)
{
	struct inode *inode = t->parts->inode;

	if (ret >= 0)
		shale_stats_add(SHALE_FS(inode->i_sb), block_bytes, copied);
	trace_shale_takeover(inode, pos, len, copied, min_t(ssize_t, ret, 0));
}

/* Page faults may have taken blocks over since the buffer was filled: what they show by now is newer. */
static ssize_t buf_write(struct takeover *t)
{
	ssize_t ret, done = 0;

	down_write(&t->parts->sem);
	takeover_widen(t);
	ret = shale_real_write_buf(t->top, t->buf + (t->wide_pos - t->buf_pos), t->wide_len, t->wide_pos);
	if (ret > 0)
		done = blocks_set(t, t->wide_pos + ret);
	up_write(&t->parts->sem);
	takeover_report(t, t->wide_pos, t->wide_len, t->wide_len - t->len, min_t(ssize_t, ret, done));
	return done ?: min_t(ssize_t, ret, 0) ?: -EIO;
}

static ssize_t run_settle(struct takeover *t, u64 pos, u64 len)
{
	ssize_t ret = shale_real_write_quietly(t->top, t->buf + (pos - t->buf_pos), len, pos);
	u64 first, nr;

	if (ret < 0)
		return ret;
	if (ret < len)
		return -EIO;
	shale_cow_blocks(t->parts->maps[0], pos, len, &first, &nr);
	ret = shale_map_set(t->parts->maps[0], first, nr);
	takeover_report(t, pos, len, len, ret);
	return ret;
}

/* Nothing of what the buffer shows is new, so blocks that are the top's by now are left alone. */
static ssize_t bytes_settle(struct takeover *t)
{
	struct shale_map *const top_and_rest[] = { t->parts->maps[0], NULL };
	u64 pos = t->wide_pos, end = t->wide_pos + t->wide_len;
	struct shale_run run;
	ssize_t ret = 0;

	down_write(&t->parts->sem);
	for (; ret >= 0 && pos < end; pos += run.len) {
		run = shale_cow_run(top_and_rest, pos, end - pos);
		if (run.part)
			ret = run_settle(t, pos, run.len);
	}
	up_write(&t->parts->sem);
	return ret;
}

static ssize_t takeover_write(struct takeover *t, struct iov_iter *iter)
{
	ssize_t ret;

	t->buf_pos = t->wide_pos;
	t->buf = kvmalloc(t->wide_len, GFP_KERNEL);
	if (!t->buf)
		return -ENOMEM;
	ret = buf_fill(t, iter);
	if (!ret) {
		shale_real_start_write(t->top);
		ret = buf_write(t);
		shale_real_end_write(t->top);
	}
	kvfree(t->buf);
	/* What was copied and not written is the user's again. */
	if (ret < (ssize_t)t->len)
		iov_iter_revert(iter, t->len - max_t(ssize_t, ret, 0));
	return ret;
}

/* A piece of a write that is the top's already, or that becomes it at once. */
static ssize_t chunk_write(struct takeover *t, struct kiocb *iocb, struct iov_iter *iter)
{
	size_t count = iov_iter_count(iter);
	ssize_t ret;

	t->pos = iocb->ki_pos;
	t->len = min_t(u64, count, CHUNK - t->pos % CHUNK);
	if (takeover_widen(t)) {
		ret = takeover_write(t, iter);
		iocb->ki_pos += max_t(ssize_t, ret, 0);
		return ret;
	}
	iov_iter_truncate(iter, t->len);
	ret = shale_real_write_iter(t->top, iocb, iter, NULL);
	iov_iter_reexpand(iter, iov_iter_count(iter) + count - t->len);
	return ret;
}

/* Direct writes have no bytes left in the page cache. */
static ssize_t direct_end(struct takeover *t, u64 pos, ssize_t done)
{
	int err = shale_real_drop_pages(t->top, pos, done);

	return err ?: done;
}

static ssize_t chunks_write(struct takeover *t, struct kiocb *iocb, struct iov_iter *iter)
{
	struct kiocb sync = *iocb;
	ssize_t ret = 0, done = 0;

	sync.ki_complete = NULL;
	while (iov_iter_count(iter)) {
		ret = chunk_write(t, &sync, iter);
		if (ret <= 0)
			break;
		done += ret;
	}
	if (done && (iocb->ki_flags & IOCB_DIRECT))
		done = direct_end(t, iocb->ki_pos, done);
	iocb->ki_pos = sync.ki_pos;
	return done ?: ret;
}

ssize_t shale_parts_write(struct file *file, struct shale_parts *parts, struct kiocb *iocb,
			  struct iov_iter *iter, shale_written_t written)
{
	struct takeover t = { .file = file, .parts = parts };
	u64 first, nr;
	ssize_t ret;
	int err;

	t.top = shale_file_slot(file, 0);
	if (IS_ERR(t.top))
		return PTR_ERR(t.top);
	ret = generic_write_checks(iocb, iter);
	if (ret <= 0)
		return ret;
	shale_cow_blocks(parts->maps[0], iocb->ki_pos, ret, &first, &nr);
	if ((iocb->ki_flags & IOCB_NOWAIT) && (nr || iocb->ki_pos + ret > i_size_read(file_inode(file))))
		return -EAGAIN;
	err = shale_parts_grow(file_inode(file), iocb->ki_pos + ret);
	if (err)
		return err;
	if (!nr)
		return shale_real_write_iter(t.top, iocb, iter, written);
	ret = chunks_write(&t, iocb, iter);
	shale_mapio_dirty(file_inode(file));
	return ret;
}

/* Bytes that nobody writes become the top's, at most a chunk. */
static int bytes_take(struct takeover *t, u64 pos, u64 len)
{
	ssize_t ret;

	t->pos = pos;
	t->len = len;
	if (!takeover_widen(t))
		return 0;
	t->buf_pos = t->wide_pos;
	t->buf = kvmalloc(t->wide_len, GFP_KERNEL);
	if (!t->buf)
		return -ENOMEM;
	ret = bytes_show(t, t->wide_pos, t->wide_pos + t->wide_len);
	if (!ret) {
		shale_real_start_write(t->top);
		ret = bytes_settle(t);
		shale_real_end_write(t->top);
	}
	kvfree(t->buf);
	return min_t(ssize_t, ret, 0);
}

/* All of the blocks that the LEN bytes at POS touch. */
int shale_parts_take(struct file *file, struct shale_parts *parts, u64 pos, u64 len)
{
	struct takeover t = { .file = file, .parts = parts, .top = shale_file_slot(file, 0) };
	u64 end = min(pos + len, shale_map_limit(parts->maps[0])), piece;
	int err = 0;

	if (IS_ERR(t.top))
		return PTR_ERR(t.top);
	for (; !err && pos < end; pos += piece) {
		if (fatal_signal_pending(current))
			return -EINTR;
		piece = min_t(u64, end - pos, CHUNK - pos % CHUNK);
		err = bytes_take(&t, pos, piece);
		cond_resched();
	}
	shale_mapio_dirty(file_inode(file));
	return err;
}

int shale_parts_fill(struct file *file, struct shale_parts *parts)
{
	return shale_parts_take(file, parts, 0, U64_MAX >> 1);
}

/* Zeros, and blocks that only become so: those at the edges keep what they show besides. */
static int zeros_make(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct file *top = shale_file_slot(file, 0);
	u64 end = pos + len, first, nr;
	int err = 0;

	if (IS_ERR(top))
		return PTR_ERR(top);
	if (!IS_ALIGNED(pos, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(file, parts, pos, 1);
	if (!err && !IS_ALIGNED(end, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(file, parts, end, 1);
	if (err)
		return err;
	down_write(&parts->sem);
	err = shale_real_fallocate(top, mode, pos, len);
	if (!err) {
		/* Where its own file had a hole nothing changed for the top's filesystem. */
		shale_real_modified(top);
		shale_cow_blocks(parts->maps[0], pos, len, &first, &nr);
		err = shale_map_set(parts->maps[0], first, nr);
	}
	up_write(&parts->sem);
	shale_mapio_dirty(file_inode(file));
	return err;
}

int shale_parts_fallocate(struct file *file, struct shale_parts *parts, int mode, u64 pos, u64 len)
{
	struct file *top = shale_file_slot(file, 0);
	int err = 0;

	if (IS_ERR(top))
		return PTR_ERR(top);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		err = shale_parts_grow(file_inode(file), mode & FALLOC_FL_KEEP_SIZE ? 0 : pos + len) ?:
		      zeros_make(file, parts, mode, pos, len);
	else if (mode & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		err = shale_parts_fill(file, parts) ?: shale_real_fallocate(top, mode, pos, len);
	else
		err = shale_parts_grow(file_inode(file), mode & FALLOC_FL_KEEP_SIZE ? 0 : pos + len) ?:
		      shale_real_fallocate(top, mode, pos, len);
	return err;
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
		real = part_file(file, parts, run.part);
		if (IS_ERR(real))
			return PTR_ERR(real);
		found = run_seek(real, at, end, whence);
		if (found < 0 || found < (loff_t)end)
			return found;
	}
	return whence == SEEK_HOLE ? size : -ENXIO;
}

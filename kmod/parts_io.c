// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts_io.c - FACE: reading and writing a regular file whose bytes are in several layers, by runs of what one of them
 * has. Called by file.c; for writing our inode is locked. Mappings are in mmap_parts.c, holes and allocation in
 * parts_space.c, copies between files in parts_copy.c.
 *
 * A block becomes the top part's by being written whole and then set in the map, both with the parts locked. A page
 * fault fills the page of a block that is not set with what is below, with parts->sem held for reading: so it
 * comes before the bytes, which then replace what it filled, or finds the block set. A store through a mapping
 * likewise comes before or after, but is never lost.
 *
 * While they are locked no memory of the user is touched that might not be there: it may be a mapping of this
 * very block. Whole blocks are written from the user's memory with page faults forbidden; where that does not
 * work, and for parts of blocks, what the block is to hold is put together in a buffer before the lock is
 * taken. Direct writes pin their pages before it.
 */
#include <linux/bvec.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/uio.h>

#include "compat/io.h"
#include "cow.h"
#include "mapio.h"
#include "parts_io.h"
#include "real.h"
#include "trace.h"

/* Of a write at a time: bounds how long page faults of the file wait. */
#define CHUNK (64 * 1024)
/* The pages of a direct write at a time. */
#define DIRECT_PAGES 256
/* What is aligned to this is aligned enough, or it is the layer's own matter. */
#define SECTOR 512

/*
 * At most LEN bytes of what ITER has. A direct read or write of a layer may look at a segment as the caller gave it, find it
 * odd where it is only cut, and then have moved on in ITER without telling. So of segments that are cut it gets the
 * first, in its own length.
 */
static struct iov_iter piece_of(struct iov_iter *iter, size_t len, bool is_direct)
{
	struct iov_iter piece;

	/* Over segments of no length. */
	iov_iter_advance(iter, 0);
	piece = *iter;
	if (is_direct && len < iov_iter_count(iter) && iter_is_iovec(iter))
		iov_iter_ubuf(&piece, iov_iter_rw(iter), iter_iov_addr(iter), min_t(size_t, len, iter_iov_len(iter)));
	else
		iov_iter_truncate(&piece, len);
	return piece;
}

/* ------------------------------------------------------------------ reading */

/* A layer that cannot say whether it would wait may not be asked. */
static bool may_ask(const struct file *real, const struct kiocb *iocb)
{
	return !(iocb->ki_flags & IOCB_NOWAIT) || (real->f_mode & FMODE_NOWAIT);
}

/* Writers wait for the lock of the top's inode, and page faults for writers. */
static ssize_t top_read(struct shale_parts *parts, struct file *top, struct kiocb *iocb, struct iov_iter *iter)
{
	const bool nowait = iocb->ki_flags & IOCB_NOWAIT;
	ssize_t ret;

	if (!user_backed_iter(iter) || !shale_real_read_locks(top, iocb))
		return shale_real_read_iter(top, iocb, iter);
	if (nowait && !down_read_trylock(&parts->gate))
		return -EAGAIN;
	if (!nowait && down_read_killable(&parts->gate))
		return -EINTR;
	ret = shale_real_read_iter(top, iocb, iter);
	up_read(&parts->gate);
	return ret;
}

/* What a read is of: one of the parts. */
struct part {
	struct shale_parts *parts;
	struct file *real;
	bool is_top;
};

static struct part part_at(struct shale_parts *parts, struct file *file, unsigned int index)
{
	return (struct part){ parts, shale_parts_file(file, parts, index), !index };
}

/* At most LEN bytes. */
static ssize_t part_read(const struct part *part, struct kiocb *iocb, struct iov_iter *iter, size_t len)
{
	struct iov_iter piece = piece_of(iter, len, iocb->ki_flags & IOCB_DIRECT);
	ssize_t ret;

	if (!may_ask(part->real, iocb))
		return -EAGAIN;
	ret = part->is_top ? top_read(part->parts, part->real, iocb, &piece) :
			     shale_real_read_iter(part->real, iocb, &piece);
	if (ret > 0)
		iov_iter_advance(iter, ret);
	return ret;
}

/*
 * A layer may need more for direct reads than the caller can know, who asked the top, and what is shown of a part may
 * end anywhere. Then the page cache serves as well: what is below never changes, and the top's is coherent. But an
 * error that the caller's own memory and offsets deserve stays one.
 */
static ssize_t part_read_direct(const struct part *part, struct kiocb *iocb, struct iov_iter *iter, size_t len)
{
	const unsigned long asked = iocb->ki_pos | iov_iter_alignment(iter);
	size_t whole = round_down(len, SHALE_MAP_BLOCK_SIZE);
	ssize_t ret;

	if (len < iov_iter_count(iter) && whole)
		len = whole;
	if (IS_ALIGNED(len, SECTOR) || len == iov_iter_count(iter)) {
		ret = part_read(part, iocb, iter, len);
		if (ret != -EINVAL || !IS_ALIGNED(asked, SECTOR))
			return ret;
	}
	iocb->ki_flags &= ~IOCB_DIRECT;
	ret = part_read(part, iocb, iter, len);
	iocb->ki_flags |= IOCB_DIRECT;
	return ret;
}

static ssize_t run_read(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter, u64 size)
{
	u64 len = min_t(u64, iov_iter_count(iter), size - iocb->ki_pos);
	struct shale_run run = shale_cow_run(parts->maps, iocb->ki_pos, len);
	const struct part part = part_at(parts, iocb->ki_filp, run.part);

	if (IS_ERR(part.real))
		return PTR_ERR(part.real);
	if (iocb->ki_flags & IOCB_DIRECT)
		return part_read_direct(&part, iocb, iter, run.len);
	return part_read(&part, iocb, iter, run.len);
}

static ssize_t runs_read(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter, u64 size)
{
	struct kiocb sync = *iocb;
	ssize_t ret, done = 0;

	/* Several that go past the page cache are waited for one after the other. */
	if ((iocb->ki_flags & IOCB_NOWAIT) && (iocb->ki_flags & IOCB_DIRECT))
		return -EAGAIN;
	sync.ki_complete = NULL;
	do {
		ret = run_read(parts, &sync, iter, size);
		if (ret <= 0)
			break;
		done += ret;
		/* What can be had at once was asked for, and that is it. */
	} while (iov_iter_count(iter) && sync.ki_pos < size && !(iocb->ki_flags & IOCB_NOWAIT));
	if (ret == -EINVAL && (iocb->ki_flags & IOCB_DIRECT))
		return ret;
	iocb->ki_pos = sync.ki_pos;
	return done ?: ret;
}

ssize_t shale_parts_read(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter)
{
	u64 size = i_size_read(file_inode(iocb->ki_filp)), len;
	struct shale_run run;
	struct part part;

	if (iocb->ki_pos >= size)
		return 0;
	len = min_t(u64, iov_iter_count(iter), size - iocb->ki_pos);
	run = shale_cow_run(parts->maps, iocb->ki_pos, len);
	if (run.len < len || ((iocb->ki_flags & IOCB_DIRECT) && run.part))
		return runs_read(parts, iocb, iter, size);
	part = part_at(parts, iocb->ki_filp, run.part);
	if (IS_ERR(part.real))
		return PTR_ERR(part.real);
	/* The top ends where we do. */
	return part_read(&part, iocb, iter, part.is_top ? iov_iter_count(iter) : len);
}

struct file *shale_parts_at(struct file *file, struct shale_parts *parts, u64 pos, size_t *len)
{
	u64 size = i_size_read(file_inode(file));
	struct shale_run run;

	if (pos >= size || !*len)
		return NULL;
	run = shale_cow_run(parts->maps, pos, min_t(u64, *len, size - pos));
	*len = run.len;
	return shale_parts_file(file, parts, run.part);
}

int shale_parts_show(struct file *file, struct shale_parts *parts, u8 *buf, u64 pos, u64 end)
{
	struct shale_run run;
	struct file *real;
	int err = 0;

	for (; !err && pos < end; pos += run.len, buf += run.len) {
		run = shale_cow_run(parts->maps, pos, end - pos);
		real = shale_parts_file(file, parts, run.part);
		err = IS_ERR(real) ? PTR_ERR(real) : shale_real_read_buf(real, buf, run.len, pos);
	}
	return err;
}

/* What a layer is told about ranges it is told of those that show. */
int shale_parts_fadvise(struct file *file, struct shale_parts *parts, loff_t pos, loff_t len, int advice)
{
	u64 size = i_size_read(file_inode(file)), at = pos;
	u64 end = len && len < (loff_t)size - pos ? pos + len : size;
	struct file *real;
	size_t part_len;
	int err = 0;

	for (; !err && at < end; at += part_len) {
		part_len = end - at;
		real = shale_parts_at(file, parts, at, &part_len);
		if (IS_ERR_OR_NULL(real))
			return PTR_ERR_OR_ZERO(real);
		err = shale_real_fadvise(real, at, part_len, advice);
	}
	return err;
}

/* ------------------------------------------------------------------ writing */

/* Bytes on their way into the top part. */
struct writing {
	struct file *file, *top;
	struct shale_parts *parts;
	struct iov_iter *iter;
	u64 pos; /* of the next one */
	bool is_direct;
	bool is_cached; /* some of it went through the page cache */
	u8 *block;	/* a buffer of one; NULL: not needed yet */
};

/* How many of the LEN bytes at POS are the top's already, up to the first that is not. */
static u64 owned_len(const struct shale_parts *parts, u64 pos, u64 len)
{
	struct shale_map *const top_and_rest[] = { parts->maps[0], NULL };
	struct shale_run run = shale_cow_run(top_and_rest, pos, len);

	return run.part ? 0 : run.len;
}

/* What was written by END belongs to the top: the blocks of which that is all. How many of the bytes from POS on
 * are then there? */
static ssize_t blocks_set(struct shale_parts *parts, u64 pos, u64 end, u64 wide_end)
{
	u64 first, nr;
	int err;

	if (end < wide_end)
		end = round_down(end, SHALE_MAP_BLOCK_SIZE);
	if (end <= pos)
		return 0;
	shale_cow_blocks(parts->maps[0], pos, end - pos, &first, &nr);
	err = nr ? shale_map_set(parts->maps[0], first, nr) : 0;
	return err ?: end - pos;
}

void shale_parts_report(struct shale_parts *parts, u64 pos, u64 len, u64 copied, ssize_t ret)
{
	struct inode *inode = parts->inode;

	if (ret >= 0)
		shale_stats_add(SHALE_FS(inode->i_sb), block_bytes, copied);
	trace_shale_takeover(inode, pos, len, copied, min_t(ssize_t, ret, 0));
}

/* The layer may have taken more of the user's bytes than count, or looked at them only. */
static ssize_t piece_end(struct writing *w, const struct iov_iter *before, ssize_t done)
{
	*w->iter = *before;
	if (done > 0) {
		iov_iter_advance(w->iter, done);
		w->pos += done;
	}
	return done;
}

static ssize_t owned_write(struct writing *w, size_t len)
{
	struct iov_iter piece = piece_of(w->iter, len, w->is_direct);
	const struct iov_iter before = *w->iter;

	return piece_end(w, &before, shale_real_write_held(w->top, &piece, w->pos, w->is_direct));
}

/* Whole blocks from memory that is there. */
static ssize_t blocks_try(struct writing *w, size_t len)
{
	const struct iov_iter before = *w->iter;
	ssize_t ret, done = 0;

	iov_iter_truncate(w->iter, len);
	shale_parts_lock(w->parts);
	ret = shale_real_write_present(w->top, w->iter, w->pos);
	if (ret > 0)
		done = blocks_set(w->parts, w->pos, w->pos + ret, w->pos + len);
	shale_parts_unlock(w->parts);
	shale_parts_report(w->parts, w->pos, max_t(ssize_t, ret, 0), 0, min(ret, done));
	return piece_end(w, &before, done ?: min_t(ssize_t, ret, 0) ?: -EFAULT);
}

/* The bytes of a direct write, in pages that stay. */
struct pinned {
	unsigned int nr;
	size_t len;
	struct bio_vec vecs[DIRECT_PAGES];
};

static void page_add(struct pinned *p, struct page *page, size_t offset, size_t len)
{
	p->vecs[p->nr++] = (struct bio_vec){ .bv_page = page, .bv_offset = offset, .bv_len = len };
	p->len += len;
}

/* A segment of the user's memory, or a part of it. False: nothing to be had. */
static bool segment_pin(struct pinned *p, struct iov_iter *iter, size_t len)
{
	struct page *pages[16];
	size_t offset, in_page;
	ssize_t got;
	unsigned int i;

	got = iov_iter_get_pages2(iter, pages, len, min_t(size_t, ARRAY_SIZE(pages), DIRECT_PAGES - p->nr),
				  &offset);
	for (i = 0; got > 0; i++, got -= in_page, offset = 0) {
		in_page = min_t(size_t, got, PAGE_SIZE - offset);
		page_add(p, pages[i], offset, in_page);
	}
	return i;
}

static void pages_unpin(struct pinned *p)
{
	while (p->nr)
		put_page(p->vecs[--p->nr].bv_page);
	kfree(p);
}

static struct pinned *pages_pin(struct iov_iter *iter, size_t len)
{
	struct pinned *p = kmalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->nr = p->len = 0;
	while (p->len < len && p->nr < DIRECT_PAGES && segment_pin(p, iter, len - p->len))
		;
	if (p->len >= SHALE_MAP_BLOCK_SIZE)
		return p;
	pages_unpin(p);
	return ERR_PTR(-EFAULT);
}

static ssize_t blocks_write_locked(struct writing *w, struct iov_iter *iter)
{
	const u64 end = w->pos + iov_iter_count(iter);
	ssize_t ret, done = 0;

	shale_parts_lock(w->parts);
	ret = shale_real_write_held(w->top, iter, w->pos, true);
	if (ret > 0)
		done = blocks_set(w->parts, w->pos, w->pos + ret, end);
	shale_parts_unlock(w->parts);
	shale_parts_report(w->parts, w->pos, max_t(ssize_t, ret, 0), 0, min(ret, done));
	return done ?: min_t(ssize_t, ret, 0) ?: -EIO;
}

/*
 * Whole blocks past the page cache. The layer's own direct write drops the pages that page faults filled, and its
 * mappings of them, before it writes and after it; a fault that comes in between waits for parts->sem,
 * then finds the blocks set and reads what was written. If the layer can only do it through its page cache, the
 * pages that are pinned serve for that as well.
 */
static ssize_t blocks_write_direct(struct writing *w, size_t len)
{
	const struct iov_iter before = *w->iter;
	struct pinned *p;
	struct iov_iter iter;
	ssize_t ret;

	if (!user_backed_iter(w->iter)) {
		iov_iter_truncate(w->iter, len);
		return piece_end(w, &before, blocks_write_locked(w, w->iter));
	}
	p = pages_pin(w->iter, len);
	if (IS_ERR(p))
		return piece_end(w, &before, PTR_ERR(p));
	iov_iter_bvec(&iter, ITER_SOURCE, p->vecs, p->nr, round_down(p->len, SHALE_MAP_BLOCK_SIZE));
	ret = blocks_write_locked(w, &iter);
	pages_unpin(p);
	return piece_end(w, &before, ret);
}

/* LEN bytes in a block, in the buffer with what the block shows besides. */
static ssize_t block_fill(struct writing *w, size_t len)
{
	const u64 start = round_down(w->pos, SHALE_MAP_BLOCK_SIZE);
	u64 wide_pos = w->pos, wide_len;
	int err;

	if (!w->block)
		w->block = kmalloc(SHALE_MAP_BLOCK_SIZE, GFP_KERNEL);
	if (!w->block)
		return -ENOMEM;
	len = copy_from_iter(w->block + (w->pos - start), len, w->iter);
	if (!len)
		return -EFAULT;
	wide_len = len;
	shale_cow_widen(w->parts->maps[0], &wide_pos, &wide_len);
	err = shale_parts_show(w->file, w->parts, w->block + (wide_pos - start), wide_pos, w->pos);
	if (!err)
		err = shale_parts_show(w->file, w->parts, w->block + (w->pos + len - start), w->pos + len,
				       wide_pos + wide_len);
	return err ?: len;
}

/* A page fault may have taken the block over since the buffer was filled: what it shows by now is newer. */
static ssize_t block_write_locked(struct writing *w, u64 len)
{
	const u64 start = round_down(w->pos, SHALE_MAP_BLOCK_SIZE);
	u64 pos = w->pos, wide_len = len;
	ssize_t ret;

	shale_cow_widen(w->parts->maps[0], &pos, &wide_len);
	ret = shale_real_write_buf(w->top, w->block + (pos - start), wide_len, pos);
	if (ret < 0)
		return ret;
	ret = blocks_set(w->parts, w->pos, w->pos + len, w->pos + len);
	shale_parts_report(w->parts, pos, wide_len, wide_len - len, ret);
	return ret;
}

static ssize_t block_write(struct writing *w, size_t len)
{
	const struct iov_iter before = *w->iter;
	ssize_t ret = block_fill(w, len);

	if (ret > 0) {
		shale_parts_lock(w->parts);
		ret = block_write_locked(w, ret);
		shale_parts_unlock(w->parts);
		w->is_cached = true;
	}
	return piece_end(w, &before, ret);
}

static ssize_t blocks_write(struct writing *w, size_t len)
{
	ssize_t ret;

	if (w->is_direct)
		return blocks_write_direct(w, min_t(size_t, len, DIRECT_PAGES * PAGE_SIZE));
	len = min_t(size_t, len, CHUNK);
	ret = blocks_try(w, len);
	if (ret == -EFAULT && fault_in_iov_iter_readable(w->iter, len) < len)
		ret = blocks_try(w, len);
	return ret == -EFAULT ? block_write(w, SHALE_MAP_BLOCK_SIZE) : ret;
}

static ssize_t piece_write(struct writing *w)
{
	const size_t len = iov_iter_count(w->iter), in_block = w->pos % SHALE_MAP_BLOCK_SIZE;
	const u64 owned = owned_len(w->parts, w->pos, len);

	if (owned == len || owned >= CHUNK)
		return owned_write(w, owned);
	if (!in_block && len >= SHALE_MAP_BLOCK_SIZE)
		return blocks_write(w, round_down(len, SHALE_MAP_BLOCK_SIZE));
	if (owned)
		return owned_write(w, owned);
	return block_write(w, min_t(size_t, len, SHALE_MAP_BLOCK_SIZE - in_block));
}

static ssize_t pieces_write(struct writing *w)
{
	const u64 start = w->pos;
	ssize_t ret;

	do {
		ret = piece_write(w);
		if (ret <= 0)
			break;
		ret = fatal_signal_pending(current) ? -EINTR : 0;
		cond_resched();
	} while (!ret && iov_iter_count(w->iter));
	return w->pos - start ?: ret;
}

/* When the access to write is given back. Direct writes have no bytes left in the page cache. */
static ssize_t writing_end(struct writing *w, u64 start, ssize_t done)
{
	int err = 0;

	kfree(w->block);
	shale_mapio_dirty(w->parts->inode);
	if (done > 0 && w->is_direct && w->is_cached)
		err = shale_real_drop_pages(w->top, start, done);
	return err ?: done;
}

static ssize_t writing_do(struct writing *w)
{
	const u64 start = w->pos;
	ssize_t ret;

	shale_real_start_write(w->top);
	ret = pieces_write(w);
	shale_real_end_write(w->top);
	return writing_end(w, start, ret);
}

ssize_t shale_parts_write_buf(struct file *file, struct shale_parts *parts, void *buf, size_t len, u64 pos)
{
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	struct iov_iter iter;
	struct writing w = {
		.file = file,
		.top = shale_file_slot(file, 0),
		.parts = parts,
		.iter = &iter,
		.pos = pos,
	};

	if (IS_ERR(w.top))
		return PTR_ERR(w.top);
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, len);
	return writing_do(&w);
}

/* Is it a direct write that the layer would refuse, which does not get to see it whole? WHERE is its offset, length and
 * what else is to be aligned. */
static bool is_direct_refused(const struct writing *w, u64 where)
{
	const struct path path = shale_path_real(shale_parts_object(w->parts->inode, w->parts, 0));
	struct kstat stat;

	if (!w->is_direct)
		return false;
	if (!(w->top->f_mode & FMODE_CAN_ODIRECT))
		return true;
	return !IS_ALIGNED(where, SECTOR) && !shale_real_getattr(&path, &stat, STATX_DIOALIGN, 0) &&
	       (stat.result_mask & STATX_DIOALIGN) && stat.dio_offset_align >= SECTOR;
}

/* Before bytes that are to be on disk at once: the blocks they are in, which the map on disk may not have yet. */
static int owned_prepare(struct shale_parts *parts, struct file *top, const struct kiocb *iocb)
{
	if (!iocb_is_dsync(iocb) || shale_map_generation(parts->maps[0]) == READ_ONCE(parts->synced))
		return 0;
	return iocb->ki_flags & IOCB_NOWAIT ? -EAGAIN : shale_sync(parts->inode, NULL, top, 0, 0, true);
}

/* Nothing is new about where these bytes are, so it is a write like any other. */
static bool is_owned(const struct shale_parts *parts, const struct kiocb *iocb, size_t len)
{
	u64 first, nr;

	if ((iocb->ki_flags & IOCB_APPEND) || iocb->ki_pos + len > i_size_read(parts->inode))
		return false;
	shale_cow_blocks(parts->maps[0], iocb->ki_pos, len, &first, &nr);
	return !nr;
}

static ssize_t unowned_write(struct shale_parts *parts, struct file *top, struct kiocb *iocb,
			     struct iov_iter *iter)
{
	struct writing w = {
		.file = iocb->ki_filp,
		.top = top,
		.parts = parts,
		.iter = iter,
		.is_direct = iocb->ki_flags & IOCB_DIRECT,
	};
	ssize_t ret;

	if (iocb->ki_flags & IOCB_NOWAIT)
		return w.is_direct || compat_can_cache_nowait(top) ? -EAGAIN : -EOPNOTSUPP;
	ret = generic_write_checks(iocb, iter);
	if (ret <= 0)
		return ret;
	w.pos = iocb->ki_pos;
	if (is_direct_refused(&w, w.pos | ret))
		return -EINVAL;
	ret = shale_parts_grow(parts->inode, w.pos + ret) ?: writing_do(&w);
	iocb->ki_pos = w.pos;
	return ret;
}

ssize_t shale_parts_write(struct shale_parts *parts, struct kiocb *iocb, struct iov_iter *iter,
			  shale_written_t written, bool *ret_is_synced)
{
	struct file *top = shale_file_slot(iocb->ki_filp, 0);
	int err;

	if (IS_ERR(top))
		return PTR_ERR(top);
	*ret_is_synced = is_owned(parts, iocb, iov_iter_count(iter));
	if (!*ret_is_synced)
		return unowned_write(parts, top, iocb, iter);
	err = owned_prepare(parts, top, iocb);
	return err ?: shale_real_write_iter(top, iocb, iter, written);
}

/* ------------------------------------------------------------------ from pipes */

static int pipe_write(struct pipe_inode_info *pipe, struct pipe_buffer *buf, struct splice_desc *sd)
{
	struct bio_vec vec = { .bv_page = buf->page, .bv_offset = buf->offset, .bv_len = sd->len };
	struct writing *w = sd->u.data;
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;

	iov_iter_bvec(&iter, ITER_SOURCE, &vec, 1, sd->len);
	init_sync_kiocb(&iocb, w->file);
	iocb.ki_pos = sd->pos;
	ret = generic_write_checks(&iocb, &iter);
	if (ret <= 0)
		return ret;
	w->iter = &iter;
	w->pos = iocb.ki_pos;
	w->is_direct = iocb.ki_flags & IOCB_DIRECT;
	return is_direct_refused(w, w->pos | ret | buf->offset) ? -EINVAL : pieces_write(w);
}

/* A direct write of all that is there would be refused as a whole. The pipe is locked. */
static bool is_pipe_refused(const struct writing *w, struct pipe_inode_info *pipe, size_t len)
{
	const unsigned int nr = pipe_occupancy(pipe->head, pipe->tail);
	u64 where = w->pos;
	unsigned int i;

	for (i = 0; i < nr && len; i++) {
		const struct pipe_buffer *buf = &pipe->bufs[(pipe->tail + i) & (pipe->ring_size - 1)];
		const size_t part = min_t(size_t, buf->len, len);

		where |= buf->offset | part;
		len -= part;
	}
	return is_direct_refused(w, where);
}

/* The access to write is taken before the pipe is locked: others who splice to the layer's filesystem do so. */
ssize_t shale_parts_splice_write(struct file *file, struct shale_parts *parts, struct pipe_inode_info *pipe,
				 loff_t *pos, size_t len)
{
	struct writing w = {
		.file = file,
		.top = shale_file_slot(file, 0),
		.parts = parts,
		.pos = *pos,
		.is_direct = file->f_flags & O_DIRECT,
	};
	struct splice_desc sd = { .total_len = len, .pos = *pos, .u.data = &w };
	ssize_t ret;

	if (IS_ERR(w.top))
		return PTR_ERR(w.top);
	ret = shale_parts_grow(parts->inode, *pos + len);
	if (ret)
		return ret;
	shale_real_start_write(w.top);
	pipe_lock(pipe);
	ret = is_pipe_refused(&w, pipe, len) ? -EINVAL : __splice_from_pipe(pipe, &sd, pipe_write);
	pipe_unlock(pipe);
	shale_real_end_write(w.top);
	ret = writing_end(&w, *pos, ret);
	if (ret > 0)
		*pos += ret;
	return ret;
}

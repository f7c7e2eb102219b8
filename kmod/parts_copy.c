// SPDX-License-Identifier: GPL-2.0-only
/*
 * parts_copy.c - FACE: clone and dedupe where the bytes of one of the two files, or of both, are in several layers: run
 * by run of what one layer's object has, between the layers' files. Called by file.c with both inodes locked and
 * the mounter's credentials. What cannot be cloned is copied by reading and writing, which is not here.
 *
 * Of a target, the blocks at the edges of the range are taken over first. The rest is cloned with its parts locked and
 * then set, as in parts_io.c: cloning drops the target's pages, as a direct write does. It also waits for the
 * lock of the source, which a read may hold that faults on a mapping of the target, and there is no gate (see
 * shale.h) for files of others. So what is to be set is cloned to an unnamed file first, which nobody reads.
 */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "cow.h"
#include "mapio.h"
#include "parts_io.h"
#include "real.h"

/* Of a comparison at a time. */
#define COMPARE_CHUNK (64 * 1024)

struct copying {
	const struct shale_range *r; /* of our files; LEN is known */
	struct shale_source from, shown; /* what they show, of the source and of the target */
	struct shale_parts *to;	       /* the target's; NULL: all in one part */
	struct file *top;	       /* of the target */
	bool is_below;		       /* the target has no upper, and top is not ours to change */
	u64 block;		       /* of the target's filesystem */
};

/* The layer's file that has the bytes at POS, and how many of the LEN there. */
static struct file *source_at(const struct copying *c, u64 pos, u64 *len)
{
	struct shale_run run;

	if (!c->from.parts)
		return c->from.real;
	run = shale_cow_run(c->from.parts->maps, pos, *len);
	*len = run.len;
	return shale_parts_file(c->r->in, c->from.parts, run.part);
}

/* The rules of the system calls, which a layer would apply to the sizes of its own files. */
static int range_check(const struct copying *c, struct shale_range *r)
{
	struct inode *in = file_inode(r->in), *out = file_inode(r->out);
	const loff_t size_in = i_size_read(in), size_out = i_size_read(out);
	bool is_tail;

	if (!IS_ALIGNED(r->pos_in | r->pos_out, c->block) || r->pos_in > size_in)
		return -EINVAL;
	/* Up to the end. */
	if (!r->len && !(r->flags & REMAP_FILE_DEDUP))
		r->len = size_in - r->pos_in;
	if (r->len > size_in - r->pos_in)
		return -EINVAL;
	if ((r->flags & REMAP_FILE_DEDUP) && (r->pos_out > size_out || r->len > size_out - r->pos_out))
		return -EINVAL;
	is_tail = r->pos_in + r->len == size_in && r->pos_out + r->len >= size_out;
	if (!IS_ALIGNED(r->len, c->block) && !is_tail) {
		if (!(r->flags & REMAP_FILE_CAN_SHORTEN))
			return -EINVAL;
		r->len = round_down(r->len, c->block);
	}
	if (in == out && r->pos_out < r->pos_in + (loff_t)round_up(r->len, c->block) &&
	    r->pos_in < r->pos_out + (loff_t)round_up(r->len, c->block))
		return -EINVAL;
	return 0;
}

/* The limits on the size of files are the caller's. */
static int limits_check(const struct shale_range *r)
{
	loff_t count = r->len;
	struct kiocb iocb;
	int err;

	init_sync_kiocb(&iocb, r->out);
	iocb.ki_pos = r->pos_out;
	err = generic_write_checks_count(&iocb, &count);
	if (err)
		return err;
	return count == r->len ? 0 : -EINVAL;
}

/* All or nothing: can each of the sources be cloned? */
static int sources_check(const struct copying *c)
{
	u64 pos = c->r->pos_in, end = pos + c->r->len, len;
	struct file *real;

	for (; pos < end; pos += len) {
		len = end - pos;
		real = source_at(c, pos, &len);
		if (IS_ERR(real))
			return PTR_ERR(real);
		if (!shale_real_can_clone(real, c->top))
			return -EXDEV;
	}
	return 0;
}

static int edges_take(const struct copying *c)
{
	const u64 pos = c->r->pos_out, end = pos + c->r->len;
	int err = 0;

	if (!IS_ALIGNED(pos, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(c->r->out, c->to, pos, 1);
	if (!err && !IS_ALIGNED(end, SHALE_MAP_BLOCK_SIZE))
		err = shale_parts_take(c->r->out, c->to, end, 1);
	return err;
}

static loff_t run_clone_locked(const struct copying *c, const struct shale_range *run)
{
	loff_t ret = shale_real_clone_held(run);
	u64 first, nr;
	int err = 0;

	if (ret <= 0)
		return ret;
	shale_cow_blocks(c->to->maps[0], run->pos_out, ret, &first, &nr);
	if (nr)
		err = shale_map_set(c->to->maps[0], first, nr);
	return err ?: ret;
}

static loff_t run_clone(const struct copying *c, const struct shale_range *run)
{
	u64 first, nr = 0;
	loff_t ret;

	if (c->to)
		shale_cow_blocks(c->to->maps[0], run->pos_out, run->len, &first, &nr);
	shale_real_start_write(c->top);
	if (nr) {
		shale_parts_lock(c->to);
		ret = run_clone_locked(c, run);
		shale_parts_unlock(c->to);
	} else {
		ret = shale_real_clone_held(run);
	}
	shale_real_end_write(c->top);
	return ret;
}

/* A block that several parts show together, or one whose end shows and goes on in the part. */
static loff_t block_copy(const struct copying *c, u64 pos_in, u64 pos_out, u64 len)
{
	const size_t size = min(len, c->block);
	u8 *buf = kmalloc(c->block, GFP_KERNEL);
	ssize_t ret;

	if (!buf)
		return -ENOMEM;
	ret = shale_parts_show(c->r->in, c->from.parts, buf, pos_in, pos_in + size);
	if (!ret && c->to)
		ret = shale_parts_write_buf(c->r->out, c->to, buf, size, pos_out);
	else if (!ret) {
		shale_real_start_write(c->top);
		ret = shale_real_write_buf(c->top, buf, size, pos_out);
		shale_real_end_write(c->top);
	}
	kfree(buf);
	return ret;
}

/* How many of the LEN bytes that a part shows at POS can be cloned: whole blocks, or up to the part's end. */
static u64 clone_len(const struct copying *c, struct file *real, u64 pos, u64 len)
{
	const bool is_last = pos + len == c->r->pos_in + c->r->len;

	if (!c->from.parts || (is_last && pos + len == i_size_read(file_inode(real))))
		return len;
	return round_down(len, c->block);
}

/* What is left of the range after DONE bytes, into the top; whose they are is to be found out. */
static struct shale_range rest_of(const struct copying *c, u64 done)
{
	struct shale_range rest = *c->r;

	rest.out = c->top;
	rest.pos_in += done;
	rest.pos_out += done;
	rest.len -= done;
	return rest;
}

static loff_t piece_clone(const struct copying *c, u64 done)
{
	struct shale_range run = rest_of(c, done);
	const u64 rest = run.len;
	u64 len = rest;

	run.flags &= ~REMAP_FILE_CAN_SHORTEN;
	run.in = source_at(c, run.pos_in, &len);
	if (IS_ERR(run.in))
		return PTR_ERR(run.in);
	run.len = clone_len(c, run.in, run.pos_in, len);
	if (run.len)
		return run_clone(c, &run);
	return block_copy(c, run.pos_in, run.pos_out, rest);
}

static loff_t pieces_clone(const struct copying *c)
{
	loff_t ret = 0, done;

	for (done = 0; done < c->r->len; done += ret) {
		ret = fatal_signal_pending(current) ? -EINTR : piece_clone(c, done);
		if (ret <= 0)
			break;
		cond_resched();
	}
	if (c->to)
		shale_mapio_dirty(c->to->inode);
	return done ?: ret;
}

static int stage_fill(const struct copying *c, struct file *stage)
{
	struct shale_range r = *c->r;
	const struct copying staging = { .r = &r, .from = c->from, .top = stage, .block = c->block };
	loff_t ret;

	r.pos_out = r.pos_in;
	ret = pieces_clone(&staging);
	return ret < 0 ? ret : ret == r.len ? 0 : -EIO;
}

static loff_t staged_clone(const struct copying *c)
{
	struct copying staged = *c;
	struct file *stage = shale_real_tmpfile(SHALE_FS(c->to->inode->i_sb), NULL, S_IFREG | 0600);
	loff_t ret;

	if (IS_ERR(stage))
		return PTR_ERR(stage);
	ret = stage_fill(c, stage);
	staged.from = (struct shale_source){ .real = stage };
	if (!ret)
		ret = pieces_clone(&staged);
	fput(stage);
	return ret;
}

static bool is_all_of_top(const struct copying *c)
{
	u64 first, nr = 0;

	if (c->to && c->r->len)
		shale_cow_blocks(c->to->maps[0], c->r->pos_out, c->r->len, &first, &nr);
	return !nr;
}

static loff_t range_clone(const struct copying *c)
{
	int err = 0;

	if (c->to)
		err = shale_parts_grow(c->to->inode, c->r->pos_out + c->r->len) ?: edges_take(c);
	if (err)
		return err;
	return is_all_of_top(c) ? pieces_clone(c) : staged_clone(c);
}

static int bytes_show(struct file *file, const struct shale_source *source, u8 *buf, u64 pos, size_t size)
{
	return source->parts ? shale_parts_show(file, source->parts, buf, pos, pos + size) :
			       shale_real_read_buf(source->real, buf, size, pos);
}

/* Of the LEN bytes that both show from there on, as many as were compared: -EBADE if they differ. */
static loff_t bytes_compare(const struct copying *c, u64 pos_in, u64 pos_out, u64 len)
{
	const size_t size = min_t(u64, len, COMPARE_CHUNK);
	u8 *in = kvmalloc(2 * size, GFP_KERNEL), *out = in + size;
	loff_t ret;

	if (!in)
		return -ENOMEM;
	ret = bytes_show(c->r->in, &c->from, in, pos_in, size) ?:
	      bytes_show(c->r->out, &c->shown, out, pos_out, size);
	if (!ret)
		ret = memcmp(in, out, size) ? -EBADE : size;
	kvfree(in);
	return ret;
}

/* Where the target shows what is below it has no blocks of its own, and nothing is left to be shared. */
static loff_t piece_dedupe(const struct copying *c, u64 done)
{
	struct shale_range run = rest_of(c, done);
	struct shale_run shown = { .len = run.len };
	u64 len;

	if (c->to)
		shown = shale_cow_run(c->to->maps, run.pos_out, shown.len);
	if (c->is_below || shown.part)
		return bytes_compare(c, run.pos_in, run.pos_out, shown.len);
	len = shown.len;
	run.in = source_at(c, run.pos_in, &len);
	if (IS_ERR(run.in))
		return PTR_ERR(run.in);
	run.len = len;
	return shale_real_remap(&run);
}

/* What the target shows does not change, nor whose it is. */
static loff_t range_dedupe(const struct copying *c)
{
	loff_t ret = 0, done;

	for (done = 0; done < c->r->len; done += ret) {
		ret = fatal_signal_pending(current) ? -EINTR : piece_dedupe(c, done);
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		cond_resched();
	}
	return done;
}

/* The target's upper, or what is asked instead what can be done. */
static struct file *target_top(const struct copying *c, struct file *top)
{
	if (top)
		return top;
	return c->to ? shale_parts_file(c->r->out, c->to, 0) : c->shown.real;
}

static int copying_begin(struct copying *c, struct file *top)
{
	int err = shale_file_source(c->r->in, &c->from) ?: shale_file_source(c->r->out, &c->shown);

	if (err)
		return err;
	c->to = c->shown.parts;
	c->is_below = !top;
	c->top = target_top(c, top);
	if (IS_ERR(c->top))
		return PTR_ERR(c->top);
	c->block = i_blocksize(file_inode(c->top));
	return shale_real_can_clone(c->top, c->top) ? 0 : -EOPNOTSUPP;
}

loff_t shale_parts_remap(const struct shale_range *asked, struct file *top)
{
	struct shale_range r = *asked;
	struct copying c = { .r = &r };
	int err;

	err = copying_begin(&c, top) ?: range_check(&c, &r);
	if (!err && r.len)
		err = limits_check(&r);
	if (!err)
		err = sources_check(&c);
	if (err)
		return err;
	return r.flags & REMAP_FILE_DEDUP ? range_dedupe(&c) : range_clone(&c);
}

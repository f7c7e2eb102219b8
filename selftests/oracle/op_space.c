// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_space.c - operations that change a file's size or where it has blocks: truncate and the modes of
 * fallocate.
 */
#include "oracle.h"

#include <linux/falloc.h>

#define KEEP FALLOC_FL_KEEP_SIZE

/* The large file mostly changes near its end, or it would soon be a small one. */
static off_t new_size(struct file *file)
{
	off_t size = chance_offset(file), near = file->now.size + pick(200000) - 100000;

	if (!file->is_sparse || one_in(6) || near < 0 || near > file->limit)
		return size;
	return near;
}

static void choose_ftruncate(struct op *op)
{
	op_take(op);
	op->at = new_size(op->file);
}

static void choose_truncate(struct op *op)
{
	op->at = new_size(op->file);
	op->length = 1;
	file_path(op->file, op->path);
}

static long run_ftruncate(struct op *op)
{
	return op_errno(ftruncate(op->fd, op->at));
}

static long run_truncate(struct op *op)
{
	return op_errno(truncate(op->path, op->at));
}

static void apply_truncate(struct op *op)
{
	if (op->at != op->file->now.size)
		op_written(op);
	if (op->at < op->file->now.size)
		mappings_forget_own(op->file);
	contents_resize(&op->file->now, op->at);
	check_range(op->file, op->at - 2 * PAGE, op->at + PAGE);
}

static void choose_range(struct op *op)
{
	op_take(op);
	op_limit(op);
}

static void choose_zero(struct op *op)
{
	off_t size = op->file->now.size;

	choose_range(op);
	if (op->at < size && op->at + (off_t)op->length > size && excuse_count(EXCUSE_ZERO_END))
		op->length = size - op->at;
}

/* Also what native filesystems refuse: a collapse up to the end, an insertion there. */
static void choose_shift(struct op *op)
{
	off_t size = op->file->now.size;

	op_take(op);
	op_align(op, true);
	if (op->kind->flags == FALLOC_FL_INSERT_RANGE) {
		op->want = op->at >= size ? -EINVAL : 0;
		if (size + (off_t)op->length > op->file->limit + BUFFER_SIZE)
			op->length = 0;
	} else {
		op->want = op->at + (off_t)op->length >= size ? -EINVAL : 0;
	}
}

static long run_fallocate(struct op *op)
{
	return op_errno(fallocate(op->fd, op->kind->flags, op->at, op->length));
}

static void apply_allocate(struct op *op)
{
	off_t end = op->at + op->length;

	if (!(op->kind->flags & KEEP) && end > op->file->now.size) {
		contents_resize(&op->file->now, end);
		op_written(op);
	}
}

static void apply_zero(struct op *op)
{
	off_t end = op->at + op->length;

	if ((op->kind->flags & KEEP) && end > op->file->now.size)
		end = op->file->now.size;
	if (end <= op->at)
		return;
	op_written(op);
	contents_zero(&op->file->now, op->at, end - op->at);
}

static void apply_shift(struct op *op)
{
	op_written(op);
	mappings_forget_own(op->file);
	if (op->kind->flags == FALLOC_FL_INSERT_RANGE)
		contents_insert(&op->file->now, op->at, op->length);
	else
		contents_collapse(&op->file->now, op->at, op->length);
}

const struct kind space_kinds[] = {
	{"ftruncate", 10, choose_ftruncate, run_ftruncate, apply_truncate, TAILS, 0},
	{"truncate", 6, choose_truncate, run_truncate, apply_truncate, TAILS, 0},
	{"allocate", 5, choose_range, run_fallocate, apply_allocate, 0, 0},
	{"allocate_keep", 4, choose_range, run_fallocate, apply_allocate, 0, KEEP},
	{"punch", 14, choose_range, run_fallocate, apply_zero, 0, FALLOC_FL_PUNCH_HOLE | KEEP},
	{"zero", 6, choose_zero, run_fallocate, apply_zero, 0, FALLOC_FL_ZERO_RANGE},
	{"zero_keep", 4, choose_range, run_fallocate, apply_zero, 0, FALLOC_FL_ZERO_RANGE | KEEP},
	{"collapse", 6, choose_shift, run_fallocate, apply_shift, TAILS, FALLOC_FL_COLLAPSE_RANGE},
	{"insert", 6, choose_shift, run_fallocate, apply_shift, TAILS, FALLOC_FL_INSERT_RANGE},
	{"unshare", 2, choose_range, run_fallocate, apply_allocate, 0, FALLOC_FL_UNSHARE_RANGE},
	{0},
};

// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_copy.c - operations that bring bytes from one file (OTHER, at FROM) to another (FILE, at AT), which
 * may be the same: copy_file_range, sendfile, clone and dedupe.
 */
#include "oracle.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

#define DEDUPE_BLOCK 4096

static unsigned char bytes[BUFFER_SIZE];

/* Where mirror last made two ranges equal. */
static struct {
	struct file *file, *other;
	off_t at, from;
	size_t length;
} mirrored;

static void choose_copy(struct op *op)
{
	op_take(op);
	op_take_other(op);
	op->want = file_bytes_at(op->other, op->from, op->length);
	op_limit(op);
}

static long run_copy(struct op *op)
{
	loff_t from = op->from, at = op->at;

	return op_errno(copy_file_range(op->other_fd, &from, op->fd, &at, op->length, 0));
}

static long run_sendfile(struct op *op)
{
	off_t from = op->from;

	if (lseek(op->fd, op->at, SEEK_SET) < 0)
		return -errno;
	return op_errno(sendfile(op->fd, op->other_fd, &from, op->length));
}

static void copy_bytes(struct op *op, size_t length)
{
	contents_read(&op->other->now, op->from, bytes, length);
	contents_write(&op->file->now, op->at, bytes, length);
	op_written(op);
}

static void apply_copy(struct op *op)
{
	if (op->ret > 0)
		copy_bytes(op, op->ret);
}

/* A direct write behind the end that fails for its memory's alignment changes the size on xfs; a direct read
 * into a pipe that comes to the end can give EIO. */
static bool is_direct_at_end(const struct op *op)
{
	return (handle_is_direct(op->handle) && op->at + (off_t)op->length > op->file->now.size) ||
	       (handle_is_direct(op->other_handle) && op->want < (long)op->length);
}

/* sendfile over its own source reads what it has just written. */
static void choose_sendfile(struct op *op)
{
	bool is_overlapping;

	choose_copy(op);
	is_overlapping = op->file == op->other && op->at < op->from + (off_t)op->length &&
			 op->from < op->at + (off_t)op->length;
	if (is_overlapping || is_direct_at_end(op))
		op->length = 0;
}

/* Half of them end where the source ends, the only place where a clone need not end on a block. */
static void choose_clone_range(struct op *op)
{
	off_t left;

	choose_copy(op);
	op_align(op, true);
	left = op->other->now.size - op->from;
	if (one_in(2) && op->length && left > 0 && left <= BUFFER_SIZE)
		op->length = left;
	op->want = 0;
}

static long run_clone_range(struct op *op)
{
	struct file_clone_range range = {
		.src_fd = op->other_fd,
		.src_offset = op->from,
		.src_length = op->length,
		.dest_offset = op->at,
	};

	return op_errno(ioctl(op->fd, FICLONERANGE, &range));
}

static void apply_clone_range(struct op *op)
{
	copy_bytes(op, op->length);
}

static void choose_clone(struct op *op)
{
	op_take(op);
	op_take_other(op);
	op->at = op->from = 0;
	op->length = op->file->limit < op->other->limit || op->other->is_sparse ? 0 : 1;
}

static long run_clone(struct op *op)
{
	return op_errno(ioctl(op->fd, FICLONE, op->other_fd));
}

/* The target keeps what it has behind the source's end. */
static void apply_clone(struct op *op)
{
	off_t size = op->other->now.size;

	op_written(op);
	for (off_t at = 0; op->file != op->other && at < size; at += BUFFER_SIZE) {
		size_t part = size - at < BUFFER_SIZE ? size - at : BUFFER_SIZE;

		contents_read(&op->other->now, at, bytes, part);
		contents_write(&op->file->now, at, bytes, part);
	}
}

/* Writes what another file has, so that dedupe finds something. */
static void choose_mirror(struct op *op)
{
	choose_copy(op);
	op->at = align_down(op->at, DEDUPE_BLOCK);
	op->from = align_down(op->from, DEDUPE_BLOCK);
	op->length = align_down(op->length, DEDUPE_BLOCK);
	if (op->from + (off_t)op->length > op->other->now.size || op->handle->flags & O_APPEND)
		op->length = 0;
	op->want = op->length;
	contents_read(&op->other->now, op->from, op->buffer, op->length);
}

static long run_mirror(struct op *op)
{
	return op_errno(pwrite(op->fd, op->buffer, op->length, op->at));
}

static void apply_mirror(struct op *op)
{
	contents_write(&op->file->now, op->at, op->buffer, op->ret);
	op_written(op);
	mirrored.file = op->file;
	mirrored.other = op->other;
	mirrored.at = op->at;
	mirrored.from = op->from;
	mirrored.length = op->length;
}

static void take_mirrored(struct op *op)
{
	op->file = mirrored.file;
	op->other = mirrored.other;
	op->handle = handle_pick(op->file);
	op->fd = op->handle->fd;
	op->other_handle = handle_pick(op->other);
	op->other_fd = op->other_handle->fd;
	op->at = mirrored.at;
	op->from = mirrored.from;
	op->length = mirrored.length;
}

static bool is_equal(const struct op *op, size_t length)
{
	static unsigned char theirs[BUFFER_SIZE];

	contents_read(&op->file->now, op->at, bytes, length);
	contents_read(&op->other->now, op->from, theirs, length);
	return !memcmp(bytes, theirs, length);
}

static void choose_dedupe(struct op *op)
{
	if (mirrored.file && !one_in(4)) {
		take_mirrored(op);
	} else {
		choose_copy(op);
		op_align(op, true);
	}
	op->want = is_equal(op, op->length) ? op->length : 0;
}

/* The bytes that are shared now, 0 where the ranges differ. */
static long run_dedupe(struct op *op)
{
	_Alignas(8) char space[sizeof(struct file_dedupe_range) + sizeof(struct file_dedupe_range_info)] = {0};
	struct file_dedupe_range *range = (struct file_dedupe_range *)space;

	range->src_offset = op->from;
	range->src_length = op->length;
	range->dest_count = 1;
	range->info[0].dest_fd = op->fd;
	range->info[0].dest_offset = op->at;
	if (ioctl(op->other_fd, FIDEDUPERANGE, range) < 0)
		return -errno;
	if (range->info[0].status == FILE_DEDUPE_RANGE_DIFFERS)
		return 0;
	return range->info[0].status < 0 ? range->info[0].status : (long)range->info[0].bytes_deduped;
}

/* Only whole blocks are looked at. */
static void apply_dedupe(struct op *op)
{
	if (op->ret > 0 && !is_equal(op, align_down(op->ret, DEDUPE_BLOCK)))
		mismatch(op->file, "dedupe found ranges equal that are not");
	if (op->ret == 0 && op->want > 0)
		mismatch(op->file, "dedupe found equal ranges to differ");
}

const struct kind copy_kinds[] = {
	{"copy_range", 14, choose_copy, run_copy, apply_copy, SHORT_OK, 0},
	{"sendfile", 8, choose_sendfile, run_sendfile, apply_copy, SHORT_OK, 0},
	{"clone_range", 12, choose_clone_range, run_clone_range, apply_clone_range, 0, 0},
	{"clone", 2, choose_clone, run_clone, apply_clone, TAILS, 0},
	{"mirror", 6, choose_mirror, run_mirror, apply_mirror, 0, 0},
	{"dedupe", 8, choose_dedupe, run_dedupe, apply_dedupe, BYTES_OK, 0},
	{0},
};

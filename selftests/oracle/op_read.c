// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_read.c - operations that read bytes into memory, by read(2) and its relatives, asynchronously, through
 * a pipe and into a mapping; and those that ask where a file has data.
 */
#include "oracle.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define EXTENTS 64

static void choose_read(struct op *op)
{
	op_take(op);
	op->want = file_bytes_at(op->file, op->at, op->length);
}

static void apply_read(struct op *op)
{
	check_bytes(op->file, op->kind->name, op->at, op->buffer, op->ret);
}

static long run_pread(struct op *op)
{
	return op_errno(pread(op->fd, op->buffer, op->length, op->at));
}

static long run_read(struct op *op)
{
	if (lseek(op->fd, op->at, SEEK_SET) < 0)
		return -errno;
	return op_errno(read(op->fd, op->buffer, op->length));
}

static long run_preadv(struct op *op)
{
	size_t first = align_down(op->length / 2, PAGE);
	struct iovec parts[] = {{op->buffer, first}, {op->buffer + first, op->length - first}};

	return op_errno(preadv2(op->fd, parts, 2, op->at, op->kind->flags));
}

static void choose_async(struct op *op)
{
	choose_read(op);
	op->flags = 1 + pick(4);
}

static long run_aio(struct op *op)
{
	return async_aio(op->fd, false, op->buffer, op->length, op->at, op->flags);
}

static long run_uring(struct op *op)
{
	return async_uring(op->fd, false, op->buffer, op->length, op->at, op->flags);
}

/* On 6.1 a direct read into a pipe that comes to the file's end can give EIO. */
static void choose_pipe(struct op *op)
{
	choose_read(op);
	if (handle_is_direct(op->handle) && op->want < (long)op->length)
		op->length = 0;
}

static ssize_t splice_out(struct op *op, int pipe)
{
	loff_t at = op->at;

	return splice(op->fd, &at, pipe, NULL, op->length, 0);
}

static ssize_t sendfile_out(struct op *op, int pipe)
{
	off_t at = op->at;

	return sendfile(pipe, op->fd, &at, op->length);
}

static long run_pipe(struct op *op, ssize_t (*move)(struct op *op, int pipe))
{
	int pipe[2];
	long ret;

	op_pipe(pipe);
	ret = op_errno(move(op, pipe[1]));
	if (ret > 0 && read(pipe[0], op->buffer, ret) != ret)
		die("emptying a pipe");
	close(pipe[0]);
	close(pipe[1]);
	return ret;
}

static long run_splice(struct op *op)
{
	return run_pipe(op, splice_out);
}

static long run_sendfile(struct op *op)
{
	return run_pipe(op, sendfile_out);
}

/* FILE is the one that is mapped, OTHER the one that is read. */
static void choose_into_mapping(struct op *op)
{
	size_t reach, start;

	op->mapping = mapping_pick(op->file);
	reach = mapping_reach(op->file, op->mapping);
	op_take_other(op);
	if (!reach || !op->mapping->is_writable || op->mapping->is_private || op->other == op->file)
		return;
	start = align_down(pick(reach), PAGE);
	op->at = op->mapping->offset + start;
	op->from = align_down(op->from, PAGE);
	op->length = chance_length();
	if (op->length > reach - start)
		op->length = reach - start;
	/* A direct read stores whole blocks, and some also where it fails for the alignment of the rest. */
	if (handle_is_direct(op->other_handle))
		op->length = align_down(file_bytes_at(op->other, op->from, op->length), PAGE);
	op->want = file_bytes_at(op->other, op->from, op->length);
	op->buffer = op->mapping->at + start;
}

static long run_into_mapping(struct op *op)
{
	return op_errno(pread(op->other_fd, op->buffer, op->length, op->from));
}

static void apply_into_mapping(struct op *op)
{
	static unsigned char bytes[BUFFER_SIZE];

	contents_read(&op->other->now, op->from, bytes, op->ret);
	contents_write(&op->file->now, op->at, bytes, op->ret);
}

static void choose_seek(struct op *op)
{
	op_take(op);
	op->flags = one_in(2) ? SEEK_DATA : SEEK_HOLE;
	op->want = op->at >= op->file->now.size ? -ENXIO : 0;
	if (op->flags == SEEK_DATA && contents_is_zero(&op->file->now, op->at, op->file->now.size))
		op->want = -ENXIO;
}

static long run_seek(struct op *op)
{
	return op_errno(lseek(op->fd, op->at, op->flags));
}

static void apply_seek(struct op *op)
{
	if (op->ret < op->at || op->ret > op->file->now.size)
		mismatch(op->file, "it gave %ld, which is not between %ld and %ld", op->ret, (long)op->at,
			 (long)op->file->now.size);
	if (op->flags == SEEK_DATA && !contents_is_zero(&op->file->now, op->at, op->ret) &&
	    !excuse_count(EXCUSE_XFS_SEEK))
		mismatch(op->file, "SEEK_DATA skipped bytes between %ld and %ld", (long)op->at, op->ret);
}

static struct {
	struct fiemap map;
	struct fiemap_extent list[EXTENTS];
} extents;

static long run_fiemap(struct op *op)
{
	extents.map = (struct fiemap){
		.fm_start = op->at,
		.fm_length = op->length,
		.fm_flags = FIEMAP_FLAG_SYNC,
		.fm_extent_count = EXTENTS,
	};
	return op_errno(ioctl(op->fd, FS_IOC_FIEMAP, &extents));
}

static void expect_zeros(const struct file *file, off_t at, off_t end)
{
	if (at < end && !contents_is_zero(&file->now, at, end))
		mismatch(file, "FIEMAP has no written extent for bytes between %ld and %ld", (long)at, (long)end);
}

/* What no extent covers, or one that is not written yet, must be zeros. */
static void apply_fiemap(struct op *op)
{
	off_t at = op->at, end = op->at + op->length;

	for (unsigned int i = 0; i < extents.map.fm_mapped_extents; i++) {
		const struct fiemap_extent *extent = &extents.list[i];
		off_t start = extent->fe_logical;

		if (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN)
			continue;
		expect_zeros(op->file, at, start < end ? start : end);
		at = start + extent->fe_length;
	}
	if (extents.map.fm_mapped_extents < EXTENTS)
		expect_zeros(op->file, at, end);
}

const struct kind read_kinds[] = {
	{"pread", 20, choose_read, run_pread, apply_read, 0, 0},
	{"read", 8, choose_read, run_read, apply_read, 0, 0},
	{"preadv", 6, choose_read, run_preadv, apply_read, 0, 0},
	{"pread_nowait", 5, choose_read, run_preadv, apply_read, SHORT_OK | AGAIN_OK, RWF_NOWAIT},
	{"aio_read", 6, choose_async, run_aio, apply_read, 0, 0},
	{"uring_read", 6, choose_async, run_uring, apply_read, 0, 0},
	{"splice_out", 8, choose_pipe, run_splice, apply_read, SHORT_OK, 0},
	{"sendfile_out", 6, choose_pipe, run_sendfile, apply_read, SHORT_OK, 0},
	{"read_into_mapping", 8, choose_into_mapping, run_into_mapping, apply_into_mapping, 0, 0},
	{"seek", 12, choose_seek, run_seek, apply_seek, BYTES_OK, 0},
	{"fiemap", 6, choose_read, run_fiemap, apply_fiemap, BYTES_OK, 0},
	{0},
};

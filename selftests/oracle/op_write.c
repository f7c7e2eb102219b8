// SPDX-License-Identifier: GPL-2.0-only
/*
 * op_write.c - operations that write bytes from memory: by write(2) and its relatives, asynchronously, from
 * a pipe and from a mapping.
 */
#include "oracle.h"

#include <stdlib.h>
#include <sys/uio.h>

#define SECTOR 512 /* direct writes are refused below this */

/* What has been written, where the operation's buffer is a mapping that changes by it. */
static unsigned char written[BUFFER_SIZE];

static void choose_write(struct op *op)
{
	op_take(op);
	if (op->handle->flags & O_APPEND)
		op->at = op->file->now.size;
	op_limit(op);
	if (handle_is_direct(op->handle) && op->length > PAGE && op->length % SECTOR && excuse_count(EXCUSE_PART_WRITTEN))
		op->length = align_down(op->length, PAGE);
	chance_fill(op->buffer, op->length);
	op->want = op->length;
}

/* The negative control: SHALE_ORACLE_FORGET=N leaves the Nth write out of the model. */
static bool is_forgotten(void)
{
	static unsigned long count;
	const char *which = getenv("SHALE_ORACLE_FORGET");

	return which && ++count == strtoul(which, NULL, 10);
}

static void apply_bytes(struct op *op, const unsigned char *bytes)
{
	op_written(op);
	if (!is_forgotten())
		contents_write(&op->file->now, op->at, bytes, op->ret);
}

static void apply_write(struct op *op)
{
	apply_bytes(op, op->buffer);
}

static long run_pwrite(struct op *op)
{
	return op_errno(pwrite(op->fd, op->buffer, op->length, op->at));
}

static long run_write(struct op *op)
{
	if (lseek(op->fd, op->at, SEEK_SET) < 0)
		return -errno;
	return op_errno(write(op->fd, op->buffer, op->length));
}

static long run_pwritev(struct op *op)
{
	size_t first = align_down(op->length / 2, PAGE);
	struct iovec parts[] = {{op->buffer, first}, {op->buffer + first, op->length - first}};

	return op_errno(pwritev2(op->fd, parts, 2, op->at, op->kind->flags));
}

static void choose_async(struct op *op)
{
	choose_write(op);
	op->flags = 1 + pick(4);
	if (op->handle->flags & O_APPEND)
		op->flags = 1;
}

static long run_aio(struct op *op)
{
	return async_aio(op->fd, true, op->buffer, op->length, op->at, op->flags);
}

static long run_uring(struct op *op)
{
	return async_uring(op->fd, true, op->buffer, op->length, op->at, op->flags);
}

/* A direct write behind the end that fails for its memory's alignment changes the size on xfs. */
static void choose_splice(struct op *op)
{
	choose_write(op);
	if (handle_is_direct(op->handle) && op->at + (off_t)op->length > op->file->now.size)
		op->length = 0;
}

static long splice_all(struct op *op, int from)
{
	loff_t at = op->at;
	size_t done = 0;
	ssize_t part;

	while (done < op->length) {
		part = splice(from, NULL, op->fd, &at, op->length - done, 0);
		if (part <= 0)
			return done ? (long)done : op_errno(part);
		done += part;
	}
	return done;
}

static long run_splice(struct op *op)
{
	int pipe[2];
	long ret;

	op_pipe(pipe);
	if (write(pipe[1], op->buffer, op->length) != (ssize_t)op->length)
		die("filling a pipe");
	ret = splice_all(op, pipe[0]);
	close(pipe[0]);
	close(pipe[1]);
	return ret;
}

/* Within one file the source must not change while it is read: it is the very range or far from it. */
static bool may_write_from(const struct op *op)
{
	if (op->other != op->file)
		return true;
	if (op->handle->flags & (O_DIRECT | O_APPEND))
		return false;
	return op->at == op->from || op->at + (off_t)op->length <= op->from ||
	       op->from + (off_t)op->length <= op->at;
}

static void choose_from_mapping(struct op *op)
{
	bool is_same_place = one_in(3);
	struct mapping *mapping;
	size_t reach, start;

	choose_write(op);
	op->other = one_in(3) ? op->file : file_pick();
	mapping = mapping_pick(op->other);
	reach = mapping_reach(op->other, mapping);
	start = reach ? align_down(pick(reach), PAGE) : 0;
	op->from = mapping->offset + start;
	if (is_same_place && op->other == op->file && !(op->handle->flags & O_APPEND))
		op->at = op->from;
	if (op->length > reach - start)
		op->length = reach - start;
	op->want = op->length;
	if (!op->length || !may_write_from(op)) {
		op->length = 0;
		return;
	}
	op->buffer = mapping->at + start;
	mapping_check(op->other, mapping, op->from, op->from + op->length);
	if (!mapping_load(mapping, op->from, written, op->length))
		mismatch(op->other, "SIGBUS at offset %ld", (long)op->from);
}

static void apply_from_mapping(struct op *op)
{
	apply_bytes(op, written);
}

const struct kind write_kinds[] = {
	{"pwrite", 40, choose_write, run_pwrite, apply_write, 0, 0},
	{"write", 12, choose_write, run_write, apply_write, 0, 0},
	{"pwritev", 8, choose_write, run_pwritev, apply_write, 0, 0},
	{"pwrite_dsync", 2, choose_write, run_pwritev, apply_write, 0, RWF_DSYNC},
	{"pwrite_nowait", 6, choose_write, run_pwritev, apply_write, SHORT_OK | AGAIN_OK, RWF_NOWAIT},
	{"aio_write", 8, choose_async, run_aio, apply_write, 0, 0},
	{"uring_write", 8, choose_async, run_uring, apply_write, 0, 0},
	{"splice_in", 8, choose_splice, run_splice, apply_write, SHORT_OK, 0},
	{"write_from_mapping", 10, choose_from_mapping, run_pwrite, apply_from_mapping, 0, 0},
	{0},
};

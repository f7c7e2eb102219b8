// SPDX-License-Identifier: GPL-2.0-only
/*
 * twin.c - what the bare filesystem says to the same call: on a file of the same size opened with the
 * same flags, made for this one call. Its bytes are zeros, but for O_DIRECT the range in question is no
 * hole, which some filesystems read whatever the alignment.
 */
#include "oracle.h"

static unsigned char scratch[BUFFER_SIZE] __attribute__((aligned(PAGE)));

static void fill_range(int fd, off_t size, off_t at, off_t end)
{
	at = align_down(at, PAGE);
	if (end > size)
		end = size;
	if (end > at + BUFFER_SIZE)
		end = at + BUFFER_SIZE;
	if (end > at && pwrite(fd, scratch, end - at, at) < 0)
		die("pwrite to a twin");
}

/* -1 with errno where FLAGS are not possible. */
static int twin_make(const char *path, off_t size, int flags)
{
	int fd = open(path, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, size) < 0)
		die(path);
	close(fd);
	return open(path, flags | O_CLOEXEC);
}

int twin_open(off_t size, int flags)
{
	return twin_make("twin/a", size, flags);
}

static void twin_fill(const char *path, off_t size, off_t at, size_t length)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path);
	fill_range(fd, size, at, at + length + PAGE);
	close(fd);
}

static int open_other(const struct op *op)
{
	if (!op->other_handle)
		return -1;
	if (op->other == op->file)
		return open("twin/a", op->other_handle->flags | O_CLOEXEC);
	return twin_make("twin/b", op->other_size, op->other_handle->flags);
}

/* Closes it and gives its blocks back. */
static void twin_end(int fd, const char *path)
{
	if (fd < 0)
		return;
	close(fd);
	if (truncate(path, 0) < 0)
		die(path);
}

/* What OP gives there. */
long twin_run(const struct op *op)
{
	struct op twin = *op;
	long ret;

	memset(scratch, 0, sizeof(scratch));
	snprintf(twin.path, sizeof(twin.path), "twin/a");
	twin.buffer = scratch;
	twin.fd = twin_make("twin/a", op->size, op->handle ? op->handle->flags : O_RDWR);
	if (twin.fd < 0)
		die("opening a twin");
	twin.other_fd = open_other(op);
	if (handle_is_direct(op->handle))
		twin_fill("twin/a", op->size, op->at, op->length);
	if (handle_is_direct(op->other_handle))
		twin_fill(op->other == op->file ? "twin/a" : "twin/b", op->other_size, op->from, op->length);
	ret = op->kind->run(&twin);
	twin_end(twin.fd, "twin/a");
	twin_end(twin.other_fd, op->other == op->file ? "twin/a" : "twin/b");
	return ret;
}

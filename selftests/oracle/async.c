// SPDX-License-Identifier: GPL-2.0-only
/*
 * async.c - reads and writes in several pieces at once, by io_submit(2) and by io_uring; see async.h. Knows
 * nothing of the oracle, since other tests use it too.
 */
#include "async.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE   4096
#define PIECES 4
#define BROKEN 2 /* the exit status */

struct piece {
	unsigned char *buffer;
	size_t length;
	off_t at;
	long result;
};

static void die(const char *what) __attribute__((noreturn));
static void die(const char *what)
{
	perror(what);
	_exit(BROKEN);
}

/* Pieces are whole pages, so that each is aligned as the whole is. */
static int split(struct piece *out, unsigned char *buffer, size_t length, off_t at, int pieces)
{
	size_t step = length;
	int count = 0;

	if (at % PAGE == 0 && length % PAGE == 0 && length / PAGE >= (size_t)pieces)
		step = length / pieces / PAGE * PAGE;
	for (size_t done = 0; done < length; count++) {
		size_t left = length - done, part = count == pieces - 1 || left < step ? left : step;

		out[count] = (struct piece){buffer + done, part, at + done, -EINPROGRESS};
		done += part;
	}
	return count;
}

static long sum(const struct piece *pieces, int count)
{
	long total = 0;

	for (int i = 0; i < count; i++) {
		if ((pieces[i].result < 0 || pieces[0].result < 0) && pieces[i].result != pieces[0].result)
			return -EUCLEAN;
		total += pieces[i].result;
	}
	return pieces[0].result < 0 ? pieces[0].result : total;
}

static int submit(aio_context_t context, int fd, bool is_write, struct piece *piece, int number)
{
	struct iocb cb = {
		.aio_fildes = fd,
		.aio_lio_opcode = is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
		.aio_buf = (unsigned long)piece->buffer,
		.aio_nbytes = piece->length,
		.aio_offset = piece->at,
		.aio_data = number,
	};
	struct iocb *list = &cb;

	if (syscall(SYS_io_submit, context, 1, &list) == 1)
		return 1;
	piece->result = -errno;
	return 0;
}

long async_aio(int fd, bool is_write, unsigned char *buffer, size_t length, off_t at, int pieces)
{
	static aio_context_t context;
	struct io_event events[PIECES];
	struct piece list[PIECES];
	int count = split(list, buffer, length, at, pieces), started = 0;

	if (!context && syscall(SYS_io_setup, PIECES, &context) < 0)
		die("io_setup");
	for (int i = 0; i < count; i++)
		started += submit(context, fd, is_write, &list[i], i);
	if (syscall(SYS_io_getevents, context, started, PIECES, events, NULL) != started)
		die("io_getevents");
	for (int i = 0; i < started; i++)
		list[events[i].data].result = events[i].res;
	return sum(list, count);
}

struct uring {
	int fd;
	struct io_uring_params params;
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static void *uring_map(const struct uring *ring, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);

	if (at == MAP_FAILED)
		die("mapping a ring");
	return at;
}

static struct uring *uring_get(void)
{
	static struct uring ring;
	struct io_uring_params *p = &ring.params;

	if (ring.sqes)
		return &ring;
	ring.fd = syscall(SYS_io_uring_setup, PIECES, p);
	if (ring.fd < 0)
		die("io_uring_setup");
	ring.sq = uring_map(&ring, p->sq_off.array + p->sq_entries * sizeof(__u32), IORING_OFF_SQ_RING);
	ring.cq = uring_map(&ring, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			    IORING_OFF_CQ_RING);
	ring.sqes = uring_map(&ring, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
	return &ring;
}

static void uring_queue(struct uring *ring, int fd, bool is_write, const struct piece *piece, int number)
{
	__u32 *array = (__u32 *)(ring->sq + ring->params.sq_off.array);
	_Atomic __u32 *tail = (_Atomic __u32 *)(ring->sq + ring->params.sq_off.tail);
	__u32 at = atomic_load(tail), slot = at & (ring->params.sq_entries - 1);

	ring->sqes[slot] = (struct io_uring_sqe){
		.opcode = is_write ? IORING_OP_WRITE : IORING_OP_READ,
		.fd = fd,
		.addr = (unsigned long)piece->buffer,
		.len = piece->length,
		.off = piece->at,
		.user_data = number,
	};
	array[slot] = slot;
	atomic_store(tail, at + 1);
}

static void uring_collect(struct uring *ring, struct piece *pieces)
{
	struct io_uring_cqe *cqes = (struct io_uring_cqe *)(ring->cq + ring->params.cq_off.cqes);
	_Atomic __u32 *head = (_Atomic __u32 *)(ring->cq + ring->params.cq_off.head);
	_Atomic __u32 *tail = (_Atomic __u32 *)(ring->cq + ring->params.cq_off.tail);
	__u32 at = atomic_load(head);

	for (; at != atomic_load(tail); at++) {
		const struct io_uring_cqe *cqe = &cqes[at & (ring->params.cq_entries - 1)];

		pieces[cqe->user_data].result = cqe->res;
	}
	atomic_store(head, at);
}

long async_uring(int fd, bool is_write, unsigned char *buffer, size_t length, off_t at, int pieces)
{
	struct uring *ring = uring_get();
	struct piece list[PIECES];
	int count = split(list, buffer, length, at, pieces);

	for (int i = 0; i < count; i++)
		uring_queue(ring, fd, is_write, &list[i], i);
	if (syscall(SYS_io_uring_enter, ring->fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0) != count)
		die("io_uring_enter");
	uring_collect(ring, list);
	return sum(list, count);
}

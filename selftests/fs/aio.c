// SPDX-License-Identifier: GPL-2.0-only
/*
 * aio.c - tests of asynchronous I/O on a union, by io_submit(2) and by io_uring, on descriptors from
 * before and after a promotion; and of shared mappings that have to promote when they are made.
 */
#include "union.h"

#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/loop.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define BLOCK  4096
#define BLOCKS 16
#define SIZE   (BLOCK * BLOCKS)

/* One request: BLOCK bytes at a block's offset. */
struct request {
	int fd;
	bool is_write;
	char *buffer;
	off_t offset;
	long result;
};

/* Runs all requests at once and waits for them. */
typedef void (*engine_t)(struct request *requests, int count);

static void engine_aio(struct request *requests, int count)
{
	struct iocb cbs[BLOCKS] = {0}, *list[BLOCKS];
	struct io_event events[BLOCKS];
	aio_context_t context = 0;
	int done;

	ASSERT_OK(syscall(SYS_io_setup, BLOCKS, &context));
	for (int i = 0; i < count; i++) {
		cbs[i].aio_fildes = requests[i].fd;
		cbs[i].aio_lio_opcode = requests[i].is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		cbs[i].aio_buf = (unsigned long)requests[i].buffer;
		cbs[i].aio_nbytes = BLOCK;
		cbs[i].aio_offset = requests[i].offset;
		cbs[i].aio_data = i;
		list[i] = &cbs[i];
	}
	ASSERT_EQ(syscall(SYS_io_submit, context, count, list), count);
	done = syscall(SYS_io_getevents, context, count, BLOCKS, events, NULL);
	ASSERT_EQ(done, count);
	for (int i = 0; i < done; i++)
		requests[events[i].data].result = events[i].res;
	syscall(SYS_io_destroy, context);
}

struct uring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static void *uring_map(const struct uring *ring, size_t size, off_t offset)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, offset);

	ASSERT(at != MAP_FAILED);
	return at;
}

static void uring_open(struct uring *ring)
{
	struct io_uring_params *p = &ring->params;

	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, BLOCKS, p);
	if (ring->fd < 0)
		SKIP("no io_uring: %s", strerror(errno));
	ring->sq = uring_map(ring, p->sq_off.array + p->sq_entries * sizeof(__u32), IORING_OFF_SQ_RING);
	ring->cq = uring_map(ring, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			     IORING_OFF_CQ_RING);
	ring->sqes = uring_map(ring, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
}

static void engine_uring(struct request *requests, int count)
{
	struct uring ring;
	struct io_uring_cqe *cqes;
	__u32 *array;
	_Atomic __u32 *tail;

	uring_open(&ring);
	array = (__u32 *)(ring.sq + ring.params.sq_off.array);
	tail = (_Atomic __u32 *)(ring.sq + ring.params.sq_off.tail);
	cqes = (struct io_uring_cqe *)(ring.cq + ring.params.cq_off.cqes);
	for (int i = 0; i < count; i++) {
		ring.sqes[i] = (struct io_uring_sqe){
			.opcode = requests[i].is_write ? IORING_OP_WRITE : IORING_OP_READ,
			.fd = requests[i].fd,
			.addr = (unsigned long)requests[i].buffer,
			.len = BLOCK,
			.off = requests[i].offset,
			.user_data = i,
		};
		array[i] = i;
	}
	atomic_store(tail, count);
	ASSERT_EQ(syscall(SYS_io_uring_enter, ring.fd, count, count, IORING_ENTER_GETEVENTS, NULL, 0),
		  count);
	for (int i = 0; i < count; i++)
		requests[cqes[i].user_data].result = cqes[i].res;
	close(ring.fd);
}

static void fill(char *buffer, int block, char base)
{
	memset(buffer, base + block, BLOCK);
}

static void make_lower(void)
{
	char buffer[BLOCK];
	int fd;

	lower(0, "x=1");
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (int i = 0; i < BLOCKS; i++) {
		fill(buffer, i, 'A');
		ASSERT_EQ(write(fd, buffer, BLOCK), BLOCK);
	}
	close(fd);
	union_mount();
}

static void run_all(engine_t engine, int fd, bool is_write, char base, int first)
{
	struct request requests[BLOCKS];
	char *buffer = aligned_alloc(BLOCK, SIZE);

	memset(buffer, 0, SIZE);
	for (int i = 0; i < BLOCKS; i++) {
		requests[i] = (struct request){fd, is_write, buffer + i * BLOCK, (off_t)(first + i) * BLOCK, 0};
		if (is_write)
			fill(requests[i].buffer, i, base);
	}
	engine(requests, BLOCKS);
	for (int i = 0; i < BLOCKS; i++) {
		EXPECT_EQ(requests[i].result, BLOCK);
		EXPECT_EQ(requests[i].buffer[0], base + i);
		EXPECT_EQ(requests[i].buffer[BLOCK - 1], base + i);
	}
	free(buffer);
}

static const struct aio_case {
	struct ktap_row row;
	engine_t engine;
	int flags;
	bool promoted;
} cases[] = {
	{{"aio", "io_submit reads and writes a lower file"}, engine_aio, 0, false},
	{{"aio_promoted", "io_submit reads and writes a promoted file"}, engine_aio, 0, true},
	{{"aio_direct", "io_submit with O_DIRECT reads and writes a lower file"}, engine_aio, O_DIRECT, false},
	{{"aio_direct_promoted", "io_submit with O_DIRECT reads and writes a promoted file"}, engine_aio,
	 O_DIRECT, true},
	{{"aio_dsync", "io_submit with O_DIRECT and O_DSYNC reads and writes a lower file"}, engine_aio,
	 O_DIRECT | O_DSYNC, false},
	{{"uring", "io_uring reads and writes a lower file"}, engine_uring, 0, false},
	{{"uring_promoted", "io_uring reads and writes a promoted file"}, engine_uring, 0, true},
	{{"uring_direct", "io_uring with O_DIRECT reads and writes a lower file"}, engine_uring, O_DIRECT,
	 false},
	{{"uring_direct_promoted", "io_uring with O_DIRECT reads and writes a promoted file"},
	 engine_uring, O_DIRECT, true},
};

TEST_TABLE(io, struct aio_case, cases, c)
{
	struct stat st;
	int fd, old;

	make_lower();
	if (c->promoted)
		ASSERT_OK(chmod("m/f", 0600));
	old = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	fd = open("m/f", O_RDWR | O_CLOEXEC | c->flags);
	if (fd < 0 && (c->flags & O_DIRECT))
		SKIP("%s has no O_DIRECT", union_backing());
	ASSERT_OK(fd);
	run_all(c->engine, fd, false, 'A', 0);
	run_all(c->engine, fd, true, 'a', 0);
	run_all(c->engine, fd, false, 'a', 0);
	run_all(c->engine, old, false, 'a', 0);
	run_all(c->engine, fd, true, 'k', BLOCKS);
	EXPECT_OK(fstat(fd, &st));
	EXPECT_EQ(st.st_size, 2 * SIZE);
	EXPECT_EQ(stat_of("m/f").st_size, 2 * SIZE);
	EXPECT_EQ(lseek(old, 0, SEEK_END), 2 * SIZE);
	run_all(c->engine, old, false, 'k', BLOCKS);
	close(fd);
	close(old);
}

TEST(nowait, "RWF_NOWAIT does not promote: a write gives EAGAIN, and works once there is an upper")
{
	char buffer[BLOCK];
	struct iovec iov = {buffer, BLOCK};
	int fd;

	need_shale("overlayfs promotes at open and knows no RWF_NOWAIT");
	make_lower();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	fill(buffer, 0, 'z');
	if (pwritev2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EOPNOTSUPP)
		SKIP("%s has no RWF_NOWAIT", union_backing());
	EXPECT_ERR(pwritev2(fd, &iov, 1, 0, RWF_NOWAIT), EAGAIN);
	EXPECT(!exists("u/f"));
	EXPECT_OK(fchmod(fd, 0600));
	EXPECT_EQ(pread(fd, buffer, BLOCK, 0), BLOCK);
	EXPECT_EQ(preadv2(fd, &iov, 1, 0, RWF_NOWAIT), BLOCK);
	EXPECT_EQ(buffer[0], 'A');
	close(fd);
}

TEST(map_no_space, "a shared writable mapping of a lower file that does not fit gives ENOSPC")
{
	char buffer[BLOCK];
	char *at;
	int fd;

	need_shale("overlayfs promotes at open");
	lower(0, "x=1");
	fd = ASSERT_OK(open("l0/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	memset(buffer, 'a', BLOCK);
	for (int i = 0; i < 512; i++)
		ASSERT_EQ(write(fd, buffer, BLOCK), BLOCK);
	close(fd);
	side_mount("tmpfs", "small", "size=1m");
	ASSERT_OK(mkdir("small/u", 0755));
	ASSERT_OK(mkdir("small/w", 0755));
	ASSERT_OK(mkdir("m", 0755));
	ASSERT_OK(union_try("m", 0, "lowerdir=l0,upperdir=small/u,workdir=small/w,cow=copy"));
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	for (int i = 0; i < 3; i++) {
		at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		EXPECT(at == MAP_FAILED);
		EXPECT_EQ(errno, ENOSPC);
	}
	at = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT(at != MAP_FAILED);
	at[0] = 'b';
	EXPECT(!exists("small/u/f"));
	close(fd);
}

static atomic_int signals;

static void count_signal(int number)
{
	(void)number;
	signals++;
}

TEST(map_signals, "a shared writable mapping of a lower file is made whatever signals arrive")
{
	struct itimerval often = {{0, 500}, {0, 500}}, never = {0};
	struct sigaction action = {.sa_handler = count_signal};
	char name[16], path[32];
	char *at;
	int fd;

	lower(0, "x=1");
	for (int i = 0; i < 40; i++) {
		snprintf(path, sizeof(path), "l0/f%d", i);
		fd = ASSERT_OK(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
		ASSERT_OK(ftruncate(fd, SIZE));
		close(fd);
	}
	union_mount();
	ASSERT_OK(sigaction(SIGALRM, &action, NULL));
	ASSERT_OK(setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "m/f%d", i);
		while ((fd = open(name, O_RDWR | O_CLOEXEC)) < 0 && errno == EINTR)
			;
		ASSERT_OK(fd);
		at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		ASSERT(at != MAP_FAILED);
		at[SIZE - 1] = 'x';
		munmap(at, SIZE);
		close(fd);
	}
	ASSERT_OK(setitimer(ITIMER_REAL, &never, NULL));
	EXPECT_EQ(stat_of("u/f39").st_size, SIZE);
}

static void *map_and_store(void *offset)
{
	int fd = open("m/f", O_RDWR | O_CLOEXEC);
	char *at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	close(fd);
	if (at == MAP_FAILED)
		return "failed";
	at[(long)offset] = 'x';
	munmap(at, SIZE);
	return NULL;
}

TEST(map_threads, "threads that map one lower file shared at once all see one file")
{
	pthread_t threads[8];
	void *result;
	char byte;
	int fd;

	make_lower();
	for (long i = 0; i < 8; i++)
		ASSERT_EQ(pthread_create(&threads[i], NULL, map_and_store, (void *)(i * BLOCK)), 0);
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(pthread_join(threads[i], &result), 0);
		EXPECT(!result);
	}
	fd = ASSERT_OK(open("m/f", O_RDONLY | O_CLOEXEC));
	for (int i = 0; i < 8; i++) {
		EXPECT_EQ(pread(fd, &byte, 1, i * BLOCK), 1);
		EXPECT_EQ(byte, 'x');
	}
	close(fd);
}

TEST(map_fixed, "MAP_FIXED over an older mapping is right though the file is promoted meanwhile")
{
	char *old, *at;
	int fd;

	make_lower();
	old = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(old != MAP_FAILED);
	memset(old, 'o', SIZE);
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	at = mmap(old, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	ASSERT(at == old);
	EXPECT_EQ(at[0], 'A');
	EXPECT_EQ(at[SIZE - 1], 'A' + BLOCKS - 1);
	close(fd);
	munmap(at, SIZE);
}

/* A loop device with direct I/O on FD. */
static int loop_make(int fd)
{
	char path[32];
	int control, loop;

	ASSERT_EQ(system("modprobe -q loop"), 0);
	control = ASSERT_OK(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
	snprintf(path, sizeof(path), "/dev/loop%d", ASSERT_OK(ioctl(control, LOOP_CTL_GET_FREE)));
	loop = ASSERT_OK(open(path, O_RDWR | O_DIRECT | O_CLOEXEC));
	ASSERT_OK(ioctl(loop, LOOP_SET_FD, fd));
	if (ioctl(loop, LOOP_SET_DIRECT_IO, 1UL) < 0) {
		ioctl(loop, LOOP_CLR_FD);
		SKIP("%s has no loop devices with direct I/O", union_backing());
	}
	close(control);
	return loop;
}

/* A freeze that waits for a write that has ended is waited for with no signal, so another process tries. */
static void expect_freezes(void)
{
	int fd = ASSERT_OK(open(".", O_RDONLY | O_CLOEXEC)), status = 0, tries;
	pid_t pid = fork();

	if (pid == 0)
		_exit(ioctl(fd, FIFREEZE, 0) || ioctl(fd, FITHAW, 0));
	for (tries = 0; waitpid(pid, &status, WNOHANG) == 0 && tries < 200; tries++)
		usleep(100000);
	EXPECT(tries < 200);
	EXPECT_EQ(status, 0);
	close(fd);
}

TEST(loop, "a loop device with direct I/O on a file of the union leaves nothing that a freeze of the upper waits for")
{
	char *buffer = aligned_alloc(BLOCK, BLOCK);
	int fd, loop;

	need_shale("overlayfs does this with its own helpers");
	if (!strcmp(union_backing(), "tmpfs"))
		SKIP("tmpfs cannot be frozen");
	make_lower();
	fd = ASSERT_OK(open("m/f", O_RDWR | O_CLOEXEC));
	loop = loop_make(fd);
	/* What is the upper's already is written in another way. */
	for (int i = 0; i < 2 * BLOCKS; i++) {
		fill(buffer, i % BLOCKS, 'a');
		EXPECT_EQ(pwrite(loop, buffer, BLOCK, i % BLOCKS * BLOCK), BLOCK);
	}
	EXPECT_OK(fsync(loop));
	EXPECT_OK(ioctl(loop, LOOP_CLR_FD));
	close(loop);
	EXPECT_EQ(pread(fd, buffer, BLOCK, BLOCK), BLOCK);
	EXPECT_EQ(buffer[0], 'b');
	close(fd);
	expect_freezes();
	free(buffer);
}

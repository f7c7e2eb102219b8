// SPDX-License-Identifier: GPL-2.0-only
/*
 * read.c - how a file is looked at, by each of the ways that readers.c lists, and what it must show. Mappings
 * are in map.c.
 */
#include "coherent.h"

#include "../fs/union.h"
#include "../oracle/async.h"

#include <errno.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#define PIPE_SIZE (16 * BLOCK)

static unsigned char seen[SPACE] __attribute__((aligned(BLOCK)));

/* One step: up to LENGTH bytes at AT, as pread(2). */
typedef ssize_t (*step_t)(int fd, void *out, size_t length, off_t at);

/* A direct read that ends in the middle of a block has come to the end, and could not go on. */
static ssize_t read_steps(int fd, unsigned char out[SPACE], step_t step)
{
	ssize_t done = 0, part;

	do {
		part = step(fd, out + done, SPACE - done, done);
		if (part < 0)
			return -errno;
		done += part;
	} while (part > 0 && done < SPACE && done % BLOCK == 0);
	return done;
}

ssize_t read_pread(struct pair *pair, unsigned char out[SPACE])
{
	return read_steps(pair->read_fd, out, pread);
}

static ssize_t from_pipe(const int pipes[2], void *out, ssize_t moved)
{
	ssize_t got = moved > 0 ? read(pipes[0], out, moved) : moved;

	close(pipes[0]);
	close(pipes[1]);
	return got == moved ? moved : -1;
}

static ssize_t splice_step(int fd, void *out, size_t length, off_t at)
{
	int pipes[2];

	ASSERT_OK(pipe2(pipes, O_CLOEXEC));
	return from_pipe(pipes, out, splice(fd, &at, pipes[1], NULL, length, 0));
}

ssize_t read_splice(struct pair *pair, unsigned char out[SPACE])
{
	return read_steps(pair->read_fd, out, splice_step);
}

/* It would wait for somebody to empty a full pipe. */
static ssize_t sendfile_step(int fd, void *out, size_t length, off_t at)
{
	int pipes[2];

	ASSERT_OK(pipe2(pipes, O_CLOEXEC));
	return from_pipe(pipes, out, sendfile(pipes[1], fd, &at, length < PIPE_SIZE ? length : PIPE_SIZE));
}

ssize_t read_sendfile(struct pair *pair, unsigned char out[SPACE])
{
	return read_steps(pair->read_fd, out, sendfile_step);
}

ssize_t read_aio(struct pair *pair, unsigned char out[SPACE])
{
	return async_aio(pair->read_fd, false, out, SPACE, 0, 4);
}

ssize_t read_uring(struct pair *pair, unsigned char out[SPACE])
{
	return async_uring(pair->read_fd, false, out, SPACE, 0, 4);
}

static int copy_to;

static ssize_t copy_step(int fd, void *out, size_t length, off_t at)
{
	loff_t in = at, where = at;
	ssize_t moved = copy_file_range(fd, &in, copy_to, &where, length, 0);

	return moved > 0 ? pread(copy_to, out, moved, at) : moved;
}

ssize_t read_copy(struct pair *pair, unsigned char out[SPACE])
{
	ssize_t done;

	copy_to = ASSERT_OK(open("m/copy", O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0644));
	done = read_steps(pair->read_fd, out, copy_step);
	close(copy_to);
	return done;
}

/* On xfs before 6.9 bytes may seem a hole that lie behind one in which a copied extent may grow. */
bool seek_is_blind(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	uname(&name);
	return !strcmp(union_backing(), "xfs") && sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 6 || (major == 6 && minor < 9));
}

static void expect_hole(const struct pair *pair, const struct model *want, off_t at, off_t end)
{
	if (at < end && !model_is_zero(want, at, end) && !seek_is_blind())
		pair_fail(pair, "bytes between %ld and %ld are called a hole", (long)at, (long)end);
}

/* Data may be more than there is, but not less, and neither lies behind the end. */
void look_seek(struct pair *pair, const struct model *want)
{
	off_t at = 0, start = 0, end;

	while (at < want->size && (start = lseek(pair->read_fd, at, SEEK_DATA)) >= 0) {
		expect_hole(pair, want, at, start);
		end = lseek(pair->read_fd, start, SEEK_HOLE);
		if (start < at || end <= start || end > want->size) {
			pair_fail(pair, "from %ld on, data is said to be from %ld to %ld of %ld", (long)at,
				  (long)start, (long)end, (long)want->size);
			return;
		}
		at = end;
	}
	expect_hole(pair, want, at, want->size);
	if (start < 0 && errno != ENXIO)
		pair_fail(pair, "SEEK_DATA: %s", strerror(errno));
	if (lseek(pair->read_fd, want->size, SEEK_DATA) >= 0 || errno != ENXIO)
		pair_fail(pair, "SEEK_DATA at the end does not give ENXIO");
	if (lseek(pair->read_fd, 0, SEEK_END) != want->size)
		pair_fail(pair, "SEEK_END is not %ld", (long)want->size);
}

static const char *name_of_file(const struct pair *pair)
{
	return pair->reader->traits & OTHER_NAME ? pair->alias : pair->path;
}

static int flags_of_file(const struct pair *pair)
{
	int flags = pair->reader->flags;

	return pair->writer->traits & BY_READER ? (flags & ~O_ACCMODE) | O_RDWR : flags;
}

/* 0 or a negative errno. */
static int reader_open(struct pair *pair)
{
	const struct reader *reader = pair->reader;

	pair->read_fd = open(name_of_file(pair), flags_of_file(pair) | O_CLOEXEC);
	if (pair->read_fd < 0)
		return -errno;
	if (!(reader->traits & MAPPED))
		return 0;
	pair->read_map = map_make(pair->read_fd, reader->prot, reader->map);
	return pair->read_map ? 0 : -errno;
}

static void compare_sizes(const struct pair *pair, const struct model *want)
{
	struct stat by_name = {0}, by_fd = {0};

	if (stat(name_of_file(pair), &by_name) < 0 || fstat(pair->read_fd, &by_fd) < 0)
		pair_fail(pair, "stat: %s", strerror(errno));
	if (by_name.st_size != want->size || by_fd.st_size != want->size)
		pair_fail(pair, "st_size is %ld by name and %ld by descriptor instead of %ld",
			  (long)by_name.st_size, (long)by_fd.st_size, (long)want->size);
}

/* A mapping shows whole pages, with zeros behind the end. */
static ssize_t size_to_see(const struct pair *pair, const struct model *want)
{
	return pair->reader->traits & MAPPED ? (want->size + BLOCK - 1) / BLOCK * BLOCK : want->size;
}

static const char *kind_of(unsigned char byte)
{
	return byte >= 'a' ? "an old one" : byte >= 'A' ? "that of the state" : byte ? "a fresh one" : "zero";
}

static void compare_bytes(struct pair *pair, const struct model *want)
{
	ssize_t size = size_to_see(pair, want), got = pair->reader->read(pair, seen);

	if (got != size) {
		pair_fail(pair, "saw %zd bytes instead of %zd", got, size);
		return;
	}
	if (!memcmp(seen, want->bytes, size))
		return;
	for (ssize_t i = 0; i < size; i++)
		if (seen[i] != want->bytes[i]) {
			pair_fail(pair, "byte %zd is %s instead of %s", i, kind_of(seen[i]),
				  kind_of(want->bytes[i]));
			return;
		}
}

static void look_here(struct pair *pair, const struct model *want)
{
	compare_sizes(pair, want);
	if (pair->reader->look)
		pair->reader->look(pair, want);
	else
		compare_bytes(pair, want);
}

static void prepare_here(struct pair *pair, const struct model *before)
{
	int err = reader_open(pair);

	if (err) {
		pair_fail(pair, "cannot open: %s", strerror(-err));
		return;
	}
	if (pair->reader->traits & UNTOUCHED)
		return;
	compare_sizes(pair, before);
	if (pair->reader->read)
		compare_bytes(pair, before);
	if (pair->reader->traits & STORES)
		map_own(pair);
}

static void tell(int fd)
{
	ASSERT_EQ(write(fd, "", 1), 1);
}

static void wait_for(int fd)
{
	char byte;

	ASSERT_EQ(read(fd, &byte, 1), 1);
}

/* The child's exit status says whether it has seen what it must. */
static void child_run(struct pair *pair, const struct model *before, const struct model *after,
		      int from_parent, int to_parent)
{
	int failures = pair_failures();

	prepare_here(pair, before);
	tell(to_parent);
	wait_for(from_parent);
	look_here(pair, after);
	fflush(stdout);
	_exit(pair_failures() != failures);
}

static void child_begin(struct pair *pair, const struct model *before, const struct model *after)
{
	int to[2], from[2];

	ASSERT_OK(pipe2(to, O_CLOEXEC));
	ASSERT_OK(pipe2(from, O_CLOEXEC));
	fflush(stdout);
	pair->child = ASSERT_OK(fork());
	if (pair->child == 0)
		child_run(pair, before, after, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	pair->to_child = to[1];
	pair->from_child = from[0];
	wait_for(pair->from_child);
}

static void child_end(struct pair *pair)
{
	int status;

	tell(pair->to_child);
	ASSERT_EQ(waitpid(pair->child, &status, 0), pair->child);
	close(pair->to_child);
	close(pair->from_child);
	if (status)
		pair_fail(pair, "the reading process ended with status %#x", status);
}

void reader_prepare(struct pair *pair, const struct model *before, const struct model *after)
{
	if (pair->reader->traits & OTHER_PROC)
		child_begin(pair, before, after);
	else if (pair->reader->traits & OLD)
		prepare_here(pair, before);
}

void reader_look(struct pair *pair, const struct model *want)
{
	int err;

	if (pair->reader->traits & OTHER_PROC) {
		child_end(pair);
		return;
	}
	err = pair->read_fd < 0 ? reader_open(pair) : 0;
	if (err)
		pair_fail(pair, "cannot open: %s", strerror(-err));
	else
		look_here(pair, want);
}

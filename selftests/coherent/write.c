// SPDX-License-Identifier: GPL-2.0-only
/*
 * write.c - how a file is changed, by each of the ways that writers.c lists.
 */
#include "coherent.h"

#include "../oracle/async.h"

#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

#define ALL_PROT (PROT_READ | PROT_WRITE)

const struct range first_write = {5 * BLOCK + 7, 100};

static int result_of(ssize_t done, size_t length)
{
	if (done < 0)
		return -errno;
	return (size_t)done == length ? 0 : -EIO;
}

int write_pwrite(struct pair *pair, struct range range)
{
	return file_put(pair->write_fd, range.at, range.length, FRESH_BYTES);
}

int write_append(struct pair *pair, struct range range)
{
	return result_of(write(pair->write_fd, bytes_at(FRESH_BYTES, range.at), range.length), range.length);
}

static int async_result(long done, size_t length)
{
	return done < 0 ? done : (size_t)done == length ? 0 : -EIO;
}

int write_aio(struct pair *pair, struct range range)
{
	unsigned char *bytes = (unsigned char *)bytes_at(FRESH_BYTES, range.at);

	return async_result(async_aio(pair->write_fd, true, bytes, range.length, range.at, 1), range.length);
}

int write_uring(struct pair *pair, struct range range)
{
	unsigned char *bytes = (unsigned char *)bytes_at(FRESH_BYTES, range.at);

	return async_result(async_uring(pair->write_fd, true, bytes, range.length, range.at, 1), range.length);
}

int write_splice(struct pair *pair, struct range range)
{
	loff_t at = range.at;
	int pipes[2];
	ssize_t done;

	ASSERT_OK(pipe2(pipes, O_CLOEXEC));
	ASSERT_EQ(write(pipes[1], bytes_at(FRESH_BYTES, range.at), range.length), (ssize_t)range.length);
	done = splice(pipes[0], NULL, pair->write_fd, &at, range.length, 0);
	close(pipes[0]);
	close(pipes[1]);
	return result_of(done, range.length);
}

int write_sendfile(struct pair *pair, struct range range)
{
	int from = ASSERT_OK(open(pair->source, O_RDONLY | O_CLOEXEC));
	off_t at = range.at;
	ssize_t done;

	ASSERT_OK(lseek(pair->write_fd, range.at, SEEK_SET));
	done = sendfile(pair->write_fd, from, &at, range.length);
	close(from);
	return result_of(done, range.length);
}

int write_copy(struct pair *pair, struct range range)
{
	int from = ASSERT_OK(open(pair->source, O_RDONLY | O_CLOEXEC));
	loff_t in = range.at, out = range.at;
	ssize_t done = copy_file_range(from, &in, pair->write_fd, &out, range.length, 0);

	close(from);
	return result_of(done, range.length);
}

int write_clone(struct pair *pair, struct range range)
{
	int from = ASSERT_OK(open(pair->source, O_RDONLY | O_CLOEXEC));
	struct file_clone_range clone = {from, range.at, range.length, range.at};
	int ret = ioctl(pair->write_fd, FICLONERANGE, &clone);

	close(from);
	return result_of(ret, 0);
}

/* Those that were mapped before may have been mapped without PROT_WRITE. */
int write_store(struct pair *pair, struct range range)
{
	if (!pair->write_map)
		pair->write_map = map_make(pair->write_fd, ALL_PROT, MAP_SHARED);
	if (!pair->write_map || mprotect(pair->write_map, SPACE, ALL_PROT) < 0)
		return -errno;
	if (!map_copy(pair->write_map + range.at, bytes_at(FRESH_BYTES, range.at), range.length))
		return -EFAULT;
	return 0;
}

int write_store_after(struct pair *pair, struct range range)
{
	int err = file_put(pair->write_fd, first_write.at, first_write.length, FRESH_BYTES);

	return err ? err : write_store(pair, range);
}

int write_truncate(struct pair *pair, struct range range)
{
	return result_of(truncate(pair->path, range.at), 0);
}

int write_down_up(struct pair *pair, struct range range)
{
	int err = result_of(ftruncate(pair->write_fd, range.at), 0);

	return err ? err : result_of(ftruncate(pair->write_fd, SIZE), 0);
}

int write_fallocate(struct pair *pair, struct range range)
{
	return result_of(fallocate(pair->write_fd, pair->writer->mode, range.at, range.length), 0);
}

/* Opening with O_TRUNC has done it. */
int write_nothing(struct pair *pair, struct range range)
{
	(void)pair;
	(void)range;
	return 0;
}

struct range writer_range(const struct pair *pair)
{
	return pair->writer->span(pair->place->range);
}

static int writer_open(struct pair *pair)
{
	const struct writer *writer = pair->writer;

	if (pair->write_fd >= 0 || (writer->traits & BY_PATH))
		return 0;
	if ((writer->traits & BY_READER) && pair->read_fd >= 0)
		pair->write_fd = dup(pair->read_fd);
	else
		pair->write_fd = open(writer->traits & BY_ALIAS ? pair->alias : pair->path,
				      writer->flags | O_CLOEXEC);
	return pair->write_fd < 0 ? -errno : 0;
}

/* What FIRST and EARLY ones do before. */
int writer_prepare(struct pair *pair)
{
	int err = writer_open(pair);

	if (err || !(pair->writer->traits & MAPS))
		return err;
	pair->write_map = map_make(pair->write_fd, pair->writer->mode, MAP_SHARED);
	if (!pair->write_map)
		return -errno;
	return map_touch(pair->write_map, SIZE) == SIZE ? 0 : -EFAULT;
}

static int write_here(struct pair *pair)
{
	int err = writer_open(pair);

	return err ? err : pair->writer->write(pair, writer_range(pair));
}

/* The child's exit status is its errno. */
static int write_in_child(struct pair *pair)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = ASSERT_OK(fork());
	if (pid == 0)
		_exit(-write_here(pair));
	ASSERT_EQ(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int writer_write(struct pair *pair)
{
	return pair->writer->traits & BY_CHILD ? write_in_child(pair) : write_here(pair);
}

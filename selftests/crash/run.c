// SPDX-License-Identifier: GPL-2.0-only
/*
 * run.c - the steps of a workload as system calls; see run.h. What is written comes from the model.
 */
#include "run.h"

#include "durable.h"
#include "say.h"
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/shale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

/* The recorder has room for so much of what goes on beside the steps. */
#define TIMES_MAX 1000

struct run {
	const struct world *world;
	const struct step *step;
	const unsigned char *bytes; /* what the file holds once the step is done */
	struct handles *handles;
	unsigned int number;
	int root;
	pid_t beside; /* does a step that goes on; 0: none */
	bool is_lying;
};

static int open_path(const struct run *run, const char *path, int flags)
{
	return openat(run->root, path, flags | O_CLOEXEC);
}

/* Is it open, was that DONE, and is it closed? Keeps the errno of what failed. */
static bool end_with(int fd, bool done)
{
	return fd >= 0 && (close(fd) == 0) & done;
}

static bool write_bytes(const struct run *run, int flags)
{
	int fd = open_path(run, run->step->path, O_WRONLY | flags);
	size_t length = run->step->length;
	void *buffer = fd < 0 ? NULL : aligned_alloc(BLOCK, (length + BLOCK - 1) / BLOCK * BLOCK);
	ssize_t put;

	if (!buffer)
		return end_with(fd, false);
	memcpy(buffer, run->bytes + run->step->offset, length);
	put = flags & O_APPEND ? write(fd, buffer, length) : pwrite(fd, buffer, length, run->step->offset);
	free(buffer);
	return end_with(fd, put == (ssize_t)length);
}

/* Mappings begin at a page. */
static unsigned char *map_range(const struct run *run, size_t *ret_length, size_t *ret_skip)
{
	int fd = open_path(run, run->step->path, O_RDWR);
	unsigned char *bytes;

	if (fd < 0)
		return NULL;
	*ret_skip = run->step->offset % BLOCK;
	*ret_length = *ret_skip + run->step->length;
	bytes = mmap(NULL, *ret_length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, run->step->offset - *ret_skip);
	close(fd);
	return bytes == MAP_FAILED ? NULL : bytes;
}

static bool store_bytes(const struct run *run)
{
	size_t length, skip;
	unsigned char *map = map_range(run, &length, &skip);

	if (!map)
		return false;
	memcpy(map + skip, run->bytes + run->step->offset, run->step->length);
	return (run->step->verb != STORE_ON || msync(map, length, MS_SYNC) == 0) & (munmap(map, length) == 0);
}

static bool sync_map(const struct run *run)
{
	size_t length, skip;
	unsigned char *map = map_range(run, &length, &skip);

	if (!map)
		return false;
	return (msync(map, length, MS_SYNC) == 0) & (munmap(map, length) == 0);
}

static bool scatter_bytes(const struct run *run)
{
	size_t end = run->step->offset + run->step->length;
	int fd = open_path(run, run->step->path, O_WRONLY);
	bool good = fd >= 0;

	for (size_t at = run->step->offset; good && at < end; at += SCATTER_STEP)
		good = pwrite(fd, run->bytes + at, WORD, at) == WORD;
	return end_with(fd, good);
}

static bool change_range(const struct run *run, int mode)
{
	int fd = open_path(run, run->step->path, O_RDWR);

	return end_with(fd, fd >= 0 && fallocate(fd, mode, run->step->offset, run->step->length) == 0);
}

static bool truncate_file(const struct run *run)
{
	int fd = open_path(run, run->step->path, O_RDWR);

	return end_with(fd, fd >= 0 && ftruncate(fd, run->step->offset) == 0);
}

static bool copy_range(const struct run *run)
{
	int from = open_path(run, run->step->path, O_RDONLY);
	int to = from < 0 ? -1 : open_path(run, run->step->to, O_RDWR);
	loff_t in = run->step->offset, out = run->step->to_offset;
	size_t left = run->step->length;
	ssize_t done = to < 0 ? -1 : 1;

	for (; left && done > 0; left -= done > 0 ? done : 0)
		done = copy_file_range(from, &in, to, &out, left, 0);
	return end_with(to, done > 0) & end_with(from, true);
}

static bool create_file(const struct run *run)
{
	int fd = openat(run->root, run->step->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	return fd >= 0 && close(fd) == 0;
}

static bool sync_file(const struct run *run, int flags, int (*sync)(int))
{
	int fd = open_path(run, run->step->path, flags);

	return end_with(fd, fd >= 0 && sync(fd) == 0);
}

/* What is not in the upper is not dirty. */
static bool start_writeback(const struct run *run)
{
	int fd = open(world_upper_path(run->step->path), O_RDONLY | O_CLOEXEC), ret;

	if (fd < 0)
		return errno == ENOENT;
	ret = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	return (ret == 0) & (close(fd) == 0);
}

static bool commit_below(void)
{
	int fd = open(world_upper_path("."), O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0)
		return false;
	ret = syncfs(fd);
	return (ret == 0) & (close(fd) == 0);
}

static bool sync_elsewhere(void)
{
	int fd = open(world_upper_path("../elsewhere"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	return end_with(fd, fd >= 0 && write(fd, "", 1) == 1 && fsync(fd) == 0);
}

static bool set_time(const struct run *run)
{
	const struct timespec times[2] = {{.tv_sec = run->step->number}, {.tv_sec = run->step->number}};

	return utimensat(run->root, run->step->path, times, 0) == 0;
}

static bool remount(struct run *run)
{
	close(run->root);
	if (world_is_bare())
		sync();
	else if (!world_umount_union() || !world_mount_union(run->world))
		return false;
	run->root = open(world_union(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return run->root >= 0;
}

static bool remount_readonly(void)
{
	if (world_is_bare()) {
		sync();
		return true;
	}
	if (mount(NULL, world_union(), NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return false;
	sync();
	return mount(NULL, world_union(), NULL, MS_REMOUNT, NULL) == 0;
}

static bool do_bytes(const struct run *run)
{
	switch (run->step->verb) {
	case WRITE:
		return write_bytes(run, 0);
	case DWRITE:
		return write_bytes(run, O_DIRECT);
	case SWRITE:
		return write_bytes(run, run->is_lying ? 0 : O_SYNC);
	case DSWRITE:
	case DSWRITE_ON:
		return write_bytes(run, run->is_lying ? 0 : O_DSYNC);
	case APPEND:
		return write_bytes(run, O_APPEND);
	case STORE:
	case STORE_ON:
		return store_bytes(run);
	case TRUNCATE:
		return truncate_file(run);
	case PUNCH:
		return change_range(run, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	case ZERO:
		return change_range(run, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE);
	case ALLOCATE:
		return change_range(run, 0);
	case COLLAPSE:
		return change_range(run, FALLOC_FL_COLLAPSE_RANGE);
	case INSERT:
		return change_range(run, FALLOC_FL_INSERT_RANGE);
	case SCATTER:
		return scatter_bytes(run);
	default:
		return copy_range(run);
	}
}

static bool do_names(const struct run *run)
{
	const char *path = run->step->path, *to = run->step->to;
	int root = run->root;

	switch (run->step->verb) {
	case CREATE:
		return create_file(run);
	case MAKEDIR:
		return mkdirat(root, path, 0755) == 0;
	case REMOVEDIR:
		return unlinkat(root, path, AT_REMOVEDIR) == 0;
	case LINK:
		return linkat(root, path, root, to, 0) == 0;
	case UNLINK:
		return unlinkat(root, path, 0) == 0;
	case RENAME:
		return renameat(root, path, root, to) == 0;
	default:
		return renameat2(root, path, root, to, RENAME_EXCHANGE) == 0;
	}
}

static int materialize(int fd)
{
	struct shale_ioc_materialize arg = {.size = sizeof(arg)};

	return ioctl(fd, SHALE_IOC_MATERIALIZE, &arg);
}

static bool do_sync(struct run *run)
{
	switch (run->step->verb) {
	case FSYNC:
		return sync_file(run, O_RDONLY, fsync);
	case FDATASYNC:
		return sync_file(run, O_RDWR, fdatasync);
	case FILL:
		return sync_file(run, O_RDWR, world_is_shale() ? materialize : fsync);
	case MSYNC:
		return sync_map(run);
	case SYNCDIR:
		return sync_file(run, O_RDONLY | O_DIRECTORY, fsync);
	case SYNCFS:
		return syncfs(run->root) == 0;
	case SYNC:
		sync();
		return true;
	case READONLY:
		return remount_readonly();
	default:
		return remount(run);
	}
}

static bool step_do(struct run *run)
{
	enum verb verb = run->step->verb;

	if (verb <= COPY)
		return do_bytes(run);
	if (step_is_of_names(run->step))
		return do_names(run);
	if (verb == CHMOD)
		return fchmodat(run->root, run->step->path, run->step->number, 0) == 0;
	if (verb == UTIMES)
		return set_time(run);
	if (verb == WRITEBACK)
		return start_writeback(run);
	if (verb == COMMIT)
		return commit_below();
	if (verb == ELSEWHERE)
		return sync_elsewhere();
	if (verb == HANDLE)
		return handles_take(run->handles, run->root, run->step->path, run->number);
	return run->is_lying || do_sync(run);
}

/* The file is found whatever becomes of its name. */
static void go_on(const struct run *run, int fd)
{
	struct step step = *run->step;
	struct run again = *run;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(step.path, sizeof(step.path), "/proc/self/fd/%d", fd);
	again.step = &step;
	for (int i = 0; i < TIMES_MAX; i++)
		if (!do_bytes(&again))
			_exit(1);
	_exit(0);
}

static void beside_begin(struct run *run)
{
	int fd = open_path(run, run->step->path, O_RDONLY);

	run->beside = fd < 0 ? -1 : fork();
	if (run->beside < 0)
		die("nobody goes on with: %s", step_describe(run->step));
	if (run->beside == 0)
		go_on(run, fd);
	close(fd);
}

static void beside_end(struct run *run)
{
	int status = 0;

	if (!run->beside)
		return;
	kill(run->beside, SIGKILL);
	errno = 0;
	if (waitpid(run->beside, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status)))
		die("who went on with a step has failed");
	run->beside = 0;
}

static void step_set(struct run *run, const struct model *model, unsigned int number)
{
	int file = model->subject[number];

	run->step = &model->script.step[number];
	run->number = number;
	run->bytes = file < 0 ? NULL : model->version[number + 1].content[file]->bytes;
	errno = 0;
}

int run_step(const struct world *world, const struct model *model, unsigned int number)
{
	struct handles handles = {0};
	struct run run = {.world = world, .handles = &handles};
	int err;

	run.root = open(world_union(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run.root < 0)
		return errno;
	step_set(&run, model, number);
	err = step_do(&run) ? 0 : errno ?: EAGAIN;
	close(run.root);
	return err;
}

void run_steps(const struct world *world, const struct model *model, bool is_lying, struct handles *handles)
{
	struct run run = {.world = world, .is_lying = is_lying, .handles = handles};

	run.root = open(world_union(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (unsigned int i = 0; i < model->script.count; i++) {
		recorder_mark(i);
		step_set(&run, model, i);
		if (!step_do(&run))
			die("step %u failed: %s", i + 1, step_describe(run.step));
		if (step_goes_on(run.step))
			beside_begin(&run);
	}
	recorder_mark(model->script.count);
	beside_end(&run);
	close(run.root);
}

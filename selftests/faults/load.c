// SPDX-License-Identifier: GPL-2.0-only
/*
 * load.c - the operations of the workers and what each result means for the model; see load.h.
 */
#include "load.h"

#include "calls.h"

#include "../crash/chance.h"
#include "../crash/say.h"
#include "../crash/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/shale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* One worker's current operation. */
struct hand {
	struct load *load;
	int worker, number;
	struct file *file;
	uint64_t random;
	const char *doing;
	char path[64];
};

static unsigned char bytes[CELLS * CELL + BLOCK] __attribute__((aligned(BLOCK)));

static unsigned int pick(struct hand *h, unsigned int below)
{
	return random_next(&h->random) % below;
}

/* The address of a name is the same in all workers. */
static void past_add(struct hand *h, int err)
{
	h->file->past[h->file->steps++ % PAST] = (struct past){
		.doing = h->doing, .error = err, .generation = h->file->cells.generation, .phase = h->load->phase,
	};
}

static void past_say(const struct file *file)
{
	unsigned int i = file->steps > PAST ? file->steps - PAST : 0;

	for (; i < file->steps; i++) {
		const struct past *past = &file->past[i % PAST];

		say("\tphase %d, step %u, %s: %s", past->phase, past->generation, past->doing,
		    past->error ? strerrorname_np(past->error) : "done");
	}
}

static bool broken(struct hand *h, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static bool broken(struct hand *h, const char *fmt, ...)
{
	char why[2 * REASON_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	if (!h->load->is_quiet) {
		say("FAILED %s of %s, phase %d: %s", h->doing, h->path, h->load->phase, why);
		past_say(h->file);
	}
	h->load->has_failed = true;
	return false;
}

void load_path(char path[64], int worker, int file, unsigned int name)
{
	snprintf(path, 64, "m/w%d/f%d.%u", worker, file, name);
}

static bool has_name(struct hand *h, unsigned int name)
{
	struct stat st;
	char path[64];

	load_path(path, h->worker, h->number, name);
	for (int tries = 0; tries < 20; tries++)
		if (stat(path, &st) == 0)
			return true;
		else if (errno == ENOENT)
			break;
	return false;
}

/*
 * Where it is after a rename that failed only the directory says, and that may fail as well. One that is read from the disk
 * again knows nothing of renames that did not come so far.
 */
static bool is_renamed(struct hand *h)
{
	for (unsigned int name = h->file->name_last + 1; name-- > h->file->name_disk;)
		if (name != h->file->name_now && has_name(h, name)) {
			h->file->name_now = name;
			return true;
		}
	return false;
}

/* Was it a success? An error that is not to be expected is a failure. */
static bool is_done(struct hand *h, int err)
{
	const int *error = h->load->errors;
	bool is_sound = h->load->phase == PHASE_SOUND;

	if (!err)
		return true;
	h->load->faults++;
	while (*error && *error != err)
		error++;
	if ((!*error || is_sound) && !(err == ENOENT && !is_sound && is_renamed(h)))
		broken(h, "%s", strerrorname_np(err));
	return false;
}

/* ------------------------------------------------------------------ what changes bytes */

/* The disk may lie by the time that the call returns. */
static void synced(struct hand *h, struct file *file)
{
	if (h->load->phase != PHASE_LYING)
		cells_synced(&file->cells);
}

static unsigned int generation_next(struct hand *h)
{
	return ++h->file->cells.generation;
}

/* COUNT cells of the new generation, of which DONE bytes are there for sure. */
static void written(struct hand *h, unsigned int at, unsigned int count, size_t done)
{
	unsigned int whole = done / CELL;

	if (whole)
		cells_written(&h->file->cells, at, whole, h->file->cells.generation, true);
	if (whole < count)
		cells_written(&h->file->cells, at + whole, count - whole, h->file->cells.generation, false);
}

static int cells_put(struct hand *h, int flags, unsigned int at, unsigned int count)
{
	int fd = open(h->path, O_RDWR | O_CLOEXEC | flags), err = error_of(fd);
	size_t done = 0;
	ssize_t put;

	if (err)
		return err;
	stamp_fill(bytes, h->file->cells.number, generation_next(h), at * CELL, count * CELL);
	while (!err && done < count * CELL) {
		put = pwrite(fd, bytes + done, count * CELL - done, at * CELL + done);
		err = put == 0 ? ENODATA : error_of(put);
		done += put > 0 ? put : 0;
	}
	written(h, at, count, done);
	return end_with(fd, err);
}

/* A range of what may be the file's cells, some beyond its end. */
static void range_pick(struct hand *h, unsigned int unit, unsigned int end, unsigned int *at, unsigned int *count)
{
	unsigned int most = pick(h, 3) ? 2 * BLOCK_CELLS : 6 * BLOCK_CELLS;

	*at = pick(h, end - unit + 1) / unit * unit;
	*count = unit * (1 + pick(h, most / unit));
	if (*at + *count > end)
		*count = (end - *at) / unit * unit;
}

static int op_write(struct hand *h)
{
	unsigned int at, count;

	range_pick(h, 1, CELLS, &at, &count);
	return cells_put(h, 0, at, count);
}

static int op_write_direct(struct hand *h)
{
	unsigned int at, count;

	range_pick(h, BLOCK_CELLS, CELLS, &at, &count);
	return cells_put(h, O_DIRECT, at, count);
}

struct store {
	struct hand *hand;
	unsigned int at, count, stored;
	bool is_synced;
};

/* The bytes that are mapped are those that are there now. */
static int store_do(void *arg)
{
	struct store *s = arg;
	struct hand *h = s->hand;
	size_t size = cells_size(&h->file->cells) * CELL;
	int fd = open(h->path, O_RDWR | O_CLOEXEC), err = error_of(fd);
	unsigned char *map;

	if (err)
		return err;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	err = map == MAP_FAILED ? errno : 0;
	close(fd);
	if (err)
		return err;
	for (; s->stored < s->count; s->stored++)
		stamp_fill(map + (s->at + s->stored) * CELL, h->file->cells.number, h->file->cells.generation,
			   (s->at + s->stored) * CELL, CELL);
	written(h, s->at, s->count, s->count * CELL);
	if (s->is_synced) {
		err = error_of(msync(map, size, MS_SYNC));
		if (!err)
			synced(h, h->file);
		else
			cells_doubt(&h->file->cells);
	}
	munmap(map, size);
	return err;
}

static int op_store(struct hand *h)
{
	struct store s = {.hand = h, .is_synced = pick(h, 3) == 0};
	unsigned int end = cells_size(&h->file->cells);
	int err;

	if (!end)
		return 0;
	range_pick(h, 1, end, &s.at, &s.count);
	generation_next(h);
	err = guarded(store_do, &s);
	if (err && s.stored < s.count)
		written(h, s.at, s.count, s.stored * CELL);
	return err;
}

static int op_truncate(struct hand *h)
{
	unsigned int size = pick(h, CELLS + 1);
	int err = error_of(truncate(h->path, size * CELL));

	cells_truncated(&h->file->cells, size, !err);
	return err;
}

static int hole_make(struct hand *h, int mode)
{
	unsigned int end = cells_size(&h->file->cells), at, count;
	int fd, err;

	if (!end)
		return 0;
	range_pick(h, 1, end, &at, &count);
	fd = open(h->path, O_RDWR | O_CLOEXEC);
	err = error_of(fd);
	if (err)
		return err;
	err = error_of(fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, at * CELL, count * CELL));
	if (err != EOPNOTSUPP)
		cells_written(&h->file->cells, at, count, ZEROS, !err);
	return end_with(fd, err == EOPNOTSUPP ? 0 : err);
}

static int op_punch(struct hand *h)
{
	return hole_make(h, FALLOC_FL_PUNCH_HOLE);
}

static int op_zero(struct hand *h)
{
	return hole_make(h, FALLOC_FL_ZERO_RANGE);
}

/* ------------------------------------------------------------------ what changes none */

static int op_sync_with(struct hand *h, int (*sync)(int))
{
	int fd = open(h->path, O_RDWR | O_CLOEXEC), err = error_of(fd);

	if (err)
		return err;
	err = error_of(sync(fd));
	if (!err)
		synced(h, h->file);
	else
		cells_doubt(&h->file->cells);
	return end_with(fd, err);
}

static int op_fsync(struct hand *h)
{
	return op_sync_with(h, fsync);
}

static int op_fdatasync(struct hand *h)
{
	return op_sync_with(h, fdatasync);
}

/* A file that needs no lower layer is not synced by that. */
static int materialize(int fd)
{
	struct shale_ioc_materialize arg = {.size = sizeof(arg)};

	return ioctl(fd, SHALE_IOC_MATERIALIZE, &arg) < 0 && errno != ENOTTY ? -1 : fsync(fd);
}

static int op_materialize(struct hand *h)
{
	return op_sync_with(h, materialize);
}

/*
 * All files of this worker, and the names of them. A filesystem that an error has made read-only has nothing to sync, and
 * says so.
 */
static int op_syncfs(struct hand *h)
{
	int fd = open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = error_of(fd);

	if (err)
		return err;
	err = error_of(syncfs(fd));
	for (int i = 0; i < FILES; i++) {
		struct file *file = &h->load->file[h->worker][i];

		if (err) {
			cells_doubt(&file->cells);
		} else if (h->load->phase == PHASE_SOUND) {
			cells_synced(&file->cells);
			file->name_disk = file->name_now;
		}
	}
	return end_with(fd, err);
}

static int op_chmod(struct hand *h)
{
	return error_of(chmod(h->path, pick(h, 2) ? 0600 : 0644));
}

static int op_rename(struct hand *h)
{
	char path[64];
	int err;

	load_path(path, h->worker, h->number, ++h->file->name_last);
	err = error_of(rename(h->path, path));
	if (!err)
		h->file->name_now = h->file->name_last;
	else
		is_renamed(h);
	return err;
}

static bool bytes_are_right(struct hand *h, size_t size)
{
	char why[REASON_SIZE];
	bool good = true;

	/* A disk that lies gives back what it had there. */
	if (h->load->phase == PHASE_FAULTY)
		good = cells_are_own(&h->file->cells, bytes, size, why);
	else if (h->load->phase != PHASE_LYING)
		good = cells_are(&h->file->cells, CELLS_NOW, bytes, size, why);
	return good || broken(h, "%s", why);
}

/* All of a file; what an error ends in the middle goes on with that error. */
static int file_read(int fd, size_t *ret_size)
{
	ssize_t got;

	*ret_size = 0;
	while ((got = pread(fd, bytes + *ret_size, sizeof(bytes) - *ret_size, *ret_size)) > 0)
		*ret_size += got;
	return error_of(got);
}

static int op_read(struct hand *h)
{
	int fd = open(h->path, O_RDONLY | O_CLOEXEC), err = error_of(fd);
	size_t size;

	if (err)
		return err;
	err = file_read(fd, &size);
	if (!err)
		bytes_are_right(h, size);
	return end_with(fd, err);
}

static int map_read(void *arg)
{
	struct hand *h = arg;
	int fd = open(h->path, O_RDONLY | O_CLOEXEC), err = error_of(fd);
	struct stat st;
	unsigned char *map;

	if (err)
		return err;
	if (fstat(fd, &st) < 0 || !st.st_size)
		return end_with(fd, 0);
	map = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	err = map == MAP_FAILED ? errno : 0;
	close(fd);
	if (err)
		return err;
	memcpy(bytes, map, st.st_size);
	munmap(map, st.st_size);
	bytes_are_right(h, st.st_size);
	return 0;
}

static int op_map_read(struct hand *h)
{
	return guarded(map_read, h);
}

static int op_drop_caches(struct hand *h)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	(void)h;
	/* A disk that lies does not give back what it was told. */
	if (fd < 0 || h->load->phase == PHASE_LYING)
		return fd < 0 ? 0 : end_with(fd, 0);
	if (write(fd, "3", 1) < 0)
		return end_with(fd, 0);
	return end_with(fd, 0);
}

/* ------------------------------------------------------------------ the worker */

static const struct {
	const char *name;
	int (*act)(struct hand *h);
	unsigned int weight;
	bool is_change;
} ops[] = {
	{"write", op_write, 24, true},
	{"direct write", op_write_direct, 10, true},
	{"store", op_store, 14, true},
	{"truncation", op_truncate, 4, true},
	{"punch", op_punch, 5, true},
	{"zeroing", op_zero, 3, true},
	{"fsync", op_fsync, 10},
	{"fdatasync", op_fdatasync, 5},
	{"syncfs", op_syncfs, 2},
	{"materialization", op_materialize, 1},
	{"chmod", op_chmod, 2},
	{"rename", op_rename, 3},
	{"read", op_read, 12},
	{"mapped read", op_map_read, 6},
	{"drop of caches", op_drop_caches, 1},
};

#define OPS (sizeof(ops) / sizeof(ops[0]))

static size_t op_pick(struct hand *h)
{
	unsigned int total = 0, at;
	size_t i = 0;

	for (i = 0; i < OPS; i++)
		total += ops[i].weight;
	at = pick(h, total);
	for (i = 0; at >= ops[i].weight; i++)
		at -= ops[i].weight;
	return i;
}

static void step(struct hand *h)
{
	size_t op = op_pick(h);
	int err;

	h->number = pick(h, FILES);
	h->file = &h->load->file[h->worker][h->number];
	h->doing = ops[op].name;
	load_path(h->path, h->worker, h->number, h->file->name_now);
	if (ops[op].is_change && h->file->cells.generation >= NEWEST)
		return;
	if (h->load->phase == PHASE_FAULTY)
		cells_failing(&h->file->cells);
	err = ops[op].act(h);
	if (h->load->phase == PHASE_FAULTY)
		cells_failing(&h->file->cells);
	past_add(h, err);
	is_done(h, err);
	h->load->done++;
}

/* An inode that nobody has open takes the errors of its pages along when it is forgotten. */
static void files_hold(struct hand *h)
{
	for (int i = 0; i < FILES; i++) {
		load_path(h->path, h->worker, i, h->load->file[h->worker][i].name_now);
		if (open(h->path, O_RDONLY | O_CLOEXEC) < 0)
			die("%s", h->path);
	}
}

int load_work(struct load *load, int worker)
{
	struct hand h = {.load = load, .worker = worker, .random = load->seed * 31 + worker};

	files_hold(&h);
	while (!load->should_stop && !load->has_failed)
		step(&h);
	return load->has_failed;
}

/* ------------------------------------------------------------------ before and after */

static void file_make(const struct load *load, const char *layer, int worker, int number)
{
	const struct cells *cells = &load->file[worker][number].cells;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/w%d/f%d.0", layer, worker, number);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		die("%s", path);
	stamp_fill(bytes, cells->number, 0, 0, FILE_SIZE * CELL);
	if (write(fd, bytes, FILE_SIZE * CELL) != FILE_SIZE * CELL)
		die("write %s", path);
	close(fd);
}

void load_make(struct load *load, const char *layer)
{
	char path[128];

	for (int worker = 0; worker < WORKERS; worker++) {
		snprintf(path, sizeof(path), "%s/w%d", layer, worker);
		if (mkdir(path, 0755) < 0)
			die("%s", path);
		for (int i = 0; i < FILES; i++)
			file_make(load, layer, worker, i);
	}
}

/* Under which of its names it is; there must be one. */
static bool name_settle(struct hand *h)
{
	unsigned int found = 0, last = h->file->name_last;
	struct stat st;

	for (unsigned int name = h->file->name_disk; name <= last; name++) {
		load_path(h->path, h->worker, h->number, name);
		if (stat(h->path, &st) < 0)
			continue;
		found++;
		h->file->name_now = name;
	}
	load_path(h->path, h->worker, h->number, h->file->name_now);
	h->file->name_disk = h->file->name_now;
	return found == 1 || broken(h, "it has %u names", found);
}

static bool file_check(struct hand *h, enum cells_view view)
{
	char why[REASON_SIZE];
	size_t size;
	int fd, err;

	if (!name_settle(h))
		return false;
	fd = open(h->path, O_RDONLY | O_CLOEXEC);
	err = error_of(fd) ?: file_read(fd, &size);
	if (err)
		return end_with(fd, 0), broken(h, "%s", strerrorname_np(err));
	close(fd);
	cells_failing(&h->file->cells);
	if (!cells_are(&h->file->cells, view, bytes, size, why))
		return broken(h, "%s", why);
	cells_settle(&h->file->cells, bytes, size);
	return true;
}

bool load_check(struct load *load, enum cells_view view, const char *when)
{
	bool good = true;

	for (int worker = 0; worker < WORKERS; worker++)
		for (int i = 0; i < FILES; i++) {
			struct hand h = {.load = load, .worker = worker, .number = i, .doing = when};

			h.file = &load->file[worker][i];
			good &= file_check(&h, view);
		}
	return good;
}

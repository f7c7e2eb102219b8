// SPDX-License-Identifier: GPL-2.0-only
/*
 * files.c - the files of a round: how large they are at first and may become, how many names they have,
 * and their first contents in the lowest layer.
 */
#include "oracle.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

#define KIB	    1024L
#define MIB	    (1024 * KIB)
#define GIB	    (1024 * MIB)
#define ISLANDS	    8
#define ISLAND_SIZE (64 * 1024)
#define SPARSE	    GIB /* from this limit on */

struct file files[FILES];

static const struct {
	off_t size, limit;
	int names;
} first[FILES] = {
	{0, 64 * KIB, 1},
	{1, 64 * KIB, 1},
	{4095, 128 * KIB, 2},
	{4096, 128 * KIB, 1},
	{4097, 128 * KIB, 1},
	{64 * KIB, 256 * KIB, 3},
	{64 * KIB + 1, 256 * KIB, 1},
	{300000, 512 * KIB, 2},
	{MIB + 3, 3 * MIB / 2, 1},
	{3 * MIB, 4 * MIB, 2},
	{5 * GIB + 12345, 6 * GIB, 1},
};

static void write_lower(struct file *file, int fd, off_t at, size_t length)
{
	static unsigned char buffer[BUFFER_SIZE];

	chance_fill(buffer, length);
	if (pwrite(fd, buffer, length, at) != (ssize_t)length)
		die("writing a lower file");
	contents_write(&file->now, at, buffer, length);
}

static void fill_lower(struct file *file, int fd, off_t size)
{
	off_t gap = align_down(file->limit / ISLANDS, PAGE);

	if (ftruncate(fd, size) < 0)
		die("ftruncate");
	contents_resize(&file->now, size);
	for (off_t at = 0; !file->is_sparse && at < size; at += BUFFER_SIZE)
		write_lower(file, fd, at, size - at < BUFFER_SIZE ? size - at : BUFFER_SIZE);
	for (off_t at = 0; file->is_sparse && at + ISLAND_SIZE < size; at += gap)
		write_lower(file, fd, at, ISLAND_SIZE);
}

static void name_all(struct file *file, const char *dir, int count)
{
	char path[PATH_SIZE], link_path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, file->names[0]);
	for (int i = 1; i < count; i++) {
		snprintf(file->names[i], NAME_SIZE, "%sf%d.%d", i % 2 ? "d/" : "", file->number, i);
		snprintf(link_path, sizeof(link_path), "%s/%s", dir, file->names[i]);
		if (link(path, link_path) < 0)
			die("link");
	}
	file->name_count = count;
}

static void file_make(struct file *file, const char *dir, int number)
{
	char path[PATH_SIZE];
	int fd;

	*file = (struct file){.number = number, .mode = 0644, .limit = first[number].limit};
	file->is_sparse = file->limit >= SPARSE;
	handles_init(file);
	snprintf(file->names[0], NAME_SIZE, "f%d", number);
	snprintf(path, sizeof(path), "%s/%s", dir, file->names[0]);
	fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0)
		die(path);
	fill_lower(file, fd, first[number].size);
	close(fd);
	name_all(file, dir, first[number].names);
}

void files_make(const char *dir)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/d", dir);
	if (mkdir(path, 0755) < 0)
		die(path);
	for (int i = 0; i < FILES; i++)
		file_make(&files[i], dir, i);
}

struct file *file_pick(void)
{
	return &files[pick(FILES)];
}

/* How many of the LENGTH bytes at AT are below its end. */
long file_bytes_at(const struct file *file, off_t at, size_t length)
{
	off_t left = file->now.size - at;

	if (left <= 0)
		return 0;
	return left < (off_t)length ? left : (off_t)length;
}

/* By any of its names. */
void file_path(const struct file *file, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, "m/%s", file->names[pick(file->name_count)]);
}

void files_close(void)
{
	for (int i = 0; i < FILES; i++) {
		handles_close(&files[i]);
		mappings_close(&files[i]);
	}
}

static void share(const struct file *file)
{
	char from[PATH_SIZE], to[PATH_SIZE];
	int in, out;

	snprintf(from, sizeof(from), "m/%s", file->names[0]);
	snprintf(to, sizeof(to), "l0/%d", file->number);
	in = open(from, O_RDONLY | O_CLOEXEC);
	out = open(to, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		die(from);
	if (ioctl(out, FICLONE, in) < 0 && errno != EOPNOTSUPP && errno != EINVAL)
		die("FICLONE");
	close(in);
	close(out);
}

/* Without a union: blocks shared with another file where a promoted one would have them by reflink. */
void files_share(void)
{
	for (int i = 0; i < FILES && stage_is_bare(); i++)
		share(&files[i]);
}

/* Called when a union has just been mounted on what is now in the layers. */
void files_remember_lower(void)
{
	for (int i = 0; i < FILES; i++) {
		contents_copy(&files[i].lower, &files[i].now);
		files[i].is_written = false;
		files[i].had_links = files[i].name_count > 1;
	}
}

void files_sealed(void)
{
	for (int i = 0; i < FILES; i++)
		files[i].is_sealed = true;
	files_share();
	files_remember_lower();
}

static void relink(const struct file *file)
{
	char path[PATH_SIZE], first_path[PATH_SIZE];

	snprintf(first_path, sizeof(first_path), "m/%s", file->names[0]);
	/* Brings this name into the upper, where only another one may be, or one that is gone. */
	if (rename(first_path, "m/relink") < 0 || rename("m/relink", first_path) < 0)
		mismatch(file, "renaming it before sealing: %s", strerror(errno));
	for (int i = 1; i < file->name_count; i++) {
		snprintf(path, sizeof(path), "m/%s", file->names[i]);
		if (unlink(path) < 0 || link(first_path, path) < 0)
			mismatch(file, "linking it again before sealing: %s", strerror(errno));
	}
}

/* Before sealing: makes all names of a file in the upper, where otherwise links of lower ones would end. */
void files_relink(void)
{
	for (int i = 0; i < FILES; i++)
		if (files[i].had_links && excuse_count(EXCUSE_LINKS_SEALED))
			relink(&files[i]);
}

struct record op_record(const struct op *op)
{
	return (struct record){
		.step = tally->step,
		.kind = op->kind->name,
		.other = op->other ? op->other->number : -1,
		.flags = op->handle ? op->handle->flags : 0,
		.at = op->at,
		.from = op->from,
		.length = op->length,
		.ret = op->ret,
	};
}

void file_log(const struct op *op)
{
	op->file->log[op->file->log_count++ % LOG_SIZE] = op_record(op);
}

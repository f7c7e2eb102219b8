// SPDX-License-Identifier: GPL-2.0-only
/*
 * promotions.c - what the first change of a lower file costs, by what is changed and by the size of the file, on
 * overlayfs and with each of shale's ways (cow=), over one lower layer: time until it is done (the median of several files),
 * then how much its device has read for it, and written until it is synced. In `scripts/vm --icount` a nanosecond is an instruction. How cow=auto
 * decides was taken from this table, see filesystem.md. Run by `make bench`; it asserts nothing.
 *
 *	promotions DIR [NAME]		DIR is a directory to make the layers in; NAME: only those rows
 */
#include "bench.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define KIB	 1024LL
#define MIB	 (1024 * KIB)
#define GIB	 (1024 * MIB)
#define WALK_FDS 32

static const struct way {
	const char *name, *fstype, *options;
} ways[] = {
	{"overlay", "overlay", "redirect_dir=on"}, {"auto", "shale", "cow=auto"},
	{"block", "shale", "cow=block"}, {"clone", "shale", "cow=clone"}, {"copy", "shale", "cow=copy"},
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* Of one way and row, for one file. */
struct cost {
	double time, read, written; /* nanoseconds, KiB */
};

#define PATH_SIZE 128

static int device_stat = -1;

/* The bytes that the device below has moved since it was there; none of a filesystem in memory. */
static void device_read(long long *ret_read, long long *ret_written)
{
	char text[512] = "";

	*ret_read = *ret_written = 0;
	if (device_stat < 0)
		return;
	if (pread(device_stat, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%*u %*u %lld %*u %*u %*u %lld", ret_read, ret_written) != 2)
		errx(1, "the device's counters cannot be read");
	*ret_read *= 512;
	*ret_written *= 512;
}

static void device_open(void)
{
	char path[64];
	struct stat st;

	if (stat(".", &st))
		err(1, "stat");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/stat", major(st.st_dev), minor(st.st_dev));
	device_stat = open(path, O_RDONLY | O_CLOEXEC);
}

static void make_dir(const char *dir, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (mkdir(path, 0755) && errno != EEXIST)
		err(1, "mkdir %s", path);
}

static void way_mount(const struct way *way)
{
	char path[PATH_SIZE], options[512];

	make_dir(".", way->name);
	make_dir(way->name, "upper");
	make_dir(way->name, "work");
	make_dir(way->name, "union");
	snprintf(path, sizeof(path), "%s/union", way->name);
	snprintf(options, sizeof(options), "lowerdir=lower,upperdir=%1$s/upper,workdir=%1$s/work,%2$s", way->name,
		 way->options);
	if (mount("bench", path, way->fstype, 0, options))
		err(1, "mount -o %s", options);
}

static void way_umount(const struct way *way)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s/union", way->name);
	if (umount(path))
		err(1, "umount %s", path);
}

/* ------------------------------------------------------------------ one file */

static void change_mode(const char *path)
{
	if (chmod(path, 0600))
		err(1, "chmod %s", path);
}

static void change_name(const char *path)
{
	char to[PATH_SIZE + 8];

	snprintf(to, sizeof(to), "%s.new", path);
	if (rename(path, to))
		err(1, "rename %s", path);
}

static void write_at(const char *path, off_t at, size_t length, bool is_synced)
{
	static char buffer[4096] = "changed";
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, buffer, length, at) != (ssize_t)length || (is_synced && fsync(fd)) || close(fd))
		err(1, "%s", path);
}

static off_t size_of(const char *path)
{
	struct stat st;

	if (stat(path, &st))
		err(1, "%s", path);
	return st.st_size;
}

static void change_end(const char *path)
{
	write_at(path, size_of(path), 100, false);
}

static void change_middle(const char *path)
{
	write_at(path, size_of(path) / 2 & -4096, 4096, false);
}

static void change_middle_synced(const char *path)
{
	write_at(path, size_of(path) / 2 & -4096, 4096, true);
}

#define FILES_MAX 50

static const struct row {
	const char *name;
	off_t size;
	bool is_sparse;
	int files;
	void (*change)(const char *path);
} rows[] = {
	{"chmod, 16 KiB", 16 * KIB, false, FILES_MAX, change_mode},
	{"append 100 bytes, 16 KiB", 16 * KIB, false, FILES_MAX, change_end},
	{"rename, 16 KiB", 16 * KIB, false, FILES_MAX, change_name},
	{"write 4 KiB, 4 KiB", 4 * KIB, false, FILES_MAX, change_middle},
	{"write 4 KiB, 16 KiB", 16 * KIB, false, FILES_MAX, change_middle},
	{"write 4 KiB, 64 KiB", 64 * KIB, false, 20, change_middle},
	{"write 4 KiB, 256 KiB", 256 * KIB, false, 10, change_middle},
	{"write 4 KiB and fsync, 4 KiB", 4 * KIB, false, 20, change_middle_synced},
	{"write 4 KiB and fsync, 64 KiB", 64 * KIB, false, 20, change_middle_synced},
	{"write 4 KiB and fsync, 1 MiB", MIB, false, 5, change_middle_synced},
	{"write 4 KiB and fsync, 32 MiB", 32 * MIB, false, 2, change_middle_synced},
	{"write 4 KiB and fsync, 1 GiB", GIB, false, 1, change_middle_synced},
	{"write 4 KiB and fsync, 64 GiB, sparse", 64 * GIB, true, 1, change_middle_synced},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void row_path(char path[PATH_SIZE], const char *dir, size_t row, int file)
{
	snprintf(path, PATH_SIZE, "%s/r%zu-%d", dir, row, file);
}

static void file_make(const char *path, const struct row *row)
{
	static char buffer[MIB];
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	off_t done;
	size_t length;

	if (fd < 0)
		err(1, "%s", path);
	memset(buffer, 'l', sizeof(buffer));
	for (done = 0; !row->is_sparse && done < row->size; done += length) {
		length = row->size < MIB ? row->size : MIB;
		if (write(fd, buffer, length) != (ssize_t)length)
			err(1, "%s", path);
	}
	if (ftruncate(fd, row->size) || close(fd))
		err(1, "%s", path);
}

static int time_compare(const void *a, const void *b)
{
	const double *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

/* What happens now and then, as when a journal is full, is in none of them. */
static double median(double *times, int count)
{
	qsort(times, count, sizeof(*times), time_compare);
	return times[count / 2];
}

/* Files are cold, and what their directory is made of is not. */
static void row_measure(const struct way *way, size_t number, struct cost *ret)
{
	const struct row *row = &rows[number];
	long long read_before, written_before, read_after, written_after;
	char dir[64], path[PATH_SIZE];
	double times[FILES_MAX], start;
	struct stat st;

	snprintf(dir, sizeof(dir), "%s/union", way->name);
	way_mount(way);
	drop_caches("3");
	for (int i = 0; i < row->files; i++) {
		row_path(path, dir, number, i);
		if (stat(path, &st))
			err(1, "%s", path);
	}
	device_read(&read_before, &written_before);
	for (int i = 0; i < row->files; i++) {
		row_path(path, dir, number, i);
		start = now();
		row->change(path);
		times[i] = now() - start;
	}
	ret->time = median(times, row->files);
	sync();
	device_read(&read_after, &written_after);
	ret->read = (double)(read_after - read_before) / KIB / row->files;
	ret->written = (double)(written_after - written_before) / KIB / row->files;
	way_umount(way);
}

/* ------------------------------------------------------------------ a tree */

static int change_owner(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return lchown(path, 1000, 1000);
}

static void tree_make(void)
{
	if (system("mkdir lower/tree && cp -a /usr /etc lower/tree/"))
		errx(1, "/usr and /etc cannot be copied");
}

static void tree_measure(const struct way *way, struct cost *ret)
{
	long long read_before, written_before, read_after, written_after;
	char path[PATH_SIZE];
	double start;

	snprintf(path, sizeof(path), "%s/union/tree", way->name);
	way_mount(way);
	drop_caches("3");
	device_read(&read_before, &written_before);
	start = now();
	if (nftw(path, change_owner, WALK_FDS, FTW_PHYS))
		err(1, "chown -R %s", path);
	ret->time = now() - start;
	sync();
	device_read(&read_after, &written_after);
	ret->read = (double)(read_after - read_before) / KIB;
	ret->written = (double)(written_after - written_before) / KIB;
	way_umount(way);
}

/* ------------------------------------------------------------------ the table */

/* The table's first number says how many times less time the default takes than overlayfs. */
static void row_print(const char *name, const struct cost costs[WAYS])
{
	printf("%-38s %7.2f ", name, costs[0].time / costs[1].time);
	for (size_t i = 0; i < WAYS; i++)
		printf(" | %10.1f %8.0f %8.0f", costs[i].time / 1000, costs[i].read, costs[i].written);
	printf("\n");
	fflush(stdout);
}

static void head_print(void)
{
	printf("%-38s %7s ", "us or 1000 instructions, KiB read, written", "times");
	for (size_t i = 0; i < WAYS; i++)
		printf(" | %10s %8s %8s", ways[i].name, "read", "written");
	printf("\n");
}

int main(int argc, char **argv)
{
	static const char tree[] = "chown -R, /usr and /etc of Debian";
	struct cost costs[WAYS];
	char path[PATH_SIZE];

	if (argc < 2)
		errx(2, "usage: promotions DIR [NAME]");
	if (chdir(argv[1]))
		err(1, "%s", argv[1]);
	device_open();
	make_dir(".", "lower");
	head_print();
	for (size_t row = 0; row < ROWS; row++) {
		if (argc > 2 && !strstr(rows[row].name, argv[2]))
			continue;
		for (int i = 0; i < rows[row].files; i++) {
			row_path(path, "lower", row, i);
			file_make(path, &rows[row]);
		}
		for (size_t i = 0; i < WAYS; i++)
			row_measure(&ways[i], row, &costs[i]);
		row_print(rows[row].name, costs);
	}
	if (argc > 2 && !strstr(tree, argv[2]))
		return 0;
	tree_make();
	for (size_t i = 0; i < WAYS; i++)
		tree_measure(&ways[i], &costs[i]);
	row_print(tree, costs);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * mappings.c - what reading and storing through a mapping costs on a union, by the page, beside overlayfs on the same
 * kernel and the same filesystem below, one table. As in operations.c a nanosecond is an instruction in `scripts/vm
 * --icount`. Each figure is that of a pass over a file: mmap(2), one byte of each page, munmap(2). Run by
 * `make bench`; it asserts nothing.
 *
 *	mappings DIR [NAME]		DIR is a directory to make the layers in; NAME: only that row
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define PAGE	4096
#define PAGES	2048
#define BATCHES 7 /* their median counts */

struct world {
	char base[256]; /* DIR/FSTYPE */
	const char *fstype;
};

/* A file in the lower layer, and what is done to it first. */
struct row {
	const char *name;
	int flags, prot;
	void (*prepare)(int fd); /* once, at the start */
	void (*before)(void);	 /* each pass */
};

static char page[PAGE];

static void fill_page(int number)
{
	memset(page, 'a' + number % 26, PAGE);
}

static void make_file(const struct world *w, const char *name)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/lower/%s", w->base, name);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0)
		err(1, "%s", path);
	for (int i = 0; i < PAGES; i++) {
		fill_page(i);
		if (write(fd, page, PAGE) != PAGE)
			err(1, "%s", path);
	}
	close(fd);
}

static void nothing(int fd)
{
	(void)fd;
}

static void write_page(int fd, int number)
{
	fill_page(number + 1);
	if (pwrite(fd, page, PAGE, (off_t)number * PAGE) != PAGE)
		err(1, "write");
}

static void write_one(int fd)
{
	write_page(fd, 0);
}

static void write_every_second(int fd)
{
	for (int i = 0; i < PAGES; i += 2)
		write_page(fd, i);
}

static void write_all(int fd)
{
	for (int i = 0; i < PAGES; i++)
		write_page(fd, i);
}

static void keep(void)
{
}

static void drop_pages(void)
{
	drop_caches("1");
}

static const struct row rows[] = {
	{"read, private, not written", MAP_PRIVATE, PROT_READ, nothing, keep},
	{"read, shared, not written", MAP_SHARED, PROT_READ, nothing, keep},
	{"read, private, one block written", MAP_PRIVATE, PROT_READ, write_one, keep},
	{"read, shared, one block written", MAP_SHARED, PROT_READ, write_one, keep},
	{"read, shared, every 2nd written", MAP_SHARED, PROT_READ, write_every_second, keep},
	{"read, shared, all written", MAP_SHARED, PROT_READ, write_all, keep},
	{"read cold, private, not written", MAP_PRIVATE, PROT_READ, nothing, drop_pages},
	{"read cold, shared, one written", MAP_SHARED, PROT_READ, write_one, drop_pages},
	{"store again, shared, all written", MAP_SHARED, PROT_READ | PROT_WRITE, write_all, keep},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void file_name(char *name, size_t row)
{
	sprintf(name, "f%zu", row);
}

static void world_open(struct world *w, const char *dir, const char *fstype)
{
	static const char *const dirs[] = {"", "lower", "upper", "work", "union"};
	char path[512], options[1024], name[16];

	w->fstype = fstype;
	snprintf(w->base, sizeof(w->base), "%s/%s", dir, fstype);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", w->base, dirs[i]);
		if (mkdir(path, 0755))
			err(1, "mkdir %s", path);
	}
	for (size_t row = 0; row < ROWS; row++) {
		file_name(name, row);
		make_file(w, name);
	}
	sync();
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", w->base, w->base,
		 w->base);
	if (mount(fstype, path, fstype, 0, options))
		err(1, "mount -t %s -o %s", fstype, options);
}

static void world_close(const struct world *w)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/union", w->base);
	if (umount2(path, 0))
		err(1, "umount %s", path);
}

static double pass(const struct row *row, int fd)
{
	volatile char *at;
	double start;
	int sum = 0;

	row->before();
	start = now();
	at = mmap(NULL, PAGES * PAGE, row->prot, row->flags, fd, 0);
	if (at == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < PAGES; i++)
		if (row->prot & PROT_WRITE)
			at[i * PAGE] = i;
		else
			sum += at[i * PAGE];
	if (munmap((void *)at, PAGES * PAGE) || sum == 1)
		err(1, "munmap");
	return (now() - start) / PAGES;
}

static double measure(const struct world *w, size_t row, double *ret_first)
{
	char path[512], name[16];
	double cost[BATCHES];
	int fd, batch;

	file_name(name, row);
	snprintf(path, sizeof(path), "%s/union/%s", w->base, name);
	fd = open(path, (rows[row].prepare == nothing ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	rows[row].prepare(fd);
	*ret_first = pass(&rows[row], fd);
	for (batch = 0; batch < BATCHES; batch++)
		cost[batch] = pass(&rows[row], fd);
	qsort(cost, BATCHES, sizeof(cost[0]), compare);
	close(fd);
	return cost[BATCHES / 2];
}

int main(int argc, char **argv)
{
	static struct world overlay, shale;
	double a, b, first_a, first_b;

	if (argc < 2)
		errx(2, "usage: mappings DIR [NAME]");
	world_open(&overlay, argv[1], "overlay");
	world_open(&shale, argv[1], "shale");
	printf("%-34s %9s %9s %7s   %s\n", "instructions for a page", "overlay", "shale", "ratio",
	       "the first time");
	for (size_t row = 0; row < ROWS; row++) {
		if (argc > 2 && !strstr(rows[row].name, argv[2]))
			continue;
		a = measure(&overlay, row, &first_a);
		b = measure(&shale, row, &first_b);
		printf("%-34s %9.0f %9.0f %7.2f   %9.0f %9.0f %7.2f\n", rows[row].name, a, b, b / a, first_a,
		       first_b, first_b / first_a);
		fflush(stdout);
	}
	world_close(&overlay);
	world_close(&shale);
	return 0;
}

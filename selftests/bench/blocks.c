// SPDX-License-Identifier: GPL-2.0-only
/*
 * blocks.c - what reading and writing blocks of a file costs on a union, beside overlayfs and the bare
 * filesystem below, one table, with the ratio to that of the two which does the same. In `scripts/vm --icount` a
 * nanosecond is an instruction; elsewhere it is only time. Run by `make bench`; it asserts nothing.
 *
 *	blocks DIR [NAME]		DIR is a directory to make the layers in; NAME: only those rows
 *
 * A file is "lower" as it is in the lower layer, "promoted" once every other block of its first half was written, all
 * "owned" once each was, and "sparse" where, on the bare filesystem, it begins as one hole. Before a "cold" pass caches
 * are dropped.
 */
#include "bench.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define BLOCK	4096
#define BLOCKS	8192 /* of a file */
#define CHUNK	16    /* blocks of a sequential operation */
#define BATCHES 9     /* their median counts */
#define COUNT	800  /* operations in a batch */
#define COLD	(BLOCKS / CHUNK)

/* Where a row is done: the first two are compared with shale. */
enum place { OVERLAY, BARE, SHALE, PLACES };

static const char *const place_names[PLACES] = { "overlay", "bare", "shale" };

struct world {
	enum place place;
	char base[256];
	int lower, promoted, all, sparse; /* open files of BLOCKS blocks */
	char *lower_map, *promoted_map;
	unsigned int next;	     /* of the blocks that are written once */
};

/* Of the lower layer, each for one row. */
static const char *const once[] = { "lower/sparse", "lower/first", "lower/bytes", "lower/chunks",
				    "lower/appended" };

static _Alignas(BLOCK) char buffer[CHUNK * BLOCK];

static unsigned int shuffled[BLOCKS];

/* Each block once, in an order that is the same at each run. */
static void shuffle(void)
{
	unsigned int i, j, old;

	srandom(1);
	for (i = 0; i < BLOCKS; i++)
		shuffled[i] = i;
	for (i = BLOCKS - 1; i > 0; i--) {
		j = random() % (i + 1);
		old = shuffled[i];
		shuffled[i] = shuffled[j];
		shuffled[j] = old;
	}
}

static void path_of(const struct world *w, const char *name, char path[512])
{
	snprintf(path, 512, "%s/%s", w->base, name);
}

static void make_dirs(const struct world *w)
{
	static const char *const dirs[] = { "", "lower", "upper", "work", "union" };
	char path[512];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		path_of(w, dirs[i], path);
		if (mkdir(path, 0755))
			err(1, "mkdir %s", path);
	}
}

static void make_file(const struct world *w, const char *name, bool is_hole)
{
	char path[512];
	int fd;

	path_of(w, name, path);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0)
		err(1, "%s", path);
	for (int i = 0; !is_hole && i < BLOCKS / CHUNK; i++) {
		memset(buffer, 'a' + i % 26, sizeof(buffer));
		if (write(fd, buffer, sizeof(buffer)) != sizeof(buffer))
			err(1, "%s", path);
	}
	if (ftruncate(fd, (off_t)BLOCKS * BLOCK) || fsync(fd) || close(fd))
		err(1, "%s", path);
}

static void mount_union(const struct world *w)
{
	char path[512], options[1200];

	path_of(w, "union", path);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work%s", w->base,
		 w->base, w->base, w->place == SHALE ? ",cow=block" : "");
	if (mount("bench", path, place_names[w->place], 0, options))
		err(1, "mount -o %s", options);
}

static int file_open(const struct world *w, const char *name)
{
	char path[512], full[64];
	int fd;

	snprintf(full, sizeof(full), "%s/%s", w->place == BARE ? "lower" : "union", name);
	path_of(w, full, path);
	fd = open(path, !strcmp(name, "lower") ? O_RDONLY | O_CLOEXEC : O_RDWR | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static char *file_map(int fd)
{
	char *map = mmap(NULL, (size_t)BLOCKS * BLOCK, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		err(1, "mmap");
	return map;
}

static void write_block(int fd, unsigned int block)
{
	if (pwrite(fd, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
		err(1, "write");
}

static void read_block(int fd, unsigned int block)
{
	if (pread(fd, buffer, BLOCK, (off_t)block * BLOCK) != BLOCK)
		err(1, "read");
}

static void world_open(struct world *w, enum place place, const char *dir)
{
	w->place = place;
	snprintf(w->base, sizeof(w->base), "%s/%s", dir, place_names[place]);
	make_dirs(w);
	make_file(w, "lower/lower", false);
	make_file(w, "lower/promoted", false);
	make_file(w, "lower/all", false);
	for (size_t i = 0; i < sizeof(once) / sizeof(once[0]); i++)
		make_file(w, once[i], place == BARE);
	if (place != BARE)
		mount_union(w);
	w->lower = file_open(w, "lower");
	w->promoted = file_open(w, "promoted");
	w->all = file_open(w, "all");
	w->sparse = file_open(w, "sparse");
	for (unsigned int i = 0; i < BLOCKS / 2; i += 2)
		write_block(w->promoted, i);
	for (unsigned int i = 0; i < BLOCKS; i++)
		write_block(w->all, i);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		read_block(w->lower, i);
		read_block(w->promoted, i);
	}
	w->lower_map = file_map(w->lower);
	w->promoted_map = file_map(w->promoted);
	sync();
}

static void world_close(struct world *w)
{
	char path[512];

	munmap(w->lower_map, (size_t)BLOCKS * BLOCK);
	munmap(w->promoted_map, (size_t)BLOCKS * BLOCK);
	close(w->lower);
	close(w->promoted);
	close(w->all);
	close(w->sparse);
	path_of(w, "union", path);
	if (w->place != BARE && umount2(path, 0))
		err(1, "umount %s", path);
}

/* One of the blocks that the upper has. */
static unsigned int owned(unsigned int i)
{
	return shuffled[i] % (BLOCKS / 4) * 2;
}

static void read_lower(struct world *w, unsigned int i)
{
	read_block(w->lower, shuffled[i]);
}

static void read_promoted(struct world *w, unsigned int i)
{
	read_block(w->promoted, shuffled[i]);
}

static void read_owned(struct world *w, unsigned int i)
{
	read_block(w->promoted, owned(i));
}

static void read_chunk(int fd, unsigned int i)
{
	off_t at = (off_t)(i % (BLOCKS / CHUNK)) * sizeof(buffer);

	if (pread(fd, buffer, sizeof(buffer), at) != sizeof(buffer))
		err(1, "read");
}

static void read_lower_chunk(struct world *w, unsigned int i)
{
	read_chunk(w->lower, i);
}

/* Of the half of which nothing was written. */
static void read_promoted_chunk(struct world *w, unsigned int i)
{
	read_chunk(w->promoted, BLOCKS / CHUNK / 2 + i % (BLOCKS / CHUNK / 2));
}

static void read_mixed_chunk(struct world *w, unsigned int i)
{
	read_chunk(w->promoted, i % (BLOCKS / CHUNK / 2));
}

static void rewrite(struct world *w, unsigned int i)
{
	write_block(w->promoted, owned(i));
}

static void rewrite_bytes(struct world *w, unsigned int i)
{
	if (pwrite(w->promoted, buffer, 100, (off_t)owned(i) * BLOCK + 1000) != 100)
		err(1, "write");
}

static void rewrite_chunk(struct world *w, unsigned int i)
{
	off_t at = (off_t)(i % (BLOCKS / CHUNK)) * sizeof(buffer);

	if (pwrite(w->all, buffer, sizeof(buffer), at) != sizeof(buffer))
		err(1, "write");
}

static void write_first(struct world *w, unsigned int i)
{
	(void)i;
	if (w->next == BLOCKS)
		errx(1, "too few blocks");
	write_block(w->sparse, shuffled[w->next++]);
}

static void write_first_bytes(struct world *w, unsigned int i)
{
	(void)i;
	if (w->next == BLOCKS)
		errx(1, "too few blocks");
	if (pwrite(w->sparse, buffer, 100, (off_t)shuffled[w->next++] * BLOCK + 1000) != 100)
		err(1, "write");
}

static void write_first_chunk(struct world *w, unsigned int i)
{
	off_t at = (off_t)(w->next++ % (BLOCKS / CHUNK)) * sizeof(buffer);

	(void)i;
	if (pwrite(w->sparse, buffer, sizeof(buffer), at) != sizeof(buffer))
		err(1, "write");
}

static void append(struct world *w, unsigned int i)
{
	(void)i;
	if (lseek(w->sparse, 0, SEEK_END) < 0 || write(w->sparse, buffer, 100) != 100)
		err(1, "write");
}

/* Another file of which nothing was written. */
static void prepare_sparse(struct world *w, const char *name)
{
	close(w->sparse);
	w->sparse = file_open(w, name);
	for (unsigned int i = 0; i < BLOCKS; i++)
		read_block(w->sparse, i);
	write_block(w->sparse, shuffled[0]);
	w->next = 1;
}

static const struct row {
	const char *name;
	enum place peer;
	const char *file; /* of the lower layer that is written once, or NULL */
	unsigned int count;
	void (*run)(struct world *w, unsigned int i);
	bool is_cold;
} rows[] = {
	{"read 4K, lower file", OVERLAY, NULL, COUNT, read_lower},
	{"read 4K, promoted file", OVERLAY, NULL, COUNT, read_promoted},
	{"read 4K, owned block", OVERLAY, NULL, COUNT, read_owned},
	{"read 64K, lower file", OVERLAY, NULL, COUNT, read_lower_chunk},
	{"read 64K, promoted, nothing owned", OVERLAY, NULL, COUNT, read_promoted_chunk},
	{"read 64K, promoted, every other owned", OVERLAY, NULL, COUNT, read_mixed_chunk},
	{"read 64K cold, lower file", OVERLAY, NULL, COLD, read_lower_chunk, true},
	{"read 64K cold, promoted, nothing owned", OVERLAY, NULL, COLD / 2, read_promoted_chunk, true},
	{"read 64K cold, promoted, every other", OVERLAY, NULL, COLD / 2, read_mixed_chunk, true},
	{"write 4K, owned block", OVERLAY, NULL, COUNT, rewrite},
	{"write 100 bytes, owned block", OVERLAY, NULL, COUNT, rewrite_bytes},
	{"write 64K, owned blocks", OVERLAY, NULL, 200, rewrite_chunk},
	{"write 64K cold, owned blocks", OVERLAY, NULL, 200, rewrite_chunk, true},
	{"write 4K, first of its block", BARE, "first", COUNT, write_first},
	{"write 100 bytes, first of its block", BARE, "bytes", COUNT, write_first_bytes},
	{"write 64K, first of its blocks", BARE, "chunks", 50, write_first_chunk},
	{"append 100 bytes", BARE, "appended", COUNT, append},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static double measure(struct world *w, const struct row *row)
{
	double cost[BATCHES], start;

	if (row->file)
		prepare_sparse(w, row->file);
	for (unsigned int i = 0; i < row->count; i++)
		row->run(w, i);
	for (unsigned int batch = 0; batch < BATCHES; batch++) {
		if (row->is_cold)
			drop_caches("3");
		start = now();
		for (unsigned int i = 0; i < row->count; i++)
			row->run(w, i);
		cost[batch] = (now() - start) / row->count;
	}
	qsort(cost, BATCHES, sizeof(cost[0]), compare);
	return cost[BATCHES / 2];
}

/* overlayfs has copied a file whole before it is written for the first time. */
static void row_print(const struct row *row, const double cost[PLACES])
{
	printf("%-38s ", row->name);
	if (row->peer == OVERLAY)
		printf("%9.2f ", cost[OVERLAY] / 1000);
	else
		printf("%9s ", "-");
	printf("%9.2f %9.2f %7.3f to %s\n", cost[BARE] / 1000, cost[SHALE] / 1000,
	       cost[SHALE] / cost[row->peer], place_names[row->peer]);
}

int main(int argc, char **argv)
{
	static struct world worlds[PLACES];
	double cost[PLACES];

	if (argc < 2)
		errx(2, "usage: blocks DIR [NAME]");
	shuffle();
	for (enum place place = 0; place < PLACES; place++)
		world_open(&worlds[place], place, argv[1]);
	printf("%-38s %9s %9s %9s %7s\n", "1000 instructions each", "overlay", "bare", "shale", "ratio");
	for (size_t i = 0; i < ROWS; i++) {
		if (argc > 2 && !strstr(rows[i].name, argv[2]))
			continue;
		for (enum place place = 0; place < PLACES; place++)
			if (place != OVERLAY || rows[i].peer == OVERLAY)
				cost[place] = measure(&worlds[place], &rows[i]);
		row_print(&rows[i], cost);
		fflush(stdout);
	}
	for (enum place place = 0; place < PLACES; place++)
		world_close(&worlds[place]);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * layers.c - what finding names costs by the number of layers, on overlayfs and shale: each layer has the directory
 * and a file of its own in it, the lowest all the names that are looked for. For each number of layers the costs of
 * one name, when nothing is cached but what belongs to the mount, and of listing the directory; behind each
 * one the ratio to the same filesystem with one layer. In `scripts/vm --icount` a nanosecond is an instruction. Run by `make
 * bench`; it asserts nothing.
 *
 *	layers DIR		DIR is a directory to make the layers in
 */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define NAMES 200
/* overlayfs takes no more. */
#define LAYERS_MAX 500

static const char *const fstypes[] = {"overlay", "shale"};
static const int numbers[] = {1, 2, 10, 50, 100, 500};

#define FSTYPES (sizeof(fstypes) / sizeof(fstypes[0]))
#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static void file_make(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 || close(fd))
		err(1, "%s", path);
}

/* The layer's names are short, so that 500 of them are a page of options. */
static void layer_make(int number)
{
	char path[64];

	snprintf(path, sizeof(path), "%d", number);
	if (mkdir(path, 0755))
		err(1, "%s", path);
	snprintf(path, sizeof(path), "%d/d", number);
	if (mkdir(path, 0755))
		err(1, "%s", path);
	snprintf(path, sizeof(path), "%d/d/own%d", number, number);
	file_make(path);
}

static void layers_make(void)
{
	char path[64];

	if (mkdir("m", 0755))
		err(1, "m");
	for (int i = 0; i < LAYERS_MAX; i++)
		layer_make(i);
	for (int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), "%d/d/name%d", LAYERS_MAX - 1, i);
		file_make(path);
	}
}

static void union_mount(const char *fstype, int layers)
{
	char options[LAYERS_MAX * 4 + 64], *end = options;

	end += sprintf(end, "lowerdir=%d", LAYERS_MAX - layers);
	for (int i = LAYERS_MAX - layers + 1; i < LAYERS_MAX; i++)
		end += sprintf(end, ":%d", i);
	/* overlayfs wants two layers or an upper. */
	if (layers == 1)
		sprintf(end, ":m");
	if (mount("bench", "m", fstype, MS_RDONLY, options))
		err(1, "mount -t %s with %d layers", fstype, layers);
}

static void stat_all(const char *format, int want)
{
	char path[64];
	struct stat st;

	for (int i = 0; i < NAMES; i++) {
		snprintf(path, sizeof(path), format, i);
		if ((stat(path, &st) ? errno : 0) != want)
			err(1, "%s", path);
	}
}

static void find_names(void)
{
	stat_all("m/d/name%d", 0);
}

static void find_missing(void)
{
	stat_all("m/d/missing%d", ENOENT);
}

static void list(void)
{
	DIR *dir = opendir("m/d");
	int count = 0;

	if (!dir)
		err(1, "m/d");
	while (readdir(dir))
		count++;
	if (closedir(dir) || count < NAMES)
		errx(1, "%d names are listed", count);
}

static void list_and_find(void)
{
	list();
	find_names();
}

static const struct row {
	const char *name;
	void (*run)(void);
} rows[] = {
	{"a name of the lowest layer", find_names},
	{"a name that is missing", find_missing},
	{"listing, by name", list},
	{"listing and finding, by name", list_and_find},
};

static double row_measure(const struct row *row, const char *fstype, int layers)
{
	double start, took;

	union_mount(fstype, layers);
	drop_caches("3");
	start = now();
	row->run();
	took = now() - start;
	if (umount("m"))
		err(1, "umount");
	return took / NAMES / 1000;
}

static void row_print(const struct row *row)
{
	double first[FSTYPES];

	for (size_t n = 0; n < NUMBERS; n++) {
		printf("%-30s %6d ", row->name, numbers[n]);
		for (size_t i = 0; i < FSTYPES; i++) {
			double cost = row_measure(row, fstypes[i], numbers[n]);

			if (!n)
				first[i] = cost;
			printf(" | %10.1f %7.2f", cost, cost / first[i]);
		}
		printf("\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		errx(2, "usage: layers DIR");
	if (chdir(argv[1]))
		err(1, "%s", argv[1]);
	layers_make();
	printf("%-30s %6s ", "us or 1000 instructions", "layers");
	for (size_t i = 0; i < FSTYPES; i++)
		printf(" | %10s %7s", fstypes[i], "to 1");
	printf("\n");
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++)
		row_print(&rows[row]);
	return 0;
}

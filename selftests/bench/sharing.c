// SPDX-License-Identifier: GPL-2.0-only
/*
 * sharing.c - by how much the page cache grows when one of two containers changes a byte of a large file of their
 * image and reads it all again: two mounts over one lower file that both have read, on overlayfs and on shale.
 * Run by `make bench`; it asserts nothing.
 *
 *	sharing DIR			DIR is a directory to make the layers in
 */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define MIB	  (1024UL * 1024)
#define FILE_MIB  256
#define PATH_SIZE 128

static const char *const types[] = {"overlay", "shale"};

static char buffer[MIB];

/* In KiB. */
static long page_cache(void)
{
	FILE *info = fopen("/proc/meminfo", "re");
	char line[128];
	long kib = -1;

	while (info && kib < 0 && fgets(line, sizeof(line), info))
		sscanf(line, "Cached: %ld kB", &kib);
	if (kib < 0)
		errx(1, "/proc/meminfo does not say what is cached");
	fclose(info);
	return kib;
}

static void make_dir(const char *type, int number, const char *name)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s-%d-%s", type, number, name);
	if (mkdir(path, 0755))
		err(1, "mkdir %s", path);
}

static void union_mount(const char *type, int number)
{
	char path[PATH_SIZE], options[256];

	make_dir(type, number, "upper");
	make_dir(type, number, "work");
	make_dir(type, number, "union");
	snprintf(path, sizeof(path), "%s-%d-union", type, number);
	snprintf(options, sizeof(options), "lowerdir=lower,upperdir=%1$s-%2$d-upper,workdir=%1$s-%2$d-work", type,
		 number);
	if (mount("bench", path, type, 0, options))
		err(1, "mount -o %s", options);
}

static void union_umount(const char *type, int number)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "%s-%d-union", type, number);
	if (umount(path))
		err(1, "umount %s", path);
}

static int union_open(const char *type, int number, int flags)
{
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s-%d-union/file", type, number);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void read_all(const char *type, int number)
{
	int fd = union_open(type, number, O_RDONLY);

	for (int i = 0; i < FILE_MIB; i++)
		if (read(fd, buffer, MIB) != (ssize_t)MIB)
			err(1, "read");
	close(fd);
}

static void write_byte(const char *type, int number)
{
	int fd = union_open(type, number, O_WRONLY);

	if (pwrite(fd, "x", 1, FILE_MIB / 2 * MIB) != 1 || close(fd))
		err(1, "write");
}

static void file_make(void)
{
	int fd;

	if (mkdir("lower", 0755))
		err(1, "mkdir lower");
	fd = open("lower/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	memset(buffer, 'l', sizeof(buffer));
	for (int i = 0; i < FILE_MIB; i++)
		if (write(fd, buffer, MIB) != (ssize_t)MIB)
			err(1, "lower/file");
	close(fd);
}

static long growth(const char *type)
{
	long before;

	union_mount(type, 1);
	union_mount(type, 2);
	drop_caches("3");
	read_all(type, 1);
	read_all(type, 2);
	before = page_cache();
	write_byte(type, 1);
	read_all(type, 1);
	before = page_cache() - before;
	union_umount(type, 1);
	union_umount(type, 2);
	return before;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: sharing DIR");
	if (chdir(argv[1]))
		err(1, "%s", argv[1]);
	file_make();
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		printf("page cache after one byte of %d MiB was written: %-7s %+8ld KiB\n", FILE_MIB, types[i],
		       growth(types[i]));
	return 0;
}

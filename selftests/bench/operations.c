// SPDX-License-Identifier: GPL-2.0-only
/*
 * operations.c - what one operation costs on a union, beside overlayfs on the same kernel and the same
 * filesystem below, one table. In `scripts/vm --icount` a nanosecond is an instruction, and the table
 * is the same at each run; elsewhere it is only time. Run by `make bench`; it asserts nothing.
 *
 *	operations DIR [NAME]		DIR is a directory to make the layers in; NAME: only that row
 */
#include "bench.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define FILES	1000 /* small files of a lower layer */
#define MERGED	1000 /* names of the merged directory, half in each layer */
#define LOWERS	5    /* of the mount that is made and unmade */
#define BATCHES 9    /* their median counts: kernel threads wake up now and then */

struct world {
	char base[256];	 /* DIR/FSTYPE */
	char mount[300]; /* where the union is, */
	char extra[300]; /* and where one is mounted again and again */
	const char *fstype;
	char options[1200], extra_options[2400];
	int files, merged; /* directories in the union */
};

struct operation {
	const char *name;
	unsigned int count; /* operations in one run */
	void (*prepare)(struct world *w);
	void (*run)(struct world *w, unsigned int i);
};

static void make_dir(const char *base, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", base, name);
	if (mkdir(path, 0755))
		err(1, "mkdir %s", path);
}

static void make_files(const char *base, const char *dir, char prefix, int count)
{
	char path[512];
	int fd, i;

	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s/%c%04d", base, dir, prefix, i);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
		if (fd < 0 || dprintf(fd, "%0100d", i) != 100 || close(fd))
			err(1, "%s", path);
	}
}

static void make_layers(struct world *w)
{
	static const char *const dirs[] = { "", "lower", "lower/files", "lower/merged", "upper",
					    "upper/merged", "work", "union", "upper2", "work2",
					    "union2" };
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(w->base, dirs[i]);
	for (i = 0; i < LOWERS; i++) {
		snprintf(name, sizeof(name), "low%zu", i);
		make_dir(w->base, name);
	}
	make_files(w->base, "lower/files", 'f', FILES);
	make_files(w->base, "lower/merged", 'l', MERGED / 2);
	make_files(w->base, "upper/merged", 'u', MERGED / 2);
	sync();
}

static void make_options(struct world *w)
{
	size_t i, used;

	snprintf(w->options, sizeof(w->options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 w->base, w->base, w->base);
	used = snprintf(w->extra_options, sizeof(w->extra_options), "lowerdir=");
	for (i = 0; i < LOWERS; i++)
		used += snprintf(w->extra_options + used, sizeof(w->extra_options) - used, "%s%s/low%zu",
				 i ? ":" : "", w->base, i);
	snprintf(w->extra_options + used, sizeof(w->extra_options) - used,
		 ",upperdir=%s/upper2,workdir=%s/work2", w->base, w->base);
}

static void world_open(struct world *w, const char *dir, const char *fstype)
{
	char path[512];

	memset(w, 0, sizeof(*w));
	w->fstype = fstype;
	snprintf(w->base, sizeof(w->base), "%s/%s", dir, fstype);
	snprintf(w->mount, sizeof(w->mount), "%s/union", w->base);
	snprintf(w->extra, sizeof(w->extra), "%s/union2", w->base);
	make_layers(w);
	make_options(w);
	if (mount(fstype, w->mount, fstype, 0, w->options))
		err(1, "mount -t %s -o %s", fstype, w->options);
	snprintf(path, sizeof(path), "%s/files", w->mount);
	w->files = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/merged", w->mount);
	w->merged = open(path, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (w->files < 0 || w->merged < 0)
		err(1, "%s", path);
}

static void world_close(struct world *w)
{
	close(w->files);
	close(w->merged);
	if (umount2(w->mount, 0))
		err(1, "umount %s", w->mount);
}

static const char *file_name(unsigned int i)
{
	static char name[16];

	snprintf(name, sizeof(name), "f%04u", i % FILES);
	return name;
}

static void stat_one(struct world *w, unsigned int i)
{
	struct stat st;

	if (fstatat(w->files, file_name(i), &st, AT_SYMLINK_NOFOLLOW))
		err(1, "stat");
}

static void stat_missing(struct world *w, unsigned int i)
{
	char name[32];
	struct stat st;

	snprintf(name, sizeof(name), "missing%u", i);
	if (!fstatat(w->files, name, &st, AT_SYMLINK_NOFOLLOW))
		errx(1, "%s exists", name);
}

static void drop_names(struct world *w)
{
	(void)w;
	drop_caches("2");
}

static void nothing(struct world *w)
{
	(void)w;
}

static void read_one(struct world *w, unsigned int i)
{
	char buf[4096];
	int fd = openat(w->files, file_name(i), O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, buf, sizeof(buf)) != 100 || close(fd))
		err(1, "read");
}

static void create_one(struct world *w, unsigned int i)
{
	int fd = openat(w->merged, "new", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);

	(void)i;
	if (fd < 0 || close(fd) || unlinkat(w->merged, "new", 0))
		err(1, "create");
}

static void list_one(struct world *w, unsigned int i)
{
	int fd = openat(w->merged, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int names = 0;

	(void)i;
	if (!dir)
		err(1, "opendir");
	while (readdir(dir))
		names++;
	if (closedir(dir) || names != MERGED + 2)
		errx(1, "%s lists %d names", w->fstype, names);
}

/* A listing that cannot have been remembered. */
static void list_changed(struct world *w, unsigned int i)
{
	if (mkdirat(w->merged, "changed", 0755) || unlinkat(w->merged, "changed", AT_REMOVEDIR))
		err(1, "mkdir");
	list_one(w, i);
}

static void mount_one(struct world *w, unsigned int i)
{
	(void)i;
	if (mount(w->fstype, w->extra, w->fstype, 0, w->extra_options) || umount2(w->extra, 0))
		err(1, "mount -t %s -o %s", w->fstype, w->extra_options);
}

static const struct operation operations[] = {
	{ "warm stat", FILES, nothing, stat_one },
	{ "cold stat", FILES, drop_names, stat_one },
	{ "stat of a missing name", FILES, drop_names, stat_missing },
	{ "open+read+close, 100 bytes", FILES, nothing, read_one },
	{ "create+unlink", 200, nothing, create_one },
	{ "readdir, 1000 merged names", 10, nothing, list_one },
	{ "  after a change", 5, nothing, list_changed },
	{ "mount+umount, 5 lower layers", 20, nothing, mount_one },
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static double measure(struct world *w, const struct operation *op)
{
	double cost[BATCHES], start;
	unsigned int batch, i;

	for (i = 0; i < op->count; i++)
		op->run(w, i);
	for (batch = 0; batch < BATCHES; batch++) {
		op->prepare(w);
		start = now();
		for (i = 0; i < op->count; i++)
			op->run(w, i);
		cost[batch] = (now() - start) / op->count;
	}
	qsort(cost, BATCHES, sizeof(cost[0]), compare);
	return cost[BATCHES / 2];
}

int main(int argc, char **argv)
{
	static struct world overlay, shale;
	double a, b;
	size_t i;

	if (argc < 2)
		errx(2, "usage: operations DIR [NAME]");
	world_open(&overlay, argv[1], "overlay");
	world_open(&shale, argv[1], "shale");
	printf("%-32s %12s %12s %8s\n", "1000 instructions each", "overlay", "shale", "ratio");
	for (i = 0; i < OPERATIONS; i++) {
		if (argc > 2 && !strstr(operations[i].name, argv[2]))
			continue;
		a = measure(&overlay, &operations[i]);
		b = measure(&shale, &operations[i]);
		printf("%-32s %12.2f %12.2f %8.2f\n", operations[i].name, a / 1000, b / 1000, b / a);
		fflush(stdout);
	}
	world_close(&overlay);
	world_close(&shale);
	return 0;
}

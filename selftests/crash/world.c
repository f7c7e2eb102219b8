// SPDX-License-Identifier: GPL-2.0-only
/*
 * world.c - makes the filesystem and the layers a workload finds, and mounts them; see world.h.
 */
#include "world.h"

#include "backing.h"
#include "say.h"
#include "stamp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_SIZE   (256UL << 20)
#define WORLD_DIR  "/run/shale-crash"
#define DISK_DIR   WORLD_DIR "/disk"
#define UNION_DIR  WORLD_DIR "/union"
#define LOWER_DIR  WORLD_DIR "/lower"
#define BUSY_TRIES 50
#define SPARSE_RUN (16UL << 10)
#define FSCK	   "build/user/fsck.shale"

const struct world_file world_files[] = {
	{"l0", "a", 64 << 10},
	{"l0", "b", 64 << 10},
	{"l0", "big", 256 << 10},
	{"l0", "odd", 10001},
	{"l0", "holes", 128 << 10, .is_sparse = true},
	{"l0", "h1", 24 << 10, .link = "h2"},
	{"l0", "d/x", 16 << 10},
	{"l0", "d/y", 16 << 10},
	{"l1", "a", 96 << 10, .is_hidden = true},
	{"l1", "c", 64 << 10},
	{"l1", "huge", 4096 << 10, .is_sparse = true}, /* a map of it can be too long for an attribute */
	{"l1", "d/z", 16 << 10},
	{"l1", "gone", 32 << 10, .is_hidden = true},
	{"l1", "low/p", 8 << 10},
	{"u", "u", 64 << 10},
	{"u", "v", 20000},
	{"u", "up/p", 16 << 10},
};
const int world_file_count = sizeof(world_files) / sizeof(world_files[0]);
const char *const world_dirs[] = {"d", "low", "up", NULL};

static const char *fstype(void)
{
	const char *type = getenv("SHALE_TEST_FSTYPE");

	return type && *type ? type : "shale";
}

bool world_is_bare(void)
{
	return !strcmp(fstype(), "bare");
}

bool world_is_shale(void)
{
	return !strcmp(fstype(), "shale");
}

const char *world_union(void)
{
	return world_is_bare() ? DISK_DIR "/m" : UNION_DIR;
}

const char *world_upper_path(const char *path)
{
	static char text[128];

	snprintf(text, sizeof(text), "%s/%s", world_is_bare() ? DISK_DIR "/m" : DISK_DIR "/u", path);
	return text;
}

void world_fill(int file, unsigned char *bytes)
{
	const struct world_file *f = &world_files[file];

	stamp_fill(bytes, file, 0, 0, f->size);
	if (!f->is_sparse)
		return;
	for (size_t at = SPARSE_RUN; at < f->size; at += 2 * SPARSE_RUN)
		memset(bytes + at, 0, SPARSE_RUN);
}

/* ------------------------------------------------------------------ making the layers */

static void file_write(int dir, const char *path, const unsigned char *bytes, size_t size)
{
	int fd = openat(dir, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, size) < 0)
		die("%s", path);
	for (size_t at = 0; at < size; at += BLOCK) {
		size_t part = size - at < BLOCK ? size - at : BLOCK;

		if (!is_zero(bytes + at, part) && pwrite(fd, bytes + at, part, at) != (ssize_t)part)
			die("write %s", path);
	}
	close(fd);
}

static void parent_make(int dir, const char *path)
{
	char parent[64];
	char *slash;

	snprintf(parent, sizeof(parent), "%s", path);
	slash = strchr(parent, '/');
	if (!slash)
		return;
	*slash = '\0';
	if (mkdirat(dir, parent, 0755) < 0 && errno != EEXIST)
		die("mkdir %s", parent);
}

static void file_make(int file, const char *layer)
{
	const struct timespec times[2] = {{.tv_sec = WORLD_TIME}, {.tv_sec = WORLD_TIME}};
	const struct world_file *f = &world_files[file];
	int dir = open(layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned char *bytes = calloc(1, f->size);

	world_fill(file, bytes);
	parent_make(dir, f->path);
	file_write(dir, f->path, bytes, f->size);
	if (utimensat(dir, f->path, times, 0) < 0)
		die("utimensat %s", f->path);
	if (f->link && linkat(dir, f->path, dir, f->link, 0) < 0)
		die("link %s", f->link);
	free(bytes);
	close(dir);
}

static const char *lower_dir(const struct world *world)
{
	return world->options.is_lower_apart ? LOWER_DIR : DISK_DIR;
}

/* Where the layer L0, L1 or U is. */
static const char *layer_path(const struct world *world, const char *layer)
{
	static char path[64];

	if (world_is_bare())
		return DISK_DIR "/m";
	snprintf(path, sizeof(path), "%s/%s", layer[0] == 'l' ? lower_dir(world) : DISK_DIR, layer);
	return path;
}

static void layers_make(const struct world *world)
{
	static const char *const layers[] = {"l0", "l1", "u"};

	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
		make_dir(layer_path(world, layers[i]));
	make_dir(DISK_DIR "/w");
	for (int i = 0; i < world_file_count; i++)
		if (!world_is_bare() || !world_files[i].is_hidden)
			file_make(i, layer_path(world, world_files[i].layer));
	if (!world_is_bare() && mknod(DISK_DIR "/u/gone", S_IFCHR, 0) < 0)
		die("whiteout");
}

static void disk_make(struct disk *disk, const char *fs, const char *dir)
{
	const struct backing *backing = backing_find(fs);

	errno = 0;
	if (!backing)
		die("no crash points on %s: ext4, xfs or btrfs", fs);
	make_dir(dir);
	backing_make(backing, disk);
	if (mount(disk->path, dir, fs, 0, NULL) < 0)
		die("mount %s", fs);
}

void world_create(struct world *world, const struct world_options *options)
{
	*world = (struct world){.options = *options};
	shell("for m in loop dm-mod dm-log-writes %s; do modprobe -q $m || true; done", options->fs);
	make_dir(WORLD_DIR);
	make_dir(UNION_DIR);
	disk_make(&world->disk, options->fs, DISK_DIR);
	if (options->is_lower_apart)
		disk_make(&world->lower, "ext4", LOWER_DIR);
	layers_make(world);
	if (umount2(DISK_DIR, 0) < 0)
		die("umount");
	disk_create(&world->log, LOG_SIZE);
	world->base = image_copy(&world->disk);
	world->now = image_copy(&world->disk);
}

void world_remove(struct world *world)
{
	munmap(world->base, world->disk.size);
	munmap(world->now, world->disk.size);
	disk_remove(&world->disk);
	disk_remove(&world->log);
	if (!world->options.is_lower_apart)
		return;
	if (umount2(LOWER_DIR, 0) < 0)
		die("umount of the lower layers");
	disk_remove(&world->lower);
}

void world_cleanup(void)
{
	static const char *const dirs[] = {UNION_DIR, DISK_DIR, LOWER_DIR};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		while (umount2(dirs[i], MNT_DETACH) == 0)
			;
	recorder_cleanup();
}

/* ------------------------------------------------------------------ mounting */

bool world_umount_union(void)
{
	return world_is_bare() || umount_patiently(UNION_DIR, BUSY_TRIES);
}

/* A volatile mount that crashed has left its mark, and the next mount would refuse. */
static void volatile_mark_remove(void)
{
	rmdir(DISK_DIR "/w/work/incompat/volatile");
	rmdir(DISK_DIR "/w/work/incompat");
}

bool world_mount_union(const struct world *world)
{
	const char *own = world_is_shale() ? ",cow=block" : ",redirect_dir=on,index=on";
	const char *more = world->options.mount;
	char options[512];

	if (world_is_bare())
		return true;
	volatile_mark_remove();
	snprintf(options, sizeof(options), "lowerdir=%1$s/l0:%1$s/l1,upperdir=%2$s/u,workdir=%2$s/w%3$s%4$s%5$s%6$s",
		 lower_dir(world), DISK_DIR, own, world->is_volatile ? ",volatile" : "", more ? "," : "",
		 more ?: "");
	if (mount("crash", UNION_DIR, fstype(), 0, options) == 0)
		return true;
	say("mount of the union: %s", strerror(errno));
	return false;
}

/* Is it sound, or was it repaired? */
static bool upper_check(const struct world *world)
{
	char command[256];

	snprintf(command, sizeof(command), FSCK " -y --lower %1$s/l0 --lower %1$s/l1 " DISK_DIR "/u >/dev/null",
		 lower_dir(world));
	return fsck_repairs(command);
}

bool world_mount(struct world *world)
{
	const char *device = recorder_start(&world->disk, world->options.is_unrecorded ? NULL : &world->log);

	btrfs_forget();
	if (mount(device, DISK_DIR, world->options.fs, 0, NULL) < 0) {
		say("mount of the %s: %s", world->options.fs, strerror(errno));
		recorder_stop();
		return false;
	}
	if ((!world->is_checked || upper_check(world)) && world_mount_union(world))
		return true;
	umount_patiently(DISK_DIR, BUSY_TRIES);
	recorder_stop();
	return false;
}

bool world_umount(void)
{
	bool good = world_umount_union();

	good &= umount_patiently(DISK_DIR, BUSY_TRIES);
	recorder_stop();
	return good;
}

int world_work_count(void)
{
	DIR *dir = world_is_bare() ? NULL : opendir(DISK_DIR "/w/work");
	const struct dirent *entry;
	int count = 0;

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(dir);
	return count;
}

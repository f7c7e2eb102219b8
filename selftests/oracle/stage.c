// SPDX-License-Identifier: GPL-2.0-only
/*
 * stage.c - the layers and mounts of a round, in the working directory: lower layers l0 (the topmost),
 * l1 ..., upper u, work directory w, mount point m, and twin for twin.c. SHALE_TEST_FSTYPE says what is
 * mounted, as in selftests/fs/union.h; with "bare" m is a plain directory.
 */
#include "oracle.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/mount.h>

#define OPTIONS_SIZE	512
#define WALK_FILES	16
#define UMOUNT_TRIES	20
#define UMOUNT_PAUSE_US 50000

static bool is_forced_bare;
static int layers;

static const char *setting(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

const char *stage_fstype(void)
{
	return is_forced_bare ? "bare" : setting("SHALE_TEST_FSTYPE", "shale");
}

const char *stage_backing(void)
{
	return setting("SHALE_TEST_FS", "unknown");
}

bool stage_is_bare(void)
{
	return !strcmp(stage_fstype(), "bare");
}

bool stage_is_overlay(void)
{
	return !strcmp(stage_fstype(), "overlay");
}

void stage_force_bare(void)
{
	is_forced_bare = true;
}

static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0)
		die(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_tree(const char *path)
{
	if (nftw(path, remove_entry, WALK_FILES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		die(path);
}

void stage_make(void)
{
	layers = 1;
	make_dir("l0");
	make_dir("u");
	make_dir("w");
	make_dir("m");
	make_dir("twin");
}

/* Where files are put before the union is mounted. */
const char *stage_lowest(void)
{
	return stage_is_bare() ? "m" : "l0";
}

static void build_options(char options[OPTIONS_SIZE])
{
	int at = snprintf(options, OPTIONS_SIZE, "lowerdir=");

	for (int i = 0; i < layers; i++)
		at += snprintf(options + at, OPTIONS_SIZE - at, "%sl%d", i ? ":" : "", i);
	snprintf(options + at, OPTIONS_SIZE - at, ",upperdir=u,workdir=w%s",
		 stage_is_overlay() ? ",redirect_dir=on,index=on,xino=on" : ",cow=block");
}

void stage_mount(void)
{
	char options[OPTIONS_SIZE];

	if (stage_is_bare())
		return;
	build_options(options);
	if (mount("oracle", "m", stage_fstype(), 0, options) < 0)
		die("mount");
}

/* What an asynchronous operation holds goes a moment after its end. */
void stage_umount(void)
{
	if (stage_is_bare()) {
		stage_drop_caches();
		return;
	}
	for (int i = 0; umount2("m", 0) < 0; i++) {
		if (errno != EBUSY || i == UMOUNT_TRIES)
			die("umount");
		usleep(UMOUNT_PAUSE_US);
	}
}

static void shift_layers(void)
{
	char from[16], to[16];

	for (int i = layers - 1; i >= 0; i--) {
		snprintf(from, sizeof(from), "l%d", i);
		snprintf(to, sizeof(to), "l%d", i + 1);
		if (rename(from, to) < 0)
			die(from);
	}
	layers++;
}

/* The upper becomes the topmost lower layer, and a new one is put on it. */
void stage_seal(void)
{
	if (stage_is_bare())
		return;
	shift_layers();
	if (rename("u", "l0") < 0)
		die("u");
	remove_tree("w");
	make_dir("u");
	make_dir("w");
}

/* Also what a round left behind that did not end well. */
void stage_remove(void)
{
	char layer[16] = "l0";

	while (umount2("m", 0) == 0)
		;
	for (int i = 1; access(layer, F_OK) == 0; i++) {
		remove_tree(layer);
		snprintf(layer, sizeof(layer), "l%d", i);
	}
	remove_tree("u");
	remove_tree("w");
	remove_tree("m");
	remove_tree("twin");
}

void stage_drop_caches(void)
{
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	/* Dirty pages would stay. */
	if (dir < 0 || syncfs(dir) < 0)
		die("syncfs");
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches");
	close(dir);
	close(fd);
}

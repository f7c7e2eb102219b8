// SPDX-License-Identifier: GPL-2.0-only
/*
 * stage.c - makes and mounts a filesystem on a disk that can fail; see stage.h.
 */
#include "stage.h"

#include "flakey.h"

#include "../crash/backing.h"
#include "../crash/say.h"
#include "../crash/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#define BUSY_TRIES 100

static char *tree; /* of the project: where the run began */

bool stage_create(struct stage *stage, const char *fs, void (*fill)(void *argument, const char *layer), void *argument)
{
	static const char *const dirs[] = {"l0", "u", "w", "m"};
	const struct backing *backing = backing_find(fs);

	if (!backing)
		return false;
	*stage = (struct stage){.fs = fs};
	tree = tree ?: get_current_dir_name();
	shell("for m in loop dm-mod dm-flakey %s; do modprobe -q $m || true; done", fs);
	stage_cleanup();
	make_dir(STAGE_DIR);
	backing_make(backing, &stage->disk);
	if (mount(stage->disk.path, STAGE_DIR, fs, 0, NULL) < 0 || chdir(STAGE_DIR) < 0)
		die("mount %s", fs);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		make_dir(dirs[i]);
	fill(argument, "l0");
	if (chdir("/") < 0 || umount2(STAGE_DIR, 0) < 0)
		die("umount %s", fs);
	stage->base = image_copy(&stage->disk);
	return true;
}

void stage_remove(struct stage *stage)
{
	munmap(stage->base, stage->disk.size);
	disk_remove(&stage->disk);
}

void stage_cleanup(void)
{
	while (umount2(STAGE_DIR "/m", MNT_DETACH) == 0)
		;
	while (umount2(STAGE_DIR, MNT_DETACH) == 0)
		;
	flakey_cleanup();
}

void stage_reset(struct stage *stage)
{
	image_restore(&stage->disk, stage->base);
}

bool stage_mount(struct stage *stage)
{
	stage->device = flakey_start(&stage->disk);
	btrfs_forget();
	if (mount(stage->device, STAGE_DIR, stage->fs, 0, NULL) < 0) {
		say("mount of the %s: %s", stage->fs, strerror(errno));
		flakey_stop();
		return false;
	}
	if (chdir(STAGE_DIR) < 0)
		die("%s", STAGE_DIR);
	if (world_is_bare() ? mount("l0", "m", NULL, MS_BIND, NULL) == 0 :
			mount("faults", "m", "shale", 0, "lowerdir=l0,upperdir=u,workdir=w,cow=block") == 0)
		return true;
	say("mount of the union: %s", strerror(errno));
	stage_umount(stage, false);
	return false;
}

static bool is_upper_sound(void)
{
	char command[256];

	snprintf(command, sizeof(command), "%s/build/user/fsck.shale -y --lower l0 u >fsck.log 2>&1", tree);
	if (fsck_repairs(command))
		return true;
	shell("sed 's/^/# /' fsck.log");
	return false;
}

/* What was written to a disk that drops it has to be dropped to the end. */
bool stage_umount(struct stage *stage, bool should_check)
{
	bool good = umount2("m", 0) == 0 || errno == EINVAL || umount_patiently("m", BUSY_TRIES);

	(void)stage;
	if (good && should_check && !world_is_bare())
		good = is_upper_sound();
	if (chdir("/") < 0)
		die("chdir");
	good &= umount_patiently(STAGE_DIR, BUSY_TRIES);
	flakey_stop();
	return good;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * stage.c - makes and mounts a filesystem on a disk that can fail; see stage.h.
 */
#include "stage.h"

#include "flakey.h"

#include "../crash/say.h"
#include "../crash/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_TRIES    100
#define BUSY_PAUSE_US 20000

/* Small, since images are copied; nothing is left to be initialized later, in the background. */
static const struct backing {
	const char *fs;
	size_t mib;
	const char *mkfs;
} backings[] = {
	{"ext4", 40, "mkfs.ext4 -q -F -b 4096 -J size=4 -E nodiscard,lazy_itable_init=0,lazy_journal_init=0"},
	{"xfs", 48, "mkfs.xfs -q -f -K --unsupported -m reflink=1"},
	{"btrfs", 112, "mkfs.btrfs -q -f -K"},
};

static char *tree; /* of the project: where the run began */

static void dir_make(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die("mkdir %s", path);
}

static bool is_bare(void)
{
	const char *type = getenv("SHALE_TEST_FSTYPE");

	return type && !strcmp(type, "bare");
}

static const struct backing *backing_find(const char *fs)
{
	for (size_t i = 0; i < sizeof(backings) / sizeof(backings[0]); i++)
		if (!strcmp(backings[i].fs, fs))
			return &backings[i];
	return NULL;
}

static bool is_zero(const unsigned char *bytes)
{
	return bytes[0] == 0 && !memcmp(bytes, bytes + 1, BLOCK - 1);
}

/* Blocks of zeros take no memory. */
static unsigned char *image_copy(const struct disk *disk)
{
	unsigned char *copy = mmap(NULL, disk->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < disk->size; at += BLOCK)
		if (!is_zero(disk->bytes + at))
			memcpy(copy + at, disk->bytes + at, BLOCK);
	return copy;
}

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
	dir_make(STAGE_DIR);
	disk_create(&stage->disk, backing->mib << 20);
	shell("%s %s >/dev/null", backing->mkfs, stage->disk.path);
	if (mount(stage->disk.path, STAGE_DIR, fs, 0, NULL) < 0 || chdir(STAGE_DIR) < 0)
		die("mount %s", fs);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		dir_make(dirs[i]);
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
	for (size_t at = 0; at < stage->disk.size; at += BLOCK)
		if (memcmp(stage->disk.bytes + at, stage->base + at, BLOCK))
			memcpy(stage->disk.bytes + at, stage->base + at, BLOCK);
}

/* btrfs remembers the newest state it has seen of each filesystem, and refuses an older one. */
static void btrfs_forget(void)
{
	struct btrfs_ioctl_vol_args args = {0};
	int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, BTRFS_IOC_FORGET_DEV, &args);
	close(fd);
}

static bool umount_patiently(const char *dir)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (umount2(dir, 0) == 0)
			return true;
		if (errno != EBUSY)
			break;
		usleep(BUSY_PAUSE_US);
	}
	say("umount %s: %s", dir, strerror(errno));
	umount2(dir, MNT_DETACH);
	return false;
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
	if (is_bare() ? mount("l0", "m", NULL, MS_BIND, NULL) == 0 :
			mount("faults", "m", "shale", 0, "lowerdir=l0,upperdir=u,workdir=w,cow=block") == 0)
		return true;
	say("mount of the union: %s", strerror(errno));
	stage_umount(stage, false);
	return false;
}

/* 0: there was nothing to repair, or 1: it is done. */
static bool is_upper_sound(void)
{
	char command[256];
	int status;

	snprintf(command, sizeof(command), "%s/build/user/fsck.shale -y --lower l0 u >fsck.log 2>&1", tree);
	status = system(command);
	if (WIFEXITED(status) && WEXITSTATUS(status) <= 1)
		return true;
	say("fsck.shale ended with %d", status);
	shell("sed 's/^/# /' fsck.log");
	return false;
}

/* What was written to a disk that drops it has to be dropped to the end. */
bool stage_umount(struct stage *stage, bool should_check)
{
	bool good = umount2("m", 0) == 0 || errno == EINVAL || umount_patiently("m");

	(void)stage;
	if (good && should_check && !is_bare())
		good = is_upper_sound();
	if (chdir("/") < 0)
		die("chdir");
	good &= umount_patiently(STAGE_DIR);
	flakey_stop();
	return good;
}

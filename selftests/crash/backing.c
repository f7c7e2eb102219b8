// SPDX-License-Identifier: GPL-2.0-only
/*
 * backing.c - filesystems on disks in memory; see backing.h.
 */
#include "backing.h"

#include "say.h"
#include "stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_PAUSE_US 20000
#define FSCK_SOUND    0
#define FSCK_REPAIRED 1

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

const struct backing *backing_find(const char *fs)
{
	for (size_t i = 0; i < sizeof(backings) / sizeof(backings[0]); i++)
		if (!strcmp(backings[i].fs, fs))
			return &backings[i];
	return NULL;
}

void backing_make(const struct backing *backing, struct disk *disk)
{
	disk_create(disk, backing->mib << 20);
	shell("%s %s >/dev/null", backing->mkfs, disk->path);
}

/* ------------------------------------------------------------------ images */

bool is_zero(const unsigned char *bytes, size_t size)
{
	return bytes[0] == 0 && !memcmp(bytes, bytes + 1, size - 1);
}

/* Blocks of zeros take no memory. */
unsigned char *image_copy(const struct disk *disk)
{
	unsigned char *copy = mmap(NULL, disk->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		die("mmap");
	for (size_t at = 0; at < disk->size; at += BLOCK)
		if (!is_zero(disk->bytes + at, BLOCK))
			memcpy(copy + at, disk->bytes + at, BLOCK);
	return copy;
}

void image_restore(struct disk *disk, const unsigned char *image)
{
	for (size_t at = 0; at < disk->size; at += BLOCK)
		if (memcmp(disk->bytes + at, image + at, BLOCK))
			memcpy(disk->bytes + at, image + at, BLOCK);
}

/* ------------------------------------------------------------------ mounting */

void btrfs_forget(void)
{
	struct btrfs_ioctl_vol_args args = {0};
	int fd = open("/dev/btrfs-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, BTRFS_IOC_FORGET_DEV, &args);
	close(fd);
}

void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die("mkdir %s", path);
}

bool umount_patiently(const char *dir, int tries)
{
	for (int i = 0; i < tries; i++) {
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

bool fsck_repairs(const char *command)
{
	int status = system(command);

	if (WIFEXITED(status) && (WEXITSTATUS(status) == FSCK_SOUND || WEXITSTATUS(status) == FSCK_REPAIRED))
		return true;
	say("%s: status %d", command, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return false;
}

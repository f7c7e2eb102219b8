/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backing.h - the small filesystems that crash points and faults are tried on, their images in memory, and what it takes
 * to mount older ones again.
 */
#ifndef SELFTESTS_CRASH_BACKING_H
#define SELFTESTS_CRASH_BACKING_H

#include "device.h"

#include <stdbool.h>

struct backing;

/* NULL: not one of ext4, xfs and btrfs. */
const struct backing *backing_find(const char *fs);
/* A disk of its size, and the filesystem on it. */
void backing_make(const struct backing *backing, struct disk *disk);

bool is_zero(const unsigned char *bytes, size_t size);
/* Of what is on a disk that is not mounted; to be unmapped. */
unsigned char *image_copy(const struct disk *disk);
/* The disk becomes that again. */
void image_restore(struct disk *disk, const unsigned char *image);

/* btrfs remembers the newest state it has seen of each filesystem, and refuses an older one. */
void btrfs_forget(void);
void make_dir(const char *path); /* it may be there */
/* Tries it so often while it is busy; then false, with a line said, and it is only detached. */
bool umount_patiently(const char *dir, int tries);
/* Runs fsck.shale as COMMAND says: nothing was to be repaired, or it is done; else false, with a line said. */
bool fsck_repairs(const char *command);

#endif /* SELFTESTS_CRASH_BACKING_H */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * device.h - the disks of the crash harness. A disk is memory of this process that the kernel sees as a
 * loop device, so an image is changed by memcpy(). The recorder is dm-log-writes on top of one disk: what
 * is written through it ends up in that disk, and as a log, in order, in another (see log.h).
 */
#ifndef SELFTESTS_CRASH_DEVICE_H
#define SELFTESTS_CRASH_DEVICE_H

#include <stddef.h>

struct disk {
	unsigned char *bytes;
	size_t size;
	int file, loop;
	char path[32]; /* of the loop device */
};

void disk_create(struct disk *disk, size_t size);
void disk_remove(struct disk *disk);

/* One recorder at a time. Returns the path of its device. LOG NULL: it records nothing, and needs no memory for that. */
const char *recorder_start(const struct disk *data, const struct disk *log);
/* Everything that was acknowledged so far is in the log before this mark. */
void recorder_mark(unsigned int number);
/* The device is not in use any more; the log is complete afterwards. */
void recorder_stop(void);
/* Removes a recorder that a killed process has left; there may be none. */
void recorder_cleanup(void);

#endif /* SELFTESTS_CRASH_DEVICE_H */

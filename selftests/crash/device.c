// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c - loop devices over memory, and the recorder; see device.h. What the log means is in log.c.
 */
#include "device.h"

#include "mapper.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RECORDER     "shale-crash"
#define SECTOR_SHIFT 9

static int open_or_die(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die("%s", path);
	return fd;
}

/* Another process may take the free number first. */
static void loop_attach(struct disk *disk)
{
	struct loop_config config = {
		.fd = disk->file,
		.block_size = 512,
		/* It goes with its last user, also after a killed process. */
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open_or_die("/dev/loop-control");

	for (;;) {
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(disk->path, sizeof(disk->path), "/dev/loop%d", number);
		disk->loop = open_or_die(disk->path);
		if (ioctl(disk->loop, LOOP_CONFIGURE, &config) == 0)
			break;
		if (errno != EBUSY)
			die("LOOP_CONFIGURE");
		close(disk->loop);
	}
	close(control);
}

void disk_create(struct disk *disk, size_t size)
{
	disk->size = size;
	disk->file = memfd_create("shale-crash", MFD_CLOEXEC);
	if (disk->file < 0 || ftruncate(disk->file, size) < 0)
		die("memfd_create");
	disk->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, disk->file, 0);
	if (disk->bytes == MAP_FAILED)
		die("mmap");
	loop_attach(disk);
}

void disk_remove(struct disk *disk)
{
	close(disk->loop);
	munmap(disk->bytes, disk->size);
	close(disk->file);
}

const char *recorder_start(const struct disk *data, const struct disk *log)
{
	struct mapper_target target = {.count = data->size >> SECTOR_SHIFT, .type = log ? "log-writes" : "linear"};

	if (log)
		snprintf(target.parameters, sizeof(target.parameters), "%s %s", data->path, log->path);
	else
		snprintf(target.parameters, sizeof(target.parameters), "%s 0", data->path);
	return mapper_create(RECORDER, &target);
}

void recorder_mark(unsigned int number)
{
	char text[32];

	snprintf(text, sizeof(text), "mark %u", number);
	mapper_message(RECORDER, text);
}

void recorder_stop(void)
{
	mapper_remove(RECORDER);
}

void recorder_cleanup(void)
{
	mapper_cleanup(RECORDER);
}

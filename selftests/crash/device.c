// SPDX-License-Identifier: GPL-2.0-only
/*
 * device.c - loop devices over memory, and the device mapper's ioctls as far as a recorder needs them; see
 * device.h. What the log means is in log.c.
 */
#include "device.h"

#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/loop.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RECORDER      "shale-crash"
#define CONTROL	      "/dev/mapper/control"
#define SECTOR_SHIFT  9
#define BUSY_TRIES    100
#define BUSY_PAUSE_US 20000

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

/* What follows the header of an ioctl: a table of one target, or a message to it. */
struct request {
	struct dm_ioctl io;
	union {
		struct {
			struct dm_target_spec spec;
			char parameters[128];
		};
		struct dm_target_msg message;
		char room[256];
	};
};

static int request_send(unsigned long command, struct request *request)
{
	static int control = -1;

	if (control < 0)
		control = open_or_die(CONTROL);
	request->io.version[0] = DM_VERSION_MAJOR;
	request->io.data_size = sizeof(*request);
	request->io.data_start = offsetof(struct request, spec);
	snprintf(request->io.name, sizeof(request->io.name), "%s", RECORDER);
	return ioctl(control, command, request);
}

static void table_load(const struct disk *data, const struct disk *log)
{
	struct request request = {
		.io.target_count = 1,
		.spec = {.length = data->size >> SECTOR_SHIFT, .target_type = "log-writes"},
	};

	snprintf(request.parameters, sizeof(request.parameters), "%s %s", data->path, log->path);
	if (request_send(DM_TABLE_LOAD, &request) < 0)
		die("DM_TABLE_LOAD");
}

const char *recorder_start(const struct disk *data, const struct disk *log)
{
	struct request create = {.io.flags = 0}, resume = {.io.flags = 0};
	static char path[32];

	if (request_send(DM_DEV_CREATE, &create) < 0)
		die("DM_DEV_CREATE");
	table_load(data, log);
	if (request_send(DM_DEV_SUSPEND, &resume) < 0)
		die("DM_DEV_SUSPEND");
	snprintf(path, sizeof(path), "/dev/dm-%u", minor(create.io.dev));
	return path;
}

void recorder_mark(unsigned int number)
{
	struct request request = {.io.flags = 0};
	size_t at = offsetof(struct request, message) + offsetof(struct dm_target_msg, message);

	snprintf((char *)&request + at, sizeof(request) - at, "mark %u", number);
	if (request_send(DM_TARGET_MSG, &request) < 0)
		die("DM_TARGET_MSG");
}

static bool recorder_remove(void)
{
	struct request request = {.io.flags = 0};

	return request_send(DM_DEV_REMOVE, &request) == 0;
}

/* Who has just been told of the device by an event may have it open for a moment. */
void recorder_stop(void)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (recorder_remove())
			return;
		if (errno != EBUSY)
			break;
		usleep(BUSY_PAUSE_US);
	}
	die("DM_DEV_REMOVE");
}

void recorder_cleanup(void)
{
	if (access(CONTROL, F_OK) == 0)
		recorder_remove();
}

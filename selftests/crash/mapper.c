// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapper.c - the device mapper's ioctls; see mapper.h.
 */
#include "mapper.h"

#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONTROL	      "/dev/mapper/control"
#define BUSY_TRIES    100
#define BUSY_PAUSE_US 20000

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

static int request_send(const char *name, unsigned long command, struct request *request)
{
	static int control = -1;

	if (control < 0)
		control = open(CONTROL, O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("%s", CONTROL);
	request->io.version[0] = DM_VERSION_MAJOR;
	request->io.data_size = sizeof(*request);
	request->io.data_start = offsetof(struct request, spec);
	snprintf(request->io.name, sizeof(request->io.name), "%s", name);
	return ioctl(control, command, request);
}

static void table_load(const char *name, const struct mapper_target *target)
{
	struct request request = {.io.target_count = 1, .spec.length = target->count};

	snprintf(request.spec.target_type, sizeof(request.spec.target_type), "%s", target->type);
	snprintf(request.parameters, sizeof(request.parameters), "%s", target->parameters);
	if (request_send(name, DM_TABLE_LOAD, &request) < 0)
		die("DM_TABLE_LOAD");
}

static void resume(const char *name, unsigned int flags)
{
	struct request request = {.io.flags = flags};

	if (request_send(name, DM_DEV_SUSPEND, &request) < 0)
		die("DM_DEV_SUSPEND");
}

const char *mapper_create(const char *name, const struct mapper_target *target)
{
	struct request request = {.io.flags = 0};
	static char path[32];

	if (request_send(name, DM_DEV_CREATE, &request) < 0)
		die("DM_DEV_CREATE");
	table_load(name, target);
	resume(name, 0);
	snprintf(path, sizeof(path), "/dev/dm-%u", minor(request.io.dev));
	return path;
}

void mapper_change(const char *name, const struct mapper_target *target)
{
	table_load(name, target);
	resume(name, DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG);
}

void mapper_message(const char *name, const char *text)
{
	struct request request = {.io.flags = 0};
	size_t at = offsetof(struct request, message) + offsetof(struct dm_target_msg, message);

	snprintf((char *)&request + at, sizeof(request) - at, "%s", text);
	if (request_send(name, DM_TARGET_MSG, &request) < 0)
		die("DM_TARGET_MSG");
}

static bool device_remove(const char *name)
{
	struct request request = {.io.flags = 0};

	return request_send(name, DM_DEV_REMOVE, &request) == 0;
}

/* Who has just been told of the device by an event may have it open for a moment. */
void mapper_remove(const char *name)
{
	for (int i = 0; i < BUSY_TRIES; i++) {
		if (device_remove(name))
			return;
		if (errno != EBUSY)
			break;
		usleep(BUSY_PAUSE_US);
	}
	die("DM_DEV_REMOVE");
}

void mapper_cleanup(const char *name)
{
	if (access(CONTROL, F_OK) == 0)
		device_remove(name);
}

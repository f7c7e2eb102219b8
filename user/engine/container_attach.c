// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verbs attach and resize: what is asked for is passed on to the supervisor.
 */
#include <assert.h>
#include <errno.h>

#include "engine/containers.h"

static_assert((int)SHALE_STDIN == WIRE_STDIN && (int)SHALE_STDOUT == WIRE_STDOUT &&
		      (int)SHALE_STDERR == WIRE_STDERR,
	      "streams are called the same on both sides");

int shale_container_attach(struct shale_containers *containers, const char *name, unsigned int streams, int fd,
			   struct shale_err *err)
{
	const struct wire_message message = { .kind = WIRE_ATTACH, .number = streams };
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int connection = -1;
	__cleanup_fd int client = fd;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	if (!opened.is_alive) {
		containers_tell(containers, &opened, "attach", NULL, NULL);
		return containers_attach_later(containers, opened.id, steal_fd(&client), streams, err);
	}
	/* One that has just ended has nothing more to say: the client sees the end of the connection. */
	connection = wire_connect(opened.dir, RECORD_SOCKET);
	if (connection < 0 || wire_send(connection, &message, client) < 0)
		return shale_err_set(err, EBUSY, "container %s has ended", opened.id);
	containers_tell(containers, &opened, "attach", NULL, NULL);
	return 0;
}

int shale_container_resize(struct shale_containers *containers, const char *name, unsigned int rows,
			   unsigned int columns, struct shale_err *err)
{
	const struct wire_message message = { .kind = WIRE_RESIZE,
					      .number = (rows & 0xffff) << 16 | (columns & 0xffff) };
	__cleanup_opened struct opened opened = OPENED_NONE;
	__cleanup_fd int connection = -1;

	if (opened_open(containers, name, &opened, err) < 0)
		return -1;
	connection = opened_is_running(&opened) ? wire_connect(opened.dir, RECORD_SOCKET) : -1;
	if (connection < 0 || wire_send(connection, &message, -1) < 0)
		return shale_err_set(err, EBUSY, "Container %s is not running", opened.id);
	containers_tell(containers, &opened, "resize", NULL, NULL);
	return 0;
}

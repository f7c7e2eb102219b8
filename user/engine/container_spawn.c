// SPDX-License-Identifier: GPL-2.0-only
/*
 * Supervising processes: shale-shim is found beside the program that we are, or where it is installed. It leaves us at
 * once, as a child of nobody's, so there is nothing to be waited for. Called at the start of a container and of a further process
 * in one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"
#include "engine/containers.h"

/* Where its descriptors are before they move into their places: above all of these. */
#define FIRST_FREE 16
/* What it is started with; see shim/shim.h. */
enum { TO_CONTROL = 3, TO_ALIVE, TO_MOUNT, TO_END };

static const char *const places[] = { "shale-shim", "../libexec/shale/shale-shim" };
static const char *const environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
					   NULL };

static char *find_shim(struct shale_err *err)
{
	char dir[PROCESS_PATH];
	char *path = process_beside(places, sizeof(places) / sizeof(*places), dir);

	if (!path)
		shale_err_set(err, ENOENT, "shale-shim is not in %s nor beside it", dir);
	return path;
}

static int was_killed(struct shale_err *err)
{
	return shale_err_set(err, EIO, "the supervisor of the container was killed");
}

static int move_up(int *fd)
{
	*fd = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	return *fd;
}

static int spawn_and_wait(const char *path, const struct container_spawn *what, int theirs, struct shale_err *err)
{
	const char *argv[] = { "shale-shim", what->mode, what->flags, what->runtime, what->id, NULL };
	int fds[TO_END] = { -1, -1, -1, theirs, what->alive, what->mount };
	const struct process_spec spec = {
		.path = path,
		.argv = argv,
		.environment = environment,
		.fds = fds,
		.fd_count = TO_END,
		.dir = what->dir,
	};
	int code = 0;
	pid_t pid;

	for (int fd = TO_CONTROL; fd < TO_END; fd++)
		if (fds[fd] >= 0 && move_up(&fds[fd]) < 0)
			code = errno;
	if (!code && process_start(&spec, &pid) < 0)
		code = errno;
	for (int fd = TO_CONTROL; fd < TO_END; fd++)
		if (fds[fd] >= 0)
			close(fds[fd]);
	errno = code;
	if (code)
		return shale_err_errno(err, "%s cannot be started", path);
	code = process_wait(pid);
	if (code > 0 && WIFSIGNALED(code))
		return was_killed(err);
	return code <= 0 ? 0 : shale_err_set(err, EIO, "%s failed", path);
}

int container_spawn(const struct container_spawn *what, int *ret_connection, struct shale_err *err)
{
	__cleanup_free char *path = find_shim(err);
	__cleanup_fd int ours = -1;
	__cleanup_fd int theirs = -1;
	int pair[2];

	if (!path)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return shale_err_errno(err, "starting a container");
	ours = pair[0];
	theirs = pair[1];
	if (spawn_and_wait(path, what, theirs, err) < 0)
		return -1;
	*ret_connection = steal_fd(&ours);
	return 0;
}

int container_spawn_go(int connection, struct shale_err *err)
{
	struct wire_message message = { .kind = WIRE_GO };
	int fd = -1, ret;

	ret = wire_send(connection, &message, -1);
	if (ret == 0)
		ret = wire_receive(connection, &message, &fd);
	fd_closep(&fd);
	if (ret > 0 && message.kind == WIRE_STARTED)
		return 0;
	if (ret > 0 && message.kind == WIRE_FAILED)
		return shale_err_set(err, message.number == 128 ? EIO : EINVAL, "%s", message.text);
	return was_killed(err);
}

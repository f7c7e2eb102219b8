// SPDX-License-Identifier: GPL-2.0-only
/*
 * Supervising processes: shale-shim is found beside the program that we are, or where it is installed. It leaves us at
 * once, as a child of nobody's, so there is nothing to be waited for. Called at the start of a container and of a further process
 * in one.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

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
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *path;

	self[len > 0 ? len : 0] = '\0';
	*(strrchr(self, '/') ? strrchr(self, '/') : self) = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (asprintf(&path, "%s/%s", self, places[i]) < 0)
			break;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	shale_err_set(err, ENOENT, "shale-shim is not in %s nor beside it", self);
	return NULL;
}

static int move_up(int *fd)
{
	*fd = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE);
	return *fd;
}

static int prepare(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, const int fds[TO_END], int dir)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	for (int fd = 0; fd < 3; fd++)
		if (posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0))
			return -1;
	for (int fd = TO_CONTROL; fd < TO_END; fd++)
		if (fds[fd] >= 0 && posix_spawn_file_actions_adddup2(actions, fds[fd], fd))
			return -1;
	return posix_spawn_file_actions_addfchdir_np(actions, dir) || posix_spawnattr_setsigmask(attr, &none) ||
	       posix_spawnattr_setsigdefault(attr, &all) ||
	       posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const char *path, const struct container_spawn *spawn, const int fds[TO_END], pid_t *ret_pid)
{
	const char *argv[] = { "shale-shim", spawn->mode, spawn->flags, spawn->runtime, spawn->id, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int code = ENOMEM;

	if (posix_spawn_file_actions_init(&actions))
		return ENOMEM;
	if (posix_spawnattr_init(&attr) == 0) {
		if (prepare(&actions, &attr, fds, spawn->dir) == 0)
			code = posix_spawn(ret_pid, path, &actions, &attr, (char **)argv,
					   (char **)environment);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return code;
}

static int spawn_and_wait(const char *path, const struct container_spawn *what, int theirs, struct shale_err *err)
{
	int fds[TO_END] = { -1, -1, -1, theirs, what->alive, what->mount };
	int code = 0, status = 0;
	pid_t pid;

	for (int fd = TO_CONTROL; fd < TO_END; fd++)
		if (fds[fd] >= 0 && move_up(&fds[fd]) < 0)
			code = errno;
	if (!code)
		code = spawn(path, what, fds, &pid);
	for (int fd = TO_CONTROL; fd < TO_END; fd++)
		if (fds[fd] >= 0)
			close(fds[fd]);
	errno = code;
	if (code)
		return shale_err_errno(err, "%s cannot be started", path);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : shale_err_set(err, EIO, "%s failed", path);
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
	return shale_err_set(err, EIO, "the supervisor of the container was killed");
}

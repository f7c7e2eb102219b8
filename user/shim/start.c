// SPDX-License-Identifier: GPL-2.0-only
/*
 * The start: the mount goes where the runtime finds it, in a mount namespace that nobody else sees and that is given
 * up again as soon as the container has one of its own. So the mount ends with the container, whoever is killed, and
 * we keep none of the machine's mounts. Then the runtime starts the process, which becomes our child when the
 * runtime has ended. Called by loop.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "container/runtime.h"
#include "shim/shim.h"

#define CONSOLE "console.sock"
/* Children of the runtime's that end while we wait for it. */
#define MAX_REAPED 64

struct reaped {
	pid_t pid;
	int status;
};

struct starting {
	struct shim *shim;
	int dir;	/* the working directory, in the machine's namespace */
	int namespace; /* the machine's */
	int listener;	/* for the terminal */
	int theirs[3];	/* the process's ends of its pipes */
	pid_t runtime;
	int status;
	bool has_ended;
	struct reaped reaped[MAX_REAPED];
	size_t reaped_count;
};

static void starting_release(struct starting *starting)
{
	fd_closep(&starting->dir);
	fd_closep(&starting->namespace);
	fd_closep(&starting->listener);
	for (int i = 0; i < 3; i++)
		fd_closep(&starting->theirs[i]);
	unlink(CONSOLE);
}

static int mount_root(struct starting *starting, struct shale_err *err)
{
	starting->dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	starting->namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (starting->dir < 0 || starting->namespace < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return shale_err_errno(err, "making a mount namespace");
	if (move_mount(SHIM_MOUNT, "", AT_FDCWD, RECORD_ROOTFS, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return shale_err_errno(err, "mounting the root filesystem");
	close(SHIM_MOUNT);
	return 0;
}

static int leave_namespace(struct starting *starting, struct shale_err *err)
{
	if (setns(starting->namespace, CLONE_NEWNS) < 0 || fchdir(starting->dir) < 0)
		return shale_err_errno(err, "leaving the mount namespace");
	return 0;
}

static int make_pipe(int *ours, int *theirs, bool we_read)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ours = fds[we_read ? 0 : 1];
	*theirs = fds[we_read ? 1 : 0];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

static int open_pipes(struct starting *starting, struct shale_err *err)
{
	struct shim *shim = starting->shim;

	if ((shim->has_stdin && make_pipe(&shim->input, &starting->theirs[0], false) < 0) ||
	    make_pipe(&shim->outputs[0].fd, &starting->theirs[1], true) < 0 ||
	    make_pipe(&shim->outputs[1].fd, &starting->theirs[2], true) < 0)
		return shale_err_errno(err, "making pipes");
	return 0;
}

static int open_console(struct starting *starting, struct shale_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = CONSOLE };

	starting->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(CONSOLE);
	if (starting->listener < 0 ||
	    bind(starting->listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(starting->listener, 1) < 0)
		return shale_err_errno(err, "making a socket for the terminal");
	return 0;
}

static int open_stdio(struct starting *starting, struct shale_err *err)
{
	return starting->shim->is_tty ? open_console(starting, err) : open_pipes(starting, err);
}

/* The runtime sends the terminal's other end with one message. */
static void take_console(struct starting *starting)
{
	__cleanup_fd int connection = accept4(starting->listener, NULL, NULL, SOCK_CLOEXEC);
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(sizeof(size_t))));
	char name[4096];
	struct iovec iov = { name, sizeof(name) };
	struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				 .msg_controllen = sizeof(control) };
	struct shim *shim = starting->shim;
	struct cmsghdr *part;
	int fd;

	if (connection < 0 || recvmsg(connection, &header, MSG_CMSG_CLOEXEC) < 0)
		return;
	part = CMSG_FIRSTHDR(&header);
	if (!part || part->cmsg_type != SCM_RIGHTS || part->cmsg_len != CMSG_LEN(sizeof(fd)) ||
	    shim->outputs[0].fd >= 0)
		return;
	memcpy(&fd, CMSG_DATA(part), sizeof(fd));
	fcntl(fd, F_SETFL, O_NONBLOCK);
	shim->outputs[0].fd = fd;
	shim->input = fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static void reap(struct starting *starting)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(starting->shim->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == starting->runtime) {
			starting->has_ended = true;
			starting->status = status;
		} else if (starting->reaped_count < MAX_REAPED) {
			starting->reaped[starting->reaped_count++] = (struct reaped){ pid, status };
		}
	}
}

static void wait_for_runtime(struct starting *starting)
{
	struct pollfd fds[] = { { starting->shim->signals, POLLIN, 0 }, { starting->listener, POLLIN, 0 } };

	while (!starting->has_ended) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents & POLLIN)
			take_console(starting);
		if (fds[0].revents)
			reap(starting);
	}
}

static int read_pid(struct shim *shim, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;

	if (fs_read_file(AT_FDCWD, RECORD_PID, 64, &text, err) < 0)
		return -1;
	shim->pid = strtol(buf_str(&text), NULL, 10);
	return shim->pid > 1 ? 0 : shale_err_set(err, EPROTO, "the runtime does not say what it has started");
}

static int runtime_failed(struct shale_err *err)
{
	__cleanup_buf struct buf log = BUF_INIT;
	char text[WIRE_MAX_TEXT];
	int code;

	fs_read_file(AT_FDCWD, RECORD_RUNTIME, RUNTIME_MAX_LOG, &log, NULL);
	code = runtime_fault(buf_str(&log), log.len, text, sizeof(text));
	shale_err_set(err, code, "%s", text);
	return -1;
}

static int run_runtime(struct starting *starting, struct shale_err *err)
{
	struct shim *shim = starting->shim;
	const struct runtime_start start = {
		.path = shim->runtime,
		.id = shim->id,
		.is_exec = shim->is_exec,
		.console = shim->is_tty ? CONSOLE : NULL,
		.stdio = { starting->theirs[0], starting->theirs[1], starting->theirs[2] },
	};

	unlink(RECORD_RUNTIME);
	starting->runtime = runtime_spawn(&start);
	if (starting->runtime < 0)
		return shale_err_errno(err, "%s cannot be started", shim->runtime);
	wait_for_runtime(starting);
	if (WIFSIGNALED(starting->status)) {
		shim->has_remains = !shim->is_exec;
		return shale_err_set(err, EIO, "the OCI runtime was killed while it started the process");
	}
	if (WEXITSTATUS(starting->status))
		return runtime_failed(err);
	return read_pid(shim, err);
}

/* A short one has ended before the runtime has. */
static void note_reaped(struct starting *starting)
{
	struct shim *shim = starting->shim;

	for (size_t i = 0; i < starting->reaped_count; i++)
		if (starting->reaped[i].pid == shim->pid) {
			shim->has_exited = true;
			shim->state.exit_code = WIFSIGNALED(starting->reaped[i].status) ?
							128 + WTERMSIG(starting->reaped[i].status) :
							WEXITSTATUS(starting->reaped[i].status);
		}
}

int shim_start(struct shim *shim, struct shale_err *err)
{
	__attribute__((cleanup(starting_release))) struct starting starting = {
		.shim = shim,
		.dir = -1,
		.namespace = -1,
		.listener = -1,
		.theirs = { -1, -1, -1 },
	};

	if ((!shim->is_exec && mount_root(&starting, err) < 0) || open_stdio(&starting, err) < 0 ||
	    run_runtime(&starting, err) < 0)
		return -1;
	note_reaped(&starting);
	return shim->is_exec ? 0 : leave_namespace(&starting, err);
}

void shim_undo(struct shim *shim)
{
	if (!shim->is_exec)
		runtime_delete(shim->runtime, shim->id);
}

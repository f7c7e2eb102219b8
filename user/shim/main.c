// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale-shim supervises one process of a container, so that it does not need the daemon: it starts it by the OCI
 * runtime, holds its terminal or pipes, writes its log, serves those who attach to it, and records how it ended.
 * Only the engine starts it, in the directory where the container's files are (container/record.h), with the
 * descriptors of shim.h:
 *
 *	shale-shim run|exec FLAGS RUNTIME ID
 *
 * FLAGS are letters: t a terminal, i standard input stays open, 1 until its first client ends it, l a log.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shim/shim.h"

static void take_arguments(struct shim *shim, char **argv)
{
	shim->is_exec = !strcmp(argv[1], "exec");
	shim->is_tty = strchr(argv[2], 't');
	shim->has_stdin = strchr(argv[2], 'i');
	shim->is_stdin_once = strchr(argv[2], '1');
	shim->has_log = strchr(argv[2], 'l');
	shim->runtime = argv[3];
	shim->id = argv[4];
}

static void init_fds(struct shim *shim)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		shim->controls[i] = -1;
		shim->clients[i].fd = -1;
	}
	shim->outputs[0] = (struct shim_output){ .fd = -1, .stream = 1, .log.stream = "stdout" };
	shim->outputs[1] = (struct shim_output){ .fd = -1, .stream = 2, .log.stream = "stderr" };
	shim->signals = shim->listener = shim->input = shim->log = -1;
	for (int fd = SHIM_CONTROL; fd <= SHIM_MOUNT; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Who started us must not have to wait for our end: a child of ours goes on. */
static int leave_parent(void)
{
	pid_t pid = fork();

	if (pid > 0)
		_exit(EXIT_SUCCESS);
	if (pid < 0 || setsid() < 0)
		return -1;
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* Only a container's end ends us. */
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int main(int argc, char **argv)
{
	static struct shim shim;

	if (argc != 5) {
		fputs("shale-shim is started by shaled\n", stderr);
		return EXIT_FAILURE;
	}
	take_arguments(&shim, argv);
	init_fds(&shim);
	if (leave_parent() < 0)
		return EXIT_FAILURE;
	shim.signals = open_signals();
	return shim.signals < 0 ? EXIT_FAILURE : shim_run(&shim);
}

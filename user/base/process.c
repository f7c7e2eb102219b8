// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other programs; see process.h. Called by who needs the daemon, a supervisor or an OCI runtime.
 */
#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What follows gives the number of an error, or 0. */
static int set_fds(const struct process_spec *spec, posix_spawn_file_actions_t *actions)
{
	int ret = 0;

	for (int fd = 0; !ret && fd < (int)spec->fd_count; fd++) {
		if (spec->fds[fd] >= 0)
			ret = posix_spawn_file_actions_adddup2(actions, spec->fds[fd], fd);
		else if (fd <= STDERR_FILENO)
			ret = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	}
	if (!ret && spec->dir >= 0)
		ret = posix_spawn_file_actions_addfchdir_np(actions, spec->dir);
	return ret;
}

static int set_attributes(const struct process_spec *spec, posix_spawnattr_t *attr)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	if (spec->has_own_group)
		flags |= POSIX_SPAWN_SETPGROUP;
	ret = posix_spawnattr_setsigmask(attr, &none);
	if (!ret)
		ret = posix_spawnattr_setsigdefault(attr, &all);
	if (!ret)
		ret = posix_spawnattr_setpgroup(attr, 0);
	return ret ? ret : posix_spawnattr_setflags(attr, flags);
}

static int start_prepared(const struct process_spec *spec, posix_spawn_file_actions_t *actions,
			  posix_spawnattr_t *attr, pid_t *ret_pid)
{
	int ret = set_fds(spec, actions);

	if (!ret)
		ret = set_attributes(spec, attr);
	if (ret)
		return ret;
	return posix_spawn(ret_pid, spec->path, actions, attr, (char **)spec->argv,
			   spec->environment ? (char **)spec->environment : environ);
}

/* In a child, where only what is safe in a handler of signals may be called, as in all below. */
static int place_fds(const struct process_spec *spec)
{
	for (int fd = 0; fd < (int)spec->fd_count; fd++) {
		int from = spec->fds[fd];

		if (from < 0 && fd > STDERR_FILENO)
			continue;
		if (from < 0 && (from = open("/dev/null", O_RDWR)) < 0)
			return -1;
		if (from == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(from, fd) < 0)
			return -1;
		/* One that was opened here. */
		if (spec->fds[fd] < 0 && from != fd)
			close(from);
	}
	return spec->dir >= 0 ? fchdir(spec->dir) : 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What posix_spawn() cannot do. */
static int start_bound(const struct process_spec *spec, pid_t *ret_pid)
{
	const pid_t us = getpid();
	pid_t pid;

	if (access(spec->path, X_OK) < 0)
		return errno;
	pid = fork();
	if (pid) {
		*ret_pid = pid;
		return pid < 0 ? errno : 0;
	}
	/* Who has ended before this would not be missed. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == us && place_fds(spec) == 0 &&
	    (!spec->has_own_group || setpgid(0, 0) == 0)) {
		reset_signals();
		execve(spec->path, (char **)spec->argv,
		       spec->environment ? (char **)spec->environment : environ);
	}
	_exit(127);
}

static int start_free(const struct process_spec *spec, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int code = posix_spawn_file_actions_init(&actions);

	if (!code) {
		code = posix_spawnattr_init(&attr);
		if (!code) {
			code = start_prepared(spec, &actions, &attr, ret_pid);
			posix_spawnattr_destroy(&attr);
		}
		posix_spawn_file_actions_destroy(&actions);
	}
	return code;
}

int process_start(const struct process_spec *spec, pid_t *ret_pid)
{
	int code = spec->ends_with_us ? start_bound(spec, ret_pid) : start_free(spec, ret_pid);

	errno = code;
	return code ? -1 : 0;
}

int process_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return status;
}

char *process_beside(const char *const *places, size_t count, char ret_dir[PROCESS_PATH])
{
	ssize_t len = readlink("/proc/self/exe", ret_dir, PROCESS_PATH - 1);
	char *path, *slash;

	ret_dir[len > 0 ? len : 0] = '\0';
	slash = strrchr(ret_dir, '/');
	*(slash ? slash : ret_dir) = '\0';
	for (size_t i = 0; i < count; i++) {
		if (asprintf(&path, "%s/%s", ret_dir, places[i]) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

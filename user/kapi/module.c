// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mount loads the module by itself, but the kernel then keeps modprobe's reason to itself. Here
 * modprobe runs again and is listened to. Called by mount.shale and shale mount after ENODEV.
 */
#include "kapi/module.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "kapi/machine.h"

#define MODPROBE   "/sbin/modprobe"
#define WORDS_MAX  512 /* bytes kept of what modprobe says */

/* In the child: only async-signal-safe calls, since the caller may have threads. */
static void modprobe_exec(int out)
{
	char *const argv[] = { (char *)MODPROBE, (char *)"shale", NULL };
	char *const envp[] = { (char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL };

	dup2(out, STDERR_FILENO);
	execve(MODPROBE, argv, envp);
	_exit(127);
}

/* Keeps the start of what comes, and reads on to the end so that the writer never blocks. */
static void words_read(int fd, char *words)
{
	size_t used = 0;
	char chunk[256];
	ssize_t len;

	while ((len = read(fd, chunk, sizeof(chunk))) > 0 || (len < 0 && errno == EINTR)) {
		for (ssize_t i = 0; i < len && used < WORDS_MAX - 1; i++)
			words[used++] = chunk[i];
	}
	words[used] = '\0';
	words[strcspn(words, "\n")] = '\0';
}

static int modprobe_run(char *words, int *ret_status, struct shale_err *err)
{
	__cleanup_fd int in = -1;
	__cleanup_fd int out = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return shale_err_errno(err, "cannot make a pipe");
	in = fds[0];
	out = fds[1];
	pid = fork();
	if (pid < 0)
		return shale_err_errno(err, "cannot start " MODPROBE);
	if (pid == 0)
		modprobe_exec(out);
	close(steal_fd(&out));
	words_read(in, words);
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return shale_err_errno(err, "cannot wait for " MODPROBE);
	return 0;
}

/* The first thing shale doctor would complain about; else what modprobe said. */
static int err_explain(const char *words, struct shale_err *err)
{
	static const char error[] = "modprobe: ERROR: ";
	__cleanup_fd int rootfd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct machine machine;
	struct check_list list = { .nr = 0 };
	const struct check *problem;

	if (rootfd >= 0 && !machine_read(rootfd, &machine, NULL)) {
		machine_judge(&machine, &list);
		problem = check_first_problem(&list);
		if (problem)
			return shale_err_set(err, ENODEV, "%s: %s", problem->detail, problem->advice);
	}
	if (!strncmp(words, error, sizeof(error) - 1))
		words += sizeof(error) - 1;
	return shale_err_set(err, ENODEV, "the module cannot be loaded: %s",
			     *words ? words : MODPROBE " gives no reason");
}

int module_load(struct shale_err *err)
{
	char words[WORDS_MAX] = "";
	int status;

	if (modprobe_run(words, &status, err))
		return -1;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	return err_explain(words, err);
}

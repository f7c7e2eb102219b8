// SPDX-License-Identifier: GPL-2.0-only
/*
 * Private daemons; see private.h. One is found beside this program, or where it is installed, and gets a process group
 * of its own: an interrupt from the terminal is for us, and reaches it as the end of the connection, upon which it
 * cancels its work and cleans up. Called by connection.c.
 */
#include "shale/private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/process.h"

/* The descriptor the daemon finds its connection at. */
#define CONNECTION_FD	3
#define CONNECTION_TEXT "3"
/* Of what it said. */
#define WORDS_MAX 4096

/* Beside the program, and in the places of programs that people do not start. */
static const char *const places[] = { "shaled", "../sbin/shaled", "../libexec/shale/shaled" };

static char *find_daemon(struct shale_err *err)
{
	char dir[PROCESS_PATH];
	char *path = process_beside(places, sizeof(places) / sizeof(*places), dir);

	if (!path)
		shale_err_set(err, ENOENT,
			      "there is no daemon, and none can be started: shaled is not in %s nor beside it", dir);
	return path;
}

/* Who reads our output must not wait for a daemon that is still cleaning up when we were killed. */
static int spawn(const struct cli *cli, const char *path, int fd, struct private_daemon *daemon,
		 struct shale_err *err)
{
	const char *argv[] = { "shaled", "--connection", CONNECTION_TEXT, "--log-level", "error", "--root",
			       cli->root, cli->driver ? "--storage-driver" : NULL, cli->driver, NULL };
	const int fds[] = { -1, -1, daemon->words, [CONNECTION_FD] = fd };
	const struct process_spec spec = {
		.path = path,
		.argv = argv,
		.fds = fds,
		.fd_count = sizeof(fds) / sizeof(*fds),
		.dir = -1,
		.has_own_group = true,
	};

	return process_start(&spec, &daemon->pid) < 0 ? shale_err_errno(err, "%s cannot be started", path) : 0;
}

int private_start(const struct cli *cli, struct private_daemon *ret_daemon, int *ret_fd,
		  struct shale_err *err)
{
	struct private_daemon daemon = PRIVATE_NONE;
	__cleanup_free char *path = find_daemon(err);
	__cleanup_fd int words = -1;
	int fds[2];

	if (!path)
		return -1;
	words = daemon.words = memfd_create("shaled's words", MFD_CLOEXEC);
	if (words < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return shale_err_errno(err, "starting a daemon");
	if (spawn(cli, path, fds[1], &daemon, err)) {
		close(fds[0]);
		close(fds[1]);
		return -1;
	}
	close(fds[1]);
	steal_fd(&words);
	*ret_daemon = daemon;
	*ret_fd = fds[0];
	return 0;
}

/* What it said last as a program, not the log it keeps of requests; "" if nothing. */
static void read_words(const struct private_daemon *daemon, char *text, size_t size)
{
	static const char name[] = "shaled: ";
	ssize_t len = pread(daemon->words, text, size - 1, 0);
	char *line = text, *last = NULL;

	text[len > 0 ? len : 0] = '\0';
	for (char *next = text; (line = strsep(&next, "\n"));)
		if (!strncmp(line, name, strlen(name)))
			last = line + strlen(name);
	memmove(text, last ? last : "", last ? strlen(last) + 1 : 1);
}

static int fail(const struct private_daemon *daemon, int status, struct shale_err *err)
{
	char words[WORDS_MAX];

	read_words(daemon, words, sizeof(words));
	if (*words)
		return shale_err_set(err, EIO, "%s", words);
	if (WIFSIGNALED(status))
		return shale_err_set(err, EIO, "the daemon was killed: %s", strsignal(WTERMSIG(status)));
	return shale_err_set(err, EIO, "the daemon ended with status %d", WEXITSTATUS(status));
}

int private_wait(struct private_daemon *daemon, struct shale_err *err)
{
	int status;
	int ret = 0;

	if (daemon->pid < 0)
		return 0;
	status = process_wait(daemon->pid);
	daemon->pid = -1;
	if (status > 0)
		ret = fail(daemon, status, err);
	fd_closep(&daemon->words);
	daemon->words = -1;
	return ret;
}

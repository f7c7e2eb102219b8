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

/* The descriptors the daemon finds its connections at. */
#define CONNECTION_FD	 3
#define CONNECTION_TEXTS { "3", "4", "5" }
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
static int spawn(const struct cli *cli, const char *path, const int *theirs, unsigned int count,
		 struct private_daemon *daemon, struct shale_err *err)
{
	static const char *const texts[PRIVATE_MAX_CONNECTIONS] = CONNECTION_TEXTS;
	const char *argv[5 + 2 * PRIVATE_MAX_CONNECTIONS + 3] = { "shaled" };
	int fds[CONNECTION_FD + PRIVATE_MAX_CONNECTIONS] = { -1, -1, daemon->words };
	unsigned int at = 1;
	const struct process_spec spec = {
		.path = path,
		.argv = argv,
		.fds = fds,
		.fd_count = CONNECTION_FD + count,
		.dir = -1,
		.has_own_group = true,
	};

	for (unsigned int i = 0; i < count; i++) {
		argv[at++] = "--connection";
		argv[at++] = texts[i];
		fds[CONNECTION_FD + i] = theirs[i];
	}
	argv[at++] = "--log-level";
	argv[at++] = "error";
	argv[at++] = "--root";
	argv[at++] = cli->root;
	if (cli->driver) {
		argv[at++] = "--storage-driver";
		argv[at++] = cli->driver;
	}
	return process_start(&spec, &daemon->pid) < 0 ? shale_err_errno(err, "%s cannot be started", path) : 0;
}

static void close_all(const int *fds, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		close(fds[i]);
}

static int make_pairs(unsigned int count, int *ours, int *theirs)
{
	int pair[2];

	for (unsigned int i = 0; i < count; i++) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
			close_all(ours, i);
			close_all(theirs, i);
			return -1;
		}
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 0;
}

int private_start(const struct cli *cli, unsigned int count, struct private_daemon *ret_daemon,
		  int ret_fds[PRIVATE_MAX_CONNECTIONS], struct shale_err *err)
{
	struct private_daemon daemon = PRIVATE_NONE;
	__cleanup_free char *path = find_daemon(err);
	__cleanup_fd int words = -1;
	int theirs[PRIVATE_MAX_CONNECTIONS];
	int ret;

	if (!path)
		return -1;
	words = daemon.words = memfd_create("shaled's words", MFD_CLOEXEC);
	if (words < 0 || make_pairs(count, ret_fds, theirs) < 0)
		return shale_err_errno(err, "starting a daemon");
	ret = spawn(cli, path, theirs, count, &daemon, err);
	close_all(theirs, count);
	if (ret) {
		close_all(ret_fds, count);
		return -1;
	}
	steal_fd(&words);
	*ret_daemon = daemon;
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

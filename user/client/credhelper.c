// SPDX-License-Identifier: GPL-2.0-only
/*
 * Credential helpers; see credhelper.h. A helper is started without a shell, its name cannot lead out of
 * $PATH, and what it says on stderr is its own affair. Called by creds.c.
 */
#include "client/credhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "store/json.h"

#define HELPER_MAX_NAME 64
/* What docker's helpers print when they have nothing. */
#define NOT_FOUND "credentials not found"

extern char **environ;

struct helper_run {
	pid_t pid;
	int fd; /* our end of the socket that is its stdin and stdout */
	time_t deadline;
};

static int check_helper_name(const char *name, struct shale_err *err)
{
	size_t len = strlen(name);

	if (len > HELPER_MAX_NAME || *name == '.' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") !=
		    len)
		return shale_err_set(err, EINVAL, "'%.100s' is no name of a credential helper",
				     name);
	return 0;
}

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static int spawn(const char *name, const char *verb, struct helper_run *run, struct shale_err *err)
{
	char program[sizeof("docker-credential-") + HELPER_MAX_NAME];
	char *argv[] = { program, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;
	__cleanup_fd int theirs = -1;
	int pair[2];
	int code;

	snprintf(program, sizeof(program), "docker-credential-%s", name);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return shale_err_errno(err, "starting %s", program);
	run->fd = pair[0];
	theirs = pair[1];
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, theirs, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, theirs, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	code = posix_spawnp(&run->pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (!code)
		return 0;
	run->pid = 0;
	errno = code;
	return shale_err_errno(err, "starting %s", program);
}

static int say(const struct helper_run *run, const char *text, struct shale_err *err)
{
	size_t len = strlen(text);

	while (len) {
		/* Whoever does not read what we say gets no signal of ours. */
		ssize_t put = send(run->fd, text, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EPIPE)
			break;
		if (put < 0)
			return shale_err_errno(err, "writing");
		text += put;
		len -= put;
	}
	shutdown(run->fd, SHUT_WR);
	return 0;
}

static int hear(const struct helper_run *run, struct buf *out, struct shale_err *err)
{
	struct pollfd poll_fd = { .fd = run->fd, .events = POLLIN };
	char chunk[4096];
	ssize_t got;

	for (;;) {
		if (monotonic() >= run->deadline)
			return shale_err_set(err, ETIMEDOUT, "does not end within %d seconds",
					     CREDHELPER_SECONDS);
		if (poll(&poll_fd, 1, 1000) <= 0)
			continue;
		got = read(run->fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != ECONNRESET)
			return shale_err_errno(err, "reading");
		if (got <= 0)
			return 0;
		if (out->len + got > CREDHELPER_MAX_BYTES)
			return shale_err_set(err, EFBIG, "prints more than %u bytes",
					     CREDHELPER_MAX_BYTES);
		if (buf_add(out, chunk, got) < 0)
			return shale_err_errno(err, "reading");
	}
}

static void run_end(struct helper_run *run)
{
	fd_closep(&run->fd);
	if (run->pid > 0) {
		kill(run->pid, SIGKILL);
		waitpid(run->pid, NULL, 0);
	}
}

static int await(struct helper_run *run, int *ret_status, struct shale_err *err)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	/* It has closed its output: the rest is soon. */
	while (monotonic() < run->deadline) {
		pid_t pid = waitpid(run->pid, ret_status, WNOHANG);

		if (pid < 0 && errno != EINTR)
			return shale_err_errno(err, "waiting");
		if (pid == run->pid) {
			run->pid = 0;
			return 0;
		}
		nanosleep(&pause, NULL);
	}
	return shale_err_set(err, ETIMEDOUT, "does not end within %d seconds", CREDHELPER_SECONDS);
}

/* *ret_good: it was successful, and otherwise @out is its complaint. */
static int run_helper(const char *name, const char *verb, const char *input, struct buf *out,
		      bool *ret_good, struct shale_err *err)
{
	__attribute__((cleanup(run_end))) struct helper_run run = { .fd = -1 };
	int status = 0;

	if (check_helper_name(name, err) < 0)
		return -1;
	run.deadline = monotonic() + CREDHELPER_SECONDS;
	if (spawn(name, verb, &run, err) < 0)
		return -1;
	if (say(&run, input, err) < 0 || hear(&run, out, err) < 0 || await(&run, &status, err) < 0)
		return shale_err_wrap(err, "docker-credential-%s", name);
	*ret_good = WIFEXITED(status) && !WEXITSTATUS(status);
	return 0;
}

static int fail_helper(const char *name, const char *verb, const struct buf *out,
		       struct shale_err *err)
{
	return shale_err_set(err, EACCES, "docker-credential-%s %s: %.*s", name, verb,
			     (int)strcspn(buf_str(out), "\r\n"), buf_str(out));
}

static int copy_field(const json_t *json, const char *field, char **ret_text,
		      struct shale_err *err)
{
	const char *text = NULL;

	if (json_get_text(json, field, true, "a credential helper", &text, err) < 0)
		return -1;
	if (!text || !*text)
		return 0;
	if (strlen(text) > CREDS_MAX_TEXT)
		return shale_err_set(err, EFBIG, "a credential of more than %u bytes",
				     CREDS_MAX_TEXT);
	*ret_text = strdup(text);
	return *ret_text ? 0 : shale_err_errno(err, "reading credentials");
}

int credhelper_parse(const void *data, size_t len, struct creds *ret_creds, struct shale_err *err)
{
	__cleanup_creds struct creds creds = { 0 };
	__cleanup_json json_t *json = NULL;

	if (json_parse_object(data, len, "a credential helper", &json, err) < 0 ||
	    copy_field(json, "Username", &creds.username, err) < 0 ||
	    copy_field(json, "Secret", &creds.password, err) < 0)
		return -1;
	/* By this name helpers hand out a refresh token. */
	if (creds.username && !strcmp(creds.username, "<token>")) {
		creds.identity_token = steal_ptr(creds.password);
		freep(&creds.username);
		creds.username = NULL;
	}
	*ret_creds = creds;
	creds = (struct creds){ 0 };
	return 0;
}

int credhelper_get(const char *name, const char *key, struct creds *ret_creds,
		   struct shale_err *err)
{
	__cleanup_buf struct buf out = BUF_INIT;
	bool is_good = false;

	if (run_helper(name, "get", key, &out, &is_good, err) < 0)
		return -1;
	if (is_good)
		return credhelper_parse(buf_str(&out), out.len, ret_creds, err);
	if (!strstr(buf_str(&out), NOT_FOUND))
		return fail_helper(name, "get", &out, err);
	*ret_creds = (struct creds){ 0 };
	return 0;
}

int credhelper_store(const char *name, const char *key, const struct creds *creds,
		     struct shale_err *err)
{
	bool is_token = creds->identity_token;
	__cleanup_buf struct buf out = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	__cleanup_free char *text = NULL;
	bool is_good = false;

	json = json_pack("{s:s, s:s, s:s}", "ServerURL", key, "Username",
			 is_token	   ? "<token>" :
			 creds->username ? creds->username :
					     "",
			 "Secret",
			 is_token	   ? creds->identity_token :
			 creds->password ? creds->password :
					     "");
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!text)
		return shale_err_set(err, EINVAL, "credentials that are not UTF-8");
	if (run_helper(name, "store", text, &out, &is_good, err) < 0)
		return -1;
	return is_good ? 0 : fail_helper(name, "store", &out, err);
}

int credhelper_erase(const char *name, const char *key, struct shale_err *err)
{
	__cleanup_buf struct buf out = BUF_INIT;
	bool is_good = false;

	if (run_helper(name, "erase", key, &out, &is_good, err) < 0)
		return -1;
	return is_good ? 0 : fail_helper(name, "erase", &out, err);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a supervisor: it takes clients until it is told to go, starts the process, serves everybody until that
 * has ended, writes down how, and lets go. Called by main.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shim/shim.h"

/* What clients have typed and the process has not taken. */
#define MAX_TYPED (256u << 10)
#define MAX_POLL  (2 * WIRE_MAX_CLIENTS + 8)

/* What each descriptor is, in the order of the poll set. */
struct watch {
	struct pollfd fds[MAX_POLL];
	struct {
		enum { IS_SIGNALS, IS_LISTENER, IS_CONTROL, IS_CLIENT, IS_OUTPUT, IS_INPUT } kind;
		size_t at;
	} what[MAX_POLL];
	size_t count;
};

static void watch_add(struct watch *watch, int fd, short events, int kind, size_t at)
{
	if (fd < 0)
		return;
	watch->fds[watch->count] = (struct pollfd){ .fd = fd, .events = events };
	watch->what[watch->count].kind = kind;
	watch->what[watch->count++].at = at;
}

static void watch_clients(struct watch *watch, const struct shim *shim)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		const struct shim_client *client = &shim->clients[i];
		/* Before the start there is nobody to type to. */
		bool may_type = shim->pid && !client->has_ended && shim->typed.len < MAX_TYPED;

		watch_add(watch, client->fd,
			  (may_type ? POLLIN : 0) | (client->out.len > client->sent ? POLLOUT : 0), IS_CLIENT, i);
		watch_add(watch, shim->controls[i], POLLIN, IS_CONTROL, i);
	}
}

static void watch_fill(struct watch *watch, const struct shim *shim)
{
	bool is_congested = shim_is_congested(shim);

	watch->count = 0;
	watch_add(watch, shim->signals, POLLIN, IS_SIGNALS, 0);
	watch_add(watch, shim->listener, POLLIN, IS_LISTENER, 0);
	watch_clients(watch, shim);
	for (size_t i = 0; !is_congested && i < 2; i++)
		watch_add(watch, shim->outputs[i].fd, POLLIN, IS_OUTPUT, i);
	if (shim->typed.len)
		watch_add(watch, shim->input, POLLOUT, IS_INPUT, 0);
}

static void reap(struct shim *shim)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(shim->signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != shim->pid)
			continue;
		shim->has_exited = true;
		shim->state.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

static void serve_client(struct shim *shim, size_t at, short events)
{
	struct shim_client *client = &shim->clients[at];

	/* An earlier one in the set may have had it dropped. */
	if (client->fd < 0)
		return;
	if (events & POLLOUT)
		shim_client_write(client);
	if (client->fd >= 0 && (events & POLLIN))
		shim_client_read(shim, client);
	else if (client->fd >= 0 && (events & (POLLHUP | POLLERR | POLLNVAL)))
		shim_client_drop(client);
}

static void serve(struct shim *shim, const struct watch *watch, size_t i)
{
	const size_t at = watch->what[i].at;
	const short events = watch->fds[i].revents;

	switch (watch->what[i].kind) {
	case IS_SIGNALS:
		reap(shim);
		break;
	case IS_LISTENER:
		shim_control_accept(shim);
		break;
	case IS_CONTROL:
		shim_control_read(shim, &shim->controls[at]);
		break;
	case IS_CLIENT:
		serve_client(shim, at, events);
		break;
	case IS_OUTPUT:
		shim_read_output(shim, &shim->outputs[at]);
		break;
	case IS_INPUT:
		shim_write_input(shim);
		break;
	}
}

static void serve_all(struct shim *shim, int timeout)
{
	static struct watch watch;

	watch_fill(&watch, shim);
	if (poll(watch.fds, watch.count, timeout) <= 0)
		return;
	for (size_t i = 0; i < watch.count; i++)
		if (watch.fds[i].revents)
			serve(shim, &watch, i);
}

static int prepare(struct shim *shim, struct shale_err *err)
{
	__cleanup_fd int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[512];

	shim->listener = wire_listen(dir, RECORD_SOCKET);
	if (shim->listener < 0)
		return shale_err_errno(err, "cannot make " RECORD_SOCKET);
	if (!shim->has_log)
		return 0;
	snprintf(name, sizeof(name), "%.200s-json.log", shim->id);
	shim->log = open(name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
	return shim->log < 0 ? shale_err_errno(err, "cannot open the log") : 0;
}

static void write_state(struct shim *shim, bool is_lasting)
{
	struct shale_err err = { 0 };

	/* On a full disk the record is lost; that the lock is free still says that it has ended. */
	record_write_state(AT_FDCWD, &shim->state, is_lasting, &err);
}

/* A socket that stays says that not all is undone: the engine sees to the rest. */
static void let_go(const struct shim *shim)
{
	if (!shim->has_remains)
		unlink(RECORD_SOCKET);
	unlink(RECORD_PAUSED);
	close(SHIM_ALIVE);
}

/* The container is over; its last words may still be on their way. */
static void flush(struct shim *shim)
{
	time_t end = time(NULL) + SHIM_FLUSH_SECONDS;

	while (shim_has_unsent(shim) && time(NULL) < end)
		serve_all(shim, 1000);
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++)
		shim_client_drop(&shim->clients[i]);
}

static int fail(struct shim *shim, const struct shale_err *err)
{
	int code = err->code == 126 || err->code == 127 ? err->code : 128;

	shim->state.exit_code = code;
	snprintf(shim->state.error, sizeof(shim->state.error), "%.500s", err->msg);
	shim_undo(shim);
	write_state(shim, false);
	let_go(shim);
	shim_say(shim, WIRE_FAILED, code, err->msg);
	shim_control_close(shim);
	/* Who is attached to a container hears it from who has started that; here nobody else would say it. */
	if (shim->is_exec) {
		shim_tell(shim, 1, err->msg, strlen(err->msg));
		shim_tell(shim, 1, "\r\n", 2);
	}
	flush(shim);
	return EXIT_FAILURE;
}

static void note_start(struct shim *shim)
{
	shim->state.status = RECORD_RUNNING;
	shim->state.error[0] = '\0';
	shim->state.pid = shim->pid;
	clock_print_now(shim->state.started);
	snprintf(shim->state.finished, sizeof(shim->state.finished), "%s", RECORD_NO_TIME);
	write_state(shim, false);
	shim_say(shim, WIRE_STARTED, shim->pid, NULL);
	shim_write_input(shim);
}

static void note_end(struct shim *shim)
{
	shim_drain(shim);
	shim->state.status = RECORD_EXITED;
	shim->state.pid = 0;
	clock_print_now(shim->state.finished);
	shim_undo(shim);
	write_state(shim, !shim->is_exec);
	let_go(shim);
	shim_say(shim, WIRE_EXITED, shim->state.exit_code, NULL);
	shim_control_close(shim);
}

int shim_run(struct shim *shim)
{
	struct shale_err err = { 0 };

	umask(0022);
	shim_control_add(shim, SHIM_CONTROL);
	if (prepare(shim, &err) < 0)
		return fail(shim, &err);
	/* What became of the last start stays when this one fails. */
	record_read_state(AT_FDCWD, &shim->state);
	if (shim->state.status == RECORD_RUNNING)
		shim->state.status = RECORD_EXITED;
	while (!shim->may_go) {
		serve_all(shim, -1);
		/* Who has started us has died before he said what to do. */
		if (shim->controls[0] < 0) {
			let_go(shim);
			return EXIT_FAILURE;
		}
	}
	if (shim_start(shim, &err) < 0)
		return fail(shim, &err);
	note_start(shim);
	/* An end that was seen at the start has left no signal to be seen. */
	while (!shim->has_exited)
		serve_all(shim, -1);
	note_end(shim);
	flush(shim);
	return EXIT_SUCCESS;
}

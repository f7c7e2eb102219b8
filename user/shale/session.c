// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions; see session.h. Called by cmd_run.c, cmd_start.c, cmd_attach.c and cmd_exec.c.
 */
#include "shale/session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shale/terminal.h"
#include "store/json.h"

/* A process that was just begun may not be there yet: docker's client asks as often, at such distances. */
#define RESIZE_TRIES 10
#define RESIZE_MSEC  20

/* What a container is told of; the others are nobody else's business. */
static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT };
/* Those that end us where they are not passed on. */
static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

int session_check(struct session *session, struct shale_err *err)
{
	const char *keys = session->detach_keys && *session->detach_keys ? session->detach_keys : DETACH_DEFAULT;

	if (session->is_tty && session->has_stdin && !isatty(STDIN_FILENO))
		return shale_err_set(err, ENOTTY, "the input device is not a TTY");
	return detach_parse(keys, &session->detach, err);
}

static int query_streams(const struct session *session, struct dockapi_call *call, struct shale_err *err)
{
	return dockapi_query(call, "stream", "1", err) ||
			       dockapi_query(call, "stdin", session->has_stdin ? "1" : NULL, err) ||
			       dockapi_query(call, "stdout", session->has_stdout ? "1" : NULL, err) ||
			       dockapi_query(call, "stderr", session->has_stderr ? "1" : NULL, err) ?
		       -1 :
		       0;
}

int session_attach(struct session *session, struct shale_err *err)
{
	if (connection_another(session->connection, &session->streams, err) ||
	    dockapi_path(&session->attach, err, "/containers/%s/attach", session->id) ||
	    query_streams(session, &session->attach, err))
		return -1;
	return dockapi_upgrade(session->streams, &session->attach, &session->fd, err);
}

int session_exec(struct session *session, struct shale_err *err)
{
	__cleanup_json json_t *body = json_pack("{s:b, s:b}", "Detach", 0, "Tty", session->is_tty);
	int ret;

	if (connection_another(session->connection, &session->streams, err) ||
	    dockapi_path(&session->attach, err, "/exec/%s/start", session->id))
		return -1;
	session->attach.body = body;
	ret = dockapi_upgrade(session->streams, &session->attach, &session->fd, err);
	session->attach.body = NULL;
	return ret;
}

int session_wait(struct session *session, const char *condition, struct shale_err *err)
{
	if (connection_another(session->connection, &session->waiter, err) ||
	    dockapi_path(&session->wait, err, "/containers/%s/wait", session->id) ||
	    dockapi_query(&session->wait, "condition", condition, err))
		return -1;
	return dockapi_begin(session->waiter, &session->wait, &session->pending, err);
}

static void add_signals(sigset_t *set, const int *signals, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sigaddset(set, signals[i]);
}

int session_hold_signals(struct session *session, struct shale_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	add_signals(&set, ending, sizeof(ending) / sizeof(*ending));
	if (session->has_proxy)
		add_signals(&set, passed_on, sizeof(passed_on) / sizeof(*passed_on));
	if (session->is_tty)
		sigaddset(&set, SIGWINCH);
	session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session->signal_fd < 0 || sigprocmask(SIG_BLOCK, &set, &session->before) < 0)
		return shale_err_errno(err, "cannot wait for signals");
	session->is_blocking = true;
	return 0;
}

static int resize_to(struct session *session, unsigned int rows, unsigned int columns)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	char h[16], w[16];

	snprintf(h, sizeof(h), "%u", rows);
	snprintf(w, sizeof(w), "%u", columns);
	if (dockapi_path(&call, NULL, session->is_exec ? "/exec/%s/resize" : "/containers/%s/resize", session->id) ||
	    dockapi_query(&call, "h", h, NULL) || dockapi_query(&call, "w", w, NULL))
		return -1;
	return connection_perform(session->connection, &call, &(struct shale_err){ 0 });
}

/* Programs draw themselves when their size is another one. */
static int resize(struct session *session)
{
	unsigned int rows, columns;

	if (!session->is_tty || !terminal_size(&rows, &columns))
		return 0;
	if (session->is_redrawn && resize_to(session, rows + 1, columns + 1))
		return -1;
	session->is_redrawn = false;
	return resize_to(session, rows, columns);
}

static int tick(void *arg)
{
	struct session *session = arg;

	if (!session->resizes || resize(session) == 0)
		return -1;
	session->resizes--;
	return RESIZE_MSEC * (RESIZE_TRIES - session->resizes);
}

/* One that has just ended takes no signal, which is no error of ours. */
static void pass_on(struct session *session, int number)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct shale_err err = { 0 };

	if (dockapi_path(&call, &err, "/containers/%s/kill", session->id) == 0 &&
	    dockapi_query(&call, "signal", sigabbrev_np(number), &err) == 0)
		connection_perform(session->connection, &call, &err);
}

static bool take_signal(void *arg, int number)
{
	struct session *session = arg;

	if (number == SIGWINCH) {
		resize(session);
		return true;
	}
	if (session->has_proxy) {
		pass_on(session, number);
		return true;
	}
	session->left_by = number;
	return false;
}

enum stream_end session_run(struct session *session, struct shale_err *err)
{
	const struct stream stream = {
		.fd = session->fd,
		.early = &session->attach.answer,
		.has_stdin = session->has_stdin,
		.has_output = session->has_stdout || session->has_stderr,
		.is_tty = session->is_tty,
		.detach = session->detach,
		.signal_fd = session->signal_fd,
		.signalled = take_signal,
		.tick = tick,
		.arg = session,
	};
	struct terminal terminal = { .is_raw = false };
	enum stream_end end;

	/* A reader that goes must not end us with the terminal as it is then. */
	signal(SIGPIPE, SIG_IGN);
	session->resizes = session->is_tty ? RESIZE_TRIES : 0;
	if (session->is_tty && session->has_stdin)
		terminal_make_raw(&terminal, STDIN_FILENO);
	end = stream_run(&stream, err);
	terminal_restore(&terminal);
	return end;
}

static bool has_ended(struct session *session)
{
	struct pollfd fds[] = { { .fd = dockapi_pending_fd(session->pending), .events = POLLIN },
				{ .fd = session->signal_fd, .events = POLLIN } };
	struct signalfd_siginfo info;

	if (poll(fds, 2, -1) < 0)
		return false;
	if (fds[1].revents && read(session->signal_fd, &info, sizeof(info)) == sizeof(info))
		take_signal(session, info.ssi_signo);
	return fds[0].revents;
}

/* {"Error":{"Message":"..."},"StatusCode":0} */
static int take_code(struct session *session, int *ret_code, struct shale_err *err)
{
	const struct buf *answer = &session->wait.answer;
	__cleanup_json json_t *json = NULL;
	const json_t *code;

	if (!answer->len || json_parse_object(answer->data, answer->len, "the daemon's answer", &json, NULL))
		return shale_err_set(err, ECONNRESET, "the daemon does not tell how the container has ended");
	code = json_object_get(json, "StatusCode");
	if (*json_text(json_object_get(json, "Error"), "Message"))
		return shale_err_set(err, EIO, "%s", json_text(json_object_get(json, "Error"), "Message"));
	if (!json_is_integer(code))
		return shale_err_set(err, EPROTO, "the daemon's answer has no exit code");
	*ret_code = json_integer_value(code);
	return 0;
}

/* The daemon may have been replaced meanwhile; who has not been removed can be asked about again. */
static int ask_again(struct session *session, int *ret_code, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	__cleanup_json json_t *json = NULL;

	if (connection_is_private(session->connection) ||
	    dockapi_path(&call, err, "/containers/%s/wait", session->id) ||
	    connection_json(session->connection, &call, &json, err) ||
	    !json_is_integer(json_object_get(json, "StatusCode")))
		return -1;
	*ret_code = json_integer_value(json_object_get(json, "StatusCode"));
	return 0;
}

enum stream_end session_result(struct session *session, int *ret_code, struct shale_err *err)
{
	struct dockapi_pending *pending;
	struct shale_err why = { 0 };

	while (!session->left_by && !has_ended(session))
		;
	if (session->left_by)
		return STREAM_LEFT;
	pending = session->pending;
	session->pending = NULL;
	if (dockapi_end(pending, err) == 0 && take_code(session, ret_code, err) == 0)
		return STREAM_CLOSED;
	return err->code == ECONNRESET && ask_again(session, ret_code, &why) == 0 ? STREAM_CLOSED : STREAM_FAILED;
}

void session_close(struct session *session)
{
	dockapi_abandon(session->pending);
	session->pending = NULL;
	dockapi_close(session->streams);
	dockapi_close(session->waiter);
	session->streams = session->waiter = NULL;
	dockapi_call_release(&session->attach);
	dockapi_call_release(&session->wait);
	fd_closep(&session->fd);
	fd_closep(&session->signal_fd);
	session->fd = session->signal_fd = -1;
	if (session->is_blocking)
		sigprocmask(SIG_SETMASK, &session->before, NULL);
	session->is_blocking = false;
}

void session_die(struct session *session)
{
	int number = session->left_by;

	session_close(session);
	connection_close(session->connection);
	signal(number, SIG_DFL);
	raise(number);
}

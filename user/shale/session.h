/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Somebody at a process in a container: attached to its streams, with the terminal's size passed on, and signals, until it
 * ends or is left alone. One way for run, start, attach and exec.
 */
#ifndef SHALE_CLI_SESSION_H
#define SHALE_CLI_SESSION_H

#include <signal.h>

#include "shale/connection.h"
#include "shale/stream.h"

/* Connections beside the first: one is handed over, one waits for the end. */
#define SESSION_SPARE 2
/* Of a container, or of a process in one. */
#define SESSION_MAX_ID 64

struct session {
	struct connection *connection;
	char id[SESSION_MAX_ID + 1];
	bool is_exec;
	bool has_stdin, has_stdout, has_stderr;
	bool is_tty;
	bool is_redrawn; /* what is there already shall draw itself anew */
	bool has_proxy;	 /* signals are the container's */
	const char *detach_keys; /* NULL: the usual ones */

	/* session.c's own. */
	struct dockapi *streams, *waiter;
	struct dockapi_call attach, wait;
	struct dockapi_pending *pending;
	struct detach detach;
	int fd;
	int signal_fd;
	int left_by; /* the signal that wants us to end */
	unsigned int resizes; /* that are still to be tried */
	bool is_blocking;
	sigset_t before;
};

#define SESSION_NONE	  { .fd = -1, .signal_fd = -1, .attach = DOCKAPI_CALL("POST"), .wait = DOCKAPI_CALL("POST") }
#define __cleanup_session __attribute__((cleanup(session_close)))

/* Says so where a terminal is wanted and standard input is none; parses the keys. Before anything is asked. */
int session_check(struct session *session, struct shale_err *err);
/* Attaches to a container. */
int session_attach(struct session *session, struct shale_err *err);
/* Starts the process that /containers/ID/exec has made, with us attached to it. */
int session_exec(struct session *session, struct shale_err *err);
/* The daemon will tell the end of the container: "next-exit", "removed" or "not-running". */
int session_wait(struct session *session, const char *condition, struct shale_err *err);
/* From here on signals wait until session_run() or session_result() takes them. */
int session_hold_signals(struct session *session, struct shale_err *err);
/*
 * Until there is nothing more to be said. STREAM_LEFT ends this program by its signal as soon as the session is closed, which
 * session_die() does.
 */
enum stream_end session_run(struct session *session, struct shale_err *err);
/* The exit code that session_wait() was told of; STREAM_CLOSED, STREAM_LEFT or STREAM_FAILED. */
enum stream_end session_result(struct session *session, int *ret_code, struct shale_err *err);
void session_close(struct session *session);
void session_die(struct session *session);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection that a daemon has handed over, on whose other side is a container's process: our standard input goes there,
 * and what it prints to our standard output and error.
 */
#ifndef SHALE_CLI_STREAM_H
#define SHALE_CLI_STREAM_H

#include "base/buf.h"
#include "shale/detach.h"

enum stream_end {
	STREAM_CLOSED,	 /* nothing more is printed */
	STREAM_DETACHED, /* the keys for it were typed */
	STREAM_LEFT,	 /* a signal wants us to end: see @signalled */
	STREAM_FAILED,
};

/*
 * @fd:	       non-blocking or not; it stays the caller's.
 * @early:     what has come of it already.
 * @has_stdin: else the other side is told at once that there is no input.
 * @has_output: else the end of the input is the stream's.
 * @is_tty:    there are no frames, and typed keys may detach.
 * @signal_fd: of a signalfd; -1: none.
 * @signalled: one has come; false: end.
 * @tick:      called first, and again after as many milliseconds as it returns, until it returns -1.
 */
struct stream {
	int fd;
	const struct buf *early;
	bool has_stdin, has_output, is_tty;
	struct detach detach;
	int signal_fd;
	bool (*signalled)(void *arg, int number);
	int (*tick)(void *arg);
	void *arg;
};

enum stream_end stream_run(const struct stream *stream, struct shale_err *err);

#endif

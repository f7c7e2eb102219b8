// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams; see stream.h. Nothing is written that would have to be waited for: who does not read what a container prints
 * keeps neither its input nor signals from it. Called by session.c.
 */
#include "shale/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "dockapi/frames.h"

#define PIECE_BYTES (64u << 10)

enum { POLL_DAEMON, POLL_INPUT, POLL_OUTPUT, POLL_SIGNAL, POLL_COUNT };

struct pump {
	const struct stream *stream;
	struct detach detach;
	struct frames frames;
	bool is_input_open, is_daemon_open, is_shut;
	bool is_detached;
	int wait; /* milliseconds until the next tick; -1: none */
	bool can_block[3]; /* of our descriptors: a write of more than PIPE_BUF may wait */
	/* To the daemon. */
	size_t in_at, in_len;
	/* From it: what is not taken apart yet, and what of it is to be written next. */
	const char *out_at;
	size_t out_len;
	struct frames_piece piece;
	struct buf complaint; /* the daemon's own words */
	char typed[PIECE_BYTES];
	char in[PIECE_BYTES + DETACH_MAX_KEYS];
	char out[PIECE_BYTES];
};

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static int output_fd(const struct pump *pump)
{
	return pump->piece.stream == FRAMES_STDERR ? STDERR_FILENO : STDOUT_FILENO;
}

/* Finds what is to be written next in what has come. */
static int next_piece(struct pump *pump, struct shale_err *err)
{
	while (!pump->piece.len && pump->out_len) {
		if (pump->stream->is_tty) {
			pump->piece = (struct frames_piece){ FRAMES_STDOUT, pump->out_at, pump->out_len };
			pump->out_len = 0;
			continue;
		}
		if (frames_next(&pump->frames, &pump->out_at, &pump->out_len, &pump->piece, err))
			return -1;
		if (pump->piece.len && pump->piece.stream == FRAMES_ERROR) {
			if (buf_add(&pump->complaint, pump->piece.data, pump->piece.len))
				return shale_err_errno(err, "reading what the daemon says");
			pump->piece.len = 0;
		}
	}
	return 0;
}

static int read_daemon(struct pump *pump, struct shale_err *err)
{
	ssize_t got = recv(pump->stream->fd, pump->out, sizeof(pump->out), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0) {
		/* Who resets it has gone as well. */
		pump->is_daemon_open = false;
		return 0;
	}
	pump->out_at = pump->out;
	pump->out_len = got;
	return next_piece(pump, err);
}

static int write_output(struct pump *pump, struct shale_err *err)
{
	int fd = output_fd(pump);
	size_t len = pump->piece.len;
	ssize_t put;

	if (pump->can_block[fd] && len > PIPE_BUF)
		len = PIPE_BUF;
	put = write(fd, pump->piece.data, len);
	if (put < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (put < 0)
		return shale_err_errno(err, "cannot write what the container prints");
	pump->piece.data += put;
	pump->piece.len -= put;
	return next_piece(pump, err);
}

static void shut(struct pump *pump)
{
	if (!pump->is_shut)
		shutdown(pump->stream->fd, SHUT_WR);
	pump->is_shut = true;
}

static void read_input(struct pump *pump)
{
	const bool has_keys = pump->stream->is_tty;
	ssize_t got = read(STDIN_FILENO, has_keys ? pump->typed : pump->in, PIECE_BYTES);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	pump->in_at = 0;
	pump->in_len = got > 0 ? got : 0;
	if (got <= 0)
		pump->is_input_open = false;
	else if (has_keys)
		pump->in_len = detach_filter(&pump->detach, (unsigned char *)pump->typed, got,
					     (unsigned char *)pump->in, &pump->is_detached);
	if (!pump->is_input_open)
		shut(pump);
}

static void send_input(struct pump *pump)
{
	ssize_t put = send(pump->stream->fd, pump->in + pump->in_at, pump->in_len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (put < 0) {
		/* Nobody takes it; what was printed still comes. */
		pump->is_input_open = false;
		pump->in_len = 0;
		return;
	}
	pump->in_at += put;
	pump->in_len -= put;
}

/* False: it wants us to end. */
static bool take_signal(const struct pump *pump)
{
	struct signalfd_siginfo info;

	if (read(pump->stream->signal_fd, &info, sizeof(info)) != sizeof(info))
		return true;
	return pump->stream->signalled(pump->stream->arg, info.ssi_signo);
}

static void choose(const struct pump *pump, struct pollfd fds[POLL_COUNT])
{
	for (int i = 0; i < POLL_COUNT; i++)
		fds[i] = (struct pollfd){ .fd = -1 };
	if (!pump->piece.len && pump->is_daemon_open)
		fds[POLL_DAEMON] = (struct pollfd){ .fd = pump->stream->fd, .events = POLLIN };
	if (pump->in_len)
		fds[POLL_DAEMON] = (struct pollfd){ .fd = pump->stream->fd,
						    .events = fds[POLL_DAEMON].events | POLLOUT };
	else if (pump->is_input_open)
		fds[POLL_INPUT] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	if (pump->piece.len)
		fds[POLL_OUTPUT] = (struct pollfd){ .fd = output_fd(pump), .events = POLLOUT };
	fds[POLL_SIGNAL] = (struct pollfd){ .fd = pump->stream->signal_fd, .events = POLLIN };
}

static bool is_done(const struct pump *pump)
{
	if (!pump->stream->has_output && !pump->is_input_open && !pump->in_len)
		return true;
	return !pump->is_daemon_open && !pump->piece.len;
}

static int step(struct pump *pump, enum stream_end *ret_end, struct shale_err *err)
{
	struct pollfd fds[POLL_COUNT];
	int ready;

	choose(pump, fds);
	ready = poll(fds, POLL_COUNT, pump->wait);
	if (ready < 0)
		return errno == EINTR ? 0 : shale_err_errno(err, "waiting for the container");
	if (!ready && pump->wait >= 0)
		pump->wait = pump->stream->tick(pump->stream->arg);
	if (fds[POLL_SIGNAL].revents && !take_signal(pump))
		*ret_end = STREAM_LEFT;
	if (fds[POLL_OUTPUT].revents && write_output(pump, err))
		return -1;
	if (fds[POLL_DAEMON].events & POLLIN && fds[POLL_DAEMON].revents & (POLLIN | POLLHUP | POLLERR) &&
	    read_daemon(pump, err))
		return -1;
	if (fds[POLL_DAEMON].events & POLLOUT && fds[POLL_DAEMON].revents)
		send_input(pump);
	if (fds[POLL_INPUT].revents)
		read_input(pump);
	/* What was typed before the keys is not lost. */
	if (pump->is_detached && !pump->in_len)
		*ret_end = STREAM_DETACHED;
	else if (is_done(pump) && *ret_end == STREAM_FAILED)
		*ret_end = STREAM_CLOSED;
	return 0;
}

static void begin(struct pump *pump, const struct stream *stream)
{
	pump->stream = stream;
	pump->detach = stream->detach;
	pump->is_daemon_open = true;
	pump->is_input_open = stream->has_stdin;
	pump->can_block[STDOUT_FILENO] = !is_regular(STDOUT_FILENO);
	pump->can_block[STDERR_FILENO] = !is_regular(STDERR_FILENO);
	pump->out_at = stream->early->data;
	pump->out_len = stream->early->len;
	pump->wait = stream->tick ? stream->tick(stream->arg) : -1;
	if (!stream->has_stdin)
		shut(pump);
}

static int finish(struct pump *pump, struct shale_err *err)
{
	if (pump->complaint.len)
		return shale_err_set(err, EIO, "%.*s", (int)strcspn(pump->complaint.data, "\r\n"), pump->complaint.data);
	return 0;
}

enum stream_end stream_run(const struct stream *stream, struct shale_err *err)
{
	__cleanup_free struct pump *pump = calloc(1, sizeof(*pump));
	enum stream_end end = STREAM_FAILED;
	int ret;

	if (!pump) {
		shale_err_set(err, ENOMEM, "out of memory");
		return STREAM_FAILED;
	}
	begin(pump, stream);
	ret = next_piece(pump, err);
	while (!ret && end == STREAM_FAILED)
		ret = step(pump, &end, err);
	if (!ret && end == STREAM_CLOSED)
		ret = finish(pump, err);
	buf_release(&pump->complaint);
	return ret ? STREAM_FAILED : end;
}

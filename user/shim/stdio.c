// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process's side: what it prints goes to the log and to clients, what they type to it. Called by loop.c and
 * client.c.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "shim/shim.h"

/* A log that cannot be written, on a full disk, must not stop the container. */
static void log_write(struct shim *shim, struct shim_output *output, const char *data, size_t len)
{
	__cleanup_buf struct buf lines = BUF_INIT;

	if (shim->log < 0)
		return;
	if ((len ? jsonlog_add(&output->log, data, len, &lines) : jsonlog_flush(&output->log, &lines)) == 0 &&
	    lines.len && fs_write_full(shim->log, lines.data, lines.len) < 0)
		return;
}

static void output_end(struct shim *shim, struct shim_output *output)
{
	log_write(shim, output, NULL, 0);
	fd_closep(&output->fd);
	output->fd = -1;
}

/* False: there is nothing at the moment, or no more. */
static bool output_read(struct shim *shim, struct shim_output *output)
{
	char data[SHIM_CHUNK];
	ssize_t got = read(output->fd, data, sizeof(data));

	if (got < 0 && errno == EINTR)
		return true;
	if (got < 0 && errno == EAGAIN)
		return false;
	/* EIO: nobody has the terminal open any more. */
	if (got <= 0) {
		output_end(shim, output);
		return false;
	}
	log_write(shim, output, data, got);
	shim_tell(shim, output->stream, data, got);
	return true;
}

void shim_read_output(struct shim *shim, struct shim_output *output)
{
	output_read(shim, output);
}

void shim_drain(struct shim *shim)
{
	for (size_t i = 0; i < 2; i++) {
		while (shim->outputs[i].fd >= 0 && output_read(shim, &shim->outputs[i]))
			;
		if (shim->outputs[i].fd >= 0)
			output_end(shim, &shim->outputs[i]);
	}
	shim_close_input(shim);
}

void shim_close_input(struct shim *shim)
{
	if (shim->input >= 0)
		close(shim->input);
	shim->input = -1;
	buf_release(&shim->typed);
}

void shim_write_input(struct shim *shim)
{
	while (shim->input >= 0 && shim->typed.len) {
		ssize_t done = write(shim->input, shim->typed.data, shim->typed.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EAGAIN)
			return;
		if (done < 0) {
			shim_close_input(shim);
			return;
		}
		memmove(shim->typed.data, shim->typed.data + done, shim->typed.len - done);
		shim->typed.len -= done;
	}
	/* Everything has been passed on, and no more will come. */
	if (!shim->has_stdin && !shim->is_tty && shim->pid)
		shim_close_input(shim);
}

void shim_resize(struct shim *shim, unsigned int rows, unsigned int columns)
{
	struct winsize size = { .ws_row = rows, .ws_col = columns };

	if (shim->is_tty && shim->outputs[0].fd >= 0)
		ioctl(shim->outputs[0].fd, TIOCSWINSZ, &size);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients that are attached: their connections were handed over by the daemon and are ours. Output goes to each
 * in frames, or as it is when it is a terminal's. Called by loop.c, stdio.c and control.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shim/shim.h"

/* A client whose input is not read when its connection is closed would be told of an error, not of the end. */
static void hang_up(int fd)
{
	char data[SHIM_CHUNK];

	shutdown(fd, SHUT_RDWR);
	while (recv(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

void shim_client_drop(struct shim_client *client)
{
	if (client->fd >= 0)
		hang_up(client->fd);
	fd_closep(&client->fd);
	buf_release(&client->out);
	*client = (struct shim_client){ .fd = -1 };
}

void shim_attach(struct shim *shim, int fd, unsigned int streams)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		struct shim_client *client = &shim->clients[i];

		if (client->fd >= 0)
			continue;
		*client = (struct shim_client){ .fd = fd, .streams = streams };
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		return;
	}
	close(fd);
}

void shim_client_write(struct shim_client *client)
{
	while (client->fd >= 0 && client->sent < client->out.len) {
		ssize_t sent = send(client->fd, client->out.data + client->sent,
				    client->out.len - client->sent, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0) {
			shim_client_drop(client);
			return;
		}
		client->sent += sent;
	}
	client->sent = 0;
	buf_clear(&client->out);
}

static int add_frame(const struct shim *shim, struct shim_client *client, int stream, const char *data,
		     size_t len)
{
	unsigned char header[WIRE_FRAME_HEADER];

	wire_frame_header(stream, len, header);
	if (!shim->is_tty && buf_add(&client->out, header, sizeof(header)) < 0)
		return -1;
	return buf_add(&client->out, data, len);
}

void shim_tell(struct shim *shim, int stream, const char *data, size_t len)
{
	const unsigned int wanted = stream == 1 ? WIRE_STDOUT : WIRE_STDERR;

	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		struct shim_client *client = &shim->clients[i];

		if (client->fd < 0 || !(client->streams & wanted))
			continue;
		if (add_frame(shim, client, stream, data, len) < 0)
			shim_client_drop(client);
		else
			shim_client_write(client);
	}
}

/* One that ends its input has said everything; the connection goes on for what it is told. */
static void client_ended(struct shim *shim, struct shim_client *client)
{
	client->has_ended = true;
	if ((client->streams & WIRE_STDIN) && shim->is_stdin_once && !shim->is_tty) {
		shim->has_stdin = false;
		shim_write_input(shim);
	}
}

void shim_client_read(struct shim *shim, struct shim_client *client)
{
	char data[SHIM_CHUNK];
	ssize_t got = recv(client->fd, data, sizeof(data), 0);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (got < 0) {
		shim_client_drop(client);
		return;
	}
	if (got == 0) {
		client_ended(shim, client);
		return;
	}
	/* What nobody wants to hear is thrown away. */
	if (!(client->streams & WIRE_STDIN) || shim->input < 0 || !shim->has_stdin)
		return;
	if (buf_add(&shim->typed, data, got) == 0)
		shim_write_input(shim);
}

bool shim_is_congested(const struct shim *shim)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++)
		if (shim->clients[i].fd >= 0 &&
		    shim->clients[i].out.len - shim->clients[i].sent >= SHIM_CLIENT_BUFFER)
			return true;
	return false;
}

bool shim_has_unsent(const struct shim *shim)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++)
		if (shim->clients[i].fd >= 0 && shim->clients[i].out.len)
			return true;
	return false;
}

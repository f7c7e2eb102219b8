// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections of the engine: who has started us, and any that come later to attach clients, to resize the terminal or
 * only to see when the process ends. Called by loop.c.
 */
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "shim/shim.h"

static void say_to(int control, enum wire_kind kind, int number, const char *text)
{
	struct wire_message message = { .kind = kind, .number = number };

	snprintf(message.text, sizeof(message.text), "%s", text ? text : "");
	/* Who does not listen misses it; that he hangs up is seen when he is read from. */
	wire_send(control, &message, -1);
}

void shim_say(struct shim *shim, enum wire_kind kind, int number, const char *text)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++)
		if (shim->controls[i] >= 0)
			say_to(shim->controls[i], kind, number, text);
}

void shim_control_add(struct shim *shim, int fd)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		if (shim->controls[i] >= 0)
			continue;
		shim->controls[i] = fd;
		if (shim->pid)
			say_to(fd, WIRE_STARTED, shim->pid, NULL);
		return;
	}
	close(fd);
}

void shim_control_accept(struct shim *shim)
{
	int fd = accept4(shim->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		shim_control_add(shim, fd);
}

static void obey(struct shim *shim, const struct wire_message *message, int *fd)
{
	switch (message->kind) {
	case WIRE_ATTACH:
		if (*fd >= 0)
			shim_attach(shim, steal_fd(fd), message->number);
		break;
	case WIRE_GO:
		shim->may_go = true;
		break;
	case WIRE_RESIZE:
		shim_resize(shim, (uint32_t)message->number >> 16, message->number & 0xffff);
		break;
	case WIRE_KILL:
		/* Until it is reaped its number is nobody else's. */
		if (shim->pid && !shim->has_exited)
			kill(shim->pid, message->number);
		break;
	}
}

void shim_control_read(struct shim *shim, int *control)
{
	struct wire_message message;
	__cleanup_fd int fd = -1;
	int ret = wire_receive(*control, &message, &fd);

	if (ret > 0) {
		obey(shim, &message, &fd);
		return;
	}
	/* One that has hung up without hearing what we say is reported so once, before what it has said. */
	if (ret < 0 && (errno == EAGAIN || errno == ECONNRESET))
		return;
	close(*control);
	*control = -1;
}

void shim_control_close(struct shim *shim)
{
	for (size_t i = 0; i < WIRE_MAX_CLIENTS; i++) {
		fd_closep(&shim->controls[i]);
		shim->controls[i] = -1;
	}
	fd_closep(&shim->listener);
	shim->listener = -1;
}

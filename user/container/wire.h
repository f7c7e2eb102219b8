/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the process that supervises a container is talked to: messages over a unix socket of packets, some with a file
 * descriptor. Each connection gets WIRE_STARTED or WIRE_FAILED once that is known, WIRE_EXITED when the process has
 * ended, and is closed when everything of the container is undone: its hanging up is the sign that it may be started
 * again.
 */
#ifndef SHALE_CONTAINER_WIRE_H
#define SHALE_CONTAINER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum wire_kind {
	WIRE_ATTACH = 1, /* with a fd: a client's connection. number: wire_streams */
	WIRE_GO,	 /* everybody who has to be attached before the start is */
	WIRE_RESIZE,	 /* number: rows << 16 | columns */
	WIRE_KILL,	 /* number: the signal */
	WIRE_STARTED,	 /* number: the process */
	WIRE_FAILED,	 /* number: the exit code it counts as; text: why */
	WIRE_EXITED,	 /* number: its exit code */
};

enum wire_streams { WIRE_STDIN = 1, WIRE_STDOUT = 2, WIRE_STDERR = 4 };

#define WIRE_MAX_TEXT 512

struct wire_message {
	uint32_t kind;
	int32_t number;
	char text[WIRE_MAX_TEXT];
};

/* Clients of one container that are attached or watch it. */
#define WIRE_MAX_CLIENTS 256

/* Frames of output that are not a terminal's have a header: the stream and the length, high byte first. */
#define WIRE_FRAME_HEADER 8
void wire_frame_header(int stream, uint32_t len, unsigned char ret_header[WIRE_FRAME_HEADER]);

/* A socket of packets in a directory; connecting is ECONNREFUSED or ENOENT when nobody is there. -1 with errno. */
int wire_listen(int dirfd, const char *name);
int wire_connect(int dirfd, const char *name);

/* fd may be -1. -1 with errno. */
int wire_send(int socket, const struct wire_message *message, int fd);
/* 1; 0: the other one has gone; -1 with errno. What comes with it is *ret_fd, or -1. */
int wire_receive(int socket, struct wire_message *ret_message, int *ret_fd);

#endif

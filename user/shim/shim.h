/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of shale-shim share: one container's process, or one further process in it, and everybody who is
 * attached to it. One thread waits for all of them with poll(2).
 */
#ifndef SHALE_SHIM_SHIM_H
#define SHALE_SHIM_SHIM_H

#include <poll.h>

#include "base/buf.h"
#include "container/jsonlog.h"
#include "container/record.h"
#include "container/wire.h"

/* Descriptors that it is started with. */
#define SHIM_CONTROL 3 /* connected to who has started it */
#define SHIM_ALIVE   4 /* the locked file */
#define SHIM_MOUNT   5 /* of the root filesystem, attached nowhere; not for a further process */

/* What is kept for a client that does not read; when it is more, the process is not read from any more. */
#define SHIM_CLIENT_BUFFER (1u << 20)
#define SHIM_CHUNK	   (32u << 10)
/* How long clients may take for the rest when the process has ended: seconds. */
#define SHIM_FLUSH_SECONDS 30

struct shim_client {
	int fd; /* -1: none */
	unsigned int streams;
	bool has_ended; /* sends nothing more */
	struct buf out;
	size_t sent;
};

struct shim_output {
	int fd; /* -1: none, or it has ended */
	int stream;
	struct jsonlog log;
};

struct shim {
	/* As the command line says. */
	bool is_exec, is_tty, has_stdin, is_stdin_once, has_log;
	const char *runtime;
	const char *id;

	int signals;
	int listener;
	int controls[WIRE_MAX_CLIENTS];
	struct shim_client clients[WIRE_MAX_CLIENTS];
	struct shim_output outputs[2];
	int input; /* what the process reads; of a terminal the same as its output */
	struct buf typed; /* not yet taken by it */
	int log;
	bool may_go;
	pid_t pid; /* 0: not started yet */
	bool has_exited;
	bool has_remains; /* the runtime was killed at work */
	struct record_state state;
};

/* start.c */
int shim_start(struct shim *shim, struct shale_err *err);
/* Undoes what the runtime and the mount have made. */
void shim_undo(struct shim *shim);

/* stdio.c: the process's side */
void shim_read_output(struct shim *shim, struct shim_output *output);
/* What is left in the pipes of a process that has ended. */
void shim_drain(struct shim *shim);
void shim_write_input(struct shim *shim);
void shim_close_input(struct shim *shim);
void shim_resize(struct shim *shim, unsigned int rows, unsigned int columns);

/* client.c: theirs */
void shim_attach(struct shim *shim, int fd, unsigned int streams);
void shim_tell(struct shim *shim, int stream, const char *data, size_t len);
void shim_client_write(struct shim_client *client);
void shim_client_read(struct shim *shim, struct shim_client *client);
void shim_client_drop(struct shim_client *client);
bool shim_is_congested(const struct shim *shim);
bool shim_has_unsent(const struct shim *shim);

/* control.c: the engine's */
void shim_control_add(struct shim *shim, int fd);
void shim_control_accept(struct shim *shim);
void shim_control_read(struct shim *shim, int *control);
void shim_say(struct shim *shim, enum wire_kind kind, int number, const char *text);
void shim_control_close(struct shim *shim);

/* loop.c */
int shim_run(struct shim *shim);

#endif

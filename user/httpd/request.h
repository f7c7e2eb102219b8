/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A request as the server's own files see it: request.c steps it through its life, answer.c keeps and
 * sends its answer, server.c has the sockets. Nobody else includes this.
 */
#ifndef SHALE_HTTPD_REQUEST_H
#define SHALE_HTTPD_REQUEST_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "httpd/server.h"
#include "httpd/sleep.h"
#include "httpd/tls.h"
#include "httpd/watch.h"
#include "httpd/workers.h"

/* So that a buffer is whole pages where malloc maps it. */
#define HTTPD_MALLOC_HEAD 64u
/*
 * Bytes of a body that are handed to a worker at once: few at first, more of a body that keeps coming as
 * long as all bodies together do not hold too many.
 */
#define HTTPD_FIRST_CHUNK ((8u << 10) - HTTPD_MALLOC_HEAD)
#define HTTPD_LAST_CHUNK  (256u << 10)
#define HTTPD_MAX_GROWN	  (1u << 20)
/* Bytes of a source that are read ahead at once. */
#define HTTPD_SOURCE_CHUNK (128u << 10)
/*
 * A body that was not wanted is read and thrown away up to here, so that the client, which may not
 * listen while it sends, gets the answer; behind that the connection is closed.
 */
#define HTTPD_MAX_DISCARD (64u << 20)
/* With a status that came before the body. */
#define HTTPD_MAX_EARLY_DISCARD (16u << 20)
#define HTTPD_MAX_FIELDS 64
/* How many daemons one server has: sockets it listens on. */
#define HTTPD_MAX_LISTEN 8

struct httpd {
	const struct httpd_ops *ops;
	void *owner;
	struct httpd_limits limits;
	struct workers *workers;
	struct watch *watch;
	struct MHD_Daemon *daemons[HTTPD_MAX_LISTEN];
	size_t daemon_count;
	atomic_bool is_draining;
	atomic_uint connections;
	atomic_size_t grown; /* bytes of chunks beyond the first */
	/* Requests that have begun and are not finished; steps that run on a worker. */
	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int requests; /* under the lock */
	unsigned int steps;    /* under the lock */
	bool is_cut;	       /* under the lock: no step may start on a worker any more */
	struct sleepers *sleepers;
	void (*gone)(void *owner);
	struct tls_keys *keys; /* under the lock: of connections to come */
};

enum request_step {
	STEP_NONE,
	STEP_BEGIN,
	STEP_BODY,
	STEP_END,
	STEP_READ, /* of a source */
	STEP_FINISH,
};

struct answer_field {
	const char *name;
	char *value;
};

struct answer {
	unsigned int status; /* 0: none yet */
	struct answer_field fields[HTTPD_MAX_FIELDS];
	size_t field_count;
	struct buf buf;
	int fd;
	uint64_t offset;
	struct httpd_source *source;
	struct httpd_taker *taker;
	uint64_t length;
};

struct httpd_request {
	struct worker_job job;
	struct httpd *httpd;
	struct MHD_Connection *connection;
	struct watched *watched; /* the connection's; not after the library's last call */
	void *ctx;
	char *method;
	char *target;
	struct timespec started;
	bool is_quick;
	bool has_begun;	  /* begin was called */
	bool is_prepared; /* begin has returned */
	bool has_ended;	  /* end was called, or is not needed */
	bool is_queued;	  /* the answer was given to the library */
	bool is_whole;
	struct sleeper sleeper;
	bool is_later; /* the step had nothing yet */
	enum request_step step; /* on a worker at the moment */
	char *chunk;		/* what is collected of the body */
	size_t chunk_len;
	size_t chunk_size;
	uint64_t received;
	uint64_t discarded;
	struct answer answer;
	/* The source's bytes that were read and not sent yet. */
	char *ahead;
	size_t ahead_from;
	ssize_t ahead_len; /* 0: none; -1: the source has ended */
	uint64_t source_sent;
};

/* NULL: the connection is in the clear. */
gnutls_session_t connection_session(struct MHD_Connection *connection);

/* The library's callbacks. */
void *request_new(void *httpd, const char *target, struct MHD_Connection *connection);
enum MHD_Result request_handle(void *httpd, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *data, size_t *len,
			       void **request);
void request_connection(void *httpd, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode what);
void request_done(void *httpd, struct MHD_Connection *connection, void **request,
		  enum MHD_RequestTerminationCode why);

/* Runs a step on a worker while the connection waits; false: the server is being stopped. */
bool request_step(struct httpd_request *request, enum request_step step);

void answer_clear(struct answer *answer);
/* Gives the answer to the library; false when it refuses it. */
bool answer_queue(struct httpd_request *request);

/* upgrade.c */
struct MHD_Response *upgrade_response(struct httpd_request *request);
void upgrade_give_up(struct httpd_taker *taker);

#endif

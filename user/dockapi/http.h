/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP/1.1 as a client speaks it to a daemon over a stream socket: a request, whose body may be a stream without a known
 * length, and its answer, which may come while the body is still being sent. What the daemon sends is limited and
 * checked; nothing is trusted about where its pieces end.
 */
#ifndef SHALE_DOCKAPI_HTTP_H
#define SHALE_DOCKAPI_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Status line and header fields of an answer; Go's clients allow 1 MiB, daemons send a few hundred bytes. */
#define HTTP_MAX_HEAD (64u << 10)
/* The line with a chunk's size, and one of a trailer. */
#define HTTP_MAX_LINE 4096

struct http_request {
	const char *head; /* request line and fields, each with its end, but without the empty line */
	const char *body;
	size_t body_len;
	/* Instead of a body: how many bytes, 0 at the end, -1 with err. Sent as chunks. */
	ssize_t (*source)(void *arg, void *data, size_t len, struct shale_err *err);
	void *source_arg;
	bool has_no_answer_body; /* HEAD */
	bool takes_upgrade;	 /* an answer of status 101 will do, behind whose header the connection is the caller's */
};

/* Where the answer goes; each returns -1 with err to end it. */
struct http_sink {
	/* The fields, a line each, once they are whole. What comes of another protocol behind them is a body. */
	int (*head)(void *arg, long status, const char *fields, struct shale_err *err);
	int (*body)(void *arg, const void *data, size_t len, struct shale_err *err);
	void *arg;
};

struct http_wait {
	bool (*is_cancelled)(void *arg);
	void *arg;
};

struct http_outcome {
	bool is_reusable;   /* another exchange may follow */
	bool is_unanswered; /* no byte of an answer came */
};

/*
 * An exchange in steps: prepared, run until the answer's header has come or the answer is whole, and closed, which tells
 * what became of the connection. What REQUEST points at is copied or was sent, but for a source; SINK and WAIT are
 * copied.
 */
struct http_exchange;
int http_exchange_open(int fd, const struct http_request *request, const struct http_sink *sink,
		       const struct http_wait *wait, struct http_exchange **ret_exchange, struct shale_err *err);
int http_exchange_until_head(struct http_exchange *exchange, struct shale_err *err);
int http_exchange_until_end(struct http_exchange *exchange, struct shale_err *err);
void http_exchange_close(struct http_exchange *exchange, struct http_outcome *ret_outcome);

/* One exchange as a whole. ECANCELED: the caller wanted it; ECONNRESET: the connection was lost; EPROTO: what came is no HTTP. */
int http_exchange(int fd, const struct http_request *request, const struct http_sink *sink,
		  const struct http_wait *wait, struct http_outcome *ret_outcome,
		  struct shale_err *err);

/* The value of a field among an answer's, as text of *ret_len bytes; NULL if there is none. */
const char *http_field(const char *fields, const char *name, size_t *ret_len);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP to an object store: one call is one request with its answer, repeated while the store is busy or
 * the network fails, and a stream is the body of an answer, read as it comes and gone on with behind what
 * has been read when the connection breaks. What a request says, how it is signed and what a status
 * means is the drivers' business (drv_s3, drv_swift, drv_azure).
 *
 * A repeated request is safe, since each either changes nothing or puts the same bytes at the same
 * place; the few for which that is not so say is_once.
 */
#ifndef SHALE_REGISTRY_REMOTE_HTTP_H
#define SHALE_REGISTRY_REMOTE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Names and values of an answer: S3 allows 2 KiB of metadata besides its own; more is left out. */
#define REMOTE_MAX_HEADERS (32u << 10)
/* An answer about an error, of which only some words are shown. */
#define REMOTE_MAX_ERROR (64u << 10)
/* Repeats of one request, the first not counted. */
#define REMOTE_MAX_RETRIES 20
/* Retry-After beyond this is answered with EAGAIN: our own client has its time limits too. */
#define REMOTE_MAX_WAIT 30

/*
 * @ca_file:         certificates to trust instead of the system's; NULL: the system's.
 * @skip_verify:     any certificate is good.
 * @connect_seconds: to reach the store, TLS included.
 * @stall_seconds:   without a byte in either direction before a request counts as failed.
 * @retries:         0 to REMOTE_MAX_RETRIES.
 * @user_agent:      what we call ourselves.
 */
struct remote_options {
	const char *ca_file;
	bool skip_verify;
	unsigned int connect_seconds;
	unsigned int stall_seconds;
	unsigned int retries;
	const char *user_agent;
};

/* The connections to one store; for any number of threads. */
struct remote;

int remote_http_open(const struct remote_options *options, struct remote **ret_remote,
		struct shale_err *err);
void remote_release(struct remote *remote);

/* What is sent: bytes in memory, or of a file when fd is not -1. */
struct remote_body {
	const void *data;
	int fd;
	uint64_t offset;
	uint64_t len;
};

#define REMOTE_NO_BODY ((struct remote_body){ .fd = -1 })

struct remote_answer {
	long status;
	struct buf body;
	struct buf headers; /* names in lower case and values, each with a NUL */
	bool is_header_overflow;
	int retry_after; /* seconds, -1: not said */
};

#define __cleanup_answer __attribute__((cleanup(remote_answer_release)))

void remote_answer_release(struct remote_answer *answer);
/* The value of a header, or NULL. The name in lower case. */
const char *remote_answer_header(const struct remote_answer *answer, const char *name);
bool remote_answer_is_success(const struct remote_answer *answer);

struct curl_slist;

/* The headers of one attempt. */
struct remote_headers {
	struct curl_slist *list;
};

/* An empty value sends the header without one. -1: no memory, in err. */
int remote_headers_add(struct remote_headers *headers, const char *name, const char *value,
		       struct shale_err *err);

/* The value of one that is there; NULL when none is. */
const char *remote_headers_find(const struct remote_headers *headers, const char *name);

struct remote_call;

/*
 * @what:   names the object or the store in messages.
 * @max:    bytes of a successful answer; more is EIO.
 * @sign:   adds the headers; called for each attempt, since dates and tokens grow old. May be NULL.
 * @judge:  may want an attempt repeated for what its answer says; called with each answer that would be
 *          final, and with the number of attempts so far. May be NULL.
 * @is_once: not repeated once it may have reached the store.
 * @stall_seconds: longer than usual, for what makes the store work; 0: the usual.
 * @limit_seconds: for all of one attempt; 0: no limit but the stall.
 * @free_ctx: called with ctx when a stream that was opened with this call is closed. May be NULL.
 */
struct remote_call {
	const char *method;
	const char *url;
	const char *what;
	struct remote_body body;
	size_t max;
	int (*sign)(void *ctx, const struct remote_call *call, struct remote_headers *headers,
		    struct shale_err *err);
	bool (*judge)(void *ctx, const struct remote_answer *answer, unsigned int attempts);
	void *ctx;
	bool is_once;
	unsigned int stall_seconds;
	unsigned int limit_seconds;
	void (*free_ctx)(void *ctx);
};

/*
 * 0 with the last answer, whatever its status. -1 when there was none: EAGAIN when the store cannot be
 * reached or broke off, EACCES when it is not the one we trust, EIO when its answer is no good.
 */
int remote_run(struct remote *remote, const struct remote_call *call,
	       struct remote_answer *ret_answer, struct shale_err *err);

/* Milliseconds to wait before the next attempt: doubles from 100 to 5000, half of it by chance. */
unsigned int remote_backoff_ms(unsigned int attempts);
/* Waits before another attempt; false when there shall be none. answer may be NULL. */
bool remote_wait(const struct remote *remote, const struct remote_answer *answer,
		 unsigned int attempts);
bool remote_status_is_passing(long status);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An HTTP/1.1 server: a thin face of libmicrohttpd, shared by the daemon and the registry. A few
 * threads wait for the network; what may take long runs on workers, and the connection waits for it
 * without holding a thread. A request goes through these steps, of which one at a time runs:
 *
 *	begin	the header is there. Answers, or wants the body.
 *	body	some bytes of the body, again and again. May answer; what follows is then discarded.
 *	end	the body is whole. Answers, or says httpd_later() and is called again.
 *	finish	the answer was sent, or the connection was lost in any of the steps. Always called,
 *		last, once begin was.
 *
 * What a client may send is bounded by struct httpd_limits; header and body are checked for HTTP's
 * rules by the library, paths and queries in target.h.
 */
#ifndef SHALE_HTTPD_SERVER_H
#define SHALE_HTTPD_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct httpd;
struct httpd_request;

struct httpd_limits {
	unsigned int connections;    /* at once, per listening socket */
	unsigned int per_client;     /* of these from one address; 0: no limit */
	/*
	 * How many of these stay open after an answer, or are at work. The library holds on to all of a
	 * connection's buffers, of header_bytes, once it was used, so that thousands which only wait would
	 * cost more than those which work. The one that has waited longest makes room for the next.
	 */
	unsigned int kept;
	size_t header_bytes;	     /* request line and header fields, with room for one read of a body */
	unsigned int idle_seconds;   /* without progress in either direction; 0: as long as the client likes */
	unsigned int threads;	     /* that wait for the network, per listening socket */
	unsigned int workers;
	unsigned int drain_seconds; /* requests may still run when the server is stopped */
};

extern const struct httpd_limits httpd_limits_default;

struct httpd_ops {
	/* True: all steps of the request are short and run where the network is waited for. */
	bool (*is_quick)(struct httpd_request *request);
	void (*begin)(struct httpd_request *request);
	void (*body)(struct httpd_request *request, const void *data, size_t len);
	void (*end)(struct httpd_request *request);
	/* is_whole: the answer was sent to its last byte. */
	void (*finish)(struct httpd_request *request, bool is_whole);
};

/* What is asked of clients' certificates. Who does not give it does not get through the handshake. */
enum httpd_clients {
	HTTPD_CLIENTS_NOT_ASKED,
	HTTPD_CLIENTS_ASKED,	   /* anything will do */
	HTTPD_CLIENTS_WITH_ANY,	   /* there must be one, whoever has signed it */
	HTTPD_CLIENTS_GOOD_IF_ANY, /* if there is one, an authority must vouch for it */
	HTTPD_CLIENTS_GOOD,	   /* there must be one, and an authority must vouch for it */
};

/* PEM texts. */
struct httpd_tls {
	const char *certificate;
	const char *key;
	enum httpd_clients clients;
	const char *client_authorities; /* may be NULL */
	const char *priorities;		/* gnutls's string; NULL: its default without old versions */
};

int httpd_start(const struct httpd_ops *ops, void *owner, const struct httpd_limits *limits,
		struct httpd **ret_httpd, struct shale_err *err);
/* Serves what comes in at a listening socket, which becomes the server's. tls may be NULL. */
int httpd_listen(struct httpd *httpd, int fd, const struct httpd_tls *tls, struct shale_err *err);
/*
 * Other certificates, keys and authorities for all connections that come from now on; priorities stay as
 * they were. On failure everything does.
 */
int httpd_change_tls(struct httpd *httpd, const struct httpd_tls *tls, struct shale_err *err);
/*
 * Accepts no more connections, closes each after its answer, waits until all are done or the limit's
 * drain_seconds are over, and then cuts off what is left.
 */
void httpd_stop(struct httpd *httpd);
/*
 * Serves one connected socket, which becomes the server's; gone() is called on a thread of the network when
 * the last connection is closed.
 */
int httpd_adopt(struct httpd *httpd, int fd, void (*gone)(void *owner), struct shale_err *err);
/* For work beside requests. */
struct workers *httpd_workers(struct httpd *httpd);

/* The request. Texts are as the client sent them and live until finish. */
void *httpd_owner(const struct httpd_request *request);
const char *httpd_method(const struct httpd_request *request);
bool httpd_is_head(const struct httpd_request *request);
const char *httpd_target(const struct httpd_request *request);
/* The first field of that name, or NULL. */
const char *httpd_field(struct httpd_request *request, const char *name);
/* How long the body is said to be; UINT64_MAX: it is sent in chunks and will be seen. */
uint64_t httpd_body_length(struct httpd_request *request);
const struct sockaddr *httpd_peer(struct httpd_request *request);
/* The process at the other end of a unix socket; false: it is none. */
bool httpd_peer_process(struct httpd_request *request, struct ucred *ret_peer);
bool httpd_is_tls(struct httpd_request *request);
/* The handler's own. */
void httpd_set_ctx(struct httpd_request *request, void *ctx);
void *httpd_ctx(const struct httpd_request *request);

/*
 * The answer: status first, then fields, then one of the bodies or none; complete when the step
 * returns. A second status replaces everything. To a HEAD the body's length is sent and no body.
 */
void httpd_answer(struct httpd_request *request, unsigned int status);
bool httpd_has_answer(const struct httpd_request *request);
void httpd_add_field(struct httpd_request *request, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Takes the buffer's content over. */
void httpd_send_buf(struct httpd_request *request, struct buf *buf);
/* To a HEAD: how long the body would be. */
void httpd_send_length(struct httpd_request *request, uint64_t len);
/* Sends len bytes of a file; the fd becomes the request's. */
void httpd_send_fd(struct httpd_request *request, int fd, uint64_t offset, uint64_t len);

/*
 * For who waits for something else than the client: the request sleeps without a worker, until httpd_wake() or
 * until the client is gone, which ends it. httpd_later() is said in the step end, HTTPD_LATER by a source.
 * Any thread may call httpd_wake() up to finish, also before the sleep: one call more does no harm.
 */
#define HTTPD_LATER (-2)
void httpd_later(struct httpd_request *request);
void httpd_wake(struct httpd_request *request);

/* A body that is read on a worker while it is sent. */
struct httpd_source {
	/* 1 to len bytes; 0 or -1 ends the answer, short of its length when that was more; or HTTPD_LATER. */
	ssize_t (*read)(struct httpd_source *source, void *data, size_t len);
	void (*close)(struct httpd_source *source);
};
/* len UINT64_MAX: not known, sent in chunks. The source becomes the request's. */
void httpd_send_source(struct httpd_request *request, struct httpd_source *source, uint64_t len);

/*
 * The connection itself, for who goes on without HTTP: after the header of the answer, of status 101, it is taken out of
 * the server. fd is the taker's then, does not block, and no step of the request follows but finish. Not behind TLS. take() runs
 * where the network is waited for; it is called once, with fd -1 when there was no answer, since the client has gone. EARLY
 * are bytes that the client has sent behind its request without waiting for the answer.
 */
struct httpd_taker {
	void (*take)(struct httpd_taker *taker, int fd, const void *early, size_t len);
};
/* A request may ask for it by the field Upgrade with this protocol. */
bool httpd_wants_upgrade(struct httpd_request *request, const char *protocol);
void httpd_upgrade(struct httpd_request *request, const char *protocol, struct httpd_taker *taker);

/* For logs: what was answered (0: nothing), and how long its body is. */
unsigned int httpd_status(const struct httpd_request *request);
uint64_t httpd_answer_length(const struct httpd_request *request);
uint64_t httpd_body_received(const struct httpd_request *request);
/* Seconds since the request's first line was read. */
double httpd_seconds(const struct httpd_request *request);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exchanges over a socket; see http.h. What is to be sent and what has come are taken in turn, as the socket lets us,
 * so that a daemon that answers before it has read all is heard. Called by dockapi.c.
 */
#include "dockapi/http.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "dockapi/dockapi.h"
#include "dockapi/http_answer.h"

/* Bytes moved at once. */
#define PIECE_BYTES (64u << 10)
/* In front of a chunk: eight digits and the end of their line. */
#define CHUNK_HEAD 10

struct http_exchange {
	int fd;
	struct http_request request;
	struct http_sink sink;
	struct http_wait wait;
	struct shale_err *err; /* of the step that runs */
	bool has_failed;
	struct http_answer answer;
	struct buf out; /* what is to be sent next */
	size_t sent;	/* of it */
	bool is_sent;	/* there is no more to send */
	char piece[PIECE_BYTES];
};

static int lost(struct http_exchange *exchange)
{
	return shale_err_set(exchange->err, ECONNRESET, "the daemon has gone away");
}

static int no_memory(struct shale_err *err)
{
	return shale_err_set(err, ENOMEM, "talking to the daemon: out of memory");
}

/* The next chunk of the source's; the empty one is the last. */
static int next_chunk(struct http_exchange *exchange)
{
	const struct http_request *request = &exchange->request;
	struct buf *out = &exchange->out;
	char head[CHUNK_HEAD + 1];
	ssize_t len;

	buf_clear(out);
	exchange->sent = 0;
	if (buf_reserve(out, PIECE_BYTES + CHUNK_HEAD + 2))
		return no_memory(exchange->err);
	len = request->source(request->source_arg, out->data + CHUNK_HEAD, PIECE_BYTES, exchange->err);
	if (len < 0)
		return -1;
	snprintf(head, sizeof(head), "%08x\r\n", (unsigned int)len);
	memcpy(out->data, head, CHUNK_HEAD);
	memcpy(out->data + CHUNK_HEAD + len, "\r\n", 3);
	out->len = CHUNK_HEAD + len + 2;
	exchange->is_sent = len == 0;
	return 0;
}

/* Sends what the socket takes; more is prepared when all of it is gone. */
static int send_some(struct http_exchange *exchange)
{
	struct buf *out = &exchange->out;
	ssize_t done = send(exchange->fd, out->data + exchange->sent, out->len - exchange->sent,
			    MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (done < 0) {
		/* It may have said why before it closed. */
		exchange->is_sent = true;
		exchange->sent = out->len;
		exchange->answer.is_last = true;
		return 0;
	}
	exchange->sent += done;
	if (exchange->sent == out->len && !exchange->is_sent)
		return next_chunk(exchange);
	return 0;
}

static int receive_some(struct http_exchange *exchange)
{
	ssize_t got = recv(exchange->fd, exchange->piece, sizeof(exchange->piece), MSG_DONTWAIT);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got > 0)
		return http_answer_add(&exchange->answer, exchange->piece, got, exchange->err);
	if (http_answer_end(&exchange->answer))
		return lost(exchange);
	return 0;
}

static bool is_sending(const struct http_exchange *exchange)
{
	/* What follows a refusal nobody reads. */
	if (exchange->answer.status >= 300)
		return false;
	return exchange->sent < exchange->out.len;
}

static int wait_for_socket(struct http_exchange *exchange, short *ret_events)
{
	const struct http_wait *wait = &exchange->wait;
	struct pollfd poll_fd = { .fd = exchange->fd, .events = POLLIN };

	if (is_sending(exchange))
		poll_fd.events |= POLLOUT;
	if (wait->is_cancelled && wait->is_cancelled(wait->arg))
		return shale_err_set(exchange->err, ECANCELED, "cancelled");
	if (poll(&poll_fd, 1, DOCKAPI_POLL_MSEC) < 0 && errno != EINTR)
		return shale_err_errno(exchange->err, "waiting for the daemon");
	*ret_events = poll_fd.revents;
	return 0;
}

static int run_once(struct http_exchange *exchange)
{
	short events = 0;

	if (wait_for_socket(exchange, &events))
		return -1;
	if (events & (POLLIN | POLLHUP | POLLERR) && receive_some(exchange))
		return -1;
	return events & POLLOUT && is_sending(exchange) ? send_some(exchange) : 0;
}

static int begin(struct http_exchange *exchange, const struct http_request *request, struct shale_err *err)
{
	struct buf *out = &exchange->out;

	if (buf_adds(out, request->head) ||
	    (request->source && buf_adds(out, "Transfer-Encoding: chunked\r\n")) ||
	    (request->body && buf_addf(out, "Content-Length: %zu\r\n", request->body_len)) ||
	    buf_adds(out, "\r\n") || (request->body && buf_add(out, request->body, request->body_len)))
		return no_memory(err);
	exchange->request.head = exchange->request.body = NULL;
	exchange->is_sent = !request->source;
	return 0;
}

int http_exchange_open(int fd, const struct http_request *request, const struct http_sink *sink,
		       const struct http_wait *wait, struct http_exchange **ret_exchange, struct shale_err *err)
{
	struct http_exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return no_memory(err);
	exchange->fd = fd;
	exchange->request = *request;
	exchange->sink = *sink;
	exchange->wait = *wait;
	exchange->answer.sink = &exchange->sink;
	exchange->answer.has_no_body = request->has_no_answer_body;
	exchange->answer.takes_upgrade = request->takes_upgrade;
	if (begin(exchange, request, err)) {
		http_exchange_close(exchange, NULL);
		return -1;
	}
	*ret_exchange = exchange;
	return 0;
}

static int run_until(struct http_exchange *exchange, bool is_head_enough, struct shale_err *err)
{
	exchange->err = err;
	while (!exchange->answer.is_whole && !(is_head_enough && exchange->answer.state != ANSWER_HEAD))
		if (run_once(exchange)) {
			exchange->has_failed = true;
			return -1;
		}
	return 0;
}

int http_exchange_until_head(struct http_exchange *exchange, struct shale_err *err)
{
	return run_until(exchange, true, err);
}

int http_exchange_until_end(struct http_exchange *exchange, struct shale_err *err)
{
	return run_until(exchange, false, err);
}

void http_exchange_close(struct http_exchange *exchange, struct http_outcome *ret_outcome)
{
	const struct http_answer *answer = &exchange->answer;

	if (ret_outcome)
		*ret_outcome = (struct http_outcome){
			.is_unanswered = !answer->has_begun,
			.is_reusable = !exchange->has_failed && answer->is_whole && !answer->is_last &&
				       exchange->is_sent && exchange->sent == exchange->out.len,
		};
	http_answer_release(&exchange->answer);
	buf_release(&exchange->out);
	free(exchange);
}

int http_exchange(int fd, const struct http_request *request, const struct http_sink *sink,
		  const struct http_wait *wait, struct http_outcome *ret_outcome,
		  struct shale_err *err)
{
	struct http_exchange *exchange;
	int ret;

	*ret_outcome = (struct http_outcome){ 0 };
	if (http_exchange_open(fd, request, sink, wait, &exchange, err))
		return -1;
	ret = http_exchange_until_end(exchange, err);
	http_exchange_close(exchange, ret_outcome);
	return ret;
}

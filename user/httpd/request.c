// SPDX-License-Identifier: GPL-2.0-only
/*
 * The steps of a request; see server.h. libmicrohttpd calls request_handle() again and again: first
 * with the header, then with pieces of the body, last without any. While a step is on a worker the
 * connection is suspended, so nothing here is ever called for it; when it is resumed the library calls
 * again with the same piece. So no field of a request needs a lock.
 */
#include "httpd/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct watched *connection_watched(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* The connection goes on. Only then is it no step: the library must not be stopped while one is suspended. */
static void resume(struct httpd *httpd, struct httpd_request *request)
{
	MHD_resume_connection(request->connection);
	pthread_mutex_lock(&httpd->lock);
	if (!--httpd->steps)
		pthread_cond_broadcast(&httpd->idle);
	pthread_mutex_unlock(&httpd->lock);
}

static void wake_request(struct sleeper *sleeper)
{
	struct httpd_request *request = sleeper->owner;

	resume(request->httpd, request);
}

static int connection_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? info->connect_fd : -1;
}

void *request_new(void *httpd, const char *target, struct MHD_Connection *connection)
{
	struct httpd_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->httpd = httpd;
	request->connection = connection;
	request->watched = connection_watched(connection);
	request->answer.fd = -1;
	request->sleeper = (struct sleeper){
		.wake = wake_request,
		.owner = request,
		.fd = connection_fd(connection),
	};
	clock_gettime(CLOCK_MONOTONIC, &request->started);
	request->target = strdup(target);
	if (request->target)
		return request;
	free(request);
	return NULL;
}

static void chunk_free(struct httpd_request *request)
{
	if (request->chunk_size > HTTPD_FIRST_CHUNK)
		atomic_fetch_sub(&request->httpd->grown, request->chunk_size - HTTPD_FIRST_CHUNK);
	free(request->chunk);
}

/* The body is long and comes fast: it fills what it has. */
static void chunk_grow(struct httpd_request *request)
{
	size_t more = request->chunk_size;
	char *chunk;

	if (more >= HTTPD_LAST_CHUNK || request->received < 4 * more)
		return;
	if (atomic_fetch_add(&request->httpd->grown, more) + more > HTTPD_MAX_GROWN ||
	    !(chunk = realloc(request->chunk, 2 * more))) {
		atomic_fetch_sub(&request->httpd->grown, more);
		return;
	}
	request->chunk = chunk;
	request->chunk_size += more;
}

static void request_free(struct httpd_request *request)
{
	answer_clear(&request->answer);
	chunk_free(request);
	free(request->ahead);
	free(request->method);
	free(request->target);
	free(request);
}

static void count_request(struct httpd *httpd, int change)
{
	pthread_mutex_lock(&httpd->lock);
	httpd->requests += change;
	if (!httpd->requests)
		pthread_cond_broadcast(&httpd->idle);
	pthread_mutex_unlock(&httpd->lock);
}

static void give_chunk(struct httpd_request *request)
{
	size_t len = request->chunk_len;

	request->chunk_len = 0;
	if (len && !request->answer.status)
		request->httpd->ops->body(request, request->chunk, len);
}

static void read_ahead(struct httpd_request *request)
{
	struct httpd_source *source = request->answer.source;
	ssize_t got;

	got = source->read(source, request->ahead, HTTPD_SOURCE_CHUNK);
	request->ahead_from = 0;
	request->is_later = got == HTTPD_LATER;
	if (!request->is_later)
		request->ahead_len = got > 0 ? got : -1;
}

static void finish(struct httpd_request *request)
{
	struct httpd *httpd = request->httpd;

	httpd->ops->finish(request, request->is_whole);
	request_free(request);
	count_request(httpd, -1);
}

static void run_step(struct httpd_request *request, enum request_step step)
{
	const struct httpd_ops *ops = request->httpd->ops;

	switch (step) {
	case STEP_BEGIN:
		ops->begin(request);
		request->is_prepared = true;
		break;
	case STEP_BODY:
		give_chunk(request);
		break;
	case STEP_END:
		give_chunk(request);
		if (!request->answer.status)
			ops->end(request);
		request->has_ended = !request->is_later;
		break;
	case STEP_READ:
		read_ahead(request);
		break;
	case STEP_FINISH:
		finish(request);
		break;
	case STEP_NONE:
		break;
	}
}

static void run_job(struct worker_job *job)
{
	struct httpd_request *request = (struct httpd_request *)job;
	enum request_step step = request->step;

	if (step == STEP_FINISH) {
		finish(request);
		return;
	}
	request->is_later = false;
	sleep_prepare(request->httpd->sleepers, &request->sleeper);
	run_step(request, step);
	request->step = STEP_NONE;
	if (!request->is_later || !sleep_begin(request->httpd->sleepers, &request->sleeper))
		resume(request->httpd, request);
}

void httpd_later(struct httpd_request *request)
{
	request->is_later = true;
}

void httpd_wake(struct httpd_request *request)
{
	sleep_wake(request->httpd->sleepers, &request->sleeper);
}

bool request_step(struct httpd_request *request, enum request_step step)
{
	struct httpd *httpd = request->httpd;

	pthread_mutex_lock(&httpd->lock);
	if (httpd->is_cut) {
		pthread_mutex_unlock(&httpd->lock);
		return false;
	}
	httpd->steps++;
	pthread_mutex_unlock(&httpd->lock);
	request->step = step;
	request->job.run = run_job;
	watch_phase(request->watched, WATCH_BUSY);
	MHD_suspend_connection(request->connection);
	workers_submit(httpd->workers, &request->job);
	return true;
}

/* Here when the request is quick, else on a worker. */
static bool do_step(struct httpd_request *request, enum request_step step)
{
	if (!request->is_quick)
		return request_step(request, step);
	run_step(request, step);
	return true;
}

/*
 * An answer that came before the body was read. The library closes the connection behind an early one,
 * so small bodies are read first; see HTTPD_MAX_DISCARD.
 */
static bool should_answer_now(struct httpd_request *request)
{
	const char *expect = httpd_field(request, MHD_HTTP_HEADER_EXPECT);
	uint64_t length = httpd_body_length(request);

	if (!length)
		return false;
	if (expect && !strcasecmp(expect, "100-continue"))
		return true;
	return length > HTTPD_MAX_EARLY_DISCARD && length != UINT64_MAX;
}

static bool after_begin(struct httpd_request *request)
{
	watch_phase(request->watched, WATCH_BODY);
	if (request->answer.status && should_answer_now(request))
		return answer_queue(request);
	return true;
}

static bool handle_begin(struct httpd_request *request, const char *method)
{
	request->method = strdup(method);
	if (!request->method)
		return false;
	count_request(request->httpd, 1);
	request->has_begun = true;
	watch_use(request->httpd->watch, request->watched, request->httpd->limits.kept);
	request->is_quick = request->httpd->ops->is_quick(request);
	if (!do_step(request, STEP_BEGIN))
		return false;
	return request->is_quick ? after_begin(request) : true;
}

/* Back from a worker: it is the client's turn again. */
static void watch_phase_body(struct httpd_request *request)
{
	if (request->watched && atomic_load(&request->watched->phase) == WATCH_BUSY)
		watch_phase(request->watched, WATCH_BODY);
}

static size_t take_piece(struct httpd_request *request, const char *data, size_t len)
{
	if (len > request->chunk_size - request->chunk_len)
		len = request->chunk_size - request->chunk_len;
	memcpy(request->chunk + request->chunk_len, data, len);
	request->chunk_len += len;
	request->received += len;
	return len;
}

/*
 * A connection is only suspended with bytes left in its buffer: else the library goes on to the next
 * chunk of a chunked body at once, suspended or not.
 */
static bool handle_piece(struct httpd_request *request, const char *data, size_t *len)
{
	size_t taken;

	watch_bytes(request->watched, *len);
	if (request->answer.status) {
		request->discarded += *len;
		*len = 0;
		return request->discarded <= HTTPD_MAX_DISCARD;
	}
	if (!request->chunk && !(request->chunk = malloc(HTTPD_FIRST_CHUNK)))
		return false;
	if (!request->chunk_size)
		request->chunk_size = HTTPD_FIRST_CHUNK;
	if (!request->chunk_len)
		chunk_grow(request);
	for (;;) {
		watch_phase_body(request);
		taken = take_piece(request, data, *len);
		data += taken;
		*len -= taken;
		if (!*len)
			return true;
		if (!do_step(request, STEP_BODY))
			return false;
		if (!request->is_quick)
			return true;
	}
}

static bool handle_end(struct httpd_request *request)
{
	if (sleep_is_gone(&request->sleeper))
		return false;
	if (!request->has_ended && !request->answer.status) {
		if (!do_step(request, STEP_END))
			return false;
		if (!request->is_quick)
			return true;
	}
	return answer_queue(request);
}

enum MHD_Result request_handle(void *httpd, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *data, size_t *len,
			       void **ret_request)
{
	struct httpd_request *request = *ret_request;
	bool good;

	(void)httpd, (void)connection, (void)url, (void)version;
	if (!request)
		return MHD_NO;
	if (!request->has_begun) {
		good = handle_begin(request, method);
		/* The quick ones have returned from begin, and the next call brings the body. */
		return good ? MHD_YES : MHD_NO;
	}
	if (request->is_prepared && !request->is_quick) {
		/* The library calls for the header once more when the connection is resumed. */
		request->is_prepared = false;
		return after_begin(request) ? MHD_YES : MHD_NO;
	}
	good = *len ? handle_piece(request, data, len) : handle_end(request);
	return good ? MHD_YES : MHD_NO;
}

gnutls_session_t connection_session(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info ? info->tls_session : NULL;
}

static struct tls_keys *current_keys(struct httpd *httpd)
{
	struct tls_keys *keys;

	pthread_mutex_lock(&httpd->lock);
	keys = tls_keys_get(httpd->keys);
	pthread_mutex_unlock(&httpd->lock);
	return keys;
}

/* A session that nobody keeps keys for would begin with the library's, which ask nothing of a client. */
static struct watched *connection_begin(struct httpd *httpd, struct MHD_Connection *connection)
{
	gnutls_session_t session = connection_session(connection);
	const int fd = connection_fd(connection);
	struct watched *watched;

	if (fd < 0)
		return NULL;
	watched = watch_add(httpd->watch, fd);
	if (!watched) {
		shutdown(fd, SHUT_RDWR);
		return NULL;
	}
	if (session) {
		watched->keys = current_keys(httpd);
		tls_keys_use(watched->keys, session);
	}
	return watched;
}

/* The library has ended the session before. */
static void connection_forget(struct httpd *httpd, struct watched *watched)
{
	struct tls_keys *keys = watched ? watched->keys : NULL;

	watch_remove(httpd->watch, watched);
	tls_keys_put(keys);
}

void request_connection(void *owner, struct MHD_Connection *connection, void **context,
			enum MHD_ConnectionNotificationCode what)
{
	struct httpd *httpd = owner;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		connection_forget(httpd, *context);
		*context = NULL;
		if (atomic_fetch_sub(&httpd->connections, 1) == 1 && httpd->gone)
			httpd->gone(httpd->owner);
		return;
	}
	atomic_fetch_add(&httpd->connections, 1);
	*context = connection_begin(httpd, connection);
}

/*
 * The client may be gone in the middle of a body; what has to be done about that can take long. A
 * server that is cut off has no workers for it any more.
 */
void request_done(void *owner, struct MHD_Connection *connection, void **ret_request,
		  enum MHD_RequestTerminationCode why)
{
	struct httpd_request *request = *ret_request;

	(void)owner, (void)connection;
	*ret_request = NULL;
	if (!request)
		return;
	watch_phase(request->watched, WATCH_HEADER);
	request->watched = NULL;
	if (!request->has_begun) {
		request_free(request);
		return;
	}
	request->is_whole = why == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->is_queued;
	if (request->is_quick) {
		finish(request);
		return;
	}
	request->step = STEP_FINISH;
	request->job.run = run_job;
	workers_submit(request->httpd->workers, &request->job);
}

void *httpd_owner(const struct httpd_request *request)
{
	return request->httpd->owner;
}

const char *httpd_method(const struct httpd_request *request)
{
	return request->method;
}

bool httpd_is_head(const struct httpd_request *request)
{
	return !strcmp(request->method, "HEAD");
}

const char *httpd_target(const struct httpd_request *request)
{
	return request->target;
}

const char *httpd_field(struct httpd_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* The library has checked both fields, and prefers the encoding as the standard says. */
uint64_t httpd_body_length(struct httpd_request *request)
{
	const char *length = httpd_field(request, MHD_HTTP_HEADER_CONTENT_LENGTH);

	if (httpd_field(request, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return UINT64_MAX;
	return length ? strtoull(length, NULL, 10) : 0;
}

const struct sockaddr *httpd_peer(struct httpd_request *request)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	return info ? info->client_addr : NULL;
}

bool httpd_peer_process(struct httpd_request *request, struct ucred *ret_peer)
{
	socklen_t len = sizeof(*ret_peer);

	return getsockopt(request->sleeper.fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &len) == 0 &&
	       ret_peer->pid;
}

void httpd_set_ctx(struct httpd_request *request, void *ctx)
{
	request->ctx = ctx;
}

void *httpd_ctx(const struct httpd_request *request)
{
	return request->ctx;
}

uint64_t httpd_body_received(const struct httpd_request *request)
{
	return request->received + request->discarded;
}

double httpd_seconds(const struct httpd_request *request)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - request->started.tv_sec) +
	       (now.tv_nsec - request->started.tv_nsec) / 1e9;
}

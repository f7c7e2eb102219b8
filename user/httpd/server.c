// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's sockets and its end: one daemon of libmicrohttpd for each listening socket, all of them
 * with the same workers. Called by the programs that serve; what happens to a request is in request.c.
 */
#include "httpd/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "httpd/log.h"
#include "httpd/request.h"

/* Threads of the network hold no large frames; sendfile and quick handlers run there. */
#define NETWORK_STACK (512u << 10)
#define MAX_OPTIONS   24

const struct httpd_limits httpd_limits_default = {
	.connections = 4096,
	.per_client = 0,
	.kept = 128,
	.header_bytes = (16u << 10) - HTTPD_MALLOC_HEAD,
	.idle_seconds = 60,
	.threads = 2,
	.workers = 16,
	.drain_seconds = 30,
};

static void log_line(void *owner, const char *fmt, va_list ap)
{
	char text[512];
	size_t len;

	(void)owner;
	vsnprintf(text, sizeof(text), fmt, ap);
	len = strlen(text);
	if (len && text[len - 1] == '\n')
		text[len - 1] = '\0';
	log_text(LOG_LEVEL_DEBUG, "http", "%s", text);
}

/* Paths and queries stay as they were sent: target.h decodes, and knows what may be decoded. */
static size_t decode_nothing(void *ctx, struct MHD_Connection *connection, char *text)
{
	(void)ctx, (void)connection;
	return strlen(text);
}

int httpd_start(const struct httpd_ops *ops, void *owner, const struct httpd_limits *limits,
		struct httpd **ret_httpd, struct shale_err *err)
{
	struct httpd *httpd = calloc(1, sizeof(*httpd));

	if (!httpd)
		return shale_err_set(err, ENOMEM, "no memory for a server");
	httpd->ops = ops;
	httpd->owner = owner;
	httpd->limits = *limits;
	if (workers_start(limits->workers, &httpd->workers, err) < 0) {
		free(httpd);
		return -1;
	}
	if (watch_start(limits->idle_seconds, &httpd->watch, err) < 0 ||
	    sleepers_start(&httpd->sleepers, err) < 0) {
		workers_stop(httpd->workers);
		watch_stop(httpd->watch);
		free(httpd);
		return -1;
	}
	pthread_mutex_init(&httpd->lock, NULL);
	pthread_cond_init(&httpd->idle, NULL);
	*ret_httpd = httpd;
	return 0;
}

struct options {
	struct MHD_OptionItem list[MAX_OPTIONS];
	size_t count;
};

static void option_add(struct options *options, enum MHD_OPTION option, intptr_t value,
		       const void *pointer)
{
	options->list[options->count++] =
		(struct MHD_OptionItem){ option, value, (void *)pointer };
}

static void add_limits(struct options *options, const struct httpd_limits *limits)
{
	option_add(options, MHD_OPTION_CONNECTION_LIMIT, limits->connections, NULL);
	if (limits->per_client)
		option_add(options, MHD_OPTION_PER_IP_CONNECTION_LIMIT, limits->per_client, NULL);
	option_add(options, MHD_OPTION_CONNECTION_MEMORY_LIMIT, limits->header_bytes, NULL);
	/* To the library, too, 0 is for ever. */
	option_add(options, MHD_OPTION_CONNECTION_TIMEOUT, limits->idle_seconds, NULL);
	option_add(options, MHD_OPTION_THREAD_STACK_SIZE, NETWORK_STACK, NULL);
	if (limits->threads > 1)
		option_add(options, MHD_OPTION_THREAD_POOL_SIZE, limits->threads, NULL);
	option_add(options, MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
}

/* The library wants keys of its own; each session gets ours before it begins, see request_connection(). */
static void add_tls(struct options *options, const struct httpd_tls *tls)
{
	option_add(options, MHD_OPTION_HTTPS_PRIORITIES, 0, tls_priorities(tls));
	option_add(options, MHD_OPTION_HTTPS_MEM_CERT, 0, tls->certificate);
	option_add(options, MHD_OPTION_HTTPS_MEM_KEY, 0, tls->key);
}

int httpd_change_tls(struct httpd *httpd, const struct httpd_tls *tls, struct shale_err *err)
{
	struct tls_keys *keys;
	struct tls_keys *old;

	if (tls_keys_new(tls, &keys, err) < 0)
		return -1;
	pthread_mutex_lock(&httpd->lock);
	old = httpd->keys;
	httpd->keys = keys;
	pthread_mutex_unlock(&httpd->lock);
	tls_keys_put(old);
	return 0;
}

static struct MHD_Daemon *daemon_start(struct httpd *httpd, unsigned int flags,
				       struct options *options)
{
	flags |= MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
		 MHD_USE_ITC;
	option_add(options, MHD_OPTION_END, 0, NULL);
	return MHD_start_daemon(flags, 0, NULL, NULL, request_handle, httpd,
				MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
				MHD_OPTION_URI_LOG_CALLBACK, request_new, httpd,
				MHD_OPTION_NOTIFY_COMPLETED, request_done, httpd,
				MHD_OPTION_NOTIFY_CONNECTION, request_connection, httpd,
				MHD_OPTION_UNESCAPE_CALLBACK, decode_nothing, NULL,
				MHD_OPTION_ARRAY, options->list, MHD_OPTION_END);
}

int httpd_listen(struct httpd *httpd, int fd, const struct httpd_tls *tls, struct shale_err *err)
{
	struct options options = { 0 };
	struct MHD_Daemon *daemon;

	if (httpd->daemon_count == HTTPD_MAX_LISTEN) {
		close(fd);
		return shale_err_set(err, E2BIG, "more than %d sockets to listen on",
				     HTTPD_MAX_LISTEN);
	}
	if (tls && httpd_change_tls(httpd, tls, err) < 0) {
		close(fd);
		return -1;
	}
	add_limits(&options, &httpd->limits);
	if (tls)
		add_tls(&options, tls);
	option_add(&options, MHD_OPTION_LISTEN_SOCKET, fd, NULL);
	daemon = daemon_start(httpd, tls ? MHD_USE_TLS : MHD_ALLOW_UPGRADE, &options);
	if (!daemon) {
		close(fd);
		return shale_err_set(err, EIO, "the HTTP library cannot serve a socket");
	}
	httpd->daemons[httpd->daemon_count++] = daemon;
	return 0;
}

/* One connection needs one thread. */
int httpd_adopt(struct httpd *httpd, int fd, void (*gone)(void *owner), struct shale_err *err)
{
	struct sockaddr_storage address = { .ss_family = AF_UNIX };
	socklen_t len = sizeof(address);
	struct options options = { 0 };
	struct httpd_limits limits = httpd->limits;
	struct MHD_Daemon *daemon;

	if (getpeername(fd, (struct sockaddr *)&address, &len) < 0) {
		shale_err_errno(err, "file descriptor %d is no connected socket", fd);
		close(fd);
		return -1;
	}
	limits.threads = 1;
	add_limits(&options, &limits);
	httpd->gone = gone;
	daemon = daemon_start(httpd, MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE, &options);
	if (!daemon) {
		close(fd);
		return shale_err_set(err, EIO, "the HTTP library cannot serve a connection");
	}
	httpd->daemons[httpd->daemon_count++] = daemon;
	if (MHD_add_connection(daemon, fd, (struct sockaddr *)&address, len) == MHD_YES)
		return 0;
	return shale_err_errno(err, "the HTTP library does not take the connection");
}

static void wait_idle(struct httpd *httpd)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += httpd->limits.drain_seconds;
	pthread_mutex_lock(&httpd->lock);
	while (httpd->requests)
		if (pthread_cond_timedwait(&httpd->idle, &httpd->lock, &end))
			break;
	/* Steps that run end by themselves; after that no connection is suspended any more. */
	httpd->is_cut = true;
	pthread_mutex_unlock(&httpd->lock);
	sleepers_end(httpd->sleepers);
	pthread_mutex_lock(&httpd->lock);
	while (httpd->steps)
		pthread_cond_wait(&httpd->idle, &httpd->lock);
	pthread_mutex_unlock(&httpd->lock);
}

void httpd_stop(struct httpd *httpd)
{
	if (!httpd)
		return;
	atomic_store(&httpd->is_draining, true);
	for (size_t i = 0; i < httpd->daemon_count; i++) {
		int fd = MHD_quiesce_daemon(httpd->daemons[i]);

		if (fd >= 0)
			close(fd);
	}
	wait_idle(httpd);
	for (size_t i = 0; i < httpd->daemon_count; i++)
		MHD_stop_daemon(httpd->daemons[i]);
	workers_stop(httpd->workers);
	watch_stop(httpd->watch);
	sleepers_stop(httpd->sleepers);
	tls_keys_put(httpd->keys);
	pthread_cond_destroy(&httpd->idle);
	pthread_mutex_destroy(&httpd->lock);
	free(httpd);
}

struct workers *httpd_workers(struct httpd *httpd)
{
	return httpd->workers;
}

bool httpd_is_tls(struct httpd_request *request)
{
	return connection_session(request->connection);
}

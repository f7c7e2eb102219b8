// SPDX-License-Identifier: GPL-2.0-only
/*
 * Serving; see api_serve.h. Signals are blocked in all threads and waited for here, together with the end of
 * connections that were given. Called by main.c.
 */
#include "shaled/api_serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "httpd/listen.h"
#include "httpd/log.h"
#include "httpd/manager.h"
#include "shaled/api.h"
#include "shaled/api_events.h"

#define SOCKET_MODE 0660
#define UNIX_SCHEME "unix://"

/*
 * Clients are as good as root (the socket's group), so nothing here is to keep them from doing harm; it is to
 * keep one that errs from hurting others. They may take their time: a terminal waits behind many of them.
 */
static const struct httpd_limits limits = {
	.connections = 512,
	.kept = 512,
	.header_bytes = 64u << 10,
	.idle_seconds = 0,
	.threads = 1,
	.workers = 16,
	.drain_seconds = 10,
};
/* One connection has one request at a time; what pull and load do while they answer has threads of its own. */
#define PRIVATE_WORKERS 2

struct daemon {
	struct api api;
	const struct api_settings *settings;
	int signal_fd;
	int gone_fd; /* connections that were given are all gone */
	const char *path; /* of the socket that is ours to remove */
	struct stat socket;
};

static void connection_gone(void *owner)
{
	struct daemon *daemon = owner;
	uint64_t one = 1;

	/* An eventfd takes it unless somebody said it 2^64 times. */
	if (write(daemon->gone_fd, &one, sizeof(one)) < 0)
		return;
}

static int catch_signals(struct daemon *daemon, struct shale_err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	daemon->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	daemon->gone_fd = eventfd(0, EFD_CLOEXEC);
	if (daemon->signal_fd < 0 || daemon->gone_fd < 0)
		return shale_err_errno(err, "cannot wait for signals");
	return 0;
}

static int listen_at(struct daemon *daemon, int fd, struct shale_err *err)
{
	char text[256] = "?";

	listen_describe(fd, text, sizeof(text));
	if (httpd_listen(daemon->api.httpd, fd, NULL, err) < 0)
		return -1;
	log_text(LOG_LEVEL_INFO, "server", "listening on %s", text);
	return 0;
}

/* unix:///run/x, as docker writes it. */
static int listen_own(struct daemon *daemon, struct shale_err *err)
{
	const char *host = daemon->settings->host;
	char address[sizeof(struct sockaddr_un)];
	int fd;

	if (strncmp(host, UNIX_SCHEME "/", strlen(UNIX_SCHEME "/")))
		return shale_err_set(err, EINVAL, "--host is unix:///PATH, not '%.100s'", host);
	daemon->path = host + strlen(UNIX_SCHEME);
	if ((size_t)snprintf(address, sizeof(address), "unix:%s", daemon->path) >= sizeof(address))
		return shale_err_set(err, ENAMETOOLONG, "%s: too long for a socket", daemon->path);
	/* /run is empty after each start of the machine. That it cannot be made is said by who listens there. */
	fs_mkdir_parent(AT_FDCWD, daemon->path, 0755);
	fd = listen_open(address, SOCKET_MODE, err);
	if (fd < 0 || lstat(daemon->path, &daemon->socket) < 0) {
		daemon->path = NULL;
		return -1;
	}
	if (daemon->settings->group && !listen_set_group(fd, daemon->settings->group))
		log_text(LOG_LEVEL_WARN, "server", "the socket cannot be given to group '%s'",
			 daemon->settings->group);
	return listen_at(daemon, fd, err);
}

static int adopt_all(struct daemon *daemon, struct shale_err *err)
{
	const struct api_settings *settings = daemon->settings;

	for (unsigned int i = 0; i < settings->connection_count; i++)
		if (httpd_adopt(daemon->api.httpd, settings->connections[i], connection_gone, err) < 0)
			return -1;
	return 0;
}

static int listen_all(struct daemon *daemon, struct shale_err *err)
{
	int inherited;

	if (daemon->settings->connection_count)
		return adopt_all(daemon, err);
	inherited = listen_inherited();
	for (int fd = LISTEN_FIRST; fd < LISTEN_FIRST + inherited; fd++)
		if (listen_at(daemon, fd, err) < 0)
			return -1;
	return inherited ? 0 : listen_own(daemon, err);
}

static void wait_for_end(const struct daemon *daemon)
{
	struct pollfd fds[] = { { .fd = daemon->signal_fd, .events = POLLIN },
				{ .fd = daemon->gone_fd, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
}

/* A socket that another daemon has put there since is not ours. */
static void remove_socket(const struct daemon *daemon)
{
	struct stat st;

	if (daemon->path && lstat(daemon->path, &st) == 0 && st.st_dev == daemon->socket.st_dev &&
	    st.st_ino == daemon->socket.st_ino)
		unlink(daemon->path);
}

static int run(struct daemon *daemon, struct shale_err *err)
{
	struct httpd_limits own = limits;
	int ret;

	if (daemon->api.is_private)
		own.workers = PRIVATE_WORKERS;
	if (httpd_start(&api_call_ops, &daemon->api, &own, &daemon->api.httpd, err) < 0)
		return -1;
	ret = listen_all(daemon, err);
	if (ret == 0) {
		manager_notify("READY=1");
		wait_for_end(daemon);
		log_text(LOG_LEVEL_INFO, "server", "stopping");
		manager_notify("STOPPING=1");
	}
	remove_socket(daemon);
	/* Listeners would never end by themselves. */
	api_events_end(daemon->api.events);
	atomic_store(&daemon->api.is_stopping, true);
	shale_containers_leave(daemon->api.containers);
	httpd_stop(daemon->api.httpd);
	return ret;
}

/* Who serves one command may be asked for nothing that needs a store. */
static int open_store(struct daemon *daemon, struct shale_err *err)
{
	char driver[SHALE_DRIVER_TEXT];

	if (daemon->settings->connection_count)
		return 0;
	if (api_driver(&daemon->api, driver, err) < 0)
		return -1;
	log_text(LOG_LEVEL_INFO, "store", "%s, storage driver %s", daemon->api.root, driver);
	return api_containers(&daemon->api, err) ? 0 : -1;
}

int api_serve(const struct api_settings *settings, struct shale_err *err)
{
	struct daemon daemon = {
		.settings = settings,
		.api = { .root = settings->root,
			 .wanted_driver = settings->driver,
			 .wanted_runtime = settings->runtime,
			 .driver_lock = PTHREAD_MUTEX_INITIALIZER,
			 .is_private = settings->connection_count > 0 },
		.signal_fd = -1,
		.gone_fd = -1,
	};
	int ret;

	if (catch_signals(&daemon, err) < 0)
		return -1;
	daemon.api.opts.root = settings->root;
	daemon.api.events = api_events_new();
	if (!daemon.api.events)
		return shale_err_errno(err, "cannot start a thread for events");
	ret = open_store(&daemon, err);
	if (ret == 0)
		ret = run(&daemon, err);
	shale_containers_close(daemon.api.containers);
	api_events_free(daemon.api.events);
	close(daemon.signal_fd);
	close(daemon.gone_fd);
	if (ret == 0)
		log_text(LOG_LEVEL_INFO, "server", "stopped");
	return ret;
}

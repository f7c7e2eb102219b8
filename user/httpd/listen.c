// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets; see listen.h. Called when a program that serves starts.
 */
#include "httpd/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BACKLOG	     1024
#define UNIX_PREFIX  "unix:"
#define MAX_INHERITED 8

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t len)
{
	const int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, len) < 0)
		return -1;
	return listen(fd, BACKLOG);
}

/* Somebody answers at the path: it is not ours to replace. */
static bool is_served(const struct sockaddr_un *address)
{
	__cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
}

static int open_unix(const char *path, mode_t mode, struct shale_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;
	mode_t old;
	int ret;

	if (fd < 0)
		return shale_err_errno(err, "cannot make a socket");
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) >=
	    sizeof(address.sun_path))
		return shale_err_set(err, ENAMETOOLONG, "%s: too long for a socket", path);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && !is_served(&address))
		unlink(path);
	/* The mode must be there when the name is. */
	old = umask(0777 & ~mode);
	ret = bind_and_listen(fd, (struct sockaddr *)&address, sizeof(address));
	umask(old);
	if (ret < 0)
		return shale_err_errno(err, "cannot listen on %s", path);
	return steal_fd(&fd);
}

/* Cuts "HOST:PORT" and "[HOST]:PORT" up. */
static int split_address(char *text, const char **ret_host, const char **ret_port)
{
	char *colon = strrchr(text, ':');

	if (!colon || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return -1;
	*colon = '\0';
	*ret_port = colon + 1;
	*ret_host = text;
	if (*text == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*ret_host = text + 1;
	} else if (strchr(text, ':')) {
		return -1;
	}
	return 0;
}

static int open_first(const struct addrinfo *list)
{
	for (; list; list = list->ai_next) {
		__cleanup_fd int fd = socket(list->ai_family,
					     list->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd >= 0 && bind_and_listen(fd, list->ai_addr, list->ai_addrlen) == 0)
			return steal_fd(&fd);
	}
	return -1;
}

static int open_tcp(const char *address, struct shale_err *err)
{
	struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
	__cleanup_free char *text = strdup(address);
	struct addrinfo *list;
	const char *host;
	const char *port;
	int fd;
	int ret;

	if (!text || split_address(text, &host, &port) < 0)
		return shale_err_set(err, EINVAL, "'%.200s' is no address to listen on", address);
	/* Without a host: all addresses of both families, by the one socket that takes both. */
	if (!*host)
		host = "::";
	ret = getaddrinfo(host, port, &hints, &list);
	if (ret)
		return shale_err_set(err, EINVAL, "%.200s: %s", address, gai_strerror(ret));
	fd = open_first(list);
	if (fd < 0)
		shale_err_errno(err, "cannot listen on %.200s", address);
	freeaddrinfo(list);
	return fd;
}

int listen_open(const char *address, mode_t mode, struct shale_err *err)
{
	if (!strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)))
		return open_unix(address + strlen(UNIX_PREFIX), mode, err);
	return open_tcp(address, err);
}

bool listen_set_group(int fd, const char *group)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(address);
	struct group *found = getgrnam(group);

	if (!found || getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    address.sun_family != AF_UNIX || address.sun_path[0] != '/')
		return false;
	return lchown(address.sun_path, -1, found->gr_gid) == 0;
}

int listen_inherited(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *count = getenv("LISTEN_FDS");
	long fds = count ? strtol(count, NULL, 10) : 0;

	if (!pid || strtol(pid, NULL, 10) != getpid() || fds < 1 || fds > MAX_INHERITED)
		return 0;
	for (int fd = LISTEN_FIRST; fd < LISTEN_FIRST + fds; fd++) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return fds;
}

int listen_describe(int fd, char *text, size_t size)
{
	struct sockaddr_storage address = { 0 };
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return -1;
	if (address.ss_family == AF_UNIX) {
		snprintf(text, size, UNIX_PREFIX "%s",
			 ((struct sockaddr_un *)&address)->sun_path);
		return 0;
	}
	if (getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		return -1;
	snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return 0;
}

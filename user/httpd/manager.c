// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the service manager; see manager.h. Called by programs that serve.
 */
#include "httpd/manager.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "httpd/log.h"

void manager_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	__cleanup_fd int fd = -1;
	size_t len;

	if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	len = strlen(path);
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
			      offsetof(struct sockaddr_un, sun_path) + len) < 0)
		log_text(LOG_LEVEL_WARN, "server", "cannot tell the service manager '%s'", text);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that leave the server (httpd_upgrade in server.h): the library hands over the socket when the answer's header
 * has gone out, and wants its own descriptor back; the taker gets another one of the same socket. Called by
 * answer.c.
 */
#include "httpd/request.h"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

bool httpd_wants_upgrade(struct httpd_request *request, const char *protocol)
{
	const char *field = httpd_field(request, MHD_HTTP_HEADER_UPGRADE);

	return field && !strcasecmp(field, protocol) && !httpd_is_tls(request);
}

void upgrade_give_up(struct httpd_taker *taker)
{
	taker->take(taker, -1, NULL, 0);
}

static void hand_over(void *owner, struct MHD_Connection *connection, void *context, const char *early,
		      size_t len, MHD_socket sock, struct MHD_UpgradeResponseHandle *handle)
{
	struct httpd_request *request = owner;
	struct httpd_taker *taker = request->answer.taker;
	int fd = fcntl(sock, F_DUPFD_CLOEXEC, 3);

	(void)connection, (void)context;
	request->answer.taker = NULL;
	taker->take(taker, fd, early, len);
	/* The request may be finished by this, on another thread. */
	MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

struct MHD_Response *upgrade_response(struct httpd_request *request)
{
	return MHD_create_response_for_upgrade(hand_over, request);
}

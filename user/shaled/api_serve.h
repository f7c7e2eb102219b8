/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's life: the store, sockets, signals, and its end.
 */
#ifndef SHALE_SHALED_API_SERVE_H
#define SHALE_SHALED_API_SERVE_H

#include "base/err.h"

/* What one command needs at a time: see connection.h of user/shale. */
#define API_MAX_CONNECTIONS 4

struct api_settings {
	const char *root;
	const char *driver;  /* NULL: the first that works */
	const char *runtime; /* the same */
	const char *host;    /* unix:///PATH, when systemd hands over no socket */
	const char *group;   /* of the socket */
	/* Connected sockets to serve, and nothing else, if there are any. */
	int connections[API_MAX_CONNECTIONS];
	unsigned int connection_count;
};

/* Until a signal, or the end of all such connections. */
int api_serve(const struct api_settings *settings, struct shale_err *err);

#endif

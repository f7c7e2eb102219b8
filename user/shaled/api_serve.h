/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon's life: the store, sockets, signals, and its end.
 */
#ifndef SHALE_SHALED_API_SERVE_H
#define SHALE_SHALED_API_SERVE_H

#include "base/err.h"

struct api_settings {
	const char *root;
	const char *driver;  /* NULL: the first that works */
	const char *runtime; /* the same */
	const char *host;    /* unix:///PATH, when systemd hands over no socket */
	const char *group;   /* of the socket */
	int connection;	     /* the one connected socket to serve, or -1 */
};

/* Until a signal, or the end of the one connection. */
int api_serve(const struct api_settings *settings, struct shale_err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets to listen on, by the address a configuration gives: "HOST:PORT", ":PORT", "[::1]:PORT",
 * "unix:/PATH", or those that systemd hands over.
 */
#ifndef SHALE_HTTPD_LISTEN_H
#define SHALE_HTTPD_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/* The socket, or -1. A unix socket gets the mode; one that a dead server left is replaced. */
int listen_open(const char *address, mode_t mode, struct shale_err *err);
/* Gives a unix socket to a group; false: there is no such group, or it may not. */
bool listen_set_group(int fd, const char *group);
/* How many sockets we were started with: fds LISTEN_FIRST and up. Our children do not see them. */
#define LISTEN_FIRST 3
int listen_inherited(void);
/* "127.0.0.1:5000" or "unix:/run/x": where the socket is bound to. */
int listen_describe(int fd, char *text, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon of our own: shaled on one end of a pair of sockets, for one command.
 */
#ifndef SHALE_CLI_PRIVATE_H
#define SHALE_CLI_PRIVATE_H

#include <sys/types.h>

#include "base/err.h"
#include "shale/shale.h"

struct private_daemon {
	pid_t pid;
	int words; /* what it writes to stderr */
};

#define PRIVATE_NONE { .pid = -1, .words = -1 }

/* *ret_fd is our end of its connection. */
int private_start(const struct cli *cli, struct private_daemon *ret_daemon, int *ret_fd,
		  struct shale_err *err);
/* Waits until it has ended, which it does when our end is closed; -1 with its words when that was an error. */
int private_wait(struct private_daemon *daemon, struct shale_err *err);

#endif

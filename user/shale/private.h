/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A daemon of our own: shaled on one end of a pair of sockets, or of a few pairs, for one command.
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

/* Of one of them; a command has at most so many. */
#define PRIVATE_MAX_CONNECTIONS 3

/* Our ends of its connections. */
int private_start(const struct cli *cli, unsigned int count, struct private_daemon *ret_daemon,
		  int ret_fds[PRIVATE_MAX_CONNECTIONS], struct shale_err *err);
/* Waits until it has ended, which it does when our ends are closed; -1 with its words when that was an error. */
int private_wait(struct private_daemon *daemon, struct shale_err *err);

#endif

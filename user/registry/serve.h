/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server's life: opened, brought up to date, listening, drained.
 */
#ifndef SHALE_REGISTRY_SERVE_H
#define SHALE_REGISTRY_SERVE_H

#include "registry/settings.h"

/* Until SIGTERM or SIGINT; 0 when it ended in order. */
int serve_run(const struct settings *settings, struct shale_err *err);
/* A registry without a server, for the other verbs. */
int serve_open(const struct settings *settings, bool is_readonly, struct reg *reg,
	       struct shale_err *err);
/* From now on events are told; what is not delivered when notify_close() returns waits for the next start. */
int serve_open_queue(const struct settings *settings, struct reg *reg, struct shale_err *err);
void serve_close(struct reg *reg);

#endif

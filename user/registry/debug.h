/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The second, private address of a server: its health and its metrics.
 */
#ifndef SHALE_REGISTRY_DEBUG_H
#define SHALE_REGISTRY_DEBUG_H

#include "registry/settings.h"

struct debug;

/* *ret_debug is NULL when the configuration wants none. */
int debug_start(struct reg *reg, const struct settings *settings, struct debug **ret_debug,
		struct shale_err *err);
void debug_stop(struct debug *debug);

/* Counts a request that is over. */
void debug_count_call(const struct call *call);
/* Has the storage's calls measured; not undone. */
void debug_measure_storage(struct metrics *metrics);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The server beside the registry's, on http.debug.addr: its health and its metrics. It knows
 * nobody, so it belongs on an address that only the machine or its operators reach.
 */
#ifndef SHALE_REGISTRY_DEBUG_H
#define SHALE_REGISTRY_DEBUG_H

#include "registry/settings.h"

struct debug;

/* Without an address *ret_debug is NULL. */
int debug_start(struct reg *reg, const struct settings *settings, struct debug **ret_debug,
		struct shale_err *err);
void debug_stop(struct debug *debug);

#endif

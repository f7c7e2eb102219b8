/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log's lines of requests (distribution's fields); all others are httpd/log.h's.
 */
#ifndef SHALE_REGISTRY_LOG_H
#define SHALE_REGISTRY_LOG_H

#include "httpd/log.h"

struct call;

/* Requests have lines of their own, and not only those that failed here. */
void log_setup_calls(bool has_access);
void log_call(const struct call *call, bool is_whole);

#endif

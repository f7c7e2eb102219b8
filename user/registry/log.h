/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the server says about itself: lines on standard error, each with a level and fields, as text
 * ("key=value", distribution's default) or JSON. Any thread may call it; a line is one write.
 */
#ifndef SHALE_REGISTRY_LOG_H
#define SHALE_REGISTRY_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

struct call;

/* access: requests have lines of their own. */
void log_setup(enum log_level level, bool is_json, bool has_access);
void log_text(enum log_level level, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_call(const struct call *call, bool is_whole);

#endif

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a server says about itself: lines on standard error, each with a level and fields, as text
 * ("key=value") or JSON. Any thread may call it; a line is one write. Values are escaped as JSON in both
 * forms, so that no client writes lines of its own.
 */
#ifndef SHALE_HTTPD_LOG_H
#define SHALE_HTTPD_LOG_H

#include <stdbool.h>

#include "base/buf.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

void log_setup(enum log_level level, bool is_json);
/* "error", "warn" or "warning", "info", "debug"; false for another. */
bool log_parse_level(const char *text, enum log_level *ret_level);
bool log_wants(enum log_level level);
void log_text(enum log_level level, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A line with fields of its own. Between, nothing else is done with the buffer; end releases it. */
void log_begin(struct buf *line, enum log_level level, const char *text);
/* Nothing is added for an empty or no value. */
void log_field(struct buf *line, const char *key, const char *value);
void log_number(struct buf *line, const char *key, unsigned long long value);
void log_end(struct buf *line);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log; see log.h. Called from everywhere in programs that serve.
 */
#include "httpd/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

static struct {
	enum log_level level;
	bool is_json;
} setup = { LOG_LEVEL_INFO, false };

static const char *const levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_setup(enum log_level level, bool is_json)
{
	setup.level = level;
	setup.is_json = is_json;
}

bool log_parse_level(const char *text, enum log_level *ret_level)
{
	if (!strcmp(text, "warn"))
		text = levels[LOG_LEVEL_WARN];
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		if (!strcmp(text, levels[i])) {
			*ret_level = i;
			return true;
		}
	return false;
}

bool log_wants(enum log_level level)
{
	return level <= setup.level;
}

static void add_escaped(struct buf *line, const char *value)
{
	buf_addc(line, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_addf(line, "\\%c", *value);
		else if ((unsigned char)*value < ' ' || (unsigned char)*value >= 0x7f)
			buf_addf(line, "\\u%04x", (unsigned char)*value);
		else
			buf_addc(line, *value);
	}
	buf_addc(line, '"');
}

void log_field(struct buf *line, const char *key, const char *value)
{
	if (!value || !*value)
		return;
	buf_addf(line, setup.is_json ? "%s\"%s\":" : "%s%s=",
		 line->len > 1 ? (setup.is_json ? "," : " ") : "", key);
	add_escaped(line, value);
}

void log_number(struct buf *line, const char *key, unsigned long long value)
{
	buf_addf(line, setup.is_json ? ",\"%s\":%llu" : " %s=%llu", key, value);
}

void log_begin(struct buf *line, enum log_level level, const char *text)
{
	struct timespec now;
	struct tm tm;
	char time[64];
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	len = strftime(time, sizeof(time), "%Y-%m-%dT%H:%M:%S", gmtime_r(&now.tv_sec, &tm));
	snprintf(time + len, sizeof(time) - len, ".%06ldZ", now.tv_nsec / 1000);
	if (setup.is_json)
		buf_addc(line, '{');
	log_field(line, "time", time);
	log_field(line, "level", levels[level]);
	log_field(line, "msg", text);
}

void log_end(struct buf *line)
{
	buf_adds(line, setup.is_json ? "}\n" : "\n");
	/* There is nobody to tell when the log cannot be written. */
	if (fs_write_full(STDERR_FILENO, buf_str(line), line->len) < 0)
		errno = 0;
	buf_release(line);
}

void log_text(enum log_level level, const char *what, const char *fmt, ...)
{
	struct buf line = BUF_INIT;
	char text[1024];
	va_list ap;

	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_begin(&line, level, text);
	log_field(&line, "of", what);
	log_end(&line);
}

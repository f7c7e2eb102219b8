// SPDX-License-Identifier: GPL-2.0-only
/*
 * Log files; see jsonlog.h. The supervising process writes them, the engine reads them.
 */
#include "container/jsonlog.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define REPLACEMENT "\\ufffd"

/* Bytes of the character at text, 0 if it is not UTF-8. */
static size_t utf8_length(const unsigned char *text, size_t len)
{
	static const struct {
		unsigned char mask, lead, low, high; /* of the second byte */
		size_t len;
	} forms[] = {
		{ 0x80, 0x00, 0, 0, 1 },	{ 0xff, 0xe0, 0xa0, 0xbf, 3 }, { 0xff, 0xed, 0x80, 0x9f, 3 },
		{ 0xff, 0xf0, 0x90, 0xbf, 4 },	{ 0xff, 0xf4, 0x80, 0x8f, 4 }, { 0xfe, 0xc0, 1, 0, 0 },
		{ 0xe0, 0xc0, 0x80, 0xbf, 2 },	{ 0xf0, 0xe0, 0x80, 0xbf, 3 }, { 0xfc, 0xf0, 0x80, 0xbf, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		if ((text[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (forms[i].len > len)
			return 0;
		if (forms[i].len > 1 && (text[1] < forms[i].low || text[1] > forms[i].high))
			return 0;
		for (size_t n = 2; n < forms[i].len; n++)
			if ((text[n] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

static int add_control(struct buf *out, unsigned char c)
{
	static const char short_of[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	for (size_t i = 0; short_of[i]; i += 2)
		if (short_of[i] == c)
			return buf_addc(out, '\\') < 0 ? -1 : buf_addc(out, short_of[i + 1]);
	return buf_addf(out, "\\u%04x", c);
}

static bool needs_escape(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == 0x7f;
}

static int add_escaped(struct buf *out, const char *data, size_t len)
{
	const unsigned char *text = (const unsigned char *)data;
	size_t step;

	for (size_t i = 0; i < len; i += step ? step : 1) {
		step = utf8_length(text + i, len - i);
		if (!step ? buf_adds(out, REPLACEMENT) :
			    needs_escape(text[i]) ? add_control(out, text[i]) : buf_add(out, data + i, step))
			return -1;
	}
	return 0;
}

static int add_line(struct jsonlog *log, struct buf *out)
{
	char now[CLOCK_TEXT];

	clock_print_now(now);
	if (buf_adds(out, "{\"log\":\"") < 0 || add_escaped(out, log->line, log->len) < 0 ||
	    buf_addf(out, "\",\"stream\":\"%s\",\"time\":\"%s\"}\n", log->stream, now) < 0)
		return -1;
	log->len = 0;
	return 0;
}

int jsonlog_add(struct jsonlog *log, const char *data, size_t len, struct buf *out)
{
	while (len) {
		size_t take = len < sizeof(log->line) - log->len ? len : sizeof(log->line) - log->len;
		const char *end = memchr(data, '\n', take);

		if (end)
			take = end + 1 - data;
		memcpy(log->line + log->len, data, take);
		log->len += take;
		data += take;
		len -= take;
		if ((end || log->len == sizeof(log->line)) && add_line(log, out) < 0)
			return -1;
	}
	return 0;
}

int jsonlog_flush(struct jsonlog *log, struct buf *out)
{
	return log->len ? add_line(log, out) : 0;
}

static bool take_fields(const json_t *json, struct jsonlog_entry *entry)
{
	const json_t *text = json_object_get(json, "log");
	const char *time = json_string_value(json_object_get(json, "time"));
	const char *stream = json_string_value(json_object_get(json, "stream"));

	if (!json_is_string(text) || !time || !stream)
		return false;
	entry->len = json_string_length(text);
	entry->text = malloc(entry->len + 1);
	if (!entry->text)
		return false;
	memcpy(entry->text, json_string_value(text), entry->len + 1);
	snprintf(entry->time, sizeof(entry->time), "%s", time);
	entry->stream = strcmp(stream, "stderr") ? 1 : 2;
	return true;
}

bool jsonlog_parse(const char *line, size_t len, struct jsonlog_entry *ret_entry)
{
	json_t *json = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
	bool good;

	*ret_entry = (struct jsonlog_entry){ .text = NULL };
	good = json && take_fields(json, ret_entry);
	json_decref(json);
	return good;
}

void jsonlog_entry_release(struct jsonlog_entry *entry)
{
	free(entry->text);
	entry->text = NULL;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values for people; see show.h. Called by the verbs that list things.
 */
#include "shale/show.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"

#define ELLIPSIS "\xe2\x80\xa6"

json_t *show_id(const char *id, bool is_whole)
{
	const char *hex = strchr(id, ':');

	if (is_whole)
		return json_string(id);
	return json_sprintf("%.*s", SHOW_ID, hex ? hex + 1 : id);
}

/* The length of the first so many characters; a byte that begins none belongs to the one before. */
static size_t chars_len(const char *text, size_t count)
{
	size_t len = 0;

	for (; text[len]; len++)
		if ((text[len] & 0xc0) != 0x80 && !count--)
			break;
	return len;
}

json_t *show_cut(const char *text, size_t chars)
{
	if (!text[chars_len(text, chars)])
		return json_string(text);
	return json_sprintf("%.*s" ELLIPSIS, (int)chars_len(text, chars - 1), text);
}

json_t *show_labels(const json_t *labels)
{
	__cleanup_buf struct buf text = BUF_INIT;
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
		if (buf_addf(&text, "%s%s=%s", text.len ? "," : "", key, json_string_value(value)))
			return NULL;
	return json_string(buf_str(&text));
}

const char *show_time(int64_t when, char *text, size_t len)
{
	time_t time = when;
	struct tm tm;

	if (!when || !localtime_r(&time, &tm) ||
	    !strftime(text, len, "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		snprintf(text, len, "N/A");
	return text;
}

const char *show_date(int64_t when, char *text, size_t len)
{
	time_t time = when;
	size_t used;
	struct tm tm;

	if (!localtime_r(&time, &tm) || !(used = strftime(text, len, "%Y-%m-%dT%H:%M:%S%z", &tm))) {
		snprintf(text, len, "N/A");
		return text;
	}
	/* RFC 3339 has a colon in the zone, and Z for none. */
	if (!strcmp(text + used - 5, "+0000"))
		snprintf(text + used - 5, 2, "Z");
	else if (used + 1 < len) {
		memmove(text + used - 1, text + used - 2, 3);
		text[used - 2] = ':';
	}
	return text;
}

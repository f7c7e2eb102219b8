// SPDX-License-Identifier: GPL-2.0-only
/*
 * Progress; see api_progress.h. Called by the work of pull, push and load.
 */
#include "shaled/api_progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bar.h"

#define SAY_NSEC 100000000L

#define WORDS(name) const size_t name##_count = sizeof(name) / sizeof(*name)

const char *const api_words_of_pull[] = {
	[SHALE_EVENT_PLANNED] = "Pulling fs layer",
	[SHALE_EVENT_WAIT] = "Waiting",
	[SHALE_EVENT_EXISTS] = "Already exists",
	[SHALE_EVENT_DOWNLOAD] = "Downloading",
	[SHALE_EVENT_VERIFY] = "Verifying Checksum",
	[SHALE_EVENT_DOWNLOADED] = "Download complete",
	[SHALE_EVENT_UNPACK] = "Extracting",
	[SHALE_EVENT_LAYER_DONE] = "Pull complete",
};
WORDS(api_words_of_pull);

const char *const api_words_of_push[] = {
	[SHALE_EVENT_PREPARED] = "Preparing",
	[SHALE_EVENT_PUSH] = "Pushing",
	[SHALE_EVENT_PUSHED] = "Pushed",
	[SHALE_EVENT_PUSH_EXISTS] = "Layer already exists",
	[SHALE_EVENT_MOUNTED] = "Mounted from",
};
WORDS(api_words_of_push);

const char *const api_words_of_load[] = {
	[SHALE_EVENT_UNPACK] = "Loading layer",
};
WORDS(api_words_of_load);

static bool has_bar(enum shale_event_kind kind)
{
	return kind == SHALE_EVENT_DOWNLOAD || kind == SHALE_EVENT_UNPACK || kind == SHALE_EVENT_PUSH;
}

/* The digits of a digest. */
static void short_id(const char *id, char text[13])
{
	const char *colon = strchr(id, ':');

	snprintf(text, 13, "%.12s", colon ? colon + 1 : id);
}

static struct api_bar *find_bar(struct api_progress *progress, const char *id)
{
	for (size_t i = 0; i < progress->count; i++)
		if (!strcmp(progress->bars[i].id, id))
			return &progress->bars[i];
	if (progress->count == API_MAX_BARS)
		return NULL;
	memcpy(progress->bars[progress->count].id, id, sizeof(progress->bars[0].id));
	progress->bars[progress->count].kind = SHALE_EVENT_READ;
	return &progress->bars[progress->count++];
}

/* The beginning and the end of something are always told. */
static bool is_too_soon(struct api_progress *progress, const char *id,
			const struct shale_event *event)
{
	struct api_bar *bar = find_bar(progress, id);
	struct timespec now;
	int64_t passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!bar)
		return has_bar(event->kind);
	passed = (now.tv_sec - bar->said.tv_sec) * 1000000000ll + now.tv_nsec - bar->said.tv_nsec;
	if (bar->kind == event->kind && passed < SAY_NSEC &&
	    (!event->total || event->done < event->total))
		return true;
	bar->kind = event->kind;
	bar->said = now;
	return false;
}

static json_t *line_of(const char *word, const char *id, const struct shale_event *event)
{
	char bar[BAR_TEXT];

	if (event->kind == SHALE_EVENT_MOUNTED)
		return json_pack("{s:o, s:{}, s:s}", "status",
				 json_sprintf("%s %s", word, event->name ? event->name : ""),
				 "progressDetail", "id", id);
	if (!has_bar(event->kind))
		return json_pack("{s:s, s:{}, s:s}", "status", word, "progressDetail", "id", id);
	bar_print(event->done, event->total, bar, sizeof(bar));
	if (!event->total)
		return json_pack("{s:s, s:{s:I}, s:s, s:s}", "status", word, "progressDetail",
				 "current", (json_int_t)event->done, "progress", bar, "id", id);
	return json_pack("{s:s, s:{s:I, s:I}, s:s, s:s}", "status", word, "progressDetail", "current",
			 (json_int_t)event->done, "total", (json_int_t)event->total, "progress", bar,
			 "id", id);
}

int api_progress_tell(struct api_progress *progress, const struct shale_event *event)
{
	const char *word = event->kind < progress->word_count ? progress->words[event->kind] : NULL;
	json_t *line;
	char id[13];

	if (api_stream_is_cancelled(progress->stream))
		return -1;
	if (!word || !event->id)
		return 0;
	short_id(event->id, id);
	if (is_too_soon(progress, id, event))
		return 0;
	line = line_of(word, id, event);
	return has_bar(event->kind) ? api_stream_line_or_not(progress->stream, line) :
				      api_stream_line(progress->stream, line);
}

int api_progress_say(struct api_stream *stream, const char *id, const char *fmt, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return api_stream_line(stream, json_pack("{s:s, s:s*}", "status", text, "id", id));
}

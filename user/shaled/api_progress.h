/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine's events of layers as lines of docker's progress stream. What moves is told ten times a second for
 * each layer, which is more than a terminal shows.
 */
#ifndef SHALE_SHALED_API_PROGRESS_H
#define SHALE_SHALED_API_PROGRESS_H

#include <time.h>

#include "shaled/api_stream.h"

/* Of one image; the bars of others are not drawn. */
#define API_MAX_BARS 512

struct api_bar {
	char id[13];
	enum shale_event_kind kind;
	struct timespec said;
};

struct api_progress {
	struct api_stream *stream;
	const char *const *words; /* by kind; what has none is not told */
	size_t word_count;
	size_t count;
	struct api_bar bars[API_MAX_BARS];
};

extern const char *const api_words_of_pull[], *const api_words_of_push[], *const api_words_of_load[];
extern const size_t api_words_of_pull_count, api_words_of_push_count, api_words_of_load_count;

/* -1: the client is gone. */
int api_progress_tell(struct api_progress *progress, const struct shale_event *event);
/* {"status":...}; a line of its own. */
int api_progress_say(struct api_stream *stream, const char *id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

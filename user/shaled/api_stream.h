/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Work that goes on while its answer is sent: a thread of its own runs an engine's verb and writes what the
 * client gets, lines of JSON or a tar. The status is 200 with the first byte; before that, a failure has a status
 * of its own, and afterwards it is the last line. When the client goes the work is cancelled. One that has no
 * thread is written to by others: events.
 */
#ifndef SHALE_SHALED_API_STREAM_H
#define SHALE_SHALED_API_STREAM_H

#include "shaled/api.h"

/* What is written and not sent yet: whoever works for a client waits for it above this. */
#define API_STREAM_BUFFER (256u << 10)

struct api_stream;

/* Runs on a thread of its own, which is waited for before the call ends. */
typedef int (*api_work_fn)(struct api_stream *stream, struct api_call *call, struct shale_err *err);
/* Says before the first byte why there is none; NULL: api_fail_err(). */
typedef void (*api_refuse_fn)(struct api_call *call, const struct shale_err *err);

struct api_work {
	api_work_fn run;
	api_refuse_fn refuse;
	const char *content_type;
	bool is_json; /* a failure can be a line */
};

/* Begins work, from a handler's begin or run. The answer comes by api_stream_answer(). */
void api_stream_start(struct api_call *call, const struct api_work *work);
/* The same for work that says nothing: when it has succeeded, answer() does. */
void api_stream_start_silent(struct api_call *call, api_work_fn run,
			     void (*answer)(struct api_call *call));
/* A stream that others write to, and answers at once. NULL: it was answered. */
struct api_stream *api_stream_open(struct api_call *call, const char *content_type);

/*
 * Called in the step end until there is an answer. In others it may give none; and none if the work could not begin,
 * which was answered.
 */
void api_stream_answer(struct api_call *call);
/* Tells the work of a call to end. */
void api_stream_cancel(struct api_stream *stream);
/* Ends the work of a call if there is any, and waits for it. */
void api_stream_finish(struct api_call *call);

/* For the work. -1 with errno EPIPE: the client is gone, or the server stops. */
int api_stream_write(struct api_stream *stream, const void *data, size_t len);
/* The same, but what does not fit at the moment is left out: progress. */
int api_stream_line_or_not(struct api_stream *stream, json_t *json);
/* The answer begins, though there is nothing in it yet. */
void api_stream_begin(struct api_stream *stream);
/* One line; takes the object. Text that is no UTF-8 must not be in it. */
int api_stream_line(struct api_stream *stream, json_t *json);
bool api_stream_is_cancelled(struct api_stream *stream);
/* For others: what does not fit ends the stream. False: it is over. */
bool api_stream_offer(struct api_stream *stream, const void *data, size_t len);
void api_stream_end(struct api_stream *stream);
/* Users other than the call. */
void api_stream_get(struct api_stream *stream);
void api_stream_put(struct api_stream *stream);

#endif

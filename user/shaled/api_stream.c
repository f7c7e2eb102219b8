// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams; see api_stream.h. A stream is the call's, the answer's body, and maybe a subscriber's: who drops it
 * last frees it. The work's thread is joined before the call ends, so it may use the call.
 */
#include "shaled/api_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

struct api_stream {
	struct httpd_source source;
	atomic_uint users;
	pthread_mutex_t lock;
	pthread_cond_t space;
	struct httpd_request *http; /* under the lock: NULL when the call has ended */
	struct buf out;		    /* under the lock */
	size_t sent;		    /* under the lock: of it */
	bool is_over;		    /* under the lock: no more will come */
	bool is_cancelled;	    /* under the lock */
	bool has_spoken;	    /* under the lock: something was written */
	struct shale_err err;	    /* of work that failed; when it is over */
	bool has_failed;
	struct api_work work;
	void (*answer)(struct api_call *call); /* NULL: 200 */
	struct api_call *call;
	pthread_t thread;
	bool has_thread;
};

void api_stream_get(struct api_stream *stream)
{
	atomic_fetch_add(&stream->users, 1);
}

void api_stream_put(struct api_stream *stream)
{
	if (atomic_fetch_sub(&stream->users, 1) != 1)
		return;
	buf_release(&stream->out);
	pthread_cond_destroy(&stream->space);
	pthread_mutex_destroy(&stream->lock);
	free(stream);
}

static void tell_locked(struct api_stream *stream)
{
	if (stream->http)
		httpd_wake(stream->http);
}

static ssize_t take_locked(struct api_stream *stream, void *data, size_t len)
{
	size_t left = stream->out.len - stream->sent;

	if (!left)
		return stream->is_over || stream->is_cancelled ? 0 : HTTPD_LATER;
	if (len > left)
		len = left;
	memcpy(data, stream->out.data + stream->sent, len);
	stream->sent += len;
	/* What was sent makes room, or the buffer would grow with all that ever was. */
	if (stream->sent == stream->out.len || stream->sent >= API_STREAM_BUFFER) {
		memmove(stream->out.data, stream->out.data + stream->sent, left - len);
		stream->out.len = left - len;
		stream->sent = 0;
	}
	pthread_cond_broadcast(&stream->space);
	return len;
}

static ssize_t source_read(struct httpd_source *source, void *data, size_t len)
{
	struct api_stream *stream = (struct api_stream *)source;
	ssize_t got;

	pthread_mutex_lock(&stream->lock);
	got = take_locked(stream, data, len);
	/* A body that is no list of lines cannot say that it is not whole, but by not ending. */
	if (!got && stream->has_failed && !stream->work.is_json)
		got = -1;
	pthread_mutex_unlock(&stream->lock);
	return got;
}

static void source_close(struct httpd_source *source)
{
	api_stream_put((struct api_stream *)source);
}

static struct api_stream *stream_new(struct api_call *call, const struct api_work *work)
{
	struct api_stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		api_fail(call, 500, "out of memory");
		return NULL;
	}
	stream->source = (struct httpd_source){ source_read, source_close };
	atomic_init(&stream->users, 1);
	pthread_mutex_init(&stream->lock, NULL);
	pthread_cond_init(&stream->space, NULL);
	stream->http = call->http;
	stream->call = call;
	stream->work = *work;
	call->stream = stream;
	return stream;
}

static void send_stream(struct api_call *call)
{
	struct api_stream *stream = call->stream;

	api_answer(call, 200);
	httpd_add_field(call->http, "Content-Type", "%s", stream->work.content_type);
	api_stream_get(stream);
	httpd_send_source(call->http, &stream->source, UINT64_MAX);
}

static void say_failure(struct api_stream *stream)
{
	const struct shale_err *err = &stream->err;
	json_t *json = json_pack("{s:{s:i, s:s}, s:s}", "errorDetail", "code",
				 (int)api_fault_status(err->code), "message", err->msg, "error",
				 err->msg);

	api_stream_line(stream, json);
}

static void end_work(struct api_stream *stream, int ret)
{
	bool has_spoken;

	pthread_mutex_lock(&stream->lock);
	has_spoken = stream->has_spoken;
	stream->has_failed = ret < 0;
	pthread_mutex_unlock(&stream->lock);
	if (ret < 0 && has_spoken) {
		snprintf(stream->call->error, sizeof(stream->call->error), "%s", stream->err.msg);
		if (stream->work.is_json)
			say_failure(stream);
	}
	api_stream_end(stream);
}

static void *run_work(void *arg)
{
	struct api_stream *stream = arg;

	end_work(stream, stream->work.run(stream, stream->call, &stream->err));
	return NULL;
}

static void start(struct api_call *call, struct api_stream *stream)
{
	int code;

	if (!stream)
		return;
	code = thread_start(&stream->thread, 0, run_work, stream);
	stream->has_thread = !code;
	if (code)
		api_fail(call, 500, "cannot start a thread: %s", strerror(code));
}

void api_stream_start(struct api_call *call, const struct api_work *work)
{
	start(call, stream_new(call, work));
}

void api_stream_start_silent(struct api_call *call, api_work_fn run,
			     void (*answer)(struct api_call *call))
{
	const struct api_work work = { .run = run };
	struct api_stream *stream = stream_new(call, &work);

	if (stream)
		stream->answer = answer;
	start(call, stream);
}

struct api_stream *api_stream_open(struct api_call *call, const char *content_type)
{
	const struct api_work work = { .content_type = content_type };
	struct api_stream *stream = stream_new(call, &work);

	if (stream)
		send_stream(call);
	return stream;
}

void api_stream_answer(struct api_call *call)
{
	struct api_stream *stream = call->stream;
	bool has_spoken, is_over;

	if (!stream || !stream->has_thread)
		return;
	pthread_mutex_lock(&stream->lock);
	has_spoken = stream->has_spoken;
	is_over = stream->is_over;
	pthread_mutex_unlock(&stream->lock);
	if (!has_spoken && is_over && !stream->has_failed && stream->answer)
		stream->answer(call);
	else if (has_spoken || (is_over && !stream->has_failed))
		send_stream(call);
	else if (!is_over)
		httpd_later(call->http);
	else if (stream->work.refuse)
		stream->work.refuse(call, &stream->err);
	else
		api_fail_err(call, &stream->err);
}

void api_stream_cancel(struct api_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->is_cancelled = true;
	pthread_cond_broadcast(&stream->space);
	pthread_mutex_unlock(&stream->lock);
}

void api_stream_finish(struct api_call *call)
{
	struct api_stream *stream = call->stream;

	if (!stream)
		return;
	pthread_mutex_lock(&stream->lock);
	stream->http = NULL;
	pthread_mutex_unlock(&stream->lock);
	api_stream_cancel(stream);
	if (stream->has_thread)
		pthread_join(stream->thread, NULL);
	call->stream = NULL;
	api_stream_put(stream);
}

int api_stream_write(struct api_stream *stream, const void *data, size_t len)
{
	int ret = -1;

	pthread_mutex_lock(&stream->lock);
	while (!stream->is_cancelled && stream->out.len - stream->sent >= API_STREAM_BUFFER)
		pthread_cond_wait(&stream->space, &stream->lock);
	errno = EPIPE;
	if (!stream->is_cancelled)
		ret = buf_add(&stream->out, data, len);
	if (ret == 0) {
		stream->has_spoken = true;
		tell_locked(stream);
	}
	pthread_mutex_unlock(&stream->lock);
	return ret;
}

void api_stream_begin(struct api_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->has_spoken = true;
	tell_locked(stream);
	pthread_mutex_unlock(&stream->lock);
}

int api_stream_line(struct api_stream *stream, json_t *json)
{
	__cleanup_buf struct buf line = BUF_INIT;
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	int ret = -1;

	json_decref(json);
	if (text && buf_addf(&line, "%s\r\n", text) == 0)
		ret = api_stream_write(stream, line.data, line.len);
	free(text);
	return ret;
}

int api_stream_line_or_not(struct api_stream *stream, json_t *json)
{
	bool is_full, is_cancelled;

	pthread_mutex_lock(&stream->lock);
	is_cancelled = stream->is_cancelled;
	is_full = stream->out.len - stream->sent >= API_STREAM_BUFFER / 2;
	pthread_mutex_unlock(&stream->lock);
	if (!is_full && !is_cancelled)
		return api_stream_line(stream, json);
	json_decref(json);
	return is_cancelled ? -1 : 0;
}

bool api_stream_is_cancelled(struct api_stream *stream)
{
	bool is_cancelled;

	pthread_mutex_lock(&stream->lock);
	is_cancelled = stream->is_cancelled;
	pthread_mutex_unlock(&stream->lock);
	return is_cancelled;
}

bool api_stream_offer(struct api_stream *stream, const void *data, size_t len)
{
	bool good;

	pthread_mutex_lock(&stream->lock);
	good = !stream->is_cancelled && !stream->is_over &&
	       stream->out.len - stream->sent + len <= API_STREAM_BUFFER &&
	       buf_add(&stream->out, data, len) == 0;
	stream->is_over |= !good;
	tell_locked(stream);
	pthread_mutex_unlock(&stream->lock);
	return good;
}

void api_stream_end(struct api_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->is_over = true;
	tell_locked(stream);
	pthread_mutex_unlock(&stream->lock);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading an object's body piece by piece; see remote_stream.h. Each stream drives a curl multi handle
 * of its own, and only while somebody reads. Called by the drivers' open, read and close.
 */
#include "registry/remote_stream.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "registry/remote_curl.h"

/* One wait for the network; how often a stall is looked for. */
#define POLL_MS 1000

struct remote_stream {
	struct remote *remote;
	struct remote_call call;
	CURLM *multi;
	CURL *curl;
	struct curl_slist *headers;
	struct remote_answer answer; /* of the running request */
	char detail[CURL_ERROR_SIZE];
	char *etag;

	uint64_t size;
	uint64_t offset; /* of the next byte the reader gets */

	/* Where arriving bytes go first, and what did not fit. */
	char *want;
	size_t want_len;
	struct buf held;
	size_t held_at;
	bool is_paused;

	bool has_begun; /* the answer's headers are complete */
	bool is_over;	/* the request has ended, with code */
	CURLcode code;
	unsigned int attempts; /* since bytes last came */
};

static size_t stream_take(char *data, size_t size, size_t count, void *ctx)
{
	struct remote_stream *stream = ctx;
	size_t len = size * count;
	size_t direct;
	long status = 0;

	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &status);
	stream->has_begun = true;
	if (status / 100 != 2) {
		if (stream->answer.body.len + len <= REMOTE_MAX_ERROR)
			buf_add(&stream->answer.body, data, len);
		return len;
	}
	if (stream->held.len > stream->held_at) {
		stream->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	direct = len < stream->want_len ? len : stream->want_len;
	if (direct)
		memcpy(stream->want, data, direct);
	stream->want += direct;
	stream->want_len -= direct;
	buf_clear(&stream->held);
	stream->held_at = 0;
	return buf_add(&stream->held, data + direct, len - direct) < 0 ? CURL_WRITEFUNC_ERROR : len;
}

/* What was held and not read is asked for again. */
static void stream_stop(struct remote_stream *stream)
{
	if (stream->curl) {
		curl_multi_remove_handle(stream->multi, stream->curl);
		remote_handle_put(stream->remote, steal_ptr(stream->curl));
	}
	curl_slist_free_all(steal_ptr(stream->headers));
	buf_clear(&stream->held);
	stream->held_at = 0;
	stream->is_paused = false;
}

static int stream_headers(struct remote_stream *stream, struct shale_err *err)
{
	struct remote_headers headers = { 0 };
	char range[48];
	int ret = 0;

	snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", stream->offset);
	if (stream->offset)
		ret = remote_headers_add(&headers, "range", range, err);
	if (!ret && stream->etag)
		ret = remote_headers_add(&headers, "if-match", stream->etag, err);
	if (!ret && stream->call.sign)
		ret = stream->call.sign(stream->call.ctx, &stream->call, &headers, err);
	stream->headers = headers.list;
	return ret;
}

static int stream_start(struct remote_stream *stream, struct shale_err *err)
{
	CURL *curl = remote_handle_get(stream->remote);

	stream->curl = curl;
	if (!curl)
		return shale_err_set(err, ENOMEM, "%s: no memory for a connection",
				     stream->call.what);
	remote_answer_clear(&stream->answer);
	stream->has_begun = stream->is_over = false;
	stream->detail[0] = '\0';
	if (stream_headers(stream, err) < 0)
		return -1;
	remote_handle_setup(stream->remote, curl, stream->call.url, "GET");
	curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, REMOTE_STREAM_PIECE);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, remote_take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, &stream->answer);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, stream_take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, stream->headers);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, stream->detail);
	if (curl_multi_add_handle(stream->multi, curl) != CURLM_OK)
		return shale_err_set(err, ENOMEM, "%s: no memory for a connection",
				     stream->call.what);
	return 0;
}

static void stream_note_end(struct remote_stream *stream)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(stream->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		stream->is_over = true;
		stream->code = message->data.result;
		stream->has_begun |= stream->code == CURLE_OK;
	}
}

/* Drives the request until something has come, or nothing did for too long. */
static void stream_drive(struct remote_stream *stream)
{
	const size_t before = stream->want_len;
	time_t limit = remote_stall_seconds(stream->remote, stream->call.stall_seconds);
	struct timespec start, now;
	int running;

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (stream->is_paused) {
		stream->is_paused = false;
		curl_easy_pause(stream->curl, CURLPAUSE_CONT);
	}
	for (;;) {
		curl_multi_perform(stream->multi, &running);
		stream_note_end(stream);
		if (stream->is_over || (before ? stream->want_len < before : stream->has_begun))
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec - start.tv_sec > limit) {
			stream->is_over = true;
			stream->code = CURLE_OPERATION_TIMEDOUT;
			snprintf(stream->detail, sizeof(stream->detail), "no byte for %lld seconds",
				 (long long)limit);
			break;
		}
		curl_multi_poll(stream->multi, NULL, 0, POLL_MS, NULL);
	}
	curl_easy_getinfo(stream->curl, CURLINFO_RESPONSE_CODE, &stream->answer.status);
}

/* Sends the request, again while that is of use; 0 with an answer that has begun. */
static int stream_request(struct remote_stream *stream, struct shale_err *err)
{
	const struct remote_call *call = &stream->call;
	struct remote_answer *answer = &stream->answer;

	for (;;) {
		stream->attempts++;
		if (stream_start(stream, err) < 0)
			return -1;
		stream_drive(stream);
		/* Of an answer about an error all is wanted. */
		while (!stream->is_over && answer->status / 100 != 2)
			stream_drive(stream);
		if (!stream->has_begun)
			remote_http_fail(stream->code, call->what, stream->detail, err);
		else if (!remote_status_is_passing(answer->status) &&
			 !(call->judge && call->judge(call->ctx, answer, stream->attempts)))
			return 0;
		if (!stream->has_begun && err && err->code != EAGAIN)
			return -1;
		if (!remote_wait(stream->remote, stream->has_begun ? answer : NULL,
				 stream->attempts))
			return stream->has_begun ? 0 : -1;
		stream_stop(stream);
	}
}

/* "bytes 5-9/10": whether it begins where we asked. */
static bool range_is_ours(const struct remote_answer *answer, uint64_t offset, uint64_t *ret_size)
{
	const char *text = remote_answer_header(answer, "content-range");
	uint64_t first, last, size;

	if (!text || sscanf(text, "bytes %" SCNu64 "-%" SCNu64 "/%" SCNu64, &first, &last, &size) != 3)
		return false;
	*ret_size = size;
	return first == offset && last == size - 1;
}

static int answer_size(const struct remote_answer *answer, const char *what, uint64_t offset,
		       uint64_t *ret_size, struct shale_err *err)
{
	const char *length = remote_answer_header(answer, "content-length");
	char *end;

	if (answer->status == 206 && range_is_ours(answer, offset, ret_size))
		return 0;
	errno = 0;
	*ret_size = length ? strtoull(length, &end, 10) : 0;
	if (answer->status == 200 && !offset && length && end != length && !*end && !errno)
		return 0;
	return shale_err_set(err, EIO, "%s: the store answers with another range than asked for", what);
}

/* The connection broke: the rest, from the same version. */
static int stream_resume(struct remote_stream *stream, struct shale_err *err)
{
	long status;
	uint64_t size;

	stream_stop(stream);
	if (!stream->etag && stream->offset)
		return -1;
	if (!remote_wait(stream->remote, NULL, stream->attempts) || stream_request(stream, err) < 0)
		return -1;
	status = stream->answer.status;
	if (status == 412 || status == 404)
		return shale_err_set(err, EIO, "%s: replaced or removed while it was read",
				     stream->call.what);
	if (status / 100 != 2)
		return shale_err_set(err, remote_status_is_passing(status) ? EAGAIN : EIO,
				     "%s: the store answers with status %ld", stream->call.what,
				     status);
	if (answer_size(&stream->answer, stream->call.what, stream->offset, &size, err) < 0)
		return -1;
	if (size == stream->size)
		return 0;
	return shale_err_set(err, EIO, "%s: replaced while it was read", stream->call.what);
}

static size_t take_held(struct remote_stream *stream, char *data, size_t len)
{
	size_t there = stream->held.len - stream->held_at;

	if (len > there)
		len = there;
	if (len)
		memcpy(data, stream->held.data + stream->held_at, len);
	stream->held_at += len;
	return len;
}

ssize_t remote_stream_read(struct remote_stream *stream, void *data, size_t len,
			   struct shale_err *err)
{
	uint64_t left = stream->size - stream->offset;
	size_t got;

	if (len > left)
		len = left;
	if (!len)
		return 0;
	got = take_held(stream, data, len);
	while (!got) {
		stream->want = data;
		stream->want_len = len;
		if (stream->is_over) {
			if (stream->code == CURLE_OK)
				snprintf(stream->detail, sizeof(stream->detail),
					 "the store ended it too early");
			remote_http_fail(stream->code, stream->call.what, stream->detail, err);
			if (stream_resume(stream, err) < 0)
				return -1;
		} else {
			stream_drive(stream);
		}
		got = len - stream->want_len;
	}
	stream->want_len = 0;
	stream->attempts = 0;
	stream->offset += got;
	return got;
}

static int copy_answer(const struct remote_answer *from, struct remote_answer *to)
{
	remote_answer_clear(to);
	to->status = from->status;
	to->is_header_overflow = from->is_header_overflow;
	if (buf_add(&to->body, from->body.data, from->body.len) < 0)
		return -1;
	return buf_add(&to->headers, from->headers.data, from->headers.len);
}

static int stream_open(struct remote_stream *stream, struct remote_answer *ret_answer,
		       struct shale_err *err)
{
	const char *etag;

	stream->multi = remote_multi_get(stream->remote);
	if (!stream->multi)
		return shale_err_set(err, ENOMEM, "%s: no memory for a connection",
				     stream->call.what);
	if (stream_request(stream, err) < 0)
		return -1;
	if (copy_answer(&stream->answer, ret_answer) < 0)
		return shale_err_errno(err, "%s", stream->call.what);
	if (!remote_answer_is_success(ret_answer))
		return 0;
	etag = remote_answer_header(ret_answer, "etag");
	/* A weak one compares nothing. */
	if (etag && strncmp(etag, "W/", 2) && !(stream->etag = strdup(etag)))
		return shale_err_errno(err, "%s", stream->call.what);
	return answer_size(ret_answer, stream->call.what, stream->offset, &stream->size, err);
}

static void stream_closep(struct remote_stream **stream)
{
	remote_stream_close(*stream);
}

int remote_stream_open(struct remote *remote, const struct remote_call *call, uint64_t offset,
		       struct remote_answer *ret_answer, uint64_t *ret_size,
		       struct remote_stream **ret_stream, struct shale_err *err)
{
	__cleanup(stream_closep) struct remote_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return shale_err_errno(err, "%s", call->what);
	stream->remote = remote;
	stream->call = *call;
	stream->call.free_ctx = NULL;
	stream->offset = offset;
	if (stream_open(stream, ret_answer, err) < 0)
		return -1;
	*ret_size = stream->size;
	*ret_stream = NULL;
	if (remote_answer_is_success(ret_answer)) {
		stream->call.free_ctx = call->free_ctx;
		*ret_stream = steal_ptr(stream);
	}
	return 0;
}

void remote_stream_close(struct remote_stream *stream)
{
	int saved = errno;

	if (!stream)
		return;
	stream_stop(stream);
	remote_multi_put(stream->remote, stream->multi);
	remote_answer_release(&stream->answer);
	buf_release(&stream->held);
	if (stream->call.free_ctx)
		stream->call.free_ctx(stream->call.ctx);
	free(stream->etag);
	free(stream);
	errno = saved;
}

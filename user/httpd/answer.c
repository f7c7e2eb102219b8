// SPDX-License-Identifier: GPL-2.0-only
/*
 * Answers: kept in the request while its steps run, and turned into the library's response when it may
 * take one. A file goes out by sendfile. A source is read on a worker into a buffer of the request, and
 * the connection sleeps until there are bytes in it.
 */
#include "httpd/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fields_clear(struct answer *answer)
{
	while (answer->field_count)
		free(answer->fields[--answer->field_count].value);
}

static void body_clear(struct answer *answer)
{
	buf_release(&answer->buf);
	if (answer->fd >= 0)
		close(answer->fd);
	answer->fd = -1;
	if (answer->source)
		answer->source->close(answer->source);
	answer->source = NULL;
	if (answer->taker)
		upgrade_give_up(answer->taker);
	answer->taker = NULL;
	answer->length = 0;
}

void answer_clear(struct answer *answer)
{
	fields_clear(answer);
	body_clear(answer);
	answer->status = 0;
}

void httpd_answer(struct httpd_request *request, unsigned int status)
{
	answer_clear(&request->answer);
	request->answer.status = status;
}

bool httpd_has_answer(const struct httpd_request *request)
{
	return request->answer.status;
}

unsigned int httpd_status(const struct httpd_request *request)
{
	return request->is_queued ? request->answer.status : 0;
}

uint64_t httpd_answer_length(const struct httpd_request *request)
{
	uint64_t length = request->answer.length;

	return length == UINT64_MAX ? request->source_sent : length;
}

void httpd_add_field(struct httpd_request *request, const char *name, const char *fmt, ...)
{
	struct answer *answer = &request->answer;
	char *value;
	va_list ap;
	int len;

	if (answer->field_count == HTTPD_MAX_FIELDS)
		return;
	va_start(ap, fmt);
	len = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	answer->fields[answer->field_count++] = (struct answer_field){ name, value };
}

void httpd_send_buf(struct httpd_request *request, struct buf *buf)
{
	body_clear(&request->answer);
	request->answer.buf = *buf;
	request->answer.length = buf->len;
	*buf = (struct buf)BUF_INIT;
}

void httpd_send_fd(struct httpd_request *request, int fd, uint64_t offset, uint64_t len)
{
	body_clear(&request->answer);
	request->answer.fd = fd;
	request->answer.offset = offset;
	request->answer.length = len;
}

void httpd_send_source(struct httpd_request *request, struct httpd_source *source, uint64_t len)
{
	body_clear(&request->answer);
	request->answer.source = source;
	request->answer.length = len;
}

void httpd_upgrade(struct httpd_request *request, const char *protocol, struct httpd_taker *taker)
{
	httpd_answer(request, MHD_HTTP_SWITCHING_PROTOCOLS);
	httpd_add_field(request, MHD_HTTP_HEADER_UPGRADE, "%s", protocol);
	request->answer.taker = taker;
}

void httpd_send_length(struct httpd_request *request, uint64_t len)
{
	body_clear(&request->answer);
	request->answer.length = len;
}

/* Never called: to a HEAD only the length of the body is sent. */
static ssize_t read_nothing(void *ctx, uint64_t pos, char *data, size_t max)
{
	(void)ctx, (void)pos, (void)data, (void)max;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t take_ahead(struct httpd_request *request, char *data, size_t max)
{
	if (max > (size_t)request->ahead_len)
		max = request->ahead_len;
	memcpy(data, request->ahead + request->ahead_from, max);
	request->ahead_from += max;
	request->ahead_len -= max;
	request->source_sent += max;
	return max;
}

/* 0 sends the connection to sleep: request_step() has suspended it. */
static ssize_t read_source(void *ctx, uint64_t pos, char *data, size_t max)
{
	struct httpd_request *request = ctx;

	(void)pos;
	if (!request->ahead)
		request->ahead = malloc(HTTPD_SOURCE_CHUNK);
	if (!request->ahead)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (request->ahead_len > 0)
		return take_ahead(request, data, max);
	if (sleep_is_gone(&request->sleeper))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (request->ahead_len < 0)
		return request->answer.length == UINT64_MAX ? MHD_CONTENT_READER_END_OF_STREAM :
							      MHD_CONTENT_READER_END_WITH_ERROR;
	if (!request_step(request, STEP_READ))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return 0;
}

static struct MHD_Response *response_make(struct httpd_request *request)
{
	struct answer *answer = &request->answer;
	struct MHD_Response *response;

	if (httpd_is_head(request))
		return MHD_create_response_from_callback(answer->length, 1, read_nothing, NULL, NULL);
	if (answer->taker)
		return upgrade_response(request);
	if (answer->source)
		return MHD_create_response_from_callback(answer->length, HTTPD_SOURCE_CHUNK,
							 read_source, request, NULL);
	if (answer->fd >= 0) {
		response = MHD_create_response_from_fd_at_offset64(answer->length, answer->fd,
								   answer->offset);
		if (response)
			answer->fd = -1;
		return response;
	}
	/* The bytes stay the request's, which outlives the response. */
	return MHD_create_response_from_buffer(answer->buf.len, (void *)buf_str(&answer->buf),
					       MHD_RESPMEM_PERSISTENT);
}

static bool should_close(const struct httpd_request *request)
{
	struct httpd *httpd = request->httpd;

	return atomic_load(&httpd->is_draining) ||
	       !watch_may_stay(httpd->watch, httpd->limits.kept);
}

static bool add_fields(const struct httpd_request *request, struct MHD_Response *response)
{
	const struct answer *answer = &request->answer;

	for (size_t i = 0; i < answer->field_count; i++)
		if (MHD_add_response_header(response, answer->fields[i].name,
					    answer->fields[i].value) != MHD_YES)
			return false;
	/* One that is taken over is not the server's to close. */
	if (answer->taker || !should_close(request))
		return true;
	return MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

bool answer_queue(struct httpd_request *request)
{
	struct MHD_Response *response;
	bool good;

	if (!request->answer.status)
		httpd_answer(request, MHD_HTTP_INTERNAL_SERVER_ERROR);
	response = response_make(request);
	if (!response)
		return false;
	good = add_fields(request, response) &&
	       MHD_queue_response(request->connection, request->answer.status, response) == MHD_YES;
	MHD_destroy_response(response);
	watch_phase(request->watched, WATCH_BUSY);
	request->is_queued = good;
	return good;
}

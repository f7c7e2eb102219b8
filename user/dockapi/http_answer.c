// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes answers apart; see http_answer.h. Called by http.c, and by the fuzzer.
 */
#include "dockapi/http_answer.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The connection speaks another protocol from here on. */
#define STATUS_UPGRADED 101

static int no_http(struct shale_err *err, const char *why)
{
	return shale_err_set(err, EPROTO, "what answers there is no daemon of this kind: %s", why);
}

const char *http_field(const char *fields, const char *name, size_t *ret_len)
{
	size_t len = strlen(name);
	const char *end;

	for (const char *line = fields; *line; line = end + (*end != '\0')) {
		end = line + strcspn(line, "\n");
		if (strncasecmp(line, name, len) || line[len] != ':')
			continue;
		line += len + 1;
		while (line < end && isblank((unsigned char)*line))
			line++;
		*ret_len = end - line;
		while (*ret_len && isspace((unsigned char)line[*ret_len - 1]))
			--*ret_len;
		return line;
	}
	return NULL;
}

static bool field_is(const char *fields, const char *name, const char *value)
{
	size_t len = 0;
	const char *found = http_field(fields, name, &len);

	return found && len == strlen(value) && !strncasecmp(found, value, len);
}

/* "HTTP/1.1 200 OK" */
static int take_status(struct http_answer *answer, const char *text, struct shale_err *err)
{
	if (strncmp(text, "HTTP/1.", 7) || !isdigit((unsigned char)text[7]) || text[8] != ' ' ||
	    strspn(text + 9, "0123456789") != 3 || text[9] == '0')
		return no_http(err, "it does not speak HTTP/1");
	answer->status = strtol(text + 9, NULL, 10);
	answer->is_last = text[7] == '0';
	return 0;
}

static int take_length(struct http_answer *answer, const char *text, size_t len,
		       struct shale_err *err)
{
	if (!len || len > 18 || strspn(text, "0123456789") < len)
		return no_http(err, "a length that is none");
	answer->left = strtoull(text, NULL, 10);
	answer->state = ANSWER_LENGTH;
	answer->is_whole = !answer->left;
	return 0;
}

/* How the body ends. */
static int take_fields(struct http_answer *answer, const char *fields, struct shale_err *err)
{
	size_t len = 0;
	const char *length = http_field(fields, "Content-Length", &len);

	if (field_is(fields, "Connection", "close"))
		answer->is_last = true;
	if (answer->status == STATUS_UPGRADED)
		answer->is_last = true;
	if (answer->has_no_body || answer->status == STATUS_UPGRADED || answer->status == 204 || answer->status == 304) {
		answer->is_whole = true;
		return 0;
	}
	if (field_is(fields, "Transfer-Encoding", "chunked")) {
		answer->state = ANSWER_CHUNK_SIZE;
		return 0;
	}
	if (length)
		return take_length(answer, length, len, err);
	answer->state = ANSWER_CLOSE;
	answer->is_last = true;
	return 0;
}

static int take_head(struct http_answer *answer, struct shale_err *err)
{
	const char *text = buf_str(&answer->line);
	const char *fields = strchr(text, '\n');

	if (strlen(text) != answer->line.len)
		return no_http(err, "a NUL");
	if (take_status(answer, text, err))
		return -1;
	if (answer->status == STATUS_UPGRADED && !answer->takes_upgrade)
		return no_http(err, "another protocol");
	/* "100 Continue" and its like are no answer yet. */
	if (answer->status < 200 && answer->status != STATUS_UPGRADED) {
		buf_clear(&answer->line);
		return 0;
	}
	if (take_fields(answer, fields + 1, err) ||
	    answer->sink->head(answer->sink->arg, answer->status, fields + 1, err))
		return -1;
	buf_clear(&answer->line);
	return 0;
}

/* "1a;extension" */
static int take_chunk_size(struct http_answer *answer, struct shale_err *err)
{
	const char *text = buf_str(&answer->line);
	size_t digits = strspn(text, "0123456789abcdefABCDEF");

	if (!digits || digits > 15 || !strchr("; \t\r\n", text[digits]))
		return no_http(err, "a chunk without a size");
	answer->left = strtoull(text, NULL, 16);
	answer->state = answer->left ? ANSWER_CHUNK : ANSWER_TRAILER;
	return 0;
}

static int take_line(struct http_answer *answer, struct shale_err *err)
{
	bool is_empty = buf_str(&answer->line)[strspn(buf_str(&answer->line), "\r\n")] == '\0';
	int ret = 0;

	if (answer->state == ANSWER_CHUNK_SIZE)
		ret = take_chunk_size(answer, err);
	else if (answer->state == ANSWER_CHUNK_END && !is_empty)
		ret = no_http(err, "a chunk longer than its size");
	else if (answer->state == ANSWER_CHUNK_END)
		answer->state = ANSWER_CHUNK_SIZE;
	else if (is_empty)
		answer->is_whole = true;
	buf_clear(&answer->line);
	return ret;
}

static bool is_head_whole(const struct buf *line)
{
	return line->len >= 2 && line->data[line->len - 1] == '\n' &&
	       (line->data[line->len - 2] == '\n' ||
		(line->len >= 3 && !memcmp(line->data + line->len - 3, "\n\r\n", 3)));
}

/* Text up to the end of a line; what is behind it stays. */
static int add_line(struct http_answer *answer, const char *data, size_t len, size_t *ret_used,
		    struct shale_err *err)
{
	bool is_head = answer->state == ANSWER_HEAD;
	const char *newline = memchr(data, '\n', len);
	size_t used = newline ? (size_t)(newline - data) + 1 : len;

	*ret_used = used;
	if (answer->line.len + used > (is_head ? HTTP_MAX_HEAD : HTTP_MAX_LINE))
		return no_http(err, "too much before a body");
	if (buf_add(&answer->line, data, used))
		return shale_err_errno(err, "reading an answer");
	if (!newline)
		return 0;
	if (is_head)
		return is_head_whole(&answer->line) ? take_head(answer, err) : 0;
	return take_line(answer, err);
}

static int add_bytes(struct http_answer *answer, const char *data, size_t len, size_t *ret_used,
		     struct shale_err *err)
{
	bool is_counted = answer->state != ANSWER_CLOSE;

	if (is_counted && len > answer->left)
		len = answer->left;
	*ret_used = len;
	if (answer->sink->body(answer->sink->arg, data, len, err))
		return -1;
	if (!is_counted)
		return 0;
	answer->left -= len;
	if (answer->left)
		return 0;
	if (answer->state == ANSWER_CHUNK)
		answer->state = ANSWER_CHUNK_END;
	else
		answer->is_whole = true;
	return 0;
}

static bool is_in_bytes(const struct http_answer *answer)
{
	return answer->state == ANSWER_LENGTH || answer->state == ANSWER_CLOSE ||
	       answer->state == ANSWER_CHUNK;
}

int http_answer_add(struct http_answer *answer, const char *data, size_t len,
		    struct shale_err *err)
{
	size_t used;
	int ret = 0;

	answer->has_begun = answer->has_begun || len;
	for (; !ret && len && !answer->is_whole; data += used, len -= used)
		ret = is_in_bytes(answer) ? add_bytes(answer, data, len, &used, err)
					  : add_line(answer, data, len, &used, err);
	if (ret || !len)
		return ret;
	if (answer->status == STATUS_UPGRADED)
		return answer->sink->body(answer->sink->arg, data, len, err);
	/* Nothing was asked that what follows could answer. */
	answer->is_last = true;
	return 0;
}

int http_answer_end(struct http_answer *answer)
{
	answer->is_last = true;
	if (answer->state == ANSWER_CLOSE)
		answer->is_whole = true;
	return answer->is_whole ? 0 : -1;
}

void http_answer_release(struct http_answer *answer)
{
	buf_release(&answer->line);
}

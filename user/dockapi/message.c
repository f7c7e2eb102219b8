// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a daemon answers, as JSON: documents, streams of messages, and errors in either. Called by dockapi.c.
 */
#include "dockapi/message.h"

#include <errno.h>
#include <string.h>

#include "store/json.h"

#define DAEMON "the daemon's answer"

/* Checked before jansson recurses. Brackets within strings do not count. */
static bool is_too_deep(const char *text, size_t len)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
		else if (!in_string && (text[i] == '{' || text[i] == '[') && ++depth > DOCKAPI_MAX_DEPTH)
			return true;
		else if (!in_string && (text[i] == '}' || text[i] == ']') && depth)
			depth--;
	}
	return false;
}

int dockapi_parse(const char *text, size_t len, json_t **ret_json, struct shale_err *err)
{
	json_error_t why;

	if (!len) {
		*ret_json = json_null();
		return 0;
	}
	if (is_too_deep(text, len))
		return shale_err_set(err, EPROTO, DAEMON " is nested deeper than %d",
				     DOCKAPI_MAX_DEPTH);
	*ret_json = json_loadb(text, len, JSON_DECODE_ANY, &why);
	if (*ret_json)
		return 0;
	return shale_err_set(err, EPROTO, DAEMON " is not JSON: %s", why.text);
}

int dockapi_status_errno(long status)
{
	static const struct {
		long status;
		int code;
	} codes[] = {
		{ 400, EINVAL }, { 401, EACCES }, { 403, EACCES }, { 404, ENOENT },
		{ 409, EBUSY },	 { 501, ENOSYS },
	};

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].status == status)
			return codes[i].code;
	return EIO;
}

int dockapi_complain(long status, const struct buf *body, struct shale_err *err)
{
	__cleanup_json json_t *json = NULL;
	const char *text = NULL;
	int code = dockapi_status_errno(status);

	if (dockapi_parse(buf_str(body), body->len, &json, NULL) == 0)
		text = json_string_value(json_object_get(json, "message"));
	if (text && *text)
		return shale_err_set(err, code, "%s", text);
	return shale_err_set(err, code, "the daemon answers with status %ld", status);
}

/* {"errorDetail":{"code":401,"message":"denied"},"error":"denied"} */
static int check_error(const json_t *message, struct shale_err *err)
{
	const json_t *detail = json_object_get(message, "errorDetail");
	const char *text = json_string_value(json_object_get(detail, "message"));
	long status = json_integer_value(json_object_get(detail, "code"));

	if (!text || !*text)
		text = json_string_value(json_object_get(message, "error"));
	return text ? shale_err_set(err, dockapi_status_errno(status), "%s", text) : 0;
}

static int take_line(struct dockapi_messages *messages, struct shale_err *err)
{
	__cleanup_json json_t *message = NULL;
	const char *text = buf_str(&messages->line);
	int ret = 0;

	if (text[strspn(text, " \r\t")] &&
	    (dockapi_parse(text, messages->line.len, &message, err) || check_error(message, err) ||
	     messages->each(messages->arg, message, err)))
		ret = -1;
	buf_clear(&messages->line);
	return ret;
}

int dockapi_messages_add(struct dockapi_messages *messages, const void *data, size_t len,
			 struct shale_err *err)
{
	const char *at = data;
	const char *newline;
	size_t piece;

	for (; len; at += piece, len -= piece) {
		newline = memchr(at, '\n', len);
		piece = newline ? (size_t)(newline - at) + 1 : len;
		if (messages->line.len + piece > DOCKAPI_MAX_MESSAGE)
			return shale_err_set(err, EFBIG,
					     "a message of the daemon's is larger than %u bytes",
					     DOCKAPI_MAX_MESSAGE);
		if (buf_add(&messages->line, at, newline ? piece - 1 : piece))
			return shale_err_errno(err, "reading an answer");
		if (newline && take_line(messages, err))
			return -1;
	}
	return 0;
}

int dockapi_messages_end(struct dockapi_messages *messages, struct shale_err *err)
{
	return take_line(messages, err);
}

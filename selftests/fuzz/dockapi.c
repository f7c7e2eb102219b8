// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer harness of what a daemon answers: HTTP in pieces of a size the first byte says, and in its body a document,
 * an error, a stream of messages or a container's output in frames. An answer ends, or is refused with a message, and no more of its body comes than
 * there was. Built and run by scripts/fuzz; its corpus is selftests/corpus/dockapi.
 */
#include "dockapi/frames.h"
#include "dockapi/http_answer.h"
#include "dockapi/message.h"
#include "fuzz.h"
#include "store/json.h"

struct taken {
	struct buf body;
	struct frames frames;
	bool has_no_frames;
	struct dockapi_messages messages;
	long status;
};

static int take_head(void *arg, long status, const char *fields, struct shale_err *err)
{
	struct taken *taken = arg;
	size_t len = 0;
	const char *version = http_field(fields, "Api-Version", &len);

	(void)err;
	promise(!taken->status && ((status >= 200 && status < 1000) || status == 101));
	promise(!version || version + len <= fields + strlen(fields));
	taken->status = status;
	return 0;
}

/* The same bytes as a container's output: pieces lie within them, in order. */
static void read_frames(struct taken *taken, const char *data, size_t len)
{
	const char *end = data + len;
	struct frames_piece piece;
	struct shale_err err = { 0 };

	while (len && !taken->has_no_frames) {
		if (frames_next(&taken->frames, &data, &len, &piece, &err)) {
			promise(err.msg[0]);
			taken->has_no_frames = true;
			return;
		}
		promise(data + len == end && piece.len <= (size_t)(end - piece.data));
		promise(piece.len ? piece.stream <= FRAMES_ERROR : !len);
	}
}

static int take_body(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct taken *taken = arg;

	promise(taken->status != 0);
	read_frames(taken, data, len);
	if (buf_add(&taken->body, data, len))
		return -1;
	return dockapi_messages_add(&taken->messages, data, len, err);
}

static int take_message(void *arg, const json_t *message, struct shale_err *err)
{
	(void)arg;
	(void)err;
	promise(message != NULL);
	return 0;
}

static void read_body(struct taken *taken)
{
	struct shale_err err = { 0 };
	json_t *json = NULL;

	promise(dockapi_parse(buf_str(&taken->body), taken->body.len, &json, &err) == 0 || err.msg[0]);
	json_decref(json);
	promise(dockapi_complain(taken->status, &taken->body, &err) == -1 && err.code > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct taken taken = { .messages = { .each = take_message } };
	struct http_sink sink = { take_head, take_body, &taken };
	struct http_answer answer = { .sink = &sink, .takes_upgrade = size && data[0] & 0x80 };
	struct shale_err err = { 0 };
	size_t piece = size ? data[0] + 1 : 0;
	int ret = 0;

	for (size_t at = 1; !ret && at < size && !answer.is_whole; at += piece)
		ret = http_answer_add(&answer, (const char *)data + at,
				      size - at < piece ? size - at : piece, &err);
	promise(!ret || err.msg[0]);
	promise(taken.body.len <= size);
	if (!ret && http_answer_end(&answer) == 0)
		read_body(&taken);
	http_answer_release(&answer);
	buf_release(&taken.messages.line);
	buf_release(&taken.body);
	return 0;
}

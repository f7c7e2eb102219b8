/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An HTTP/1.1 answer, taken apart as its bytes come in.
 */
#ifndef SHALE_DOCKAPI_HTTP_ANSWER_H
#define SHALE_DOCKAPI_HTTP_ANSWER_H

#include "dockapi/http.h"

enum http_answer_state {
	ANSWER_HEAD,
	ANSWER_LENGTH,	   /* a body of so many bytes */
	ANSWER_CLOSE,	   /* a body that ends with the connection */
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK,
	ANSWER_CHUNK_END,  /* the line's end behind its bytes */
	ANSWER_TRAILER,
};

struct http_answer {
	const struct http_sink *sink;
	enum http_answer_state state;
	bool has_no_body;
	bool takes_upgrade;
	bool has_begun;
	bool is_whole;
	bool is_last; /* the connection ends with it */
	long status;
	uint64_t left; /* of the body or the chunk */
	struct buf line; /* the head, or a line in between */
};

int http_answer_add(struct http_answer *answer, const char *data, size_t len,
		    struct shale_err *err);
/* The connection has ended: -1 when the answer is not whole. */
int http_answer_end(struct http_answer *answer);
void http_answer_release(struct http_answer *answer);

#endif

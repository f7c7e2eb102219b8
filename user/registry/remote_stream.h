/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The body of an object, read as it comes. Memory is bounded by a constant whatever the reader does:
 * while it is slow, the connection waits. When the connection breaks, stalls or ends too early, the stream asks
 * again for what is missing, on the condition that the object is still the same version (its ETag).
 */
#ifndef SHALE_REGISTRY_REMOTE_STREAM_H
#define SHALE_REGISTRY_REMOTE_STREAM_H

#include "registry/remote_http.h"

/* What curl hands over at once; a stream holds at most one such piece beside what was asked for. */
#define REMOTE_STREAM_PIECE (64l << 10)

struct remote_stream;

/*
 * A GET of call's URL from offset on; call's method, body and max do not matter, its strings and ctx must
 * live as long as the stream, which frees them with the call's free_ctx. The answer of the first request is copied to *ret_answer, whatever its status,
 * and there is only a stream when that was 200 or 206. An offset of 0 asks without a range, which an empty
 * object needs. @ret_size is the whole object's.
 */
int remote_stream_open(struct remote *remote, const struct remote_call *call, uint64_t offset,
		       struct remote_answer *ret_answer, uint64_t *ret_size,
		       struct remote_stream **ret_stream, struct shale_err *err);
/* 1 to len bytes, 0 at the object's end. */
ssize_t remote_stream_read(struct remote_stream *stream, void *data, size_t len,
			   struct shale_err *err);
void remote_stream_close(struct remote_stream *stream);

#endif

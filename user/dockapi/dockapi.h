/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A client of the Docker Engine API, over a unix socket or a socket that is connected already: shaled's, and as well
 * dockerd's or podman's. One request at a time over one connection that is kept. Knows HTTP and how such daemons
 * report errors and progress, and nothing of images or of what is shown; it is the shale command's.
 *
 * The HTTP is our own (http.h): libcurl of Debian 12 does not take a connected socket, loads thirty libraries for what
 * a machine's own socket has no use for, and cannot hand a connection over, which attached containers need.
 */
#ifndef SHALE_DOCKAPI_DOCKAPI_H
#define SHALE_DOCKAPI_DOCKAPI_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* The API's version we were written for, and the oldest that has all we ask. */
#define DOCKAPI_VERSION	    "1.47"
#define DOCKAPI_MIN_VERSION "1.24"
/* Of an answer that is one document; an inspected image has a manifest's limit of 4 MiB, a list has many. */
#define DOCKAPI_MAX_ANSWER (64u << 20)
/* Of an answer that reports an error. */
#define DOCKAPI_MAX_ERROR (64u << 10)
/* One message of a stream of them. */
#define DOCKAPI_MAX_MESSAGE (1u << 20)
/* Nested so deep; inspected documents stay below ten. */
#define DOCKAPI_MAX_DEPTH 64
/* Milliseconds after which an interrupt is looked for. */
#define DOCKAPI_POLL_MSEC 200

struct dockapi;

struct dockapi_opts {
	/* True ends what is under way, with ECANCELED; may be NULL. */
	bool (*is_cancelled)(void *arg);
	void *arg;
};

/* Connects, and agrees on a version. ENOENT or ECONNREFUSED: nobody listens there. */
int dockapi_open(const char *path, const struct dockapi_opts *opts, struct dockapi **ret_api,
		 struct shale_err *err);
/* Over a connected socket, which becomes ours, to a daemon that is known to have our version. */
int dockapi_open_fd(int fd, const struct dockapi_opts *opts, struct dockapi **ret_api,
		    struct shale_err *err);
void dockapi_close(struct dockapi *api);

static inline void dockapi_closep(struct dockapi **api)
{
	dockapi_close(*api);
}

#define __cleanup_dockapi __attribute__((cleanup(dockapi_closep)))

/* One more connection to the same daemon, which is not asked again. ENOTCONN over a socket that came connected. */
int dockapi_again(const struct dockapi *api, struct dockapi **ret_api, struct shale_err *err);

/* The version that was agreed on. */
const char *dockapi_version(const struct dockapi *api);

/*
 * One request.
 * @path:   behind the version: "/images/json". Segments from outside go through dockapi_path().
 * @body:   a JSON document, or NULL.
 * @source: gives the bytes of a tar to send: how many, 0 at the end, -1 with err. Instead of a body.
 * @sink:   takes a good answer's bytes; -1 with err ends the request. Without one they are in @answer.
 */
struct dockapi_call {
	const char *method;
	char *path;
	const json_t *body;
	ssize_t (*source)(void *arg, void *data, size_t len, struct shale_err *err);
	void *source_arg;
	int (*sink)(void *arg, const void *data, size_t len, struct shale_err *err);
	void *sink_arg;
	const char *wanted_field; /* of the answer's header; NULL: none */

	long status;
	struct buf field; /* its value */
	struct buf answer;

	/* dockapi.c's own. */
	struct buf query;
	struct buf headers;
};

#define DOCKAPI_CALL(verb) { .method = verb }
#define __cleanup_dockapi_call __attribute__((cleanup(dockapi_call_release)))

/* "/images/%s/json", each %s a name that is escaped where it must be; slashes are left alone. */
int dockapi_path(struct dockapi_call *call, struct shale_err *err, const char *format, ...);
/* Also repeatedly for one key; a NULL value is not sent. */
int dockapi_query(struct dockapi_call *call, const char *key, const char *value,
		  struct shale_err *err);
int dockapi_header(struct dockapi_call *call, const char *name, const char *value,
		   struct shale_err *err);
/*
 * Sends it and waits for the whole answer. -1 also for an answer that reports an error, with the daemon's message and an
 * errno for its status: ENOENT 404, EBUSY 409, EINVAL 400, EACCES 401 and 403, ENOSYS 501, EIO otherwise.
 */
int dockapi_perform(struct dockapi *api, struct dockapi_call *call, struct shale_err *err);
void dockapi_call_release(struct dockapi_call *call);

/*
 * The same in two steps, over a connection of its own: the first ends when the header of a good answer has come, so that
 * what follows upon the daemon's having heard can be done; the second, in which CALL and API must still be there, waits for
 * the rest, and may be called when the answer's descriptor can be read. dockapi_abandon() instead gives up.
 */
struct dockapi_pending;
int dockapi_begin(struct dockapi *api, struct dockapi_call *call, struct dockapi_pending **ret_pending,
		  struct shale_err *err);
int dockapi_pending_fd(const struct dockapi_pending *pending);
int dockapi_end(struct dockapi_pending *pending, struct shale_err *err);
void dockapi_abandon(struct dockapi_pending *pending);

/*
 * Asks for something behind which the connection speaks no HTTP any more, and takes it out of API: *ret_fd. What has come
 * of it already is the call's answer.
 */
int dockapi_upgrade(struct dockapi *api, struct dockapi_call *call, int *ret_fd, struct shale_err *err);

/* The same as dockapi_perform(), with the answer as the JSON it must be; an empty one is null. */
int dockapi_json(struct dockapi *api, struct dockapi_call *call, json_t **ret_json,
		 struct shale_err *err);

/*
 * The same, with an answer that is a stream of messages, one JSON object a line: pull, push, load, import, events. A
 * message that reports an error ends it with the daemon's words.
 */
typedef int (*dockapi_message_fn)(void *arg, const json_t *message, struct shale_err *err);
int dockapi_stream(struct dockapi *api, struct dockapi_call *call, dockapi_message_fn each,
		   void *arg, struct shale_err *err);

#endif

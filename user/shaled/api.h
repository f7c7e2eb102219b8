/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of shaled share: the daemon, one request through it, and the handlers of the route table, which
 * are in api_*.c, one resource each. The protocol is docker's Engine API; what of it is served, and where it
 * differs, is in Documentation/api.md.
 */
#ifndef SHALE_SHALED_API_H
#define SHALE_SHALED_API_H

#include <jansson.h>
#include <pthread.h>
#include <shale_container.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "httpd/server.h"
#include "httpd/target.h"
#include "shaled/api_fault.h"
#include "shaled/api_route.h"
#include "shaled/api_value.h"

/* Versions of the API we speak, 1.MIN to 1.MAX. */
#define API_MIN_MINOR 24
#define API_MAX_MINOR 47
/* A request's JSON; what docker's clients send is below 100 KiB. */
#define API_MAX_JSON (1u << 20)
/* A body that a request does not need is read up to here, as JSON is. */
#define API_MAX_IGNORED (1u << 20)

/* What a client gets from a terminal, and in frames from others; before this version both were called the former. */
#define API_RAW_STREAM	  "application/vnd.docker.raw-stream"
#define API_FRAMED_STREAM "application/vnd.docker.multiplexed-stream"
#define API_MINOR_FRAMED  42
#define API_PATH_STAT	  "X-Docker-Container-Path-Stat"

struct api_events;
struct api_listener;
struct api_load;
struct api_registry;
struct api_stream;

struct api {
	const char *root;
	const char *wanted_driver;  /* NULL: the first that works */
	const char *wanted_runtime; /* the same */
	pthread_mutex_t driver_lock;
	char driver[SHALE_DRIVER_TEXT]; /* under the lock; "": nobody has asked yet */
	bool is_private; /* for one connection, of who has started it */
	struct httpd *httpd;
	struct api_events *events;
	struct shale_opts opts;			/* of the engine's verbs about containers */
	struct shale_containers *containers; /* under the driver's lock; NULL: nobody has asked yet */
	atomic_bool is_stopping;
};

struct api_call {
	struct api *api;
	struct httpd_request *http;
	struct target target;
	const struct api_route *route;
	char name[API_MAX_NAME]; /* what the route's {name} stands for */
	unsigned int minor;	 /* of the API's version that the client speaks */
	struct buf body;
	uint64_t ignored;
	bool has_run;		   /* the handler */
	struct api_stream *stream; /* work whose answer is sent while it goes on */
	struct api_registry *registry;
	struct api_load *load;
	struct api_listener *listener;
	struct shale_waiter *waiter; /* for a container's end */
	char result[SHALE_DIGEST_TEXT]; /* of work that makes an image */
	char *path_stat;		/* of a copied file, for its header; or NULL */
	bool was_so;		     /* what was asked for was the case already */
	char error[1024]; /* for the log */
	struct ucred peer;
};

/*
 * The storage driver, found out by trying at the first call, which takes a moment and makes the store. -1 with err: none
 * works.
 */
int api_driver(struct api *api, char ret_name[SHALE_DRIVER_TEXT], struct shale_err *err);
/* What serves containers, which begins with the first call; NULL with err. */
struct shale_containers *api_containers(struct api *api, struct shale_err *err);
bool api_driver_is_known(struct api *api, char ret_name[SHALE_DRIVER_TEXT]);

extern const struct httpd_ops api_call_ops;

/* The request's value of a key, or NULL. */
const char *api_get(const struct api_call *call, const char *key);
bool api_get_bool(const struct api_call *call, const char *key, bool otherwise);

/* Answers; a body is taken over. */
void api_answer_json(struct api_call *call, unsigned int status, json_t *json);
/* JSON text to be freed. */
void api_answer_text(struct api_call *call, unsigned int status, char *text);
void api_answer_empty(struct api_call *call, unsigned int status);
/* 204, or 304 where what was asked for was the case already. */
void api_answer_done(struct api_call *call);
/* {"message":...} */
void api_fail(struct api_call *call, unsigned int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As the engine's error says. */
void api_fail_err(struct api_call *call, const struct shale_err *err);
/* That there is no image of that name, in docker's words. */
int api_no_image(const char *name, struct shale_err *err);
/* As api_fail_err() for verbs about an image: with these words. */
void api_fail_image(struct api_call *call, const char *name, const struct shale_err *err);
/* The body as a JSON object; an empty one is {}. False: it was answered. */
bool api_body_json(struct api_call *call, json_t **ret_json);
/* Counts a body that nobody reads. */
void api_ignore_body(struct api_call *call, size_t len);
/* The headers every answer has. */
void api_answer(struct api_call *call, unsigned int status);

#endif

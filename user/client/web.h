/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HTTP requests over libcurl, several at once, driven by the one thread that owns the struct web. Knows
 * nothing of registries: what a status means and who may ask again is remote.c's. Here is what holds for
 * every exchange: redirects are followed by hand, so that credentials stay with the host they were meant
 * for; what the other side may send is limited; and a transfer in which nothing moves ends.
 */
#ifndef SHALE_CLIENT_WEB_H
#define SHALE_CLIENT_WEB_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* All header lines of one answer; servers' own limits for requests are 8 to 64 KiB. */
#define WEB_MAX_HEADERS (64u << 10)
/* Go's http client, with which registries are tested, goes as far. */
#define WEB_MAX_REDIRECTS 10
/* Of an answer that reports an error; more is cut off. */
#define WEB_MAX_ERROR_BODY (64u << 10)
/* Seconds without a byte in either direction, unless the caller says otherwise. */
#define WEB_STALL_SECONDS 60
/* Seconds for name, connection and TLS. */
#define WEB_CONNECT_SECONDS 30
/* The hook against waiting for ever is called at least so often. */
#define WEB_POLL_MSEC 200

struct web;

struct web_opts {
	unsigned int stall_seconds; /* 0: WEB_STALL_SECONDS */
	/* -1 with err ends whatever waits; may be NULL. */
	int (*poll)(void *arg, struct shale_err *err);
	void *arg;
};

/* How to talk to a host over TLS; strings and bytes outlive the requests. */
struct web_tls {
	bool is_insecure;	/* any certificate will do, and plain http */
	const char *roots;	/* PEM of certificates to trust beside the system's, or NULL */
	size_t roots_len;
	const char *cert; /* paths of our own, or NULL */
	const char *key;
};

enum web_header {
	WEB_AUTHENTICATE,
	WEB_LOCATION,
	WEB_CONTENT_TYPE,
	WEB_CONTENT_RANGE,
	WEB_DIGEST,
	WEB_RETRY_AFTER,
	WEB_LINK,
	WEB_RANGE,
	WEB_HEADERS
};

struct web_request {
	/* What to ask; strings are the request's own. */
	const char *method;
	char *url;
	char *authorization;	    /* sent to the URL's host only */
	struct curl_slist *headers; /* the others */
	const struct web_tls *tls;
	const void *body; /* in memory, or else from body_fd */
	uint64_t body_len;
	int body_fd;
	uint64_t body_at; /* where in the file it begins */
	bool is_once;	  /* not to be sent again by itself */
	char *own_body;	  /* freed with the request, or NULL */

	/*
	 * Where a good answer's bytes go. @head is called before the first, @sink with each piece; -1
	 * with the request's err ends it. Without a sink the bytes are collected in @answer, of which
	 * there may be @max_answer.
	 */
	int (*head)(struct web_request *request);
	int (*sink)(struct web_request *request, const void *data, size_t len);
	/* Bytes of the body that went out, from time to time; may be NULL. */
	int (*sent)(struct web_request *request, uint64_t done);
	void *arg;
	size_t max_answer;

	/* The answer. */
	long status; /* 0: there was none */
	struct buf answer;
	char *values[WEB_HEADERS];
	char *final_url; /* where redirects led, or NULL */
	struct shale_err err;
	bool has_failed;    /* err says why; a bad status alone is no failure */
	bool is_refused;    /* nobody listens there, or not in TLS */
	bool may_succeed;   /* failed in a way that another try can mend */
	unsigned int tries; /* these two are kept by remote.c */
	unsigned int challenges;

	/* web.c's own. */
	struct web *web;
	CURL *easy;
	struct curl_slist *sent_headers;
	size_t header_bytes;
	uint64_t body_done;
	unsigned int redirects;
	bool has_head;
	bool is_abroad; /* redirected to another host */
	bool is_running;
	bool is_queued; /* done, and not yet given to the caller */
	bool is_done;
	struct web_request *next; /* in the list of those done */
};

#define WEB_REQUEST_INIT { .method = "GET", .body_fd = -1 }
#define __cleanup_web_request __attribute__((cleanup(web_request_release)))

int web_open(const struct web_opts *opts, struct web **ret_web, struct shale_err *err);
void web_close(struct web *web);

static inline void web_closep(struct web **web)
{
	web_close(*web);
}

int web_add_header(struct web_request *request, const char *name, const char *value,
		   struct shale_err *err);
const char *web_value(const struct web_request *request, enum web_header header);

/* Sends a request off. It must stay where it is until it is done or released. */
int web_start(struct web *web, struct web_request *request, struct shale_err *err);
/*
 * Lets requests proceed until one is done, or for about @msec: *ret_done is that or NULL. -1 only when the
 * caller's poll hook, or curl itself, has failed.
 */
int web_wait(struct web *web, unsigned int msec, struct web_request **ret_done,
	     struct shale_err *err);
/* Another one that is done, or NULL, without waiting. */
struct web_request *web_next_done(struct web *web);
/* One request from start to end; others that end meanwhile wait for web_wait(). -1 as web_wait(). */
int web_perform(struct web *web, struct web_request *request, struct shale_err *err);
/* Waits, other requests going on. */
int web_sleep(struct web *web, uint64_t msec, struct shale_err *err);

/* Forgets the answer, so that the request can be started again; ends it if it is under way. */
void web_request_reset(struct web_request *request);
void web_request_release(struct web_request *request);

/* "https://host:port" of a URL, compared without regard to case; false for no http URL. */
bool web_same_host(const char *url, const char *other);
bool web_is_plain(const char *url);
/* @target as a link in @base; NULL with err. */
char *web_resolve(const char *base, const char *target, struct shale_err *err);

#endif

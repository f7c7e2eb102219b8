/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Other registries whose content ours passes on and keeps: which of our repositories are theirs, how they
 * are reached, and connections to them that are used again. What is asked of them is proxy.c's and
 * flight.c's business. The requests are the client room's: it knows bearer tokens, and with whom
 * credentials stay.
 */
#ifndef SHALE_REGISTRY_UPSTREAM_H
#define SHALE_REGISTRY_UPSTREAM_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include <shale.h>

#include "client/remote.h"
#include "registry/name.h"

/* Of a configuration a person writes; each request looks at every one. */
#define UPSTREAM_MAX 64
/* Connections without work that are kept for the next request. */
#define UPSTREAM_MAX_IDLE 16
/* Of a URL: a name's length, a port, and a path. */
#define UPSTREAM_MAX_URL 512

struct upstream {
	const char *namespace; /* "docker.io": ours begin with it and a slash; "": all are theirs */
	char url[UPSTREAM_MAX_URL]; /* without a slash at its end */
	const char *username;	    /* NULL: as nobody */
	const char *password;
	uint64_t ttl;		  /* seconds unused content is kept; 0: for ever */
	atomic_int_least64_t down_until; /* CLOCK_MONOTONIC; it did not answer a moment ago */
};

struct upstreams {
	struct upstream list[UPSTREAM_MAX];
	size_t count;
	uint64_t fresh; /* seconds for which a tag is not asked for again */
	struct shale_registry_opts opts;
	struct buf roots; /* PEM of certificates to trust beside the system's */
	atomic_int_least64_t stop_at; /* CLOCK_MONOTONIC: requests end then */
	pthread_mutex_t lock;
	struct upstream_line *idle; /* under the lock */
	size_t idle_count;
};

/*
 * The configuration's `proxy`, `shale.proxy` and `shale.upstreams`; NULL when there is none. EINVAL says
 * which is wrong.
 */
int upstreams_load(const json_t *conf, struct upstreams **ret_upstreams, struct shale_err *err);
void upstreams_free(struct upstreams *upstreams);

/* Whose a repository is, and its name there; NULL: it is ours. */
struct upstream *upstreams_find(struct upstreams *upstreams, const char *repo,
				const char **ret_remote);

/* One connection, for one request at a time. */
struct upstream_line {
	struct upstreams *upstreams;
	struct upstream *upstream;
	char repository[NAME_MAX_REPO + 1]; /* there */
	struct web *web;
	struct remote remote;
	struct upstream_line *next;
};

int upstream_take(struct upstreams *upstreams, struct upstream *upstream, const char *repository,
		  struct upstream_line **ret_line, struct shale_err *err);
/*
 * As remote_request(). ENOENT and EACCES are answers of the upstream, EBUSY its 429; all other codes are its
 * failures.
 */
int upstream_request(struct upstream_line *line, struct web_request *request, struct shale_err *err);
void upstream_give_back(struct upstream_line *line);
void upstream_give_backp(struct upstream_line **line);
#define __cleanup_line __attribute__((cleanup(upstream_give_backp)))

#endif

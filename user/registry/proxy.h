/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pulling through: before a handler looks for a thing of a repository that is an upstream's, what is
 * missing or may be out of date is fetched and kept, so that the handler finds it; what can be sent while
 * it comes is answered here. A manifest by tag is asked for each time (or each shale.proxy.fresh), by its
 * digest alone; if the upstream does not answer, what was kept is served. Of the same thing there is one
 * request at a time, however many clients want it.
 */
#ifndef SHALE_REGISTRY_PROXY_H
#define SHALE_REGISTRY_PROXY_H

#include "registry/metrics.h"
#include "registry/reg.h"
#include "registry/upstream.h"

/* For so long what is here is served at once after the upstream has failed to answer. */
#define PROXY_DOWN_SECONDS 5
/* Blobs on their way at the same time: a thread and a file each. */
#define PROXY_MAX_FLIGHTS 32
/* What an upstream may send for a list of tags or referrers; the client room's limit for documents. */
#define PROXY_MAX_LIST (4u << 20)
/* Workers that a pull-through cache has unless the configuration says otherwise: many wait for upstreams. */
#define PROXY_WORKERS 128

enum proxy_kind { PROXY_MANIFEST, PROXY_BLOB, PROXY_KINDS };

struct errand;
struct flight;

struct proxy {
	struct reg *reg;
	struct upstreams *upstreams;
	unsigned int max_waiting;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int waiting;	/* under the lock: requests that wait for an upstream, or read from a flight */
	unsigned int flying;	/* under the lock: flights' threads */
	struct errand *errands; /* under the lock */
	struct flight *flights; /* under the lock */
	struct metric_series *requests[PROXY_KINDS];
	struct metric_series *hits[PROXY_KINDS];
	struct metric_series *misses[PROXY_KINDS];
	struct metric_series *pulled[PROXY_KINDS];
	struct metric_series *pushed[PROXY_KINDS];
};

/* Of reg->upstreams; without them *ret_proxy is NULL. @workers: threads that handlers run on. */
int proxy_open(struct reg *reg, unsigned int workers, struct proxy **ret_proxy,
	       struct shale_err *err);
/* Requests of upstreams end in that time, which ends what waits for them. */
void proxy_drain(struct proxy *proxy, unsigned int seconds);
/* No handler runs any more. Ends what is on its way. */
void proxy_close(struct proxy *proxy);

/* Before the handler: true, the handler is to go on; false, it was answered. */
bool proxy_prepare(struct call *call);
/* Takes what nobody has asked for in its upstream's ttl; the collector frees the bytes. */
int proxy_expire(struct proxy *proxy, int64_t now, struct shale_err *err);
/* The shortest ttl, 0 when nothing expires; and whether all repositories are an upstream's. */
uint64_t proxy_ttl(const struct proxy *proxy);
bool proxy_has_all(const struct proxy *proxy);

/* For proxy's own files. What a failure means for the client, said to it. */
void proxy_fail(struct call *call, const struct shale_err *err, enum fault absent);
/* One more request waits; false: too many do already, and it was answered. */
bool proxy_enter(struct call *call);
void proxy_leave(struct proxy *proxy);
bool proxy_is_down(const struct upstream *upstream);
void proxy_note(struct upstream *upstream, const struct shale_err *err);
void proxy_count(struct proxy *proxy, enum proxy_kind kind, bool is_hit);

bool proxy_manifest(struct call *call, struct upstream *upstream, const char *remote);
bool proxy_blob(struct call *call, struct upstream *upstream, const char *remote);
bool proxy_list(struct call *call, struct upstream *upstream, const char *remote);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pulling through; see proxy.h. Here is which request goes where, what failures mean, and what expires;
 * manifests are in proxy_manifest.c, blobs in proxy_blob.c and flight.c, lists in proxy_list.c. Called by
 * call.c for each request, by serve.c, and by the maintainer.
 */
#include "registry/proxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "registry/flight.h"
#include "registry/log.h"
#include "registry/meter.h"
#include "registry/retain.h"
#include "registry/scan.h"

static void find_series(struct proxy *proxy, struct metrics *metrics)
{
	static const char *const kinds[PROXY_KINDS] = { "manifest", "blob" };

	for (int i = 0; i < PROXY_KINDS; i++) {
		proxy->requests[i] = metrics_series(metrics, METRIC_PROXY_REQUESTS, &kinds[i]);
		proxy->hits[i] = metrics_series(metrics, METRIC_PROXY_HITS, &kinds[i]);
		proxy->misses[i] = metrics_series(metrics, METRIC_PROXY_MISSES, &kinds[i]);
		proxy->pulled[i] = metrics_series(metrics, METRIC_PROXY_PULLED, &kinds[i]);
		proxy->pushed[i] = metrics_series(metrics, METRIC_PROXY_PUSHED, &kinds[i]);
	}
}

int proxy_open(struct reg *reg, unsigned int workers, struct proxy **ret_proxy,
	       struct shale_err *err)
{
	struct proxy *proxy;

	*ret_proxy = NULL;
	if (!reg->upstreams)
		return 0;
	proxy = calloc(1, sizeof(*proxy));
	if (!proxy)
		return shale_err_set(err, ENOMEM, "no memory for a cache");
	proxy->reg = reg;
	proxy->upstreams = reg->upstreams;
	/* Some workers are left for what is here. */
	proxy->max_waiting = workers - workers / 4 - 1;
	pthread_mutex_init(&proxy->lock, NULL);
	pthread_cond_init(&proxy->changed, NULL);
	find_series(proxy, meter_metrics(reg->meter));
	*ret_proxy = proxy;
	return 0;
}

void proxy_drain(struct proxy *proxy, unsigned int seconds)
{
	if (proxy)
		atomic_store(&proxy->upstreams->stop_at, clock_seconds() + seconds);
}

void proxy_close(struct proxy *proxy)
{
	if (!proxy)
		return;
	proxy_drain(proxy, 0);
	pthread_mutex_lock(&proxy->lock);
	while (proxy->flying)
		pthread_cond_wait(&proxy->changed, &proxy->lock);
	pthread_mutex_unlock(&proxy->lock);
	pthread_cond_destroy(&proxy->changed);
	pthread_mutex_destroy(&proxy->lock);
	free(proxy);
}

bool proxy_is_down(const struct upstream *upstream)
{
	return atomic_load(&upstream->down_until) > clock_seconds();
}

/* What the upstream answered, if it was an answer: no such thing, and not for us. */
static bool is_answer(const struct shale_err *err)
{
	return err->code == ENOENT || err->code == EACCES;
}

void proxy_note(struct upstream *upstream, const struct shale_err *err)
{
	bool is_down = err && !is_answer(err) && err->code != EBADMSG && err->code != EAGAIN;

	atomic_store(&upstream->down_until, is_down ? clock_seconds() + PROXY_DOWN_SECONDS : 0);
	if (err)
		log_text(is_answer(err) ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN, "proxy", "%s: %s", upstream->url,
			 err->msg);
}

void proxy_fail(struct call *call, const struct shale_err *err, enum fault absent)
{
	enum fault fault = FAULT_UNAVAILABLE;

	if (is_answer(err))
		fault = absent;
	else if (err->code == EBUSY)
		fault = FAULT_TOO_MANY;
	fault_send(call, fault, "upstream: %s", err->msg);
}

bool proxy_enter(struct call *call)
{
	struct proxy *proxy = call->reg->proxy;
	bool has_room;

	pthread_mutex_lock(&proxy->lock);
	has_room = proxy->waiting < proxy->max_waiting;
	proxy->waiting += has_room;
	pthread_mutex_unlock(&proxy->lock);
	if (!has_room)
		fault_send(call, FAULT_TOO_MANY, "too many requests wait for an upstream");
	return has_room;
}

void proxy_leave(struct proxy *proxy)
{
	pthread_mutex_lock(&proxy->lock);
	proxy->waiting--;
	pthread_mutex_unlock(&proxy->lock);
}

void proxy_count(struct proxy *proxy, enum proxy_kind kind, bool is_hit)
{
	metric_add(proxy->requests[kind], 1);
	metric_add(is_hit ? proxy->hits[kind] : proxy->misses[kind], 1);
}

bool proxy_prepare(struct call *call)
{
	static const struct {
		enum resource resource;
		bool (*prepare)(struct call *call, struct upstream *upstream, const char *remote);
	} rows[] = {
		{ RESOURCE_MANIFEST, proxy_manifest },
		{ RESOURCE_BLOB, proxy_blob },
		{ RESOURCE_TAGS, proxy_list },
		{ RESOURCE_REFERRERS, proxy_list },
	};
	struct proxy *proxy = call->reg->proxy;
	struct upstream *upstream;
	const char *remote;

	if (!proxy || !call->route.repo[0])
		return true;
	upstream = upstreams_find(proxy->upstreams, call->route.repo, &remote);
	if (!upstream)
		return true;
	if (call->handler->is_change) {
		fault_send(call, FAULT_UNSUPPORTED, "%s is a cache of another registry",
			   call->route.repo);
		return false;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].resource == call->route.resource)
			return rows[i].prepare(call, upstream, remote);
	return true;
}

struct expiry {
	struct proxy *proxy;
	int64_t now;
};

/* Tags that were not found to be right since, and manifests without one. */
static int expire_repo(void *ctx, const char *repo, struct shale_err *err)
{
	const struct expiry *expiry = ctx;
	struct proxy *proxy = expiry->proxy;
	struct retain_options options = {
		.now = expiry->now,
		.is_tags_only = proxy->reg->bucket->ops->is_shared,
	};
	struct retain_rule rule = { .has_keep = true, .has_younger = true, .has_untagged = true };
	struct retain_result result = { 0 };
	const struct upstream *upstream;
	const char *remote;

	upstream = upstreams_find(proxy->upstreams, repo, &remote);
	if (!upstream || !upstream->ttl)
		return 0;
	rule.younger = rule.untagged = upstream->ttl;
	return retain_repo(proxy->reg, repo, &rule, &options, &result, err);
}

int proxy_expire(struct proxy *proxy, int64_t now, struct shale_err *err)
{
	struct expiry expiry = { proxy, now };

	return scan_repos(proxy->reg->bucket, true, expire_repo, &expiry, err);
}

uint64_t proxy_ttl(const struct proxy *proxy)
{
	uint64_t shortest = 0;

	for (size_t i = 0; proxy && i < proxy->upstreams->count; i++) {
		uint64_t ttl = proxy->upstreams->list[i].ttl;

		if (ttl && (!shortest || ttl < shortest))
			shortest = ttl;
	}
	return shortest;
}

bool proxy_has_all(const struct proxy *proxy)
{
	return proxy && proxy->upstreams->count && !*proxy->upstreams->list[0].namespace;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counting requests; see meter.h. Called by call.c at a request's beginning and end, and by
 * admit.c.
 */
#include "registry/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The names of distribution's routes; what it has no route for has ours. */
static const char *const handlers[RESOURCE_COUNT] = {
	[RESOURCE_NONE] = "other",
	[RESOURCE_BASE] = "base",
	[RESOURCE_CATALOG] = "catalog",
	[RESOURCE_DISCOVER] = "discover",
	[RESOURCE_TAGS] = "tags",
	[RESOURCE_MANIFEST] = "manifest",
	[RESOURCE_BLOB] = "blob",
	[RESOURCE_UPLOADS] = "blob_upload",
	[RESOURCE_UPLOAD] = "blob_upload_chunk",
	[RESOURCE_REFERRERS] = "referrers",
};

static const struct method {
	const char *method;
	const char *label;
} methods[] = {
	{"GET", "get"},	    {"HEAD", "head"},	  {"PUT", "put"},  {"POST", "post"},
	{"PATCH", "patch"}, {"DELETE", "delete"}, {"", "unknown"},
};

#define METHODS (sizeof(methods) / sizeof(*methods))

static const char *const verdicts[] = {
	[ACCESS_ALLOWED] = "allowed",
	[ACCESS_UNKNOWN] = "unauthorized",
	[ACCESS_DENIED] = "denied",
	[ACCESS_BUSY] = "busy",
};

#define VERDICTS (sizeof(verdicts) / sizeof(*verdicts))

struct meter {
	struct metrics *metrics;
	const char *driver;
	struct metric_series *in_flight[RESOURCE_COUNT];
	struct metric_series *durations[RESOURCE_COUNT][METHODS];
	struct metric_series *requests[RESOURCE_COUNT];
	struct metric_series *responses[RESOURCE_COUNT];
	struct metric_series *verdicts[VERDICTS];
	struct metric_series *cache_requests;
	struct metric_series *cache_hits;
};

#define LABELS(...) ((const char *const[]){__VA_ARGS__})

static void find_resource(struct meter *meter, enum resource resource)
{
	const char *handler = handlers[resource];
	struct metrics *metrics = meter->metrics;

	meter->in_flight[resource] =
		metrics_series(metrics, METRIC_HTTP_IN_FLIGHT, LABELS(handler));
	meter->requests[resource] =
		metrics_series(metrics, METRIC_HTTP_REQUEST_SIZE, LABELS(handler));
	meter->responses[resource] =
		metrics_series(metrics, METRIC_HTTP_RESPONSE_SIZE, LABELS(handler));
	for (size_t i = 0; i < METHODS; i++)
		meter->durations[resource][i] = metrics_series(metrics, METRIC_HTTP_DURATION,
							       LABELS(handler, methods[i].label));
}

struct meter *meter_new(struct shale_err *err)
{
	struct meter *meter = calloc(1, sizeof(*meter));

	if (meter)
		meter->metrics = metrics_new();
	if (!meter || !meter->metrics) {
		free(meter);
		shale_err_set(err, ENOMEM, "no memory for metrics");
		return NULL;
	}
	for (int i = 0; i < RESOURCE_COUNT; i++)
		find_resource(meter, i);
	for (size_t i = 0; i < VERDICTS; i++)
		meter->verdicts[i] =
			metrics_series(meter->metrics, METRIC_AUTH, LABELS(verdicts[i]));
	meter->cache_requests = metrics_series(meter->metrics, METRIC_CACHE_REQUESTS, NULL);
	meter->cache_hits = metrics_series(meter->metrics, METRIC_CACHE_HITS, NULL);
	return meter;
}

static void note_action(void *ctx, const char *action, uint64_t ns)
{
	struct meter *meter = ctx;

	metric_observe(metrics_series(meter->metrics, METRIC_STORAGE_ACTION,
				      LABELS(meter->driver, action)),
		       ns);
}

void meter_watch(struct meter *meter, struct bucket *bucket, const char *driver)
{
	meter->driver = driver;
	bucket->watch = (struct bucket_watch){ note_action, meter };
}

void meter_free(struct meter *meter)
{
	if (meter)
		metrics_free(meter->metrics);
	free(meter);
}

struct metrics *meter_metrics(struct meter *meter)
{
	return meter->metrics;
}

void meter_begin(struct meter *meter, struct call *call)
{
	if (!meter)
		return;
	metric_add(meter->in_flight[call->route.resource], 1);
	call->is_metered = true;
}

/* The last one stands for what is not in the table, so that clients do not make labels. */
static size_t find_method(const char *method)
{
	size_t i = 0;

	while (i < METHODS - 1 && strcmp(methods[i].method, method))
		i++;
	return i;
}

void meter_finish(struct meter *meter, struct call *call)
{
	const enum resource resource = call->route.resource;
	struct httpd_request *http = call->http;
	size_t method;
	char code[16];

	if (!meter)
		return;
	method = find_method(httpd_method(http));
	if (call->is_metered)
		metric_add(meter->in_flight[resource], -1);
	snprintf(code, sizeof(code), "%u", httpd_status(http));
	metrics_count(meter->metrics, METRIC_HTTP_REQUESTS, 1,
		      LABELS(handlers[resource], code, methods[method].label));
	metric_observe(meter->durations[resource][method], httpd_seconds(http) * 1e9);
	metric_observe(meter->requests[resource], httpd_body_received(http));
	metric_observe(meter->responses[resource], httpd_answer_length(http));
}

void meter_verdict(struct meter *meter, enum access_verdict verdict)
{
	if (meter)
		metric_add(meter->verdicts[verdict], 1);
}

void meter_cache(struct meter *meter, bool is_hit)
{
	if (!meter)
		return;
	metric_add(meter->cache_requests, 1);
	metric_add(meter->cache_hits, is_hit);
}

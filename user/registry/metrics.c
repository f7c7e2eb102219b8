// SPDX-License-Identifier: GPL-2.0-only
/*
 * Metrics; see metrics.h. Series of a metric are in an open-addressed table of pointers that are
 * set once, by compare-and-swap, so a reader needs no lock. A render sees each number at some
 * moment of its own, which is all that Prometheus asks for.
 */
#include "registry/metrics.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "registry/metrics_process.h"

/* A power of two, twice what may be in it. */
#define SLOTS	    (2 * METRIC_MAX_SERIES)
#define MAX_BUCKETS 24

enum kind { COUNTER, GAUGE, HISTOGRAM };

/* Upper bounds of buckets, in the unit in which is counted. */
struct bounds {
	double scale; /* what is shown for one */
	size_t count;
	uint64_t top[MAX_BUCKETS];
};

#define MS 1000000ull
#define KB 1024ull

/* docker's go-metrics has these for requests, Prometheus' own for anything that takes time. */
static const struct bounds request_seconds = {
	1e-9,
	13,
	{5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS,
	 5000 * MS, 10000 * MS, 25000 * MS, 60000 * MS},
};
static const struct bounds action_seconds = {
	1e-9,
	11,
	{5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS,
	 5000 * MS, 10000 * MS},
};
static const struct bounds sizes = {
	1,
	22,
	{KB << 0,  KB << 1,  KB << 2,  KB << 3,	 KB << 4,  KB << 5,  KB << 6,  KB << 7,
	 KB << 8,  KB << 9,  KB << 10, KB << 11, KB << 12, KB << 13, KB << 14, KB << 15,
	 KB << 16, KB << 17, KB << 18, KB << 19, KB << 20, KB << 21},
};

struct definition {
	enum kind kind;
	const char *name;
	const char *help;
	const char *labels[METRIC_MAX_LABELS];
	const struct bounds *bounds;
};

/* clang-format off */
static const struct definition definitions[METRIC_COUNT] = {
	[METRIC_HTTP_REQUESTS] = { COUNTER, "registry_http_requests_total",
		"Total number of HTTP requests made.", { "handler", "code", "method" }, NULL },
	[METRIC_HTTP_IN_FLIGHT] = { GAUGE, "registry_http_in_flight_requests",
		"The in-flight HTTP requests.", { "handler" }, NULL },
	[METRIC_HTTP_DURATION] = { HISTOGRAM, "registry_http_request_duration_seconds",
		"The HTTP request latencies in seconds.", { "handler", "method" }, &request_seconds },
	[METRIC_HTTP_REQUEST_SIZE] = { HISTOGRAM, "registry_http_request_size_bytes",
		"The HTTP request sizes in bytes.", { "handler" }, &sizes },
	[METRIC_HTTP_RESPONSE_SIZE] = { HISTOGRAM, "registry_http_response_size_bytes",
		"The HTTP response sizes in bytes.", { "handler" }, &sizes },
	[METRIC_STORAGE_ACTION] = { HISTOGRAM, "registry_storage_action_seconds",
		"The number of seconds that the storage action takes.", { "driver", "action" }, &action_seconds },
	[METRIC_CACHE_REQUESTS] = { COUNTER, "registry_storage_cache_requests_total",
		"The number of cache requests received.", { NULL }, NULL },
	[METRIC_CACHE_HITS] = { COUNTER, "registry_storage_cache_hits_total",
		"The number of cache requests that were answered.", { NULL }, NULL },
	[METRIC_NOTIFY_EVENTS] = { COUNTER, "registry_notifications_events_total",
		"The number of total events.", { "type", "endpoint" }, NULL },
	[METRIC_NOTIFY_PENDING] = { GAUGE, "registry_notifications_pending_total",
		"The gauge of pending events in queue.", { "endpoint" }, NULL },
	[METRIC_NOTIFY_STATUS] = { COUNTER, "registry_notifications_status_total",
		"The number of status codes.", { "code", "endpoint" }, NULL },
	[METRIC_NOTIFY_DROPPED] = { COUNTER, "registry_notifications_dropped_total",
		"The number of events a full queue did not take.", { "endpoint" }, NULL },
	[METRIC_AUTH] = { COUNTER, "registry_auth_decisions_total",
		"The number of requests let in and refused.", { "verdict" }, NULL },
	[METRIC_PROXY_REQUESTS] = { COUNTER, "registry_proxy_requests_total",
		"The number of total requests to the cache.", { "type" }, NULL },
	[METRIC_PROXY_HITS] = { COUNTER, "registry_proxy_hits_total",
		"The number of requests answered from the cache.", { "type" }, NULL },
	[METRIC_PROXY_MISSES] = { COUNTER, "registry_proxy_misses_total",
		"The number of requests for which the upstream was needed.", { "type" }, NULL },
	[METRIC_PROXY_PULLED] = { COUNTER, "registry_proxy_pulled_bytes_total",
		"The size of total bytes pulled from the upstream.", { "type" }, NULL },
	[METRIC_PROXY_PUSHED] = { COUNTER, "registry_proxy_pushed_bytes_total",
		"The size of total bytes sent to the client while they came.", { "type" }, NULL },
	[METRIC_QUOTA_USED] = { GAUGE, "registry_quota_used_bytes",
		"The bytes that count for a namespace.", { "namespace" }, NULL },
	[METRIC_QUOTA_RESERVED] = { GAUGE, "registry_quota_reserved_bytes",
		"The bytes that uploads have reserved in a namespace.", { "namespace" }, NULL },
	[METRIC_QUOTA_LIMIT] = { GAUGE, "registry_quota_limit_bytes",
		"The bytes that a namespace may hold.", { "namespace" }, NULL },
	[METRIC_QUOTA_REPOS] = { GAUGE, "registry_quota_repositories",
		"The repositories of a namespace.", { "namespace" }, NULL },
	[METRIC_QUOTA_REFUSED] = { COUNTER, "registry_quota_refusals_total",
		"The number of changes that a quota did not allow.", { "namespace" }, NULL },
};
/* clang-format on */

struct metric_series {
	const struct bounds *bounds;
	char *labels;		    /* as they stand between the braces; "" for none */
	atomic_int_least64_t value; /* of a histogram the sum */
	atomic_uint_least64_t buckets[MAX_BUCKETS + 1];
};

struct metric {
	atomic_uint count;
	struct metric_series *other;
	_Atomic(struct metric_series *) slots[SLOTS];
};

struct metrics {
	struct metric list[METRIC_COUNT];
};

/* Backslash, quote and newline are the three that the format escapes. */
static void add_escaped(struct buf *buf, const char *value)
{
	for (; *value; value++) {
		if (*value == '\n')
			buf_adds(buf, "\\n");
		else if (*value == '"' || *value == '\\')
			buf_addf(buf, "\\%c", *value);
		else
			buf_addc(buf, *value);
	}
}

/* NULL for values: each is "other". */
static char *label_text(const struct definition *definition, const char *const *values)
{
	struct buf text = BUF_INIT;

	for (int i = 0; i < METRIC_MAX_LABELS && definition->labels[i]; i++) {
		buf_addf(&text, "%s%s=\"", i ? "," : "", definition->labels[i]);
		add_escaped(&text, values ? values[i] : "other");
		buf_addc(&text, '"');
	}
	return buf_steal(&text);
}

static void series_free(struct metric_series *series)
{
	if (series)
		free(series->labels);
	free(series);
}

static struct metric_series *series_new(const struct definition *definition, char *labels)
{
	struct metric_series *series = calloc(1, sizeof(*series));

	if (!series || !labels) {
		free(labels);
		free(series);
		return NULL;
	}
	series->bounds = definition->bounds;
	series->labels = labels;
	return series;
}

struct metrics *metrics_new(void)
{
	__cleanup(metrics_freep) struct metrics *metrics = calloc(1, sizeof(*metrics));

	for (int i = 0; metrics && i < METRIC_COUNT; i++) {
		metrics->list[i].other =
			series_new(&definitions[i], label_text(&definitions[i], NULL));
		if (!metrics->list[i].other)
			return NULL;
	}
	return steal_ptr(metrics);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (int i = 0; i < METRIC_COUNT; i++) {
		series_free(metrics->list[i].other);
		for (int j = 0; j < SLOTS; j++)
			series_free(metrics->list[i].slots[j]);
	}
	free(metrics);
}

void metrics_freep(struct metrics **metrics)
{
	metrics_free(*metrics);
}

/* FNV-1a. */
static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * 16777619u;
	return hash;
}

/* Puts *made into the slot, or finds that another thread has put one there; *made is used or freed.
 */
static struct metric_series *settle(struct metric *metric, size_t at, struct metric_series *made)
{
	struct metric_series *there = NULL;

	if (atomic_compare_exchange_strong(&metric->slots[at], &there, made))
		return made;
	return there;
}

static struct metric_series *find_or_add(struct metric *metric, const struct definition *definition,
					 char *labels)
{
	struct metric_series *made = NULL;

	for (size_t at = hash_text(labels) % SLOTS;; at = (at + 1) % SLOTS) {
		struct metric_series *there = atomic_load(&metric->slots[at]);

		if (!there) {
			if (!made && atomic_fetch_add(&metric->count, 1) >= METRIC_MAX_SERIES)
				break;
			made = made ? made : series_new(definition, strdup(labels));
			there = made ? settle(metric, at, made) : NULL;
			if (!there)
				break;
		}
		if (!strcmp(there->labels, labels)) {
			if (made && made != there) {
				series_free(made);
				atomic_fetch_sub(&metric->count, 1);
			}
			free(labels);
			return there;
		}
	}
	atomic_fetch_sub(&metric->count, 1);
	free(labels);
	return metric->other;
}

struct metric_series *metrics_series(struct metrics *metrics, enum metric_id id,
				     const char *const *values)
{
	struct metric *metric = &metrics->list[id];
	char *labels = label_text(&definitions[id], values);

	return labels ? find_or_add(metric, &definitions[id], labels) : metric->other;
}

void metric_add(struct metric_series *series, int64_t delta)
{
	atomic_fetch_add_explicit(&series->value, delta, memory_order_relaxed);
}

void metric_set(struct metric_series *series, int64_t value)
{
	atomic_store_explicit(&series->value, value, memory_order_relaxed);
}

void metric_observe(struct metric_series *series, uint64_t value)
{
	const struct bounds *bounds = series->bounds;
	size_t i = 0;

	while (i < bounds->count && value > bounds->top[i])
		i++;
	atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&series->value, (int64_t)value, memory_order_relaxed);
}

void metrics_count(struct metrics *metrics, enum metric_id id, int64_t delta,
		   const char *const *values)
{
	metric_add(metrics_series(metrics, id, values), delta);
}

/* name{labels} or name{labels,le="..."} */
static void add_name(struct buf *buf, const char *name, const char *suffix, const char *labels,
		     const char *le)
{
	const char *comma = labels[0] && le ? "," : "";

	buf_addf(buf, "%s%s", name, suffix);
	if (labels[0] || le)
		buf_addf(buf, "{%s%s%s%s%s}", labels, comma, le ? "le=\"" : "", le ? le : "",
			 le ? "\"" : "");
}

static void add_histogram(struct buf *buf, const char *name, struct metric_series *series)
{
	const struct bounds *bounds = series->bounds;
	uint64_t sum = 0;
	char le[32];

	for (size_t i = 0; i <= bounds->count; i++) {
		sum += atomic_load(&series->buckets[i]);
		if (i < bounds->count)
			snprintf(le, sizeof(le), "%.10g", bounds->top[i] * bounds->scale);
		else
			snprintf(le, sizeof(le), "+Inf");
		add_name(buf, name, "_bucket", series->labels, le);
		buf_addf(buf, " %llu\n", (unsigned long long)sum);
	}
	add_name(buf, name, "_sum", series->labels, NULL);
	buf_addf(buf, " %.10g\n", atomic_load(&series->value) * bounds->scale);
	add_name(buf, name, "_count", series->labels, NULL);
	buf_addf(buf, " %llu\n", (unsigned long long)sum);
}

/* Series may be made before there is anything to count in them; a histogram has two dozen lines. */
static bool is_empty(struct metric_series *series)
{
	for (size_t i = 0; i <= series->bounds->count; i++)
		if (atomic_load(&series->buckets[i]))
			return false;
	return true;
}

static void add_series(struct buf *buf, const struct definition *definition,
		       struct metric_series *series)
{
	if (definition->kind == HISTOGRAM) {
		if (!is_empty(series))
			add_histogram(buf, definition->name, series);
		return;
	}
	add_name(buf, definition->name, "", series->labels, NULL);
	buf_addf(buf, " %lld\n", (long long)atomic_load(&series->value));
}

static void add_metric(struct buf *buf, const struct definition *definition,
		       const struct metric *metric)
{
	static const char *const kinds[] = {"counter", "gauge", "histogram"};
	const bool full = atomic_load(&metric->count) >= METRIC_MAX_SERIES;

	if (!atomic_load(&metric->count))
		return;
	buf_addf(buf, "# HELP %s %s\n# TYPE %s %s\n", definition->name, definition->help,
		 definition->name, kinds[definition->kind]);
	for (int i = 0; i < SLOTS; i++)
		if (atomic_load(&metric->slots[i]))
			add_series(buf, definition, atomic_load(&metric->slots[i]));
	if (full)
		add_series(buf, definition, metric->other);
}

int metrics_render(const struct metrics *metrics, struct buf *buf, struct shale_err *err)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		add_metric(buf, &definitions[i], &metrics->list[i]);
	if (metrics_process(buf) < 0)
		return shale_err_set(err, ENOMEM, "metrics");
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters, gauges and histograms under distribution's names, and their text for Prometheus. What
 * there is to count is the table in metrics.c. Counting takes no lock: a series, once made, stays
 * where it is, and may be kept by whoever counts in it.
 */
#ifndef SHALE_REGISTRY_METRICS_H
#define SHALE_REGISTRY_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum metric_id {
	METRIC_HTTP_REQUESTS,	   /* handler, code, method */
	METRIC_HTTP_IN_FLIGHT,	   /* handler */
	METRIC_HTTP_DURATION,	   /* handler, method; ns */
	METRIC_HTTP_REQUEST_SIZE,  /* handler; bytes */
	METRIC_HTTP_RESPONSE_SIZE, /* handler; bytes */
	METRIC_STORAGE_ACTION,	   /* driver, action; ns */
	METRIC_CACHE_REQUESTS,
	METRIC_CACHE_HITS,
	METRIC_NOTIFY_EVENTS,  /* type, endpoint */
	METRIC_NOTIFY_PENDING, /* endpoint */
	METRIC_NOTIFY_STATUS,  /* code, endpoint */
	METRIC_NOTIFY_DROPPED, /* endpoint */
	METRIC_AUTH,	       /* verdict */
	METRIC_PROXY_REQUESTS, /* type */
	METRIC_PROXY_HITS,     /* type */
	METRIC_PROXY_MISSES,   /* type */
	METRIC_PROXY_PULLED,   /* type; bytes */
	METRIC_PROXY_PUSHED,   /* type; bytes */
	METRIC_QUOTA_USED,     /* namespace */
	METRIC_QUOTA_RESERVED, /* namespace */
	METRIC_QUOTA_LIMIT,    /* namespace */
	METRIC_QUOTA_REPOS,    /* namespace */
	METRIC_QUOTA_REFUSED,  /* namespace */
	METRIC_COUNT,
};

#define METRIC_MAX_LABELS 3
/*
 * Combinations of labels of one metric. Label values come from tables and the configuration; should
 * one ever come from outside, what is beyond this counts in a series of which each label is
 * "other".
 */
#define METRIC_MAX_SERIES 512

struct metrics;
struct metric_series;

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics);
void metrics_freep(struct metrics **metrics);

/* The series with these label values, one for each of the metric's labels. Never NULL. */
struct metric_series *metrics_series(struct metrics *metrics, enum metric_id id,
				     const char *const *values);

/* Counters go up only; gauges go both ways. */
void metric_add(struct metric_series *series, int64_t delta);
void metric_set(struct metric_series *series, int64_t value);
/* One observation of a histogram, in its unit: nanoseconds or bytes. */
void metric_observe(struct metric_series *series, uint64_t value);

/* metrics_series() and metric_add() in one. */
void metrics_count(struct metrics *metrics, enum metric_id id, int64_t delta,
		   const char *const *values);

/* Appends the text format 0.0.4: Content-Type text/plain; version=0.0.4; charset=utf-8. */
int metrics_render(const struct metrics *metrics, struct buf *buf, struct shale_err *err);

#endif

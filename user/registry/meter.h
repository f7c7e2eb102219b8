/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a server counts of its requests: the metrics, and the series of them that each request
 * needs, found once.
 */
#ifndef SHALE_REGISTRY_METER_H
#define SHALE_REGISTRY_METER_H

#include "registry/access.h"
#include "registry/metrics.h"
#include "registry/reg.h"

struct meter;

struct meter *meter_new(struct shale_err *err);
/* From now on the bucket's calls are timed, as those of @driver. Both outlive the bucket. */
void meter_watch(struct meter *meter, struct bucket *bucket, const char *driver);
void meter_free(struct meter *meter);
struct metrics *meter_metrics(struct meter *meter);

/* When it is known what a request is for, and when it is over; NULL for a meter counts nothing. */
void meter_begin(struct meter *meter, struct call *call);
void meter_finish(struct meter *meter, struct call *call);
void meter_verdict(struct meter *meter, enum access_verdict verdict);
/* Whether a manifest was in memory. */
void meter_cache(struct meter *meter, bool is_hit);

#endif

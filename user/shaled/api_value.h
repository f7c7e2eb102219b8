/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of a request's query, as dockerd takes them: booleans, numbers, times, and filters. Purely text.
 */
#ifndef SHALE_SHALED_API_VALUE_H
#define SHALE_SHALED_API_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Keys of filters, and values of all of them together. */
#define API_MAX_FILTERS 256
/* The text of filters; what clients send is a few hundred bytes, and it has to fit into a header. */
#define API_MAX_FILTER_BYTES 16384

/* Everything but "", 0, no, false and none, in whatever case and blanks around it. */
bool api_value_is_true(const char *text);

/* Digits with a fraction of a second, or a date: "1136073600.000000001", "2006-01-02T15:04:05Z". */
bool api_value_time(const char *text, int64_t *ret_seconds, int64_t *ret_nanoseconds);

/* The same, or a duration before now, "1h30m", as docker's filter until has it. */
bool api_value_until(const char *text, int64_t now, int64_t *ret_seconds);

/*
 * {"key":{"value":true}} or the older {"key":["value"]}, which become {"key":["value"]}. NULL and "" have no
 * filters.
 */
int api_filters_parse(const char *text, json_t **ret_filters, struct shale_err *err);
/* EINVAL for one with a key that is none of these; they end with NULL. */
int api_filters_check(const json_t *filters, const char *const *known, struct shale_err *err);
bool api_filters_have(const json_t *filters, const char *key);
/* The i-th value of a key, NULL behind the last. */
const char *api_filters_get(const json_t *filters, const char *key, size_t i);
/* One of the key's values is this; also when it has none. */
bool api_filters_allow(const json_t *filters, const char *key, const char *value);
/* A boolean, which must not be both; EINVAL. As it was when the key is not there. */
int api_filters_bool(const json_t *filters, const char *key, bool *ret_value,
		     struct shale_err *err);
/* Every value of a key is "KEY" or "KEY=VALUE" of these labels. */
bool api_filters_match_labels(const json_t *filters, const char *key, const json_t *labels);
/* An image's name fits one of the key's patterns, as docker's filter reference has it. */
bool api_filters_match_name(const json_t *filters, const char *key, const char *name);

#endif

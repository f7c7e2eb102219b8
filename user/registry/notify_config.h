/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration's `notifications:`, with distribution's keys. Its meaning is in
 * Documentation/registry-auth.md.
 */
#ifndef SHALE_REGISTRY_NOTIFY_CONFIG_H
#define SHALE_REGISTRY_NOTIFY_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "registry/notify_event.h"
#include "registry/notify_queue.h"

#define NOTIFY_MAX_HEADERS 64
#define NOTIFY_MAX_IGNORED 64
/* Of one endpoint when `maxpending` does not say otherwise: about 100 MB. */
#define NOTIFY_DEFAULT_PENDING 100000
/* As in distribution. */
#define NOTIFY_DEFAULT_TIMEOUT_MS 1000
#define NOTIFY_DEFAULT_THRESHOLD  10
#define NOTIFY_DEFAULT_BACKOFF_MS 1000
#define NOTIFY_MAX_MS		  (3600 * 1000)

/* Texts are the configuration's. */
struct notify_endpoint {
	const char *name;
	const char *url;
	char *headers[NOTIFY_MAX_HEADERS]; /* "Name: value" */
	size_t header_count;
	const char *ignored_types[NOTIFY_MAX_IGNORED];
	size_t ignored_count;
	bool ignored_actions[NOTIFY_ACTIONS];
	long timeout_ms;
	long threshold;
	long backoff_ms;
};

struct notify_config {
	bool with_references;
	uint64_t max_pending;
	size_t count;
	struct notify_endpoint
		endpoints[NOTIFY_MAX_ENDPOINTS]; /* without those that are disabled */
};

int notify_config_read(const json_t *tree, struct notify_config *ret_config, struct shale_err *err);
void notify_config_release(struct notify_config *config);
/* "1h2m", "1.5s", "250ms"; a bare number is seconds. False when it is none or above an hour. */
bool notify_duration(const json_t *value, long *ret_ms);

#endif

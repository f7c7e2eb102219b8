/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Notifications: what happens in the registry, told to endpoints over HTTP in distribution's
 * envelope. An event is in the queue's file before notify_publish() returns, so what the server
 * then acknowledges to its client is told even if the process is killed. Endpoints get their events
 * in order, at least once, and one that is down holds up nobody else.
 */
#ifndef SHALE_REGISTRY_NOTIFY_H
#define SHALE_REGISTRY_NOTIFY_H

#include <jansson.h>

#include "registry/metrics.h"
#include "registry/notify_event.h"

/* Events of one request: a push of a manifest under several tags. */
#define NOTIFY_MAX_EVENTS 32

struct notify;

/*
 * @tree: the value of `notifications:`. @path: the queue's file. @address: of this server, for the
 * events' source. @complain: for the log, from any thread. Without an endpoint *ret_notify is NULL,
 * which the others take.
 */
int notify_open(const json_t *tree, const char *path, const char *address, struct metrics *metrics,
		void (*complain)(const char *endpoint, const char *text),
		struct notify **ret_notify, struct shale_err *err);

/* Whether an event of this kind would go to anybody; to know before one is made. */
bool notify_wants(const struct notify *notify, enum notify_action action, const char *media_type);
/* Whether the manifest's descriptors are wanted in events. */
bool notify_wants_references(const struct notify *notify);
/*
 * All of a request's events, before it is answered. Pulls survive the process, all else a power
 * cut, too.
 * @err: the queue cannot be written; the request has not to be acknowledged then.
 */
int notify_publish(struct notify *notify, const struct notify_event *events, size_t count,
		   struct shale_err *err);

/* Sends what waits, for at most this long; the rest stays in the file for the next start. */
void notify_close(struct notify *notify, int64_t drain_ms);

#endif

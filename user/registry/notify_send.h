/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The thread that brings one endpoint its events, in their order, each until it is taken.
 */
#ifndef SHALE_REGISTRY_NOTIFY_SEND_H
#define SHALE_REGISTRY_NOTIFY_SEND_H

#include "registry/metrics.h"
#include "registry/notify_config.h"
#include "registry/notify_queue.h"

/* Events in one envelope, when so many wait, and its bytes. */
#define NOTIFY_BATCH	   64
#define NOTIFY_BATCH_BYTES (4u << 20)
/* The first wait after a failure; it doubles, up to the endpoint's backoff. */
#define NOTIFY_FIRST_WAIT_MS 50

struct notify_sender;

/* All is borrowed until the sender is freed. complain: for the log, from the sender's thread. */
int notify_sender_start(const struct notify_endpoint *endpoint, size_t number,
			struct notify_queue *queue, struct metrics *metrics,
			void (*complain)(const char *endpoint, const char *text),
			struct notify_sender **ret_sender, struct shale_err *err);
/* There is something in the queue. */
void notify_sender_wake(struct notify_sender *sender);
/* What waits may still be sent until @deadline_ms of CLOCK_MONOTONIC; the first failure ends that,
 * too. */
void notify_sender_drain(struct notify_sender *sender, int64_t deadline_ms);
/* Waits for the end of notify_sender_drain(). */
void notify_sender_free(struct notify_sender *sender);


#endif

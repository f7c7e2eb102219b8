/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events that wait for their endpoints, in an SQLite file, so that neither a crash nor a restart
 * loses one. Endpoints are numbers here, as in the configuration; in the file they are names. Safe
 * from any thread.
 */
#ifndef SHALE_REGISTRY_NOTIFY_QUEUE_H
#define SHALE_REGISTRY_NOTIFY_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define NOTIFY_MAX_ENDPOINTS 16

struct notify_row {
	size_t endpoint;
	const char *text;
	bool is_dropped; /* out: the endpoint had as many as it may */
};

struct notify_queue;

/* @max: events that may wait for one endpoint. Events of endpoints no longer named stay in the
 * file. */
int notify_queue_open(const char *path, const char *const *endpoints, size_t count, uint64_t max,
		      struct notify_queue **ret_queue, struct shale_err *err);
void notify_queue_close(struct notify_queue *queue);

/*
 * All rows or none, apart from those that are dropped. On return they survive the end of the
 * process; with is_durable also the machine's. Callers at the same time share one transaction.
 */
int notify_queue_add(struct notify_queue *queue, struct notify_row *rows, size_t count,
		     bool is_durable, struct shale_err *err);

/*
 * The oldest events of an endpoint as an envelope, appended to buf: at most max_count, and as many
 * as fit max_bytes but at least one. *ret_last is for notify_queue_remove(). Returns their number.
 */
int notify_queue_peek(struct notify_queue *queue, size_t endpoint, size_t max_count,
		      size_t max_bytes, struct buf *buf, int64_t *ret_last, struct shale_err *err);
/* Those up to and including last. */
int notify_queue_remove(struct notify_queue *queue, size_t endpoint, int64_t last,
			struct shale_err *err);
uint64_t notify_queue_pending(struct notify_queue *queue, size_t endpoint);

#endif

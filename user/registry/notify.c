// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications; see notify.h. Here events meet endpoints: each that wants an event gets a row of
 * its own. Called by the server for what it is about to acknowledge.
 */
#include "registry/notify.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "registry/notify_send.h"

struct notify {
	json_t *tree; /* the texts of config are its */
	struct notify_config config;
	struct notify_source source;
	struct notify_queue *queue;
	struct metric_series *events[NOTIFY_MAX_ENDPOINTS];
	struct metric_series *pending[NOTIFY_MAX_ENDPOINTS];
	struct metric_series *dropped[NOTIFY_MAX_ENDPOINTS];
	struct notify_sender *senders[NOTIFY_MAX_ENDPOINTS];
};

/* Before any thread uses libcurl, and once. */
static void init_curl(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static int open_queue(struct notify *notify, const char *path, struct shale_err *err)
{
	const char *names[NOTIFY_MAX_ENDPOINTS];

	for (size_t i = 0; i < notify->config.count; i++)
		names[i] = notify->config.endpoints[i].name;
	if (notify->config.queue)
		path = notify->config.queue;
	return notify_queue_open(path, names, notify->config.count, notify->config.max_pending,
				 &notify->queue, err);
}

static int start_senders(struct notify *notify, struct metrics *metrics,
			 void (*complain)(const char *endpoint, const char *text),
			 struct shale_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_curl);
	for (size_t i = 0; i < notify->config.count; i++) {
		const struct notify_endpoint *endpoint = &notify->config.endpoints[i];
		const char *name = endpoint->name;

		notify->events[i] = metrics_series(metrics, METRIC_NOTIFY_EVENTS,
						   (const char *const[]){"Events", name});
		notify->pending[i] =
			metrics_series(metrics, METRIC_NOTIFY_PENDING, (const char *const[]){name});
		notify->dropped[i] =
			metrics_series(metrics, METRIC_NOTIFY_DROPPED, (const char *const[]){name});
		if (notify_sender_start(endpoint, i, notify->queue, metrics, complain,
					&notify->senders[i], err) < 0)
			return -1;
	}
	return 0;
}

int notify_open(const json_t *tree, const char *path, const char *address, struct metrics *metrics,
		void (*complain)(const char *endpoint, const char *text),
		struct notify **ret_notify, struct shale_err *err)
{
	struct notify *notify;

	*ret_notify = NULL;
	if (!tree || json_is_null(tree))
		return 0;
	notify = calloc(1, sizeof(*notify));
	if (!notify || !(notify->tree = json_deep_copy(tree))) {
		free(notify);
		return shale_err_set(err, ENOMEM, "notifications");
	}
	if (notify_config_read(notify->tree, &notify->config, err) < 0)
		goto fail;
	if (!notify->config.count) {
		notify_close(notify, 0);
		return 0;
	}
	snprintf(notify->source.address, sizeof(notify->source.address), "%s", address);
	if (!notify_uuid(notify->source.instance)) {
		shale_err_set(err, EIO, "notifications: no random bytes");
		goto fail;
	}
	if (open_queue(notify, path, err) < 0 || start_senders(notify, metrics, complain, err) < 0)
		goto fail;
	*ret_notify = notify;
	return 0;

fail:
	notify_close(notify, 0);
	return -1;
}

static bool is_wanted(const struct notify_endpoint *endpoint, enum notify_action action,
		      const char *media_type)
{
	if (endpoint->ignored_actions[action])
		return false;
	for (size_t i = 0; media_type && i < endpoint->ignored_count; i++)
		if (!strcmp(endpoint->ignored_types[i], media_type))
			return false;
	return true;
}

bool notify_wants(const struct notify *notify, enum notify_action action, const char *media_type)
{
	for (size_t i = 0; notify && i < notify->config.count; i++)
		if (is_wanted(&notify->config.endpoints[i], action, media_type))
			return true;
	return false;
}

bool notify_wants_references(const struct notify *notify)
{
	return notify && notify->config.with_references;
}

/* The rows of a request, with the texts they point to. */
struct rows {
	size_t count;
	struct notify_row list[NOTIFY_MAX_EVENTS * NOTIFY_MAX_ENDPOINTS];
	struct buf texts[NOTIFY_MAX_EVENTS];
};

static void rows_free(struct rows **rows)
{
	for (size_t i = 0; *rows && i < NOTIFY_MAX_EVENTS; i++)
		buf_release(&(*rows)->texts[i]);
	free(*rows);
}

static int add_event(struct notify *notify, const struct notify_event *event, struct rows *rows,
		     struct buf *text, struct shale_err *err)
{
	if (!notify_wants(notify, event->action, event->media_type))
		return 0;
	if (notify_event_print(event, &notify->source, notify->config.with_references, text, err) <
	    0)
		return -1;
	for (size_t i = 0; i < notify->config.count; i++)
		if (is_wanted(&notify->config.endpoints[i], event->action, event->media_type))
			rows->list[rows->count++] = (struct notify_row){i, text->data, false};
	return 0;
}

static void tell_senders(struct notify *notify, const struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		size_t endpoint = rows->list[i].endpoint;

		if (rows->list[i].is_dropped) {
			metric_add(notify->dropped[endpoint], 1);
			continue;
		}
		metric_add(notify->events[endpoint], 1);
		metric_set(notify->pending[endpoint],
			   notify_queue_pending(notify->queue, endpoint));
		notify_sender_wake(notify->senders[endpoint]);
	}
}

int notify_publish(struct notify *notify, const struct notify_event *events, size_t count,
		   struct shale_err *err)
{
	__cleanup(rows_free) struct rows *rows = NULL;
	bool is_durable = false;

	if (!notify || !count)
		return 0;
	rows = calloc(1, sizeof(*rows));
	if (!rows || count > NOTIFY_MAX_EVENTS)
		return shale_err_set(err, rows ? E2BIG : ENOMEM, "notifications");
	for (size_t i = 0; i < count; i++) {
		is_durable = is_durable || events[i].action != NOTIFY_PULL;
		if (add_event(notify, &events[i], rows, &rows->texts[i], err) < 0)
			return -1;
	}
	if (notify_queue_add(notify->queue, rows->list, rows->count, is_durable, err) < 0)
		return -1;
	tell_senders(notify, rows);
	return 0;
}

void notify_close(struct notify *notify, int64_t drain_ms)
{
	if (!notify)
		return;
	for (size_t i = 0; i < notify->config.count; i++)
		if (notify->senders[i])
			notify_sender_drain(notify->senders[i], clock_ms() + drain_ms);
	for (size_t i = 0; i < notify->config.count; i++)
		if (notify->senders[i])
			notify_sender_free(notify->senders[i]);
	notify_queue_close(notify->queue);
	notify_config_release(&notify->config);
	json_decref(notify->tree);
	free(notify);
}

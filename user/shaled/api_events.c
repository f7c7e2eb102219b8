// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events; see api_events.h. A listener is a stream that is written to by whoever makes an event; one thread ends
 * those that wanted events up to a time.
 */
#include "shaled/api_events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"
#include "shaled/api_stream.h"
#include "store/json.h"

static const char *const known_filters[] = { "config", "container", "daemon", "event", "image",
					     "label",  "network",   "node",   "plugin", "scope",
					     "secret", "service",   "type",   "volume", NULL };

struct api_event {
	json_t *json;
	int64_t seconds;
	int64_t nanoseconds;
};

struct api_listener {
	struct api_listener *next;
	struct api_stream *stream;
	json_t *filters;
	struct timespec until; /* tv_sec 0: for ever */
	bool is_over;
};

struct api_events {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool is_ending;
	struct api_event kept[API_EVENTS_KEPT]; /* from the oldest at first on, round */
	size_t first;
	size_t count;
	struct api_listener *listeners;
	size_t listener_count;
};

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* Ends listeners whose time has come, and says when the next one's does. */
static bool end_overdue_locked(struct api_events *events, struct timespec *ret_next)
{
	struct timespec now;
	bool has_next = false;

	clock_gettime(CLOCK_REALTIME, &now);
	for (struct api_listener *one = events->listeners; one; one = one->next) {
		if (!one->until.tv_sec || one->is_over)
			continue;
		if (!is_before(&now, &one->until)) {
			one->is_over = true;
			api_stream_end(one->stream);
		} else if (!has_next || is_before(&one->until, ret_next)) {
			*ret_next = one->until;
			has_next = true;
		}
	}
	return has_next;
}

static void *events_run(void *arg)
{
	struct api_events *events = arg;
	struct timespec next;

	pthread_mutex_lock(&events->lock);
	while (!events->is_ending) {
		if (end_overdue_locked(events, &next))
			pthread_cond_timedwait(&events->changed, &events->lock, &next);
		else
			pthread_cond_wait(&events->changed, &events->lock);
	}
	pthread_mutex_unlock(&events->lock);
	return NULL;
}

struct api_events *api_events_new(void)
{
	struct api_events *events = calloc(1, sizeof(*events));
	int code;

	if (!events)
		return NULL;
	pthread_mutex_init(&events->lock, NULL);
	pthread_cond_init(&events->changed, NULL);
	code = thread_start(&events->thread, 0, events_run, events);
	if (!code)
		return events;
	free(events);
	errno = code;
	return NULL;
}

void api_events_end(struct api_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->is_ending = true;
	for (struct api_listener *one = events->listeners; one; one = one->next)
		api_stream_end(one->stream);
	pthread_cond_signal(&events->changed);
	pthread_mutex_unlock(&events->lock);
}

void api_events_free(struct api_events *events)
{
	if (!events)
		return;
	api_events_end(events);
	pthread_join(events->thread, NULL);
	for (size_t i = 0; i < API_EVENTS_KEPT; i++)
		json_decref(events->kept[i].json);
	pthread_cond_destroy(&events->changed);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

size_t api_events_count(struct api_events *events)
{
	size_t count;

	pthread_mutex_lock(&events->lock);
	count = events->listener_count;
	pthread_mutex_unlock(&events->lock);
	return count;
}

/* By the object's ID, its name, or its name without a tag. */
static bool is_about(const json_t *filters, const json_t *event, const char *type)
{
	const json_t *actor = json_object_get(event, "Actor");
	const char *name = json_text(json_object_get(actor, "Attributes"), "name");

	if (!api_filters_have(filters, type))
		return true;
	return !strcmp(json_text(event, "Type"), type) &&
	       (api_filters_allow(filters, type, json_text(actor, "ID")) ||
		api_filters_allow(filters, type, name) || api_filters_match_name(filters, type, name));
}

static bool is_wanted(const json_t *filters, const json_t *event)
{
	static const char *const objects[] = { "container", "network", "plugin", "daemon",
					       "service",   "node",    "secret", "config" };
	const json_t *attributes = json_object_get(json_object_get(event, "Actor"), "Attributes");

	for (size_t i = 0; i < sizeof(objects) / sizeof(*objects); i++)
		if (!is_about(filters, event, objects[i]))
			return false;
	return api_filters_allow(filters, "type", json_text(event, "Type")) &&
	       api_filters_allow(filters, "event", json_text(event, "Action")) &&
	       api_filters_allow(filters, "scope", json_text(event, "scope")) &&
	       is_about(filters, event, "image") && is_about(filters, event, "volume") &&
	       api_filters_match_labels(filters, "label", attributes);
}

static void offer(struct api_listener *listener, const json_t *event)
{
	__cleanup_buf struct buf line = BUF_INIT;
	char *text;

	if (listener->is_over || !is_wanted(listener->filters, event))
		return;
	text = json_dumps(event, JSON_COMPACT);
	if (!text || buf_addf(&line, "%s\n", text) < 0 ||
	    !api_stream_offer(listener->stream, line.data, line.len)) {
		/* What is lost is not passed over in silence. */
		listener->is_over = true;
		api_stream_end(listener->stream);
	}
	free(text);
}

static void keep_locked(struct api_events *events, json_t *json, const struct timespec *now)
{
	size_t at = (events->first + events->count) % API_EVENTS_KEPT;

	if (events->count == API_EVENTS_KEPT)
		events->first = (events->first + 1) % API_EVENTS_KEPT;
	else
		events->count++;
	json_decref(events->kept[at].json);
	events->kept[at] = (struct api_event){ json, now->tv_sec, now->tv_nsec };
}

/* Takes the object. There is no event when there is no memory for it. */
static void publish(struct api_events *events, json_t *json)
{
	struct timespec now;

	if (!json)
		return;
	pthread_mutex_lock(&events->lock);
	clock_gettime(CLOCK_REALTIME, &now);
	json_object_set_new(json, "scope", json_string("local"));
	json_object_set_new(json, "time", json_integer(now.tv_sec));
	json_object_set_new(json, "timeNano",
			    json_integer((json_int_t)now.tv_sec * 1000000000 + now.tv_nsec));
	for (struct api_listener *one = events->listeners; one; one = one->next)
		offer(one, json);
	keep_locked(events, json, &now);
	pthread_mutex_unlock(&events->lock);
}

void api_events_image(struct api_events *events, const char *action, const char *id,
		      const char *name)
{
	publish(events, json_pack("{s:s, s:s, s:s, s:s, s:{s:s, s:{s:s}}}", "status", action, "id",
				  id, "Type", "image", "Action", action, "Actor", "ID", id,
				  "Attributes", "name", name ? name : id));
}

void api_events_container(struct api_events *events, const struct shale_container_event *event)
{
	json_t *attributes = json_loads(event->attributes, 0, NULL);

	publish(events, json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:o}}", "status", event->action, "id",
				  event->id, "from", event->image, "Type", "container", "Action",
				  event->action, "Actor", "ID", event->id, "Attributes", attributes));
}

void api_events_volume(struct api_events *events, const char *action, const char *name)
{
	publish(events, json_pack("{s:s, s:s, s:{s:s, s:{s:s}}}", "Type", "volume", "Action", action,
				  "Actor", "ID", name, "Attributes", "driver", "local"));
}

struct api_span {
	bool has_since;
	bool has_until;
	struct timespec since;
	struct timespec until;
};

static bool take_time(struct api_call *call, const char *key, bool *ret_has, struct timespec *ret_time)
{
	const char *text = api_get(call, key);
	int64_t seconds, nanoseconds;

	*ret_has = text && *text && strcmp(text, "0");
	if (!*ret_has)
		return true;
	if (!api_value_time(text, &seconds, &nanoseconds)) {
		api_fail(call, 400, "invalid value of '%s': %.100s is no time", key, text);
		return false;
	}
	ret_time->tv_sec = seconds;
	ret_time->tv_nsec = nanoseconds;
	return true;
}

static void replay_locked(struct api_events *events, struct api_listener *listener,
			  const struct api_span *span)
{
	for (size_t i = 0; span->has_since && i < events->count; i++) {
		const struct api_event *event =
			&events->kept[(events->first + i) % API_EVENTS_KEPT];
		struct timespec when = { .tv_sec = event->seconds, .tv_nsec = event->nanoseconds };

		if (!is_before(&when, &span->since) &&
		    (!span->has_until || !is_before(&span->until, &when)))
			offer(listener, event->json);
	}
}

/* Replays, and stays unless the time is over. */
static void enter_locked(struct api_events *events, struct api_listener *listener,
			 const struct api_span *span)
{
	struct timespec now;

	replay_locked(events, listener, span);
	clock_gettime(CLOCK_REALTIME, &now);
	if (events->is_ending || (span->has_until && !is_before(&now, &span->until))) {
		listener->is_over = true;
		api_stream_end(listener->stream);
	}
	if (span->has_until)
		listener->until = span->until;
	listener->next = events->listeners;
	events->listeners = listener;
	events->listener_count++;
	pthread_cond_signal(&events->changed);
}

static void listener_free(struct api_listener *listener)
{
	if (listener->stream)
		api_stream_put(listener->stream);
	json_decref(listener->filters);
	free(listener);
}

static void begin_listening(struct api_call *call, struct api_listener *listener, const struct api_span *span)
{
	struct api_events *events = call->api->events;

	listener->stream = api_stream_open(call, "application/json");
	if (!listener->stream) {
		listener_free(listener);
		return;
	}
	api_stream_get(listener->stream);
	call->listener = listener;
	pthread_mutex_lock(&events->lock);
	enter_locked(events, listener, span);
	pthread_mutex_unlock(&events->lock);
}

void api_events_get(struct api_call *call)
{
	struct api_listener *listener;
	struct shale_err err = { 0 };
	struct api_span span = { 0 };

	if (!take_time(call, "since", &span.has_since, &span.since) ||
	    !take_time(call, "until", &span.has_until, &span.until))
		return;
	if (span.has_since && span.has_until && is_before(&span.until, &span.since)) {
		api_fail(call, 400, "`since` cannot be after `until`");
		return;
	}
	if (api_events_count(call->api->events) >= API_EVENTS_LISTENERS) {
		api_fail(call, 503, "%d clients listen to events already", API_EVENTS_LISTENERS);
		return;
	}
	listener = calloc(1, sizeof(*listener));
	if (!listener) {
		api_fail(call, 500, "out of memory");
		return;
	}
	if (api_filters_parse(api_get(call, "filters"), &listener->filters, &err) == 0 &&
	    api_filters_check(listener->filters, known_filters, &err) == 0) {
		begin_listening(call, listener, &span);
		return;
	}
	api_fail_err(call, &err);
	listener_free(listener);
}

void api_events_forget(struct api_call *call)
{
	struct api_events *events = call->api->events;
	struct api_listener **at;

	if (!call->listener)
		return;
	pthread_mutex_lock(&events->lock);
	for (at = &events->listeners; *at != call->listener;)
		at = &(*at)->next;
	*at = call->listener->next;
	events->listener_count--;
	pthread_mutex_unlock(&events->lock);
	listener_free(call->listener);
	call->listener = NULL;
}

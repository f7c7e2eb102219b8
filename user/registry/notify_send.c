// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delivery to one endpoint; see notify_send.h. An envelope is taken out of the queue only when the
 * endpoint has answered 2xx or 3xx, so a crash in between delivers it twice rather than never.
 */
#include "registry/notify_send.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define CONTENT_TYPE "Content-Type: application/vnd.docker.distribution.events.v2+json"
#define AGENT	     "shale-registry/" SHALE_VERSION

struct notify_sender {
	const struct notify_endpoint *endpoint;
	size_t number;
	struct notify_queue *queue;
	struct metrics *metrics;
	struct metric_series *pending;
	struct metric_series *successes;
	struct metric_series *failures;
	struct metric_series *errors;
	void (*complain)(const char *endpoint, const char *text);
	CURL *curl;
	struct curl_slist *headers;
	pthread_t thread;
	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	bool is_awake;
	bool is_draining;
	int64_t deadline_ms;
};

/* Whatever an endpoint answers beside its status is not read further than it has to be. */
static size_t ignore_body(char *data, size_t size, size_t count, void *arg)
{
	(void)data;
	(void)arg;
	return size * count;
}

static bool is_over(struct notify_sender *sender)
{
	bool is_over;

	pthread_mutex_lock(&sender->lock);
	is_over = sender->is_draining && clock_ms() >= sender->deadline_ms;
	pthread_mutex_unlock(&sender->lock);
	return is_over;
}

/* libcurl asks about once a second, and more often when something moves. */
static int should_abort(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return is_over(arg);
}

static int add_header(struct notify_sender *sender, const char *text)
{
	struct curl_slist *list = curl_slist_append(sender->headers, text);

	if (!list)
		return -1;
	sender->headers = list;
	return 0;
}

static int set_up(struct notify_sender *sender)
{
	const struct notify_endpoint *endpoint = sender->endpoint;
	CURL *curl = sender->curl = curl_easy_init();

	/* No "Expect: 100-continue", which small servers do not answer. */
	if (!curl || add_header(sender, CONTENT_TYPE) < 0 || add_header(sender, "Expect:") < 0)
		return -1;
	for (size_t i = 0; i < endpoint->header_count; i++)
		if (add_header(sender, endpoint->headers[i]) < 0)
			return -1;
	curl_easy_setopt(curl, CURLOPT_URL, endpoint->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, sender->headers);
	curl_easy_setopt(curl, CURLOPT_POST, 1L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, AGENT);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, endpoint->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, ignore_body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, should_abort);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, sender);
	return 0;
}

static void note_status(struct notify_sender *sender, long status)
{
	char code[24];

	snprintf(code, sizeof(code), "%ld", status);
	metrics_count(sender->metrics, METRIC_NOTIFY_STATUS, 1,
		      (const char *const[]){code, sender->endpoint->name});
}

/* 0: taken. Otherwise text says why not. */
static int post(struct notify_sender *sender, const struct buf *envelope, char *text, size_t size)
{
	long status = 0;
	CURLcode code;

	curl_easy_setopt(sender->curl, CURLOPT_POSTFIELDS, envelope->data);
	curl_easy_setopt(sender->curl, CURLOPT_POSTFIELDSIZE, (long)envelope->len);
	code = curl_easy_perform(sender->curl);
	if (code != CURLE_OK) {
		snprintf(text, size, "%s", curl_easy_strerror(code));
		metric_add(sender->errors, 1);
		return -1;
	}
	curl_easy_getinfo(sender->curl, CURLINFO_RESPONSE_CODE, &status);
	note_status(sender, status);
	if (status >= 200 && status < 400)
		return 0;
	snprintf(text, size, "status %ld", status);
	metric_add(sender->failures, 1);
	return -1;
}

/* The number of events that are delivered and out of the queue, 0 for none there, -1 for a failure.
 */
static int deliver(struct notify_sender *sender, char *text, size_t size)
{
	__cleanup_buf struct buf envelope = BUF_INIT;
	struct shale_err err = {0};
	int64_t last = 0;
	int count = notify_queue_peek(sender->queue, sender->number, NOTIFY_BATCH,
				      NOTIFY_BATCH_BYTES, &envelope, &last, &err);

	if (count > 0 && post(sender, &envelope, text, size) < 0)
		return -1;
	if (count > 0 && notify_queue_remove(sender->queue, sender->number, last, &err) < 0)
		count = -1;
	if (count < 0)
		snprintf(text, size, "%s", err.msg);
	else
		metric_add(sender->successes, count);
	metric_set(sender->pending, notify_queue_pending(sender->queue, sender->number));
	return count;
}

/* Until something is in the queue, or the end; with ms above 0 for this time at most, awake or not.
 */
static void wait_for(struct notify_sender *sender, int64_t ms)
{
	const int64_t until = clock_ms() + ms;
	const struct timespec when = {until / 1000, until % 1000 * 1000000};

	pthread_mutex_lock(&sender->lock);
	while (!sender->is_draining && (ms || !sender->is_awake)) {
		if (!ms)
			pthread_cond_wait(&sender->changed, &sender->lock);
		else if (pthread_cond_timedwait(&sender->changed, &sender->lock, &when) ==
			 ETIMEDOUT)
			break;
	}
	sender->is_awake = false;
	pthread_mutex_unlock(&sender->lock);
}

static bool is_draining(struct notify_sender *sender)
{
	bool is;

	pthread_mutex_lock(&sender->lock);
	is = sender->is_draining;
	pthread_mutex_unlock(&sender->lock);
	return is;
}

/*
 * After `threshold` failures in a row an endpoint is left alone for its whole backoff; before, a
 * hiccup costs less.
 */
static int64_t wait_after(const struct notify_endpoint *endpoint, long failures)
{
	int64_t ms = NOTIFY_FIRST_WAIT_MS;

	for (long i = 1; i < failures && ms < endpoint->backoff_ms; i++)
		ms *= 2;
	if (failures >= endpoint->threshold || ms > endpoint->backoff_ms)
		ms = endpoint->backoff_ms;
	return ms ? ms : 1;
}

static void *run(void *arg)
{
	struct notify_sender *sender = arg;
	char text[1100] = "";
	long failures = 0;

	while (!is_over(sender)) {
		int count = deliver(sender, text, sizeof(text));

		if (count < 0) {
			failures++;
			/* Said when it begins, and when it goes on for long. */
			if (failures == 1 || failures == sender->endpoint->threshold)
				sender->complain(sender->endpoint->name, text);
			if (is_draining(sender))
				break;
			wait_for(sender, wait_after(sender->endpoint, failures));
		} else {
			failures = 0;
			if (!count && is_draining(sender))
				break;
			if (!count)
				wait_for(sender, 0);
		}
	}
	return NULL;
}

static void set_series(struct notify_sender *sender)
{
	const char *name = sender->endpoint->name;
	struct metrics *metrics = sender->metrics;

	sender->pending =
		metrics_series(metrics, METRIC_NOTIFY_PENDING, (const char *const[]){name});
	sender->successes = metrics_series(metrics, METRIC_NOTIFY_EVENTS,
					   (const char *const[]){"Successes", name});
	sender->failures = metrics_series(metrics, METRIC_NOTIFY_EVENTS,
					  (const char *const[]){"Failures", name});
	sender->errors = metrics_series(metrics, METRIC_NOTIFY_EVENTS,
					(const char *const[]){"Errors", name});
}

static void release(struct notify_sender *sender)
{
	curl_easy_cleanup(sender->curl);
	curl_slist_free_all(sender->headers);
	pthread_cond_destroy(&sender->changed);
	pthread_mutex_destroy(&sender->lock);
	free(sender);
}

int notify_sender_start(const struct notify_endpoint *endpoint, size_t number,
			struct notify_queue *queue, struct metrics *metrics,
			void (*complain)(const char *endpoint, const char *text),
			struct notify_sender **ret_sender, struct shale_err *err)
{
	struct notify_sender *sender = calloc(1, sizeof(*sender));
	pthread_condattr_t attr;

	if (!sender)
		return shale_err_set(err, ENOMEM, "notifications");
	*sender = (struct notify_sender){
		.endpoint = endpoint,
		.number = number,
		.queue = queue,
		.metrics = metrics,
		.complain = complain,
	};
	pthread_mutex_init(&sender->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sender->changed, &attr);
	pthread_condattr_destroy(&attr);
	set_series(sender);
	if (set_up(sender) < 0 || pthread_create(&sender->thread, NULL, run, sender)) {
		release(sender);
		return shale_err_set(err, ENOMEM, "notifications: no thread for '%.100s'",
				     endpoint->name);
	}
	*ret_sender = sender;
	return 0;
}

void notify_sender_wake(struct notify_sender *sender)
{
	pthread_mutex_lock(&sender->lock);
	sender->is_awake = true;
	pthread_cond_signal(&sender->changed);
	pthread_mutex_unlock(&sender->lock);
}

void notify_sender_drain(struct notify_sender *sender, int64_t deadline_ms)
{
	pthread_mutex_lock(&sender->lock);
	sender->is_draining = true;
	sender->deadline_ms = deadline_ms;
	pthread_cond_signal(&sender->changed);
	pthread_mutex_unlock(&sender->lock);
}

void notify_sender_free(struct notify_sender *sender)
{
	pthread_join(sender->thread, NULL);
	release(sender);
}

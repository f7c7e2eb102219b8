// SPDX-License-Identifier: GPL-2.0-only
/*
 * Flights; see flight.h. The thread writes each piece to the file, then to the storage, then tells the
 * readers; what the storage cannot take does not stop the readers. The lock is held for a few fields only.
 * Called by proxy_blob.c.
 */
#include "registry/flight.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "registry/log.h"
#include "registry/upload.h"

/* Enough for libcurl, TLS, and a few paths. */
#define FLIGHT_STACK (512u << 10)

enum flight_state { FLIGHT_ON, FLIGHT_LANDED, FLIGHT_FAILED };

struct flight {
	struct proxy *proxy;
	struct upstream *upstream;
	char remote[NAME_MAX_REPO + 1];
	char repo[NAME_MAX_REPO + 1];
	struct sum sum;
	struct flight *next; /* under the proxy's lock */
	unsigned int refs; /* under the proxy's lock; the thread has one */
	int fd;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum flight_state state; /* under the lock, as those that follow */
	uint64_t size;		 /* UINT64_MAX: not known */
	uint64_t written;
	struct shale_err err;
	/* The thread's own. */
	struct upload *upload; /* NULL: it is not kept */
	struct summer summer;
	uint64_t skip; /* bytes that come once more */
};

static int open_spool(struct shale_err *err)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (!dir || !*dir)
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? shale_err_errno(err, "making a file in %s", dir) : fd;
}

static void flight_free(struct flight *flight)
{
	if (flight->fd >= 0)
		close(flight->fd);
	pthread_cond_destroy(&flight->changed);
	pthread_mutex_destroy(&flight->lock);
	free(flight);
}

void flight_put(struct flight *flight)
{
	struct proxy *proxy = flight->proxy;
	bool is_last;

	pthread_mutex_lock(&proxy->lock);
	is_last = !--flight->refs;
	pthread_mutex_unlock(&proxy->lock);
	if (is_last)
		flight_free(flight);
}

uint64_t flight_size(const struct flight *flight)
{
	return flight->size;
}

/* The storage is full, or refuses us: the clients get it all the same. */
static void stop_keeping(struct flight *flight, const struct shale_err *err)
{
	log_text(LOG_LEVEL_ERROR, "proxy", "%s: %s is not kept: %s", flight->repo, flight->sum.text,
		 err->msg);
	upload_cancel(flight->upload);
	flight->upload = NULL;
}

static void note_size(struct flight *flight, uint64_t size)
{
	pthread_mutex_lock(&flight->lock);
	flight->size = size;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
}

static int check_range(struct flight *flight, struct web_request *request)
{
	const char *text = web_value(request, WEB_CONTENT_RANGE);
	struct answer_range range;

	if (!flight->written || !text || !answer_parse_range(text, &range) ||
	    range.first != flight->written ||
	    (range.total != UINT64_MAX && flight->size != UINT64_MAX && range.total != flight->size))
		return shale_err_set(&request->err, EPROTO, "sends other bytes than it was asked for");
	return 0;
}

/* What goes on must be the same blob; without a length it is only known at the end how long it is. */
static int take_head(struct web_request *request)
{
	struct flight *flight = request->arg;
	curl_off_t length = -1;

	flight->skip = 0;
	if (request->status == 206)
		return check_range(flight, request);
	if (request->status != 200)
		return shale_err_set(&request->err, EPROTO, "answers %ld to a download", request->status);
	curl_easy_getinfo(request->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	flight->skip = flight->written;
	if (length < 0)
		return 0;
	if (flight->size != UINT64_MAX && flight->size != (uint64_t)length)
		return shale_err_set(&request->err, EPROTO, "has another length than before");
	note_size(flight, length);
	return 0;
}

static int write_spool(struct flight *flight, const char *data, size_t len, struct shale_err *err)
{
	if (fs_write_at(flight->fd, data, len, flight->written) < 0)
		return shale_err_errno(err, "writing a blob that is passed on");
	return 0;
}

static int take_data(struct web_request *request, const void *data, size_t len)
{
	struct flight *flight = request->arg;
	size_t skip = flight->skip < len ? flight->skip : len;
	const char *at = (const char *)data + skip;
	struct shale_err err = { 0 };

	flight->skip -= skip;
	len -= skip;
	if (write_spool(flight, at, len, &request->err) < 0)
		return -1;
	summer_update(&flight->summer, at, len);
	if (flight->upload && upload_write(flight->upload, at, len, &err) < 0)
		stop_keeping(flight, &err);
	metric_add(flight->proxy->pulled[PROXY_BLOB], len);
	pthread_mutex_lock(&flight->lock);
	flight->written += len;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
	return 0;
}

static int set_range(struct flight *flight, struct web_request *request, struct shale_err *err)
{
	char range[64];

	curl_slist_free_all(request->headers);
	request->headers = NULL;
	if (!flight->written)
		return 0;
	snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)flight->written);
	return web_add_header(request, "Range", range, err);
}

static bool is_whole(const struct flight *flight)
{
	return flight->size == UINT64_MAX || flight->written == flight->size;
}

/* A connection that broke in the middle of the blob is worth another one. */
static int fetch(struct flight *flight, struct upstream_line *line, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	unsigned int resumes = 0;
	uint64_t stood = 0;

	request.head = take_head;
	request.sink = take_data;
	request.arg = flight;
	for (;;) {
		if (remote_set_url(&line->remote, &request, err, "blobs/%s", flight->sum.text) < 0 ||
		    set_range(flight, &request, err) < 0)
			return -1;
		if (upstream_request(line, &request, err) == 0 && is_whole(flight))
			return 0;
		if (!request.has_failed && request.status / 100 == 2)
			shale_err_set(err, ECONNRESET, "%s: ends before all was sent",
				      flight->upstream->url);
		else if (!request.has_failed || !request.may_succeed || !flight->written)
			return -1;
		if (flight->written > stood)
			resumes = 0;
		stood = flight->written;
		if (++resumes > FLIGHT_MAX_RESUMES || web_sleep(line->web, FLIGHT_WAIT_MSEC, err) < 0)
			return -1;
		request.tries = 0;
	}
}

static int check(struct flight *flight, struct shale_err *err)
{
	struct sum got;

	summer_final(&flight->summer, &got);
	if (sum_is_equal(&got, &flight->sum))
		return 0;
	return shale_err_set(err, EBADMSG, "%s: sends %s instead of %s", flight->upstream->url, got.text,
			     flight->sum.text);
}

static int run(struct flight *flight, struct shale_err *err)
{
	__cleanup_line struct upstream_line *line = NULL;
	struct upload *upload;
	struct shale_err own = { 0 };

	if (upstream_take(flight->proxy->upstreams, flight->upstream, flight->remote, &line, err) < 0)
		return -1;
	if (!flight->proxy->reg->settings.is_readonly &&
	    upload_create(flight->proxy->reg, flight->repo, flight->sum.kind, &flight->upload, &own) < 0)
		log_text(LOG_LEVEL_ERROR, "proxy", "%s: %s is not kept: %s", flight->repo,
			 flight->sum.text, own.msg);
	if (fetch(flight, line, err) < 0 || check(flight, err) < 0)
		return -1;
	upload = steal_ptr(flight->upload);
	if (upload && upload_finish(upload, &flight->sum, &own) < 0)
		log_text(LOG_LEVEL_ERROR, "proxy", "%s: %s is not kept: %s", flight->repo,
			 flight->sum.text, own.msg);
	return 0;
}

static void unlist_locked(struct proxy *proxy, struct flight *flight)
{
	struct flight **at = &proxy->flights;

	while (*at != flight)
		at = &(*at)->next;
	*at = flight->next;
}

static void end(struct flight *flight, int ret, const struct shale_err *err)
{
	struct proxy *proxy = flight->proxy;

	proxy_note(flight->upstream, ret < 0 ? err : NULL);
	/* From here on it is in the storage, or asked for anew. */
	pthread_mutex_lock(&proxy->lock);
	unlist_locked(proxy, flight);
	pthread_mutex_unlock(&proxy->lock);
	pthread_mutex_lock(&flight->lock);
	flight->state = ret < 0 ? FLIGHT_FAILED : FLIGHT_LANDED;
	flight->err = *err;
	if (ret == 0)
		flight->size = flight->written;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
}

static void *fly(void *arg)
{
	struct flight *flight = arg;
	struct proxy *proxy = flight->proxy;
	struct shale_err err = { 0 };
	int ret = run(flight, &err);

	upload_cancel(flight->upload);
	end(flight, ret, &err);
	flight_put(flight);
	pthread_mutex_lock(&proxy->lock);
	proxy->flying--;
	pthread_cond_broadcast(&proxy->changed);
	pthread_mutex_unlock(&proxy->lock);
	return NULL;
}

static int start_thread(struct flight *flight)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, FLIGHT_STACK);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, fly, flight);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret ? -1 : 0;
}

static struct flight *flight_new(struct proxy *proxy, const char *repo, const struct sum *sum,
				 struct shale_err *err)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight) {
		shale_err_set(err, EAGAIN, "no memory for a blob that is passed on");
		return NULL;
	}
	pthread_mutex_init(&flight->lock, NULL);
	pthread_cond_init(&flight->changed, NULL);
	flight->proxy = proxy;
	flight->sum = *sum;
	flight->size = UINT64_MAX;
	flight->refs = 1;
	summer_init(&flight->summer, sum->kind);
	snprintf(flight->repo, sizeof(flight->repo), "%s", repo);
	flight->fd = open_spool(err);
	if (flight->fd >= 0)
		return flight;
	flight_free(flight);
	return NULL;
}

static struct flight *find_locked(struct proxy *proxy, const char *repo, const struct sum *sum)
{
	struct flight *flight = proxy->flights;

	while (flight && (strcmp(flight->repo, repo) || !sum_is_equal(&flight->sum, sum)))
		flight = flight->next;
	return flight;
}

bool flight_is_on(struct proxy *proxy, const char *repo, const struct sum *sum)
{
	bool is_on;

	pthread_mutex_lock(&proxy->lock);
	is_on = find_locked(proxy, repo, sum);
	pthread_mutex_unlock(&proxy->lock);
	return is_on;
}

static struct flight *begin_locked(struct proxy *proxy, struct upstream *upstream,
				   const char *remote, const char *repo, const struct sum *sum,
				   struct shale_err *err)
{
	struct flight *flight;

	if (proxy->flying == PROXY_MAX_FLIGHTS) {
		shale_err_set(err, EBUSY, "%d blobs are on their way already", PROXY_MAX_FLIGHTS);
		return NULL;
	}
	flight = flight_new(proxy, repo, sum, err);
	if (!flight)
		return NULL;
	flight->upstream = upstream;
	snprintf(flight->remote, sizeof(flight->remote), "%s", remote);
	if (start_thread(flight) < 0) {
		shale_err_set(err, EAGAIN, "cannot start a thread for a blob");
		flight_free(flight);
		return NULL;
	}
	flight->next = proxy->flights;
	proxy->flights = flight;
	proxy->flying++;
	return flight;
}

static int wait_for_size(struct flight *flight, struct shale_err *err)
{
	int ret = 0;

	pthread_mutex_lock(&flight->lock);
	while (flight->state == FLIGHT_ON && flight->size == UINT64_MAX)
		pthread_cond_wait(&flight->changed, &flight->lock);
	if (flight->state == FLIGHT_FAILED) {
		*err = flight->err;
		ret = -1;
	}
	pthread_mutex_unlock(&flight->lock);
	return ret;
}

int flight_join(struct proxy *proxy, struct upstream *upstream, const char *remote,
		const char *repo, const struct sum *sum, struct flight **ret_flight,
		struct shale_err *err)
{
	struct flight *flight;

	pthread_mutex_lock(&proxy->lock);
	flight = find_locked(proxy, repo, sum);
	if (!flight)
		flight = begin_locked(proxy, upstream, remote, repo, sum, err);
	if (flight)
		flight->refs++;
	pthread_mutex_unlock(&proxy->lock);
	if (!flight)
		return -1;
	if (wait_for_size(flight, err) < 0) {
		flight_put(flight);
		return -1;
	}
	*ret_flight = flight;
	return 0;
}

/* The last byte of what comes is held back until all of it was right. */
static uint64_t readable_locked(const struct flight *flight)
{
	if (flight->state == FLIGHT_LANDED || flight->written < flight->size)
		return flight->written;
	return flight->size ? flight->size - 1 : 0;
}

ssize_t flight_read(struct flight *flight, uint64_t offset, void *data, size_t len)
{
	uint64_t end;
	bool has_failed, has_landed;

	pthread_mutex_lock(&flight->lock);
	while (flight->state == FLIGHT_ON && readable_locked(flight) <= offset)
		pthread_cond_wait(&flight->changed, &flight->lock);
	end = readable_locked(flight);
	has_failed = flight->state == FLIGHT_FAILED;
	has_landed = flight->state == FLIGHT_LANDED;
	pthread_mutex_unlock(&flight->lock);
	if (end <= offset)
		return has_landed ? 0 : -1;
	if (has_failed)
		return -1;
	if (len > end - offset)
		len = end - offset;
	return pread(flight->fd, data, len, offset);
}

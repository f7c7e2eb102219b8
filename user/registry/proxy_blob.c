// SPDX-License-Identifier: GPL-2.0-only
/*
 * Blobs through an upstream; see proxy.h. One that the storage has of another repository is only given when
 * the upstream says that this one has it, too. Called by proxy.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/announce.h"
#include "registry/flight.h"
#include "registry/hold.h"
#include "registry/layout.h"
#include "registry/proxy.h"
#include "registry/repo.h"

/* A client that reads from a flight. */
struct rider {
	struct httpd_source base;
	struct flight *flight;
	struct proxy *proxy;
	uint64_t offset;
	uint64_t end;
};

static ssize_t rider_read(struct httpd_source *base, void *data, size_t len)
{
	struct rider *rider = (struct rider *)base;
	ssize_t got;

	if (len > rider->end - rider->offset)
		len = rider->end - rider->offset;
	if (!len)
		return 0;
	got = flight_read(rider->flight, rider->offset, data, len);
	if (got <= 0)
		return -1;
	rider->offset += got;
	metric_add(rider->proxy->pushed[PROXY_BLOB], got);
	return got;
}

static void rider_close(struct httpd_source *base)
{
	struct rider *rider = (struct rider *)base;

	flight_put(rider->flight);
	proxy_leave(rider->proxy);
	free(rider);
}

static void add_fields(struct call *call)
{
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
	httpd_add_field(call->http, "ETag", "\"%s\"", call->sum.text);
	httpd_add_field(call->http, "Cache-Control", "max-age=31536000");
	httpd_add_field(call->http, "Accept-Ranges", "bytes");
	httpd_add_field(call->http, "Content-Type", "application/octet-stream");
}

/* Takes the flight over, and the place among those that wait. */
static void send_rider(struct call *call, struct flight *flight, uint64_t from, uint64_t end)
{
	struct rider *rider = calloc(1, sizeof(*rider));

	if (!rider) {
		flight_put(flight);
		proxy_leave(call->reg->proxy);
		fault_send(call, FAULT_UNAVAILABLE, NULL);
		return;
	}
	*rider = (struct rider){ { rider_read, rider_close }, flight, call->reg->proxy, from, end };
	httpd_send_source(call->http, &rider->base, end - from);
}

static void send_flight(struct call *call, struct flight *flight)
{
	const uint64_t size = flight_size(flight);
	uint64_t first = 0, last = 0;
	enum range_answer range = range_parse(httpd_field(call->http, "Range"), size, &first, &last);

	if (range == RANGE_BAD) {
		flight_put(flight);
		proxy_leave(call->reg->proxy);
		fault_send(call, FAULT_RANGE_INVALID, NULL);
		httpd_add_field(call->http, "Content-Range", "bytes */%llu", (unsigned long long)size);
		return;
	}
	if (!first)
		announce_pull_blob(call, &call->sum, size);
	call_answer(call, range == RANGE_PART ? 206 : 200);
	add_fields(call);
	if (range == RANGE_PART)
		httpd_add_field(call->http, "Content-Range", "bytes %llu-%llu/%llu",
				(unsigned long long)first, (unsigned long long)last,
				(unsigned long long)size);
	send_rider(call, flight, first, range == RANGE_PART ? last + 1 : size);
}

static void pull(struct call *call, struct upstream *upstream, const char *remote)
{
	struct proxy *proxy = call->reg->proxy;
	struct flight *flight;
	struct shale_err err = { 0 };

	if (!proxy_enter(call))
		return;
	if (flight_join(proxy, upstream, remote, call->route.repo, &call->sum, &flight, &err) == 0) {
		send_flight(call, flight);
		return;
	}
	proxy_leave(proxy);
	proxy_fail(call, &err, FAULT_BLOB_UNKNOWN);
}

/* Whether the upstream has it, and how long it is. */
static int ask(struct call *call, struct upstream *upstream, const char *remote,
	       uint64_t *ret_size, struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	__cleanup_line struct upstream_line *line = NULL;
	curl_off_t length = -1;

	request.method = "HEAD";
	if (upstream_take(call->reg->proxy->upstreams, upstream, remote, &line, err) < 0 ||
	    remote_set_url(&line->remote, &request, err, "blobs/%s", call->sum.text) < 0 ||
	    upstream_request(line, &request, err) < 0)
		return -1;
	curl_easy_getinfo(request.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	*ret_size = length < 0 ? UINT64_MAX : (uint64_t)length;
	return 0;
}

static bool ask_waiting(struct call *call, struct upstream *upstream, const char *remote,
			uint64_t *ret_size)
{
	struct shale_err err = { 0 };
	int ret;

	if (!proxy_enter(call))
		return false;
	ret = ask(call, upstream, remote, ret_size, &err);
	proxy_leave(call->reg->proxy);
	proxy_note(upstream, ret < 0 ? &err : NULL);
	if (ret < 0)
		proxy_fail(call, &err, FAULT_BLOB_UNKNOWN);
	return ret == 0;
}

static void send_head(struct call *call, uint64_t size)
{
	if (size == UINT64_MAX) {
		fault_send(call, FAULT_UNAVAILABLE, "upstream: does not say how long the blob is");
		return;
	}
	call_answer(call, 200);
	add_fields(call);
	httpd_send_length(call->http, size);
}

/* The storage has its bytes: true, if this repository has it from now on. */
static bool try_link(struct call *call)
{
	struct reg *reg = call->reg;
	struct bucket_stat st;
	int ret;

	if (hold_sum(reg, &call->sum, NULL) < 0)
		return false;
	pthread_rwlock_rdlock(&reg->sweep_lock);
	lease_take(reg->leases, &call->sum);
	ret = bucket_stat(reg->bucket, layout_blob(&call->sum).text, &st, NULL);
	if (ret == 0)
		ret = repo_link_blob(reg, call->route.repo, &call->sum, st.size, NULL, NULL);
	pthread_rwlock_unlock(&reg->sweep_lock);
	return ret == 0;
}

static bool has_bytes(struct call *call)
{
	struct bucket_stat st;

	return bucket_stat(call->reg->bucket, layout_blob(&call->sum).text, &st, NULL) == 0;
}

static bool miss(struct call *call, struct upstream *upstream, const char *remote)
{
	bool is_head = httpd_is_head(call->http);
	uint64_t size;

	if (is_head || has_bytes(call)) {
		if (!ask_waiting(call, upstream, remote, &size))
			return false;
		if (!call->reg->settings.is_readonly && has_bytes(call) && try_link(call))
			return true;
	}
	if (is_head)
		send_head(call, size);
	else
		pull(call, upstream, remote);
	return false;
}

bool proxy_blob(struct call *call, struct upstream *upstream, const char *remote)
{
	struct proxy *proxy = call->reg->proxy;
	const char *repo = call->route.repo;
	struct shale_err err = { 0 };
	int has = 0;

	/* What is no digest is the handler's to refuse. */
	if (!sum_parse(call->route.last, &call->sum))
		return true;
	if (!flight_is_on(proxy, repo, &call->sum))
		has = repo_has_blob(call->reg, repo, &call->sum, &err);
	if (has > 0 && !has_bytes(call))
		has = 0;
	if (has < 0) {
		fault_send_err(call, &err, FAULT_BLOB_UNKNOWN);
		return false;
	}
	if (!has)
		has = miss(call, upstream, remote);
	proxy_count(proxy, PROXY_BLOB, has);
	return has;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications of requests; see announce.h. A manifest that was pushed under several tags is an event for
 * each. Called by the handlers once something is done, and before they say so.
 */
#include "registry/announce.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "registry/log.h"

bool announce_wants_pulls(const struct reg *reg)
{
	return notify_wants(reg->notify, NOTIFY_PULL, NULL);
}

static void print_peer(const struct call *call, char *text, size_t size)
{
	const struct sockaddr *peer = (const struct sockaddr *)&call->peer;
	char host[INET6_ADDRSTRLEN] = "";

	*text = '\0';
	if (peer->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(((const struct sockaddr_in *)peer)->sin_port));
	} else if (peer->sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host,
			 ntohs(((const struct sockaddr_in6 *)peer)->sin6_port));
	}
}

/* All events of the request are one step of the queue. */
static int publish(struct call *call, const struct announcement *a, struct notify_event *event,
		   struct shale_err *err)
{
	struct notify_event events[NOTIFY_MAX_EVENTS];
	size_t count = a->tag_count < NOTIFY_MAX_EVENTS ? a->tag_count : NOTIFY_MAX_EVENTS;

	if (!count)
		return notify_publish(call->reg->notify, event, 1, err);
	for (size_t i = 0; i < count; i++) {
		events[i] = *event;
		events[i].tag = a->tags[i];
	}
	return notify_publish(call->reg->notify, events, count, err);
}

static int publish_request(struct call *call, const struct announcement *a, struct shale_err *err)
{
	char path[NAME_MAX_REPO + SUM_MAX_TEXT + 32] = "";
	char url[1024] = "";
	char peer[INET6_ADDRSTRLEN + 16];
	struct notify_event event = {
		.action = a->action,
		.media_type = a->type,
		.digest = a->sum ? a->sum->text : NULL,
		.size = a->size,
		.repository = call->route.repo,
		.from_repository = a->from,
		.references = a->references,
		.address = peer,
		.host = httpd_field(call->http, "Host"),
		.method = httpd_method(call->http),
		.agent = call->agent,
		.actor = call->actor,
	};

	print_peer(call, peer, sizeof(peer));
	if (a->sum) {
		snprintf(path, sizeof(path), "/v2/%s/%s/%s", call->route.repo,
			 a->is_manifest ? "manifests" : "blobs", a->sum->text);
		call_print_url(call, path, url, sizeof(url));
		event.url = url;
	}
	return publish(call, a, &event, err);
}

bool announce(struct call *call, const struct announcement *announcement)
{
	struct shale_err err = { 0 };

	if (!notify_wants(call->reg->notify, announcement->action, announcement->type) ||
	    publish_request(call, announcement, &err) == 0)
		return true;
	log_text(LOG_LEVEL_ERROR, "notifications", "%s", err.msg);
	if (announcement->action != NOTIFY_PULL)
		fault_send(call, FAULT_UNAVAILABLE, "the event could not be written down");
	return false;
}

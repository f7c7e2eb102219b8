// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as JSON; see notify_event.h. What a client sent (its agent, the host it named) may be any
 * bytes, and what is not UTF-8 is left out rather than losing the event.
 */
#include "registry/notify_event.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "store/json.h"

static const char *const names[NOTIFY_ACTIONS] = {
	[NOTIFY_PULL] = "pull",
	[NOTIFY_PUSH] = "push",
	[NOTIFY_MOUNT] = "mount",
	[NOTIFY_DELETE] = "delete",
};

const char *notify_action_name(enum notify_action action)
{
	return names[action];
}

enum notify_action notify_action_find(const char *name)
{
	enum notify_action action = 0;

	while (action < NOTIFY_ACTIONS && strcmp(names[action], name))
		action++;
	return action;
}

bool notify_uuid(char ret_text[NOTIFY_UUID + 1])
{
	unsigned char b[16];

	if (RAND_bytes(b, sizeof(b)) != 1)
		return false;
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret_text, NOTIFY_UUID + 1,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		 b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		 b[15]);
	return true;
}

static void set_text(json_t *object, const char *field, const char *text)
{
	if (text && text[0])
		json_object_set_new(object, field, json_string(text));
}

static json_t *target_json(const struct notify_event *event, bool with_references)
{
	json_t *target = json_object();

	set_text(target, "mediaType", event->media_type);
	set_text(target, "digest", event->digest);
	if (event->size >= 0) {
		json_object_set_new(target, "size", json_integer(event->size));
		json_object_set_new(target, "length", json_integer(event->size));
	}
	set_text(target, "repository", event->repository);
	set_text(target, "fromRepository", event->from_repository);
	set_text(target, "url", event->url);
	set_text(target, "tag", event->tag);
	if (with_references && json_array_size(event->references))
		json_object_set(target, "references", (json_t *)event->references);
	return target;
}

static json_t *request_json(const struct notify_event *event, const char *id)
{
	json_t *request = json_object();

	set_text(request, "id", event->request_id ? event->request_id : id);
	set_text(request, "addr", event->address);
	set_text(request, "host", event->host);
	set_text(request, "method", event->method);
	set_text(request, "useragent", event->agent);
	return request;
}

static void set_timestamp(json_t *json)
{
	char text[CLOCK_TEXT];

	clock_print_now(text);
	json_object_set_new(json, "timestamp", json_string(text));
}

static char *print_event(const struct notify_event *event, const struct notify_source *source,
			 bool with_references)
{
	__cleanup_json json_t *json = json_object();
	char id[NOTIFY_UUID + 1], request[NOTIFY_UUID + 1];

	if (!notify_uuid(id) || !notify_uuid(request))
		return NULL;
	set_text(json, "id", id);
	set_timestamp(json);
	set_text(json, "action", names[event->action]);
	json_object_set_new(json, "target", target_json(event, with_references));
	json_object_set_new(json, "request", request_json(event, request));
	json_object_set_new(json, "actor", json_object());
	set_text(json_object_get(json, "actor"), "name", event->actor);
	json_object_set_new(
		json, "source",
		json_pack("{s:s, s:s}", "addr", source->address, "instanceID", source->instance));
	return json_dumps(json, JSON_COMPACT);
}

int notify_event_print(const struct notify_event *event, const struct notify_source *source,
		       bool with_references, struct buf *buf, struct shale_err *err)
{
	__cleanup_free char *text = print_event(event, source, with_references);

	if (text && with_references && strlen(text) > NOTIFY_EVENT_MAX) {
		free(text);
		text = print_event(event, source, false);
	}
	if (!text || buf_adds(buf, text) < 0)
		return shale_err_set(err, ENOMEM, "no memory for an event");
	return 0;
}

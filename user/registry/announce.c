// SPDX-License-Identifier: GPL-2.0-only
/*
 * From requests to events; see announce.h.
 */
#include "registry/announce.h"

#include <errno.h>
#include <string.h>

#include "registry/log.h"
#include "registry/notify.h"
#include "store/json.h"

/* "http://host/v2/a/b/manifests/sha256:..." */
#define MAX_URL 1024

/* The texts that all events of a request share. */
struct context {
	struct call *call;
	char url[MAX_URL];
	char peer[64];
};

static void context_init(struct context *context, struct call *call, const char *kind,
			 const struct sum *sum)
{
	char origin[512];

	context->call = call;
	context->url[0] = '\0';
	call_print_peer(call, context->peer, sizeof(context->peer));
	call_print_origin(call, origin, sizeof(origin));
	if (sum && origin[0])
		snprintf(context->url, sizeof(context->url), "%s%s/v2/%s/%s/%s", origin,
			 call->reg->settings.prefix, call->route.repo, kind, sum->text);
}

static void event_init(struct notify_event *event, const struct context *context,
		       enum notify_action action, const char *type, const struct sum *sum)
{
	struct call *call = context->call;

	*event = (struct notify_event){
		.action = action,
		.media_type = type,
		.digest = sum ? sum->text : NULL,
		.size = -1,
		.repository = call->route.repo,
		.url = context->url,
		.address = context->peer,
		.host = httpd_field(call->http, "Host"),
		.method = httpd_method(call->http),
		.agent = call->agent,
		.actor = call->actor,
	};
}

static bool publish(struct call *call, const struct notify_event *events, size_t count)
{
	struct shale_err err = {0};

	if (notify_publish(call->reg->notify, events, count, &err) == 0)
		return true;
	log_text(LOG_LEVEL_ERROR, "notifications", "%s", err.msg);
	if (events->action == NOTIFY_PULL)
		return true;
	err.code = EAGAIN;
	fault_send_err(call, &err, FAULT_UNAVAILABLE);
	return false;
}

static bool announce_blob(struct call *call, enum notify_action action, const struct sum *sum,
			  uint64_t size, const char *from)
{
	struct notify_event event;
	struct context context;

	if (!notify_wants(call->reg->notify, action, ANNOUNCE_BLOB_TYPE))
		return true;
	context_init(&context, call, "blobs", sum);
	event_init(&event, &context, action, ANNOUNCE_BLOB_TYPE, sum);
	event.size = size;
	event.from_repository = from;
	return publish(call, &event, 1);
}

bool announce_push_blob(struct call *call, const struct sum *sum, uint64_t size)
{
	return announce_blob(call, NOTIFY_PUSH, sum, size, NULL);
}

bool announce_mount(struct call *call, const struct sum *sum, uint64_t size, const char *from)
{
	return announce_blob(call, NOTIFY_MOUNT, sum, size, from);
}

void announce_pull_blob(struct call *call, const struct sum *sum, uint64_t size)
{
	announce_blob(call, NOTIFY_PULL, sum, size, NULL);
}

static void add_references(json_t *list, const json_t *manifest, const char *field)
{
	json_t *value = json_object_get(manifest, field);
	json_t *entry;
	size_t i;

	if (json_is_object(value))
		json_array_append(list, value);
	json_array_foreach (value, i, entry)
		if (json_is_object(entry))
			json_array_append(list, entry);
}

/* The descriptors as they stand in the manifest; NULL when they are not wanted. */
static json_t *references_of(const struct reg *reg, const struct doc *doc)
{
	static const char *const fields[] = {"config", "layers", "manifests", "blobs"};
	__cleanup_json json_t *json = NULL;
	json_t *list;

	if (!notify_wants_references(reg->notify) ||
	    json_parse_object(buf_str(&doc->bytes), doc->bytes.len, "manifest", &json, NULL) < 0)
		return NULL;
	list = json_array();
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		add_references(list, json, fields[i]);
	return list;
}

static bool announce_manifest(struct call *call, enum notify_action action, const struct doc *doc,
			      const char *const *tags, size_t count)
{
	struct notify_event events[REG_MAX_TAGS];
	__cleanup_json json_t *references = NULL;
	struct context context;

	_Static_assert(REG_MAX_TAGS <= NOTIFY_MAX_EVENTS, "an event for each tag");
	if (!notify_wants(call->reg->notify, action, doc->type))
		return true;
	references = references_of(call->reg, doc);
	context_init(&context, call, "manifests", &call->sum);
	for (size_t i = 0; i < count || !i; i++) {
		event_init(&events[i], &context, action, doc->type, &call->sum);
		events[i].size = doc->bytes.len;
		events[i].references = references;
		events[i].tag = count ? tags[i] : NULL;
	}
	return publish(call, events, count ? count : 1);
}

bool announce_push_manifest(struct call *call, const struct doc *doc, const char *const *tags,
			    size_t tag_count)
{
	return announce_manifest(call, NOTIFY_PUSH, doc, tags, tag_count);
}

void announce_pull_manifest(struct call *call, const struct doc *doc)
{
	const char *tag = call->route.last;

	announce_manifest(call, NOTIFY_PULL, doc, &tag, strchr(tag, ':') ? 0 : 1);
}

bool announce_delete(struct call *call, const struct sum *sum, const char *tag)
{
	struct notify_event event;
	struct context context;

	if (!notify_wants(call->reg->notify, NOTIFY_DELETE, NULL))
		return true;
	context_init(&context, call, NULL, NULL);
	event_init(&event, &context, NOTIFY_DELETE, NULL, sum);
	event.tag = tag;
	return publish(call, &event, 1);
}

void announce_removal(struct reg *reg, const char *repo, const struct sum *sum, const char *tag)
{
	const struct notify_event event = {
		.action = NOTIFY_DELETE,
		.digest = tag ? NULL : sum->text,
		.size = -1,
		.repository = repo,
		.tag = tag,
		.actor = ANNOUNCE_SELF,
	};
	struct shale_err err = { 0 };

	if (notify_wants(reg->notify, NOTIFY_DELETE, NULL) &&
	    notify_publish(reg->notify, &event, 1, &err) < 0)
		log_text(LOG_LEVEL_ERROR, "notifications", "%s", err.msg);
}

bool announce_wants_pulls(const struct reg *reg)
{
	return notify_wants(reg->notify, NOTIFY_PULL, NULL);
}

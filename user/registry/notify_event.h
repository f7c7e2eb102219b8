/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One event of a registry, and its JSON in distribution's envelope of version 2.
 */
#ifndef SHALE_REGISTRY_NOTIFY_EVENT_H
#define SHALE_REGISTRY_NOTIFY_EVENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Without its references; with them an event may take NOTIFY_EVENT_MAX, or goes without. */
#define NOTIFY_EVENT_MAX (1u << 20)
#define NOTIFY_UUID	 36

enum notify_action {
	NOTIFY_PULL,
	NOTIFY_PUSH,
	NOTIFY_MOUNT,
	NOTIFY_DELETE,
	NOTIFY_ACTIONS,
};

/* Texts that are NULL or "" are left out. Borrowed until the call returns. */
struct notify_event {
	enum notify_action action;
	const char *media_type;
	const char *digest;
	int64_t size; /* below zero: not known */
	const char *repository;
	const char *from_repository; /* of a mount */
	const char *url;
	const char *tag;
	const json_t *references; /* the manifest's descriptors, an array; or NULL */
	/* of the request */
	const char *request_id; /* NULL: one is made */
	const char *address;
	const char *host;
	const char *method;
	const char *agent;
	const char *actor;
};

struct notify_source {
	char address[320];
	char instance[NOTIFY_UUID + 1];
};

const char *notify_action_name(enum notify_action action);
/* NOTIFY_ACTIONS when there is none of this name. */
enum notify_action notify_action_find(const char *name);
/* A random UUID; false when the system has no random bytes. */
bool notify_uuid(char ret_text[NOTIFY_UUID + 1]);

/* Appends the event as one JSON object. */
int notify_event_print(const struct notify_event *event, const struct notify_source *source,
		       bool with_references, struct buf *buf, struct shale_err *err);

#endif

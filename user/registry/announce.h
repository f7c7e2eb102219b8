/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request did, told to the endpoints of notifications. Called by the handlers when it is
 * done and before it is answered: see notify.h for what that order is worth.
 */
#ifndef SHALE_REGISTRY_ANNOUNCE_H
#define SHALE_REGISTRY_ANNOUNCE_H

#include "registry/notify_event.h"
#include "registry/reg.h"
#include "registry/sum.h"

#define ANNOUNCE_BLOB_TYPE "application/octet-stream"
/* The actor of what nobody asked for. */
#define ANNOUNCE_SELF "shale-registry"

/* Each returns false when the event could not be kept and the request was answered with that. */
bool announce_push_blob(struct call *call, const struct sum *sum, uint64_t size);
bool announce_mount(struct call *call, const struct sum *sum, uint64_t size, const char *from);
/* One event for each tag, or one without. Needs the manifest's bytes. */
bool announce_push_manifest(struct call *call, const struct doc *doc, const char *const *tags,
			    size_t tag_count);
/* Of a blob or a manifest by digest, or of a tag; the others NULL. */
bool announce_delete(struct call *call, const struct sum *sum, const char *tag);

/* What the server took away by itself: a manifest by digest, or a tag; the log says when nobody hears it. */
void announce_removal(struct reg *reg, const char *repo, const struct sum *sum, const char *tag);

/* Pulls are not held up by a queue that cannot be written; the log says so. */
void announce_pull_blob(struct call *call, const struct sum *sum, uint64_t size);
void announce_pull_manifest(struct call *call, const struct doc *doc);

/* Whether pulls are told, which takes longer than a network thread should. */
bool announce_wants_pulls(const struct reg *reg);

#endif

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of manifests and of the list of those that refer to one. A manifest's bytes are collected,
 * hashed, understood as far as its type is known, and stored as they came.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "registry/announce.h"
#include "registry/manifest.h"
#include "registry/repo.h"

/* A digest has a colon, a tag cannot. */
static bool is_digest(const char *reference)
{
	return strchr(reference, ':');
}

static bool check_tag(struct call *call, const char *tag)
{
	if (name_is_tag(tag))
		return true;
	fault_send(call, FAULT_TAG_INVALID, "'%.150s' is not a tag", tag);
	return false;
}

/* The digest the reference means, or an answer. */
static bool resolve(struct call *call)
{
	const char *reference = call->route.last;
	struct shale_err err = { 0 };

	if (is_digest(reference))
		return call_sum(call, reference, &call->sum);
	/* What is no tag cannot be there. */
	if (!name_is_tag(reference)) {
		fault_send(call, FAULT_MANIFEST_UNKNOWN, "unknown tag=%.150s", reference);
		return false;
	}
	if (repo_resolve(call->reg, call->route.repo, reference, &call->sum, &err) == 0)
		return true;
	if (err.code == ENOENT)
		fault_send(call, FAULT_MANIFEST_UNKNOWN, "unknown tag=%s", reference);
	else
		fault_send_err(call, &err, FAULT_MANIFEST_UNKNOWN);
	return false;
}

void h_manifest_send(struct call *call, const struct doc *doc)
{
	const char *match = httpd_field(call->http, "If-None-Match");
	bool is_known = match && strstr(match, call->sum.text);
	__cleanup_buf struct buf body = BUF_INIT;

	if (!is_known && buf_add(&body, doc->bytes.data, doc->bytes.len) < 0) {
		fault_send(call, FAULT_UNAVAILABLE, NULL);
		return;
	}
	call_answer(call, is_known ? 304 : 200);
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
	httpd_add_field(call->http, "ETag", "\"%s\"", call->sum.text);
	if (is_known)
		return;
	if (!httpd_is_head(call->http))
		announce_pull_manifest(call, doc);
	httpd_add_field(call->http, "Content-Type", "%s", doc->type);
	httpd_send_buf(call->http, &body);
}

void h_manifest_get(struct call *call)
{
	__cleanup_doc struct doc *doc = NULL;
	struct shale_err err = { 0 };

	if (!resolve(call))
		return;
	if (repo_get_manifest(call->reg, call->route.repo, &call->sum, &doc, &err) < 0)
		fault_send_err(call, &err, FAULT_MANIFEST_UNKNOWN);
	else
		h_manifest_send(call, doc);
}

/* The tags of the query; false when one of them is none, or they are too many. */
static bool check_query_tags(struct call *call)
{
	size_t count = 0;

	for (size_t i = 0; i < call->target.pair_count; i++) {
		if (strcmp(call->target.pairs[i].key, "tag"))
			continue;
		if (++count > REG_MAX_TAGS) {
			fault_send(call, FAULT_URI_TOO_LONG, "more than %d tags", REG_MAX_TAGS);
			return false;
		}
		if (!check_tag(call, call->target.pairs[i].value))
			return false;
	}
	return true;
}

void h_manifest_put(struct call *call)
{
	const char *reference = call->route.last;
	uint64_t length = httpd_body_length(call->http);

	if (is_digest(reference) ? !call_sum(call, reference, &call->sum) || !check_query_tags(call) :
				   !check_tag(call, reference))
		return;
	if (length > REG_MAX_MANIFEST && length != UINT64_MAX)
		fault_send(call, FAULT_MANIFEST_TOO_LARGE, "more than %u bytes", REG_MAX_MANIFEST);
}

void h_manifest_body(struct call *call, const void *data, size_t len)
{
	if (call->body.len + len > REG_MAX_MANIFEST)
		fault_send(call, FAULT_MANIFEST_TOO_LARGE, "more than %u bytes", REG_MAX_MANIFEST);
	else if (buf_add(&call->body, data, len) < 0)
		fault_send(call, FAULT_UNAVAILABLE, NULL);
}

/* Hashes it by the algorithm it is pushed by; a digest in the path must be right. */
static bool check_digest(struct call *call)
{
	struct sum got;

	if (!is_digest(call->route.last)) {
		sum_of(SUM_SHA256, call->body.data, call->body.len, &call->sum);
		return true;
	}
	sum_of(call->sum.kind, call->body.data, call->body.len, &got);
	if (sum_is_equal(&got, &call->sum))
		return true;
	fault_send(call, FAULT_DIGEST_INVALID, "the manifest's digest is %s", got.text);
	return false;
}

static size_t collect_tags(struct call *call, const char **tags)
{
	size_t count = 0;

	if (!is_digest(call->route.last)) {
		tags[0] = call->route.last;
		return 1;
	}
	for (size_t i = 0; i < call->target.pair_count; i++)
		if (!strcmp(call->target.pairs[i].key, "tag"))
			tags[count++] = call->target.pairs[i].value;
	return count;
}

static void send_created(struct call *call, const struct repo_push *push)
{
	call_answer(call, 201);
	call_add_location(call, "/v2/%s/manifests/%s", call->route.repo, call->sum.text);
	httpd_add_field(call->http, "Docker-Content-Digest", "%s", call->sum.text);
	if (push->manifest->has_subject)
		httpd_add_field(call->http, "OCI-Subject", "%s", push->manifest->subject.text);
	if (!is_digest(call->route.last))
		return;
	for (size_t i = 0; i < push->tag_count; i++)
		httpd_add_field(call->http, "OCI-Tag", "%s", push->tags[i]);
}

static void store(struct call *call, const struct repo_push *push)
{
	const struct sum *absent;
	struct shale_err err = { 0 };
	int ret;

	ret = repo_push(call->reg, call->route.repo, push, &absent, &err);
	if (ret == 0 && announce_push_manifest(call, push->doc, push->tags, push->tag_count))
		send_created(call, push);
	else if (ret == 0)
		return;
	else if (absent)
		fault_send(call, FAULT_MANIFEST_BLOB_UNKNOWN, "%s", absent->text);
	else
		fault_send_err(call, &err, FAULT_UNKNOWN);
}

void h_manifest_put_end(struct call *call)
{
	const char *type = httpd_field(call->http, "Content-Type");
	__cleanup_manifest struct manifest manifest = { 0 };
	__cleanup_doc struct doc *doc = NULL;
	const char *tags[REG_MAX_TAGS];
	struct shale_err err = { 0 };
	struct repo_push push = {
		.sum = &call->sum,
		.manifest = &manifest,
		.tags = tags,
		.tag_count = collect_tags(call, tags),
	};

	if (!call->body.data || !check_digest(call)) {
		if (!call->body.data)
			fault_send(call, FAULT_MANIFEST_INVALID, "the manifest is empty");
		return;
	}
	if (manifest_parse(type, call->body.data, call->body.len, &manifest, &err) < 0) {
		fault_send(call, FAULT_MANIFEST_INVALID, "%s", err.msg);
		return;
	}
	doc = doc_new(manifest.type, &call->body);
	push.doc = doc;
	if (doc)
		store(call, &push);
	else
		fault_send(call, FAULT_UNAVAILABLE, NULL);
}

void h_manifest_delete(struct call *call)
{
	const char *reference = call->route.last;
	bool is_tag = !is_digest(reference);
	struct shale_err err = { 0 };
	int ret;

	if (!call->reg->settings.is_delete_enabled) {
		fault_send(call, FAULT_UNSUPPORTED, "deletion is not enabled (storage.delete.enabled)");
		return;
	}
	if (!is_tag) {
		if (!call_sum(call, reference, &call->sum))
			return;
		ret = repo_delete_manifest(call->reg, call->route.repo, &call->sum, &err);
	} else {
		if (!check_tag(call, reference))
			return;
		ret = repo_delete_tag(call->reg, call->route.repo, reference, &err);
	}
	if (ret < 0)
		fault_send_err(call, &err, FAULT_MANIFEST_UNKNOWN);
	else if (announce_delete(call, is_tag ? NULL : &call->sum, is_tag ? reference : NULL))
		call_answer(call, 202);
}

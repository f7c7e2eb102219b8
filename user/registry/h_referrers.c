// SPDX-License-Identifier: GPL-2.0-only
/*
 * The handler of referrers: an image index made on the spot of all manifests of the repository whose
 * subject is the one asked for. The subject itself need not be there.
 */
#include <stdlib.h>
#include <string.h>

#include "registry/repo.h"

struct list {
	struct buf text;
	uint64_t left;
	bool has_more;
	bool has_failed;
	char last[SUM_MAX_TEXT + 1];
};

/* ,"key":"value", escaped. */
static int add_text(struct buf *buf, const char *key, const char *value)
{
	json_t *json = json_string(value);
	char *text = json ? json_dumps(json, JSON_ENCODE_ANY) : NULL;
	int ret = text ? buf_addf(buf, ",\"%s\":%s", key, text) : -1;

	free(text);
	json_decref(json);
	return ret;
}

static int add_descriptor(struct buf *buf, const struct catalog_manifest *manifest)
{
	if (buf_addf(buf, "%s{\"digest\":\"%s\",\"size\":%llu",
		     buf->data[buf->len - 1] == '[' ? "" : ",", manifest->digest,
		     (unsigned long long)manifest->size) < 0 ||
	    add_text(buf, "mediaType", manifest->type) < 0)
		return -1;
	if (manifest->artifact_type &&
	    add_text(buf, "artifactType", manifest->artifact_type) < 0)
		return -1;
	if (manifest->annotations &&
	    buf_addf(buf, ",\"annotations\":%s", manifest->annotations) < 0)
		return -1;
	return buf_addc(buf, '}');
}

static int add_manifest(void *ctx, const struct catalog_manifest *manifest)
{
	struct list *list = ctx;

	if (!list->left) {
		list->has_more = true;
		return 1;
	}
	list->left--;
	snprintf(list->last, sizeof(list->last), "%s", manifest->digest);
	list->has_failed = add_descriptor(&list->text, manifest) < 0;
	return list->has_failed;
}

static void add_next(struct call *call, const struct list *list, const char *type, uint64_t count)
{
	char path[NAME_MAX_REPO + SUM_MAX_TEXT + 32];
	__cleanup_buf struct buf more = BUF_INIT;

	snprintf(path, sizeof(path), "/v2/%s/referrers/%s", call->route.repo, call->sum.text);
	if (type && (buf_adds(&more, "&artifactType=") < 0 || target_encode(&more, type) < 0))
		return;
	call_add_link(call, path, count, list->last, buf_str(&more));
}

static int fill(struct call *call, struct list *list, const char *type, uint64_t count,
		const char *last, struct shale_err *err)
{
	if (buf_adds(&list->text, "{\"schemaVersion\":2,\"mediaType\":\"" MANIFEST_OCI_INDEX "\","
				  "\"manifests\":[") < 0)
		return -1;
	if (count && repo_referrers(call->reg, call->route.repo, &call->sum, type, last, count + 1,
				    add_manifest, list, err) < 0)
		return -1;
	return list->has_failed ? -1 : buf_adds(&list->text, "]}");
}

void h_referrers_get(struct call *call)
{
	const char *type = target_get(&call->target, "artifactType");
	struct list list = { 0 };
	struct shale_err err = { 0 };
	const char *last;
	uint64_t count;

	if (!call_sum(call, call->route.last, &call->sum) ||
	    !call_page(call, call->reg->settings.tags_max, &count, &last))
		return;
	if (type && !*type)
		type = NULL;
	list.left = count;
	if (fill(call, &list, type, count, last, &err) < 0) {
		fault_send_err(call, &err, FAULT_UNKNOWN);
	} else {
		call_answer(call, 200);
		if (type)
			httpd_add_field(call->http, "OCI-Filters-Applied", "artifactType");
		if (list.has_more && count)
			add_next(call, &list, type, count);
		httpd_add_field(call->http, "Content-Type", MANIFEST_OCI_INDEX);
		httpd_send_buf(call->http, &list.text);
	}
	buf_release(&list.text);
}

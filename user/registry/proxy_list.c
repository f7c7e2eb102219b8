// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of an upstream, tags and referrers; see proxy.h. They are not kept: when the upstream does not answer,
 * the handler lists what is here. A page's names are checked, and it is written anew, so that nothing of the
 * upstream's comes to the client as it is. Called by proxy.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "registry/proxy.h"
#include "store/json.h"

/* The page's own query; what it is filtered by is done here. */
static int add_query(struct buf *query, const char *key, const char *value)
{
	if (!value || !*value)
		return 0;
	if (buf_addf(query, "%c%s=", query->len ? '&' : '?', key) < 0)
		return -1;
	return target_encode(query, value);
}

static int print_path(struct call *call, struct buf *path)
{
	__cleanup_buf struct buf query = BUF_INIT;

	if (add_query(&query, "n", target_get(&call->target, "n")) < 0 ||
	    add_query(&query, "last", target_get(&call->target, "last")) < 0)
		return -1;
	if (call->route.resource == RESOURCE_TAGS)
		return buf_addf(path, "tags/list%s", buf_str(&query));
	return buf_addf(path, "referrers/%s%s", call->sum.text, buf_str(&query));
}

static int ask(struct call *call, struct upstream_line *line, struct web_request *request,
	       struct shale_err *err)
{
	__cleanup_buf struct buf path = BUF_INIT;

	request->max_answer = PROXY_MAX_LIST;
	if (print_path(call, &path) < 0)
		return shale_err_set(err, EAGAIN, "no memory for a list");
	if (remote_set_url(&line->remote, request, err, "%s", buf_str(&path)) < 0)
		return -1;
	return upstream_request(line, request, err);
}

static void set_text(json_t *to, const char *key, const char *value)
{
	if (value)
		json_object_set_new(to, key, json_string(value));
}

/* A descriptor with what the specification has in it, or NULL. */
static json_t *copy_referrer(const json_t *from, const char *type)
{
	const char *digest = json_string_value(json_object_get(from, "digest"));
	const char *own = json_string_value(json_object_get(from, "artifactType"));
	json_t *annotations = json_object_get(from, "annotations");
	json_t *size = json_object_get(from, "size");
	struct sum sum;
	json_t *to;

	if (!digest || !sum_parse(digest, &sum) || !json_is_integer(size) ||
	    !json_is_string(json_object_get(from, "mediaType")) || (type && (!own || strcmp(type, own))))
		return NULL;
	to = json_object();
	set_text(to, "mediaType", json_string_value(json_object_get(from, "mediaType")));
	set_text(to, "digest", digest);
	json_object_set(to, "size", size);
	set_text(to, "artifactType", own);
	if (json_is_object(annotations))
		json_object_set(to, "annotations", annotations);
	return to;
}

static json_t *make_referrers(struct call *call, const json_t *page)
{
	const char *type = target_get(&call->target, "artifactType");
	json_t *list = json_array();
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(page, "manifests"), i, entry) {
		json_t *copy = copy_referrer(entry, type && *type ? type : NULL);

		if (copy)
			json_array_append_new(list, copy);
	}
	return json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType", MANIFEST_OCI_INDEX,
			 "manifests", list);
}

static json_t *make_tags(struct call *call, const json_t *page)
{
	json_t *list = json_array();
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(page, "tags"), i, entry) {
		const char *tag = json_string_value(entry);

		if (tag && name_is_tag(tag))
			json_array_append(list, entry);
	}
	return json_pack("{s:s, s:o}", "name", call->route.repo, "tags", list);
}

/* The cursor of the upstream's next page is its own, and is passed on as it is. */
static void add_link(struct call *call, const struct web_request *request)
{
	const char *text = web_value(request, WEB_LINK);
	const char *type = target_get(&call->target, "artifactType");
	char where[ANSWER_MAX_VALUE];
	__cleanup_target struct target target = { 0 };
	__cleanup_buf struct buf path = BUF_INIT, more = BUF_INIT;
	const char *last, *n, *query;

	if (!text || !answer_parse_link(text, where, sizeof(where)))
		return;
	query = strchr(where, '?');
	if (!query || buf_addf(&path, "/%s", query) < 0 || !target_parse(buf_str(&path), &target))
		return;
	last = target_get(&target, "last");
	n = target_get(&target, "n");
	if (!last)
		return;
	buf_clear(&path);
	if (call->route.resource == RESOURCE_TAGS)
		buf_addf(&path, "/v2/%s/tags/list", call->route.repo);
	else
		buf_addf(&path, "/v2/%s/referrers/%s", call->route.repo, call->sum.text);
	if (type && *type && (buf_adds(&more, "&artifactType=") < 0 || target_encode(&more, type) < 0))
		return;
	call_add_link(call, buf_str(&path), n ? strtoull(n, NULL, 10) : 1000, last, buf_str(&more));
}

static int send_page(struct call *call, const struct web_request *request, struct shale_err *err)
{
	bool is_tags = call->route.resource == RESOURCE_TAGS;
	const char *type = target_get(&call->target, "artifactType");
	__cleanup_json json_t *page = NULL;
	__cleanup_json json_t *made = NULL;
	struct buf body = BUF_INIT;

	if (json_parse_object(buf_str(&request->answer), request->answer.len, "its list", &page, err) < 0)
		return -1;
	made = is_tags ? make_tags(call, page) : make_referrers(call, page);
	body.data = made ? json_dumps(made, JSON_COMPACT) : NULL;
	if (!body.data)
		return shale_err_set(err, EAGAIN, "no memory for a list");
	body.len = strlen(body.data);
	body.cap = body.len + 1;
	call_answer(call, 200);
	httpd_add_field(call->http, "Content-Type", "%s", is_tags ? "application/json" : MANIFEST_OCI_INDEX);
	if (!is_tags && type && *type)
		httpd_add_field(call->http, "OCI-Filters-Applied", "artifactType");
	add_link(call, request);
	httpd_send_buf(call->http, &body);
	return 0;
}

static int pass_on(struct call *call, struct upstream *upstream, const char *remote,
		   struct shale_err *err)
{
	__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;
	__cleanup_line struct upstream_line *line = NULL;

	if (upstream_take(call->reg->proxy->upstreams, upstream, remote, &line, err) < 0 ||
	    ask(call, line, &request, err) < 0)
		return -1;
	return send_page(call, &request, err);
}

bool proxy_list(struct call *call, struct upstream *upstream, const char *remote)
{
	struct proxy *proxy = call->reg->proxy;
	struct shale_err err = { 0 };
	uint64_t count;
	const char *last;
	int ret;

	if (proxy_is_down(upstream))
		return true;
	/* What cannot be understood is answered as the handler does. */
	if (!call_page(call, UINT64_MAX, &count, &last))
		return false;
	if (call->route.resource == RESOURCE_REFERRERS &&
	    !call_sum(call, call->route.last, &call->sum))
		return false;
	if (!proxy_enter(call))
		return false;
	ret = pass_on(call, upstream, remote, &err);
	proxy_leave(proxy);
	proxy_note(upstream, ret < 0 ? &err : NULL);
	/* A list of nothing is what registries have that know no referrers. */
	if (ret == 0 || (err.code == ENOENT && call->route.resource == RESOURCE_REFERRERS))
		return ret < 0;
	if (err.code != ENOENT && err.code != EACCES)
		return true;
	proxy_fail(call, &err, FAULT_NAME_UNKNOWN);
	return false;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handlers of what belongs to no repository, and of the lists of names: the base, the catalog, tags, and
 * what extensions there are. Names need no escaping in JSON.
 */
#include <string.h>

#include "registry/repo.h"

static void send_json(struct call *call, struct buf *body)
{
	httpd_add_field(call->http, "Content-Type", "application/json");
	httpd_send_buf(call->http, body);
}

void h_base_get(struct call *call)
{
	__cleanup_buf struct buf body = BUF_INIT;

	buf_adds(&body, "{}");
	call_answer(call, 200);
	send_json(call, &body);
}

/* The catalog is distribution's; the specification's own extensions are none. */
void h_discover_get(struct call *call)
{
	__cleanup_buf struct buf body = BUF_INIT;

	buf_adds(&body, "{\"extensions\":[{\"name\":\"_catalog\",\"description\":\"list of repositories\","
			"\"endpoints\":[\"_catalog\"]}]}");
	call_answer(call, 200);
	send_json(call, &body);
}

/* One more than the page shows whether there is a next one. */
struct page {
	struct buf text;
	uint64_t left;
	bool has_more;
	char last[NAME_MAX_REPO + 1];
};

static int add_name(void *ctx, const char *name)
{
	struct page *page = ctx;

	if (!page->left) {
		page->has_more = true;
		return 1;
	}
	page->left--;
	snprintf(page->last, sizeof(page->last), "%s", name);
	return buf_addf(&page->text, "%s\"%s\"", page->text.data[page->text.len - 1] == '[' ? "" : ",",
			name);
}

static void send_page(struct call *call, struct page *page, const char *path, uint64_t count)
{
	call_answer(call, 200);
	if (page->has_more && count)
		call_add_link(call, path, count, page->last, "");
	send_json(call, &page->text);
}

void h_catalog_get(struct call *call)
{
	struct reg *reg = call->reg;
	struct page page = { 0 };
	struct shale_err err = { 0 };
	const char *last;
	uint64_t count;

	if (!call_page(call, reg->settings.catalog_max, &count, &last))
		return;
	page.left = count;
	if (buf_adds(&page.text, "{\"repositories\":[") < 0 ||
	    catalog_repos(reg->catalog, last, count + 1, add_name, &page, &err) < 0 ||
	    buf_adds(&page.text, "]}") < 0)
		fault_send_err(call, &err, FAULT_UNKNOWN);
	else
		send_page(call, &page, "/v2/_catalog", count);
	buf_release(&page.text);
}

static int list_tags(struct call *call, struct page *page, uint64_t count, const char *last,
		     struct shale_err *err)
{
	struct reg *reg = call->reg;
	const char *repo = call->route.repo;

	if (buf_addf(&page->text, "{\"name\":\"%s\",\"tags\":[", repo) < 0)
		return -1;
	if (count && repo_tags(reg, repo, last, count + 1, add_name, page, err) < 0)
		return -1;
	return buf_adds(&page->text, "]}");
}

void h_tags_get(struct call *call)
{
	struct page page = { 0 };
	struct shale_err err = { 0 };
	char path[NAME_MAX_REPO + 32];
	const char *last;
	uint64_t count;
	int there;

	if (!call_page(call, call->reg->settings.tags_max, &count, &last))
		return;
	there = repo_exists(call->reg, call->route.repo, &err);
	if (there == 0) {
		fault_send(call, FAULT_NAME_UNKNOWN, NULL);
		return;
	}
	page.left = count;
	snprintf(path, sizeof(path), "/v2/%s/tags/list", call->route.repo);
	if (there < 0 || list_tags(call, &page, count, last, &err) < 0)
		fault_send_err(call, &err, FAULT_UNKNOWN);
	else
		send_page(call, &page, path, count);
	buf_release(&page.text);
}

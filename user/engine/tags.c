// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verb remote_tags: which tags a repository has in its registry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/repository.h"
#include "store/json.h"

/* Tags of one page; what registries give at most. */
#define TAGS_PAGE 1000
/* Of a page: as many tags of the longest kind, twice over. */
#define TAGS_MAX_ANSWER (2u * TAGS_PAGE * REF_MAX_TAG)
/* Of one repository; the largest known have some ten thousand. */
#define TAGS_MAX 100000
/* Some give fewer at once than they are asked for. */
#define TAGS_MAX_PAGES 2000

static int take_page(const struct web_request *request, const struct ref *ref, json_t *tags, size_t *ret_count,
		     struct shale_err *err)
{
	__cleanup_json json_t *json = NULL;
	json_t *page = NULL, *tag;
	size_t i;

	/* null is what a repository without tags has. */
	if (json_parse_object(buf_str(&request->answer), request->answer.len, "list of tags", &json, err) < 0)
		return -1;
	if (!json_is_null(json_object_get(json, "tags")) &&
	    json_get_array(json, "tags", TAGS_MAX, true, "list of tags", &page, err) < 0)
		return -1;
	*ret_count = json_array_size(page);
	json_array_foreach(page, i, tag) {
		const char *text = json_string_value(tag);

		if (!text || !ref_is_tag(text))
			return shale_err_set(err, EPROTO, "list of tags: '%.140s' is no tag", text ? text : "");
		if (json_array_append(tags, tag))
			return shale_err_set(err, ENOMEM, "listing tags");
	}
	if (json_array_size(tags) > TAGS_MAX)
		return shale_err_set(err, E2BIG, "%s has more than %d tags", ref->name, TAGS_MAX);
	return 0;
}

/* The query of the next page, "" after the last. Only that counts of a link: where the list is we know. */
static void find_next(const struct web_request *request, char query[ANSWER_MAX_VALUE])
{
	const char *link = web_value(request, WEB_LINK), *mark;
	char target[ANSWER_MAX_VALUE];

	mark = link && answer_parse_link(link, target, sizeof(target)) ? strchr(target, '?') : NULL;
	snprintf(query, ANSWER_MAX_VALUE, "%s", mark && strcspn(mark, " \t\n#\"<>") == strlen(mark) ? mark + 1 : "");
}

static int list_tags(struct remote *remote, const struct ref *ref, json_t *tags, struct shale_err *err)
{
	char query[ANSWER_MAX_VALUE];
	size_t count = 1, pages = 0;

	snprintf(query, sizeof(query), "n=%d", TAGS_PAGE);
	while (*query && count) {
		__cleanup_web_request struct web_request request = WEB_REQUEST_INIT;

		if (pages++ == TAGS_MAX_PAGES)
			return shale_err_set(err, E2BIG, "more than %d pages", TAGS_MAX_PAGES);
		request.max_answer = TAGS_MAX_ANSWER;
		if (remote_set_url(remote, &request, err, "tags/list?%s", query) < 0 ||
		    remote_request(remote, &request, 0, err) < 0 || take_page(&request, ref, tags, &count, err) < 0)
			return -1;
		find_next(&request, query);
	}
	return 0;
}

int shale_remote_tags(const struct shale_opts *opts, const char *name, const struct shale_registry_opts *registry,
		      char **ret_json, struct shale_err *err)
{
	__cleanup_repository struct repository repository = REPOSITORY_NONE;
	__cleanup_json json_t *tags = json_array();
	struct ref ref;

	if (!tags)
		return shale_err_set(err, ENOMEM, "listing tags");
	if (ref_parse(name, &ref, err) < 0 || repository_open(opts, &ref, registry, &repository, err) < 0 ||
	    list_tags(&repository.remote, &ref, tags, err) < 0)
		return shale_err_wrap(err, "cannot list the tags of %.300s", name);
	*ret_json = json_dumps(tags, JSON_COMPACT);
	return *ret_json ? 0 : shale_err_set(err, ENOMEM, "listing tags");
}

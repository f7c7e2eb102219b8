// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers changed, and what has changed in them: rename, pause, changes, commit, top, prune.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"
#include "store/image.h"
#include "store/json.h"

void api_container_rename(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	const char *to = api_get(call, "name");

	if (!to || !*to)
		api_fail(call, 400, "Neither old nor new names may be empty");
	else if (!containers || shale_container_rename(containers, call->name, to, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_done(call);
}

static int run_pause(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);

	(void)stream;
	return containers ? shale_container_pause(containers, call->name, err) : -1;
}

void api_container_pause(struct api_call *call)
{
	api_stream_start_silent(call, run_pause, api_answer_done);
}

static int run_unpause(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);

	(void)stream;
	return containers ? shale_container_unpause(containers, call->name, err) : -1;
}

void api_container_unpause(struct api_call *call)
{
	api_stream_start_silent(call, run_unpause, api_answer_done);
}

void api_container_changes(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	char *text;

	if (!containers || shale_container_changes(containers, call->name, &text, &err) < 0) {
		api_fail_err(call, &err);
		return;
	}
	if (strcmp(text, "[]")) {
		api_answer_text(call, 200, text);
		return;
	}
	/* docker's word for nothing. */
	free(text);
	api_answer_json(call, 200, json_null());
}

void api_container_top(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	const char *args = api_get(call, "ps_args");
	char *text;

	if (args && *args && strcmp(args, "-ef"))
		api_fail(call, 400, "ps_args: only -ef is served");
	else if (!containers || shale_container_top(containers, call->name, &text, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_text(call, 200, text);
}

/* All values of a key, each a Dockerfile's instruction, as often as it comes. */
static size_t take_changes(const struct api_call *call, const char **changes)
{
	size_t count = 0;

	for (size_t i = 0; i < call->target.pair_count; i++)
		if (!strcmp(call->target.pairs[i].key, "changes") && *call->target.pairs[i].value)
			changes[count++] = call->target.pairs[i].value;
	return count;
}

static char *image_name(const struct api_call *call)
{
	const char *repository = api_get(call, "repo"), *tag = api_get(call, "tag");
	char *name;

	if (!repository || !*repository)
		return NULL;
	if (asprintf(&name, "%s%s%s", repository, tag && *tag ? ":" : "", tag ? tag : "") < 0)
		return NULL;
	return name;
}

static int run_commit(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	__cleanup_free const char **changes = calloc(call->target.pair_count + 1, sizeof(*changes));
	struct shale_containers *containers = api_containers(call->api, err);
	__cleanup_free char *name = image_name(call);
	char id[SHALE_DIGEST_TEXT];
	struct shale_commit_opts commit = {
		.container = api_get(call, "container") ?: "",
		.name = name,
		.author = api_get(call, "author"),
		.message = api_get(call, "comment"),
		.changes = changes,
	};

	(void)stream;
	if (!containers || !changes)
		return containers ? shale_err_set(err, ENOMEM, "out of memory") : -1;
	commit.change_count = take_changes(call, changes);
	if (shale_container_commit(containers, &commit, api_get_bool(call, "pause", true), id, err) < 0)
		return -1;
	snprintf(call->result, sizeof(call->result), "%s", id);
	return 0;
}

static void answer_commit(struct api_call *call)
{
	api_answer_json(call, 201, json_pack("{s:s}", "Id", call->result));
}

void api_commit(struct api_call *call)
{
	json_t *body = NULL;

	/* docker's client says null; what else there may be of the image's configuration, clients say by changes today. */
	if (strncmp(buf_str(&call->body), "null", 4) && !api_body_json(call, &body))
		return;
	json_decref(body);
	api_stream_start_silent(call, run_commit, answer_commit);
}

static bool may_go(const json_t *one, const json_t *filters, int64_t before)
{
	const char *state = json_string_value(json_object_get(one, "State"));

	return (!strcmp(state, "exited") || !strcmp(state, "created")) &&
	       (!before || json_integer_value(json_object_get(one, "Created")) < before) &&
	       api_filters_allow_labels(filters, json_object_get(one, "Labels"));
}

int api_containers_prune_named(struct api_call *call, const json_t *filters, int64_t before, json_t *deleted,
			       uint64_t *bytes, struct shale_err *err)
{
	const struct shale_container_remove_opts remove = { .force = false };
	struct shale_containers *containers = api_containers(call->api, err);
	__cleanup_json json_t *list = NULL;
	char *text;
	json_t *one;
	size_t i;

	if (!containers || shale_containers_list(containers, true, &text, err) < 0)
		return -1;
	list = json_loads(text, 0, NULL);
	free(text);
	json_array_foreach(list, i, one) {
		const char *id = json_string_value(json_object_get(one, "Id"));

		/* One that was started or removed meanwhile is passed over. */
		if (!may_go(one, filters, before) || shale_container_remove(containers, id, &remove, NULL) < 0)
			continue;
		json_array_append_new(deleted, json_string(id));
		*bytes += json_integer_value(json_object_get(one, "SizeRw"));
	}
	return 0;
}

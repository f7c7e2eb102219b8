// SPDX-License-Identifier: GPL-2.0-only
/*
 * One container: made, shown, removed, and what it has printed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"
#include "store/json.h"

void api_container_create(struct api_call *call)
{
	struct shale_containers *containers;
	const char *name = api_get(call, "name");
	struct shale_err err = { 0 };
	json_t *body;
	char id[SHALE_CONTAINER_ID_TEXT];

	if (!api_body_json(call, &body))
		return;
	json_decref(body);
	containers = api_containers(call->api, &err);
	if (!containers || shale_container_create(containers, name && *name ? name : NULL,
						  call->body.len ? call->body.data : "{}", id, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_json(call, 201, json_pack("{s:s, s:[]}", "Id", id, "Warnings"));
}

void api_container_inspect(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	char *text;

	if (!containers || shale_container_inspect(containers, call->name, api_get_bool(call, "size", false),
						   &text, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_text(call, 200, text);
}

static int run_remove(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const struct shale_container_remove_opts remove = {
		.force = api_get_bool(call, "force", false),
		.has_volumes = api_get_bool(call, "v", false),
	};
	struct shale_containers *containers = api_containers(call->api, err);

	(void)stream;
	return containers ? shale_container_remove(containers, call->name, &remove, err) : -1;
}

void api_container_remove(struct api_call *call)
{
	if (api_get_bool(call, "link", false))
		api_fail(call, 400, "containers are not linked here");
	else
		api_stream_start_silent(call, run_remove, api_answer_done);
}

static int write_log(void *arg, const void *data, size_t len)
{
	return api_stream_write(arg, data, len);
}

static bool should_stop(void *arg)
{
	struct api_call *call = arg;

	return atomic_load(&call->api->is_stopping) || api_stream_is_cancelled(call->stream);
}

static int take_log_time(const struct api_call *call, const char *key, int64_t *ret_time, struct shale_err *err)
{
	const char *text = api_get(call, key);
	int64_t seconds, nanoseconds;

	if (!text || !*text || !strcmp(text, "0"))
		return 0;
	if (!api_value_time(text, &seconds, &nanoseconds))
		return shale_err_set(err, EINVAL, "invalid value of '%s': %.100s is no time", key, text);
	*ret_time = seconds * 1000000000 + nanoseconds;
	return 0;
}

/* Whatever is no number is "all", as docker has it. */
static int64_t take_tail(const struct api_call *call)
{
	const char *text = api_get(call, "tail");
	char *end;
	long long value;

	if (!text)
		return -1;
	value = strtoll(text, &end, 10);
	return end == text || *end ? -1 : value;
}

static int run_logs(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const struct shale_sink sink = { write_log, stream };
	struct shale_containers *containers = api_containers(call->api, err);
	struct shale_logs_opts logs = {
		.has_stdout = api_get_bool(call, "stdout", false),
		.has_stderr = api_get_bool(call, "stderr", false),
		.has_times = api_get_bool(call, "timestamps", false),
		.is_following = api_get_bool(call, "follow", false),
		.tail = take_tail(call),
		.stop = should_stop,
		.stop_arg = call,
	};

	if (!containers || take_log_time(call, "since", &logs.since, err) < 0 ||
	    take_log_time(call, "until", &logs.until, err) < 0)
		return -1;
	if (logs.is_following)
		api_stream_begin(stream);
	return shale_container_logs(containers, call->name, &logs, &sink, err);
}

void api_container_logs(struct api_call *call)
{
	static const struct api_work raw = { .run = run_logs, .content_type = API_RAW_STREAM };
	static const struct api_work framed = { .run = run_logs, .content_type = API_FRAMED_STREAM };
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	struct shale_container_facts facts;

	if (!containers || shale_container_look(containers, call->name, &facts, &err) < 0)
		api_fail_err(call, &err);
	else if (!api_get_bool(call, "stdout", false) && !api_get_bool(call, "stderr", false))
		api_fail(call, 400, "Bad parameters: you must choose at least one stream");
	else
		api_stream_start(call, facts.is_tty || call->minor < API_MINOR_FRAMED ? &raw : &framed);
}

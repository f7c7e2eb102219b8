// SPDX-License-Identifier: GPL-2.0-only
/*
 * Containers started, ended and waited for. What takes a while has a thread; who waits has none.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"

/* Up to this version an answer to wait says that there was no error. */
#define MINOR_WITH_ERROR 41

static int run_start(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);

	(void)stream;
	return containers ? shale_container_start(containers, call->name, &call->was_so, err) : -1;
}

void api_container_start(struct api_call *call)
{
	api_stream_start_silent(call, run_start, api_answer_done);
}

static int take_seconds(const struct api_call *call, int *ret_seconds, struct shale_err *err)
{
	const char *text = api_get(call, "t");
	char *end;
	long value;

	*ret_seconds = -1;
	if (!text || !*text)
		return 0;
	errno = 0;
	value = strtol(text, &end, 10);
	if (end == text || *end || errno || value > INT_MAX || value < INT_MIN)
		return shale_err_set(err, EINVAL, "invalid value of 't': %.100s is no number of seconds", text);
	/* Less than nothing is for ever. */
	*ret_seconds = value < 0 ? INT_MAX / 2000 : value;
	return 0;
}

static int run_stop(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);
	int seconds;

	(void)stream;
	if (!containers || take_seconds(call, &seconds, err) < 0)
		return -1;
	return shale_container_stop(containers, call->name, seconds, &call->was_so, err);
}

void api_container_stop(struct api_call *call)
{
	api_stream_start_silent(call, run_stop, api_answer_done);
}

static int run_restart(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);
	bool was_so;
	int seconds;

	(void)stream;
	if (!containers || take_seconds(call, &seconds, err) < 0 ||
	    shale_container_stop(containers, call->name, seconds, &was_so, err) < 0)
		return -1;
	return shale_container_start(containers, call->name, &was_so, err);
}

void api_container_restart(struct api_call *call)
{
	api_stream_start_silent(call, run_restart, api_answer_done);
}

static int run_kill(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);
	const char *signal = api_get(call, "signal");

	(void)stream;
	if (!containers)
		return -1;
	if (shale_container_kill(containers, call->name, signal && *signal ? signal : NULL, err) == 0)
		return 0;
	return shale_err_wrap(err, "Cannot kill container: %s", call->name);
}

void api_container_kill(struct api_call *call)
{
	api_stream_start_silent(call, run_kill, api_answer_done);
}

static void tell_waited(void *arg, int exit_code)
{
	struct api_call *call = arg;
	char line[64];
	int len;

	len = snprintf(line, sizeof(line), call->minor <= MINOR_WITH_ERROR ? "{\"Error\":null,\"StatusCode\":%d}\n" :
									     "{\"StatusCode\":%d}\n",
		       exit_code);
	if (exit_code >= 0)
		api_stream_offer(call->stream, line, len);
	api_stream_end(call->stream);
}

static bool take_condition(struct api_call *call, enum shale_wait *ret_what)
{
	static const char *const words[] = {
		[SHALE_WAIT_NOT_RUNNING] = "not-running",
		[SHALE_WAIT_NEXT_EXIT] = "next-exit",
		[SHALE_WAIT_REMOVED] = "removed",
	};
	const char *text = api_get(call, "condition");

	*ret_what = SHALE_WAIT_NOT_RUNNING;
	if (!text || !*text)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (!strcmp(text, words[i])) {
			*ret_what = i;
			return true;
		}
	api_fail(call, 400, "invalid condition: \"%.100s\"", text);
	return false;
}

/* The answer's beginning goes out at once: clients start a container only when they have it. */
void api_container_wait(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	struct shale_container_facts facts;
	enum shale_wait what;

	if (!take_condition(call, &what))
		return;
	if (!containers || shale_container_look(containers, call->name, &facts, &err) < 0) {
		api_fail_err(call, &err);
		return;
	}
	if (!api_stream_open(call, "application/json"))
		return;
	if (shale_container_wait(containers, facts.id, what, tell_waited, call, &call->waiter, &err) < 0)
		api_stream_end(call->stream);
}

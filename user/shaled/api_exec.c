// SPDX-License-Identifier: GPL-2.0-only
/*
 * Further processes in containers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "httpd/log.h"
#include "shaled/api_attach.h"
#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"
#include "store/json.h"

void api_exec_create(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	char id[SHALE_CONTAINER_ID_TEXT];
	json_t *body;

	if (!api_body_json(call, &body))
		return;
	json_decref(body);
	if (!containers ||
	    shale_exec_create(containers, call->name, call->body.len ? call->body.data : "{}", id, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_json(call, 201, json_pack("{s:s}", "Id", id));
}

void api_exec_inspect(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	char *text;

	if (!containers || shale_exec_inspect(containers, call->name, &text, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_text(call, 200, text);
}

void api_exec_resize(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	unsigned int rows, columns;

	if (!api_take_size(call, &rows, &columns))
		return;
	if (!containers || shale_exec_resize(containers, call->name, rows, columns, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_empty(call, 200);
}

struct executing {
	struct httpd_taker taker;
	struct shale_containers *containers;
	char id[SHALE_CONTAINER_ID_TEXT];
	bool is_tty;
};

static void begin(struct httpd_taker *taker, int fd, const void *early, size_t len)
{
	struct executing *executing = (struct executing *)taker;

	(void)early;
	if (fd >= 0 && len) {
		log_text(LOG_LEVEL_WARN, "exec", "a client has sent input before it was attached");
		close(fd);
	} else if (fd >= 0) {
		shale_exec_start_later(executing->containers, executing->id, executing->is_tty, fd);
	}
	free(executing);
}

static int run_detached(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	(void)stream;
	return shale_exec_start(call->api->containers, call->name, -1, err);
}

static void answer_detached(struct api_call *call)
{
	api_answer_empty(call, 200);
}

static void start_attached(struct api_call *call, bool is_tty)
{
	struct executing *executing;

	if (!api_wants_upgrade(call))
		return;
	executing = calloc(1, sizeof(*executing));
	if (!executing) {
		api_fail(call, 500, "out of memory");
		return;
	}
	executing->taker.take = begin;
	executing->is_tty = is_tty;
	executing->containers = call->api->containers;
	snprintf(executing->id, sizeof(executing->id), "%.64s", call->name);
	api_answer_upgrade(call, is_tty, &executing->taker);
}

void api_exec_start(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	__cleanup_json json_t *body = NULL;
	bool is_tty;

	if (!api_body_json(call, &body))
		return;
	if (!containers || shale_exec_check(containers, call->name, &is_tty, &err) < 0)
		api_fail_err(call, &err);
	else if (json_is_true(json_object_get(body, "Detach")))
		api_stream_start_silent(call, run_detached, answer_detached);
	else
		start_attached(call, is_tty);
}

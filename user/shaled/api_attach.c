// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clients attached to a container: the connection leaves HTTP and becomes its supervisor's, so that it needs no thread
 * of ours, and outlives us.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "httpd/log.h"
#include "shaled/api_attach.h"
#include "shaled/api_handlers.h"

struct attaching {
	struct httpd_taker taker;
	struct shale_containers *containers;
	char id[SHALE_CONTAINER_ID_TEXT];
	unsigned int streams;
};

static void attach(struct httpd_taker *taker, int fd, const void *early, size_t len)
{
	struct attaching *attaching = (struct attaching *)taker;
	struct shale_err err = { 0 };

	(void)early;
	if (fd >= 0 && len) {
		/* The container would miss them. */
		log_text(LOG_LEVEL_WARN, "attach", "a client has sent input before it was attached");
		close(fd);
	} else if (fd >= 0 && shale_container_attach(attaching->containers, attaching->id, attaching->streams,
						     fd, &err) < 0) {
		log_text(LOG_LEVEL_INFO, "attach", "%s", err.msg);
	}
	free(attaching);
}

void api_answer_upgrade(struct api_call *call, bool is_tty, struct httpd_taker *taker)
{
	const bool is_framed = !is_tty && call->minor >= API_MINOR_FRAMED;

	httpd_upgrade(call->http, API_UPGRADE, taker);
	httpd_add_field(call->http, "Content-Type", "%s", is_framed ? API_FRAMED_STREAM : API_RAW_STREAM);
}

bool api_wants_upgrade(struct api_call *call)
{
	if (httpd_wants_upgrade(call->http, API_UPGRADE))
		return true;
	api_fail(call, 400, "the connection must be taken over: 'Upgrade: tcp' and 'Connection: Upgrade' are missing");
	return false;
}

static unsigned int take_streams(const struct api_call *call)
{
	return (api_get_bool(call, "stdin", false) ? SHALE_STDIN : 0) |
	       (api_get_bool(call, "stdout", false) ? SHALE_STDOUT : 0) |
	       (api_get_bool(call, "stderr", false) ? SHALE_STDERR : 0);
}

static bool check(struct api_call *call, struct shale_container_facts *facts)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);

	if (!containers || shale_container_look(containers, call->name, facts, &err) < 0)
		api_fail_err(call, &err);
	else if (!api_get_bool(call, "stream", false) || api_get_bool(call, "logs", false))
		api_fail(call, 400, "attach is served with stream=1 and without logs; for those there is /logs");
	else if (facts->is_paused)
		api_fail(call, 409, "Container %s is paused, unpause the container before attach.", facts->id);
	else
		return api_wants_upgrade(call);
	return false;
}

void api_container_attach(struct api_call *call)
{
	struct shale_container_facts facts;
	struct attaching *attaching;

	if (!check(call, &facts))
		return;
	attaching = calloc(1, sizeof(*attaching));
	if (!attaching) {
		api_fail(call, 500, "out of memory");
		return;
	}
	attaching->taker.take = attach;
	attaching->containers = call->api->containers;
	attaching->streams = take_streams(call);
	memcpy(attaching->id, facts.id, sizeof(attaching->id));
	api_answer_upgrade(call, facts.is_tty, &attaching->taker);
}

bool api_take_size(struct api_call *call, unsigned int *ret_rows, unsigned int *ret_columns)
{
	const char *rows = api_get(call, "h"), *columns = api_get(call, "w");
	char *end[2];
	unsigned long h, w;

	if (rows && columns && *rows && *columns) {
		h = strtoul(rows, &end[0], 10);
		w = strtoul(columns, &end[1], 10);
		*ret_rows = h;
		*ret_columns = w;
		if (!*end[0] && !*end[1] && h <= 0xffff && w <= 0xffff)
			return true;
	}
	api_fail(call, 400, "the size of a terminal is h=ROWS and w=COLUMNS");
	return false;
}

void api_container_resize(struct api_call *call)
{
	struct shale_err err = { 0 };
	struct shale_containers *containers = api_containers(call->api, &err);
	unsigned int rows, columns;

	if (!api_take_size(call, &rows, &columns))
		return;
	if (!containers || shale_container_resize(containers, call->name, rows, columns, &err) < 0)
		api_fail_err(call, &err);
	else
		api_answer_empty(call, 200);
}

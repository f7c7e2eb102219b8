// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET distribution/NAME/json: what a name stands for in its registry.
 */
#include <errno.h>
#include <stdlib.h>

#include "shaled/api_handlers.h"
#include "shaled/api_registry.h"
#include "shaled/api_stream.h"

static int poll_client(void *arg, const struct shale_event *event)
{
	(void)event;
	return api_stream_is_cancelled(arg);
}

static int run_distribution(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root, .progress = poll_client, .arg = stream };
	char *text = NULL;

	if (shale_distribution(&opts, call->name, &call->registry->opts, &text, err) < 0)
		return -1;
	api_stream_line(stream, json_loads(text, 0, NULL));
	free(text);
	return 0;
}

static void refuse_distribution(struct api_call *call, const struct shale_err *err)
{
	if (err->code == EINVAL)
		api_fail(call, 400, "invalid reference format: %s", err->msg);
	else
		api_fail_err(call, err);
}

void api_distribution(struct api_call *call)
{
	static const struct api_work work = { run_distribution, refuse_distribution,
					      "application/json", true };

	if (!api_registry_begin(call))
		return;
	api_stream_start(call, &work);
	api_stream_answer(call);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images as a tar: GET images/NAME/get, and images/get?names=... for several.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shaled/api_events.h"
#include "shaled/api_handlers.h"
#include "shaled/api_stream.h"
#include "store/ref.h"

static int write_save(void *arg, const void *data, size_t len)
{
	return api_stream_write(arg, data, len);
}

static int run_save_of(struct api_stream *stream, struct api_call *call, const char *const *names,
		       size_t count, struct shale_err *err)
{
	struct shale_opts opts = { .root = call->api->root };
	struct shale_sink sink = { .write = write_save, .arg = stream };

	if (shale_save(&opts, names, count, &sink, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		api_events_image(call->api->events, "save", names[i], NULL);
	return 0;
}

static int run_save_one(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const char *names[] = { call->name };

	return run_save_of(stream, call, names, 1, err);
}

/* "names" comes once for each. */
static int run_save_several(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const char *names[TARGET_MAX_PAIRS];
	size_t count = 0;

	for (size_t i = 0; i < call->target.pair_count; i++)
		if (!strcmp(call->target.pairs[i].key, "names"))
			names[count++] = call->target.pairs[i].value;
	return run_save_of(stream, call, names, count, err);
}

static void refuse_save(struct api_call *call, const struct shale_err *err)
{
	static const char none[] = "no such image: ";
	const char *name = strstr(err->msg, none);

	/* docker says it as it was asked for. */
	if (err->code == ENOENT && name)
		api_fail(call, 404, "No such image: %s", name + strlen(none));
	else
		api_fail_err(call, err);
}

void api_image_save(struct api_call *call)
{
	static const struct api_work work = { run_save_one, refuse_save, "application/x-tar", false };

	api_stream_start(call, &work);
}

void api_images_save(struct api_call *call)
{
	static const struct api_work work = { run_save_several, refuse_save, "application/x-tar",
					      false };

	if (!api_get(call, "names")) {
		api_fail(call, 400, "the query has no 'names'");
		return;
	}
	api_stream_start(call, &work);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files copied into and out of containers, as tars: /archive and /export.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "shaled/api_handlers.h"
#include "shaled/api_load.h"
#include "shaled/api_stream.h"

static int write_tar(void *arg, const void *data, size_t len)
{
	return api_stream_write(arg, data, len);
}

static int run_export(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const struct shale_sink sink = { write_tar, stream };
	struct shale_containers *containers = api_containers(call->api, err);

	return containers ? shale_container_export(containers, call->name, &sink, err) : -1;
}

void api_container_export(struct api_call *call)
{
	static const struct api_work work = { .run = run_export, .content_type = "application/octet-stream" };

	api_stream_start(call, &work);
}

static bool take_path(struct api_call *call, const char **ret_path)
{
	*ret_path = api_get(call, "path");
	if (*ret_path && **ret_path)
		return true;
	api_fail(call, 400, "bad parameter: missing path");
	return false;
}

static int run_get(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	const struct shale_sink sink = { write_tar, stream };
	struct shale_containers *containers = api_containers(call->api, err);

	return containers ? shale_container_get_path(containers, call->name, api_get(call, "path"), &sink,
						     &call->path_stat, err) :
			    -1;
}

void api_archive_get(struct api_call *call)
{
	static const struct api_work work = { .run = run_get, .content_type = "application/x-tar" };
	const char *path;

	if (take_path(call, &path))
		api_stream_start(call, &work);
}

static int run_stat(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);

	(void)stream;
	return containers ? shale_container_stat_path(containers, call->name, api_get(call, "path"),
						      &call->path_stat, err) :
			    -1;
}

static void answer_stat(struct api_call *call)
{
	api_answer(call, 200);
	httpd_add_field(call->http, API_PATH_STAT, "%s", call->path_stat);
}

void api_archive_stat(struct api_call *call)
{
	const char *path;

	if (take_path(call, &path))
		api_stream_start_silent(call, run_stat, answer_stat);
}

/* What is behind the end of the archive is read as well, so that nobody is told of an error for it. */
static void read_rest(int fd)
{
	char rest[4096];

	while (read(fd, rest, sizeof(rest)) > 0)
		;
}

static int run_put(struct api_stream *stream, struct api_call *call, struct shale_err *err)
{
	struct shale_containers *containers = api_containers(call->api, err);
	struct api_load *load = call->load;
	int ret = -1;

	(void)stream;
	if (containers)
		ret = shale_container_put_path(containers, call->name, api_get(call, "path"), load->read_fd,
					       api_get_bool(call, "noOverwriteDirNonDir", false), err);
	if (ret == 0)
		read_rest(load->read_fd);
	close(load->read_fd);
	load->read_fd = -1;
	return ret;
}

static void answer_put(struct api_call *call)
{
	api_answer_empty(call, 200);
}

void api_archive_put_begin(struct api_call *call)
{
	const char *path;

	if (take_path(call, &path))
		api_load_start_silent(call, run_put, answer_put);
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making of containers; see create.h. Called by cmd_run.c.
 */
#include "shale/create.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fs.h"
#include "shale/image_pull.h"
#include "store/json.h"

static void print_warnings(const json_t *answer)
{
	const json_t *list = json_object_get(answer, "Warnings");

	for (size_t i = 0; i < json_array_size(list); i++)
		fprintf(stderr, "WARNING: %s\n", json_string_value(json_array_get(list, i)) ?: "");
}

static int post(struct connection *connection, const struct create_opts *opts, char ret_id[CREATE_MAX_ID + 1],
		struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	__cleanup_json json_t *answer = NULL;

	call.body = opts->config;
	if (dockapi_path(&call, err, "/containers/create") || dockapi_query(&call, "name", opts->name, err) ||
	    dockapi_query(&call, "platform", opts->platform, err) ||
	    connection_json(connection, &call, &answer, err))
		return -1;
	print_warnings(answer);
	if (snprintf(ret_id, CREATE_MAX_ID + 1, "%s", json_text(answer, "Id")) > CREATE_MAX_ID || !*ret_id)
		return shale_err_set(err, EPROTO, "the daemon's answer has no ID");
	return 0;
}

static int pull(struct connection *connection, const struct create_opts *opts, struct shale_err *err)
{
	struct shale_pull_opts pull_opts = { .platform = opts->platform };
	struct ref ref;

	if (ref_parse(opts->image, &ref, err) < 0)
		return -1;
	if (ref.has_digest)
		ref.tag[0] = '\0';
	return image_pull(connection, &pull_opts, &ref, opts->is_quiet ? NULL : stderr, err);
}

static int pull_missing(struct connection *connection, const struct create_opts *opts, struct shale_err *err)
{
	struct ref ref;

	if (ref_parse(opts->image, &ref, NULL) < 0)
		return -1;
	if (!opts->is_quiet)
		fprintf(stderr, "Unable to find image '%s' locally\n", ref_shown(&ref).text);
	return pull(connection, opts, err);
}

static int make(struct connection *connection, const struct create_opts *opts, char ret_id[CREATE_MAX_ID + 1],
		struct shale_err *err)
{
	if (!strcmp(opts->pull, "always") && pull(connection, opts, err))
		return -1;
	if (post(connection, opts, ret_id, err) == 0)
		return 0;
	if (err->code != ENOENT || strcmp(opts->pull, "missing") || pull_missing(connection, opts, err))
		return -1;
	return post(connection, opts, ret_id, err);
}

/* The file is there before the container, or there would be one whose ID nobody was told. */
static int open_cidfile(const char *path, struct shale_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd >= 0)
		return fd;
	if (errno == EEXIST)
		return shale_err_set(err, EEXIST,
				     "container ID file found, make sure the other container isn't running or delete %s",
				     path);
	return shale_err_errno(err, "failed to create the container ID file %s", path);
}

int create_container(struct connection *connection, const struct create_opts *opts, char ret_id[CREATE_MAX_ID + 1],
		     struct shale_err *err)
{
	__cleanup_fd int fd = -1;

	if (!opts->cidfile)
		return make(connection, opts, ret_id, err);
	fd = open_cidfile(opts->cidfile, err);
	if (fd < 0)
		return -1;
	if (make(connection, opts, ret_id, err)) {
		unlink(opts->cidfile);
		return -1;
	}
	if (fs_write_full(fd, ret_id, strlen(ret_id)) < 0)
		return shale_err_errno(err, "%s", opts->cidfile);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale cp: files copied out of a container and into one, by docker's rules, or as a tar through standard input and output.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "client/base64.h"
#include "shale/connection.h"
#include "shale/copy_local.h"
#include "store/json.h"

/* docker's header, in which the daemon describes a path. */
#define STAT_FIELD "X-Docker-Container-Path-Stat"
/* Go's bits of a mode. */
#define MODE_DIR (1ll << 31)
#define MODE_LINK (1ll << 27)
/* As many as the kernel follows. */
#define MAX_LINKS 40

struct copying {
	struct connection connection;
	char container[PATH_MAX];
	const char *source, *target;
	bool follows;
	bool keeps_ids;
};

/* Something in the container. */
struct there {
	char path[PATH_MAX];
	char name[NAME_MAX + 1];
	char link[PATH_MAX];
	bool is_dir, is_link;
};

static int take_stat(const struct buf *field, struct there *there, struct shale_err *err)
{
	__cleanup_buf struct buf text = BUF_INIT;
	__cleanup_json json_t *json = NULL;
	json_int_t mode;

	if (!field->len || !base64_decode(field->data, field->len, &text) ||
	    json_parse_object(text.data, text.len, STAT_FIELD, &json, err) < 0)
		return shale_err_set(err, EPROTO, "the daemon does not say what is there");
	mode = json_integer_value(json_object_get(json, "mode"));
	snprintf(there->name, sizeof(there->name), "%s", json_text(json, "name"));
	snprintf(there->link, sizeof(there->link), "%s", json_text(json, "linkTarget"));
	there->is_dir = mode & MODE_DIR;
	there->is_link = mode & MODE_LINK;
	return 0;
}

static int look(struct copying *copying, const char *path, struct there *there, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("HEAD");

	if (snprintf(there->path, sizeof(there->path), "%s", path) >= PATH_MAX)
		return shale_err_set(err, ENAMETOOLONG, "the path is too long");
	call.wanted_field = STAT_FIELD;
	if (dockapi_path(&call, err, "/containers/%s/archive", copying->container) ||
	    dockapi_query(&call, "path", path, err))
		return -1;
	if (connection_perform(&copying->connection, &call, err) == 0)
		return take_stat(&call.field, there, err);
	/* An answer to HEAD has no words. */
	if (err->code == ENOENT)
		shale_err_set(err, ENOENT, "Could not find the file %.300s in container %.100s", path,
			      copying->container);
	return -1;
}

/* The same, through links. */
static int look_through(struct copying *copying, const char *path, struct there *there, struct shale_err *err)
{
	char next[PATH_MAX];

	if (look(copying, path, there, err))
		return -1;
	for (int i = 0; there->is_link; i++) {
		if (i == MAX_LINKS)
			return shale_err_set(err, ELOOP, "%.300s: too many links", path);
		if (copy_plan_follow(there->path, there->link, next, err) || look(copying, next, there, err))
			return -1;
	}
	return 0;
}

static int get(struct copying *copying, const char *path,
	       int (*sink)(void *arg, const void *data, size_t len, struct shale_err *err), void *arg, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	call.sink = sink;
	call.sink_arg = arg;
	if (dockapi_path(&call, err, "/containers/%s/archive", copying->container) ||
	    dockapi_query(&call, "path", path, err))
		return -1;
	return connection_perform(&copying->connection, &call, err);
}

static int put(struct copying *copying, const char *path,
	       ssize_t (*source)(void *arg, void *data, size_t len, struct shale_err *err), void *arg,
	       struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("PUT");

	call.source = source;
	call.source_arg = arg;
	if (dockapi_path(&call, err, "/containers/%s/archive", copying->container) ||
	    dockapi_query(&call, "path", path, err) || dockapi_query(&call, "noOverwriteDirNonDir", "true", err) ||
	    dockapi_query(&call, "copyUIDGID", copying->keeps_ids ? "true" : NULL, err))
		return -1;
	return connection_perform(&copying->connection, &call, err);
}

static int write_stdout(void *arg, const void *data, size_t len, struct shale_err *err)
{
	(void)arg;
	return fs_write_full(STDOUT_FILENO, data, len) ? shale_err_errno(err, "cannot write the archive") : 0;
}

static ssize_t read_stdin(void *arg, void *data, size_t len, struct shale_err *err)
{
	ssize_t got;

	(void)arg;
	do
		got = read(STDIN_FILENO, data, len);
	while (got < 0 && errno == EINTR);
	return got < 0 ? shale_err_errno(err, "cannot read the archive") : got;
}

static void look_here(const char *path, bool follows, struct copy_end *end)
{
	struct stat st;

	end->path = path;
	end->exists = (follows ? stat(path, &st) : lstat(path, &st)) == 0;
	end->is_dir = end->exists && S_ISDIR(st.st_mode);
}

/* A link of ours to a file that is there is not replaced; what it leads to is. */
static const char *resolve_target(const char *path, char real[PATH_MAX], const struct copy_end *target)
{
	return target->exists && !target->is_dir && realpath(path, real) ? real : path;
}

static int copy_out(struct copying *copying, struct shale_err *err)
{
	struct copy_end target, source = { .path = copying->source, .exists = true };
	struct copy_local local = { .ours = -1 };
	struct copy_plan plan;
	struct there there;
	char real[PATH_MAX];

	if ((copying->follows ? look_through : look)(copying, copying->source, &there, err))
		return -1;
	if (!strcmp(copying->target, "-"))
		return get(copying, there.path, write_stdout, NULL, err);
	source.is_dir = there.is_dir;
	look_here(copying->target, true, &target);
	target.path = resolve_target(copying->target, real, &target);
	if (copy_plan_make(&source, &target, &plan, err) || copy_local_unpack(&local, there.name, &plan, err))
		return -1;
	return copy_local_end(&local, get(copying, there.path, copy_local_write, &local, err), err);
}

/* Where a path of the container leads; it need not be there. */
static int look_at_target(struct copying *copying, struct there *there, struct copy_end *target, struct shale_err *err)
{
	target->exists = look_through(copying, copying->target, there, err) == 0;
	if (!target->exists && err->code != ENOENT)
		return -1;
	target->path = there->path;
	target->is_dir = target->exists && there->is_dir;
	return 0;
}

/* ".." has a name, but not in itself. */
static const char *name_source(const char *path, char real[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	return !strcmp(slash ? slash + 1 : path, "..") && realpath(path, real) ? real : path;
}

static int copy_in(struct copying *copying, struct shale_err *err)
{
	struct copy_local local = { .ours = -1 };
	struct copy_end source, target;
	struct shale_err missing = { 0 };
	struct copy_plan plan;
	struct there there;
	char real[PATH_MAX];

	if (look_at_target(copying, &there, &target, &missing)) {
		*err = missing;
		return -1;
	}
	if (!strcmp(copying->source, "-")) {
		if (!target.is_dir)
			return shale_err_set(err, ENOTDIR, "destination \"%.100s:%.300s\" must be a directory",
					     copying->container, copying->target);
		return put(copying, target.path, read_stdin, NULL, err);
	}
	look_here(name_source(copying->source, real), copying->follows, &source);
	if (!source.exists)
		return shale_err_errno(err, "%.300s", copying->source);
	if (copy_plan_make(&source, &target, &plan, err) ||
	    copy_local_pack(&local, copying->source, copying->follows, &plan, err))
		return -1;
	return copy_local_end(&local, put(copying, plan.dir, copy_local_read, &local, err), err);
}

static int copy(struct cli *cli, struct copying *copying, char **words)
{
	char other[PATH_MAX];
	struct shale_err err = { 0 };
	const bool is_out = copy_plan_split(words[0], copying->container, &copying->source);
	const bool is_in = copy_plan_split(words[1], is_out ? other : copying->container, &copying->target);
	int ret;

	if (is_out && is_in)
		return cli_usage(cli, "copying between containers is not supported");
	if (!is_out && !is_in)
		return cli_usage(cli, "one of the two must be of a container: CONTAINER:PATH");
	*(is_out ? &copying->target : &copying->source) = words[is_out];
	if (connection_open(cli, &copying->connection, &err))
		return cli_fail(&err);
	ret = is_out ? copy_out(copying, &err) : copy_in(copying, &err);
	connection_close(&copying->connection);
	return ret ? cli_fail(&err) : EXIT_SUCCESS;
}

int cmd_cp(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "archive", no_argument, NULL, 'a' },
		{ "follow-link", no_argument, NULL, 'L' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct copying copying = { .connection = CONNECTION_CLOSED };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":aLq", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		copying.keeps_ids |= opt == 'a';
		copying.follows |= opt == 'L';
	}
	if (argc - optind != 2)
		return cli_usage(cli, "a source and a destination are needed");
	return copy(cli, &copying, argv + optind);
}

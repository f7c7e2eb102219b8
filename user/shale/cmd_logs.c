// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale logs: what a container has printed, on the stream it was printed on.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "dockapi/frames.h"
#include "shale/connection.h"
#include "store/json.h"

struct logs {
	struct connection connection;
	const char *name;
	const char *since, *until, *tail;
	bool follow, has_times;
	bool is_tty;
	struct frames frames;
};

static int put(int fd, const char *data, size_t len, struct shale_err *err)
{
	return fs_write_full(fd, data, len) < 0 ? shale_err_errno(err, "cannot write the log") : 0;
}

static int put_piece(const struct frames_piece *piece, struct shale_err *err)
{
	if (piece->stream == FRAMES_ERROR)
		return shale_err_set(err, EIO, "%.*s", (int)piece->len, piece->data);
	return put(piece->stream == FRAMES_STDERR ? STDERR_FILENO : STDOUT_FILENO, piece->data, piece->len, err);
}

static int take_bytes(void *arg, const void *data, size_t len, struct shale_err *err)
{
	struct logs *logs = arg;
	const char *at = data;
	struct frames_piece piece;

	if (logs->is_tty)
		return put(STDOUT_FILENO, data, len, err);
	while (len)
		if (frames_next(&logs->frames, &at, &len, &piece, err) || put_piece(&piece, err))
			return -1;
	return 0;
}

static int look(struct logs *logs, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");
	__cleanup_json json_t *json = NULL;

	if (dockapi_path(&call, err, "/containers/%s/json", logs->name) ||
	    connection_json(&logs->connection, &call, &json, err))
		return -1;
	logs->is_tty = json_is_true(json_object_get(json_object_get(json, "Config"), "Tty"));
	return 0;
}

static int print_logs(struct logs *logs, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	call.sink = take_bytes;
	call.sink_arg = logs;
	if (look(logs, err) || dockapi_path(&call, err, "/containers/%s/logs", logs->name) ||
	    dockapi_query(&call, "stdout", "1", err) || dockapi_query(&call, "stderr", "1", err) ||
	    dockapi_query(&call, "follow", logs->follow ? "1" : NULL, err) ||
	    dockapi_query(&call, "timestamps", logs->has_times ? "1" : NULL, err) ||
	    dockapi_query(&call, "tail", logs->tail, err) || dockapi_query(&call, "since", logs->since, err) ||
	    dockapi_query(&call, "until", logs->until, err))
		return -1;
	return connection_perform(&logs->connection, &call, err);
}

enum { OPT_SINCE = 1, OPT_UNTIL };

static const struct option longs[] = {
	CLI_LONGS,
	{ "follow", no_argument, NULL, 'f' },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "tail", required_argument, NULL, 'n' },
	{ "timestamps", no_argument, NULL, 't' },
	{ "until", required_argument, NULL, OPT_UNTIL },
	{ 0 },
};

static void take_option(int opt, struct logs *logs)
{
	if (opt == 'f')
		logs->follow = true;
	else if (opt == 't')
		logs->has_times = true;
	else if (opt == 'n')
		logs->tail = optarg;
	else if (opt == OPT_SINCE)
		logs->since = optarg;
	else
		logs->until = optarg;
}

int cmd_logs(struct cli *cli, int argc, char **argv)
{
	struct logs logs = { .connection = CONNECTION_CLOSED };
	struct shale_err err = { 0 };
	int opt, ret, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":ftn:", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		take_option(opt, &logs);
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one container is needed");
	logs.name = argv[optind];
	if (connection_open(cli, &logs.connection, &err))
		return cli_fail(&err);
	ret = print_logs(&logs, &err);
	connection_close(&logs.connection);
	return ret ? cli_fail(&err) : EXIT_SUCCESS;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections; see connection.h. Called by the verbs that docker's API has.
 */
#include "shale/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/interrupt.h"

#define UNIX_SCHEME "unix://"

static bool is_interrupted(void *arg)
{
	(void)arg;
	return interrupt_came();
}

static const struct dockapi_opts api_opts = { .is_cancelled = is_interrupted };

static int open_private(const struct cli *cli, struct connection *connection, struct shale_err *err)
{
	int fd;

	if (private_start(cli, &connection->daemon, &fd, err))
		return -1;
	return dockapi_open_fd(fd, &api_opts, &connection->api, err);
}

static int open_named(const char *host, struct connection *connection, struct shale_err *err)
{
	if (strncmp(host, UNIX_SCHEME "/", strlen(UNIX_SCHEME "/")))
		return shale_err_set(err, EINVAL, "a daemon is named as unix:///PATH, not '%s'", host);
	return dockapi_open(host + strlen(UNIX_SCHEME), &api_opts, &connection->api, err);
}

/* Where nobody listens, we do it ourselves. */
static int open_any(const struct cli *cli, struct connection *connection, struct shale_err *err)
{
	if (dockapi_open(DEFAULT_SOCKET, &api_opts, &connection->api, err) == 0)
		return 0;
	if (err->code != ENOENT && err->code != ECONNREFUSED)
		return -1;
	return open_private(cli, connection, err);
}

int connection_open(const struct cli *cli, struct connection *ret_connection,
		    struct shale_err *err)
{
	struct connection connection = CONNECTION_CLOSED;
	int ret;

	interrupt_catch();
	if (cli->host && cli->has_own_store)
		ret = shale_err_set(err, EINVAL,
				    "%s has a store of its own: --host and --root or --storage-driver "
				    "exclude each other", cli->host);
	else if (cli->host)
		ret = open_named(cli->host, &connection, err);
	else if (cli->has_own_store)
		ret = open_private(cli, &connection, err);
	else
		ret = open_any(cli, &connection, err);
	*ret_connection = connection;
	return ret;
}

void connection_close(struct connection *connection)
{
	struct shale_err err = { 0 };

	dockapi_close(connection->api);
	connection->api = NULL;
	private_wait(&connection->daemon, &err);
}

/* What a private daemon died of says more than that it did. */
static int explain(struct connection *connection, int ret, struct shale_err *err)
{
	struct shale_err why = { 0 };

	if (ret == 0 || err->code != ECONNRESET || connection->daemon.pid < 0)
		return ret;
	dockapi_close(connection->api);
	connection->api = NULL;
	if (private_wait(&connection->daemon, &why))
		*err = why;
	return ret;
}

int connection_json(struct connection *connection, struct dockapi_call *call, json_t **ret_json,
		    struct shale_err *err)
{
	return explain(connection, dockapi_json(connection->api, call, ret_json, err), err);
}

int connection_stream(struct connection *connection, struct dockapi_call *call,
		      dockapi_message_fn each, void *arg, struct shale_err *err)
{
	return explain(connection, dockapi_stream(connection->api, call, each, arg, err), err);
}

int connection_perform(struct connection *connection, struct dockapi_call *call,
		       struct shale_err *err)
{
	return explain(connection, dockapi_perform(connection->api, call, err), err);
}

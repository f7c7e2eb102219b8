// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections; see connection.h. Called by the verbs that docker's API has.
 */
#include "shale/connection.h"

#include <assert.h>
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

static_assert(PRIVATE_MAX_CONNECTIONS == 1 + CONNECTION_SPARE, "a private daemon has them all from the beginning");

static int open_private(const struct cli *cli, unsigned int spare, struct connection *connection,
			struct shale_err *err)
{
	int fds[PRIVATE_MAX_CONNECTIONS];

	if (private_start(cli, 1 + spare, &connection->daemon, fds, err))
		return -1;
	memcpy(connection->spare, fds + 1, spare * sizeof(*fds));
	return dockapi_open_fd(fds[0], &api_opts, &connection->api, err);
}

static int open_named(const char *host, struct connection *connection, struct shale_err *err)
{
	if (strncmp(host, UNIX_SCHEME "/", strlen(UNIX_SCHEME "/")))
		return shale_err_set(err, EINVAL, "a daemon is named as unix:///PATH, not '%s'", host);
	return dockapi_open(host + strlen(UNIX_SCHEME), &api_opts, &connection->api, err);
}

/* Where nobody listens there is no daemon: that is no error. */
static int open_default(struct connection *connection, struct shale_err *err)
{
	if (dockapi_open(DEFAULT_SOCKET, &api_opts, &connection->api, err) == 0)
		return 0;
	return err->code == ENOENT || err->code == ECONNREFUSED ? 0 : -1;
}

int connection_open_shared(const struct cli *cli, struct connection *ret_connection,
			   struct shale_err *err)
{
	*ret_connection = (struct connection)CONNECTION_CLOSED;
	interrupt_catch();
	if (cli->host && cli->has_own_store)
		return shale_err_set(err, EINVAL,
				     "%s has a store of its own: --host and --root or --storage-driver "
				     "exclude each other", cli->host);
	if (cli->host)
		return open_named(cli->host, ret_connection, err);
	return cli->has_own_store ? 0 : open_default(ret_connection, err);
}

int connection_open_several(const struct cli *cli, unsigned int spare, struct connection *ret_connection,
			    struct shale_err *err)
{
	if (connection_open_shared(cli, ret_connection, err))
		return -1;
	return ret_connection->api ? 0 : open_private(cli, spare, ret_connection, err);
}

int connection_open(const struct cli *cli, struct connection *ret_connection,
		    struct shale_err *err)
{
	return connection_open_several(cli, 0, ret_connection, err);
}

int connection_another(struct connection *connection, struct dockapi **ret_api, struct shale_err *err)
{
	if (!connection_is_private(connection))
		return dockapi_again(connection->api, ret_api, err);
	for (size_t i = 0; i < CONNECTION_SPARE; i++)
		if (connection->spare[i] >= 0)
			return dockapi_open_fd(steal_fd(&connection->spare[i]), &api_opts, ret_api, err);
	return shale_err_set(err, ENOTCONN, "this command's daemon has no more connections");
}

bool connection_is_private(const struct connection *connection)
{
	return connection->daemon.pid >= 0;
}

void connection_close(struct connection *connection)
{
	struct shale_err err = { 0 };

	dockapi_close(connection->api);
	connection->api = NULL;
	for (size_t i = 0; i < CONNECTION_SPARE; i++) {
		fd_closep(&connection->spare[i]);
		connection->spare[i] = -1;
	}
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

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a verb's work is done: by the daemon of the machine, by one that was named, or by a private one that is started
 * for this command and ends with it.
 */
#ifndef SHALE_CLI_CONNECTION_H
#define SHALE_CLI_CONNECTION_H

#include "dockapi/dockapi.h"
#include "shale/private.h"
#include "shale/shale.h"

#define DEFAULT_SOCKET "/run/shale/shaled.sock"

/* Beside the first, for a command that is told of several things at a time. */
#define CONNECTION_SPARE 2

struct connection {
	struct dockapi *api;
	struct private_daemon daemon;
	int spare[CONNECTION_SPARE]; /* of a private daemon; -1 */
};

#define CONNECTION_CLOSED { .daemon = PRIVATE_NONE, .spare = { -1, -1 } }
#define __cleanup_connection __attribute__((cleanup(connection_close)))

/*
 * A daemon that works on this command's store. SIGINT and SIGTERM end what is under way at it; the next one ends the
 * command. The caller prints the error.
 */
int connection_open(const struct cli *cli, struct connection *ret_connection,
		    struct shale_err *err);
/* The same; there may be so many more connections to it, which connection_another() opens. */
int connection_open_several(const struct cli *cli, unsigned int spare, struct connection *ret_connection,
			    struct shale_err *err);
int connection_another(struct connection *connection, struct dockapi **ret_api, struct shale_err *err);
/* The same as the first without a private daemon: success without a connection when only that would do. */
int connection_open_shared(const struct cli *cli, struct connection *ret_connection,
			   struct shale_err *err);
bool connection_is_private(const struct connection *connection);
void connection_close(struct connection *connection);

/*
 * dockapi_json() and dockapi_stream() over it. A private daemon that ended has said why, which is the error then.
 */
int connection_json(struct connection *connection, struct dockapi_call *call, json_t **ret_json,
		    struct shale_err *err);
int connection_stream(struct connection *connection, struct dockapi_call *call,
		      dockapi_message_fn each, void *arg, struct shale_err *err);
int connection_perform(struct connection *connection, struct dockapi_call *call,
		       struct shale_err *err);

#endif

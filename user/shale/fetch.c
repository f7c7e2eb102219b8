// SPDX-License-Identifier: GPL-2.0-only
/*
 * Questions to a daemon, and to the person; see fetch.h. Called by the verbs that need no more than one answer.
 */
#include "shale/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "shale/connection.h"

int fetch_call(const struct cli *cli, struct dockapi_call *call, json_t **ret_json,
	       struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;

	if (connection_open(cli, &connection, err))
		return -1;
	return connection_json(&connection, call, ret_json, err);
}

static int fetch(const struct cli *cli, struct dockapi_call *call, const char *path,
		 const struct filters *filters, json_t **ret_json, struct shale_err *err)
{
	if (dockapi_path(call, err, path) || (filters && filters_query(filters, call, err)))
		return -1;
	return fetch_call(cli, call, ret_json, err);
}

int fetch_get(const struct cli *cli, const char *path, const struct filters *filters,
	      json_t **ret_json, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("GET");

	return fetch(cli, &call, path, filters, ret_json, err);
}

int fetch_post(const struct cli *cli, const char *path, const struct filters *filters,
	       json_t **ret_json, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");

	return fetch(cli, &call, path, filters, ret_json, err);
}

bool fetch_is_confirmed(const char *warning)
{
	__cleanup_free char *line = NULL;
	size_t cap = 0;

	printf("%s\nAre you sure you want to continue? [y/N] ", warning);
	fflush(stdout);
	return getline(&line, &cap, stdin) > 0 && (!strcmp(line, "y\n") || !strcmp(line, "Y\n"));
}

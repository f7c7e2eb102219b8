// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale rmi: removes each image it is given and says what went, as docker does. One that cannot be removed does not keep
 * the others from it, and with --force one that is not there is no failure.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "shale/connection.h"
#include "shale/show.h"
#include "store/json.h"

struct removal {
	struct connection connection;
	bool force;
	bool no_prune;
};

static void print_removed(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);

		if (json_object_get(one, "Untagged"))
			printf("Untagged: %s\n", json_text(one, "Untagged"));
		else
			printf("Deleted: %s\n", json_text(one, "Deleted"));
	}
}

static int remove_image(struct removal *removal, const char *name, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("DELETE");
	__cleanup_json json_t *list = NULL;

	if (dockapi_path(&call, err, "/images/%s", name) ||
	    dockapi_query(&call, "force", removal->force ? "1" : NULL, err) ||
	    dockapi_query(&call, "noprune", removal->no_prune ? "1" : NULL, err) ||
	    connection_json(&removal->connection, &call, &list, err))
		return -1;
	print_removed(list);
	return 0;
}

static int remove_all(const struct cli *cli, struct removal *removal, char **names)
{
	struct shale_err err = { 0 };
	int status = EXIT_SUCCESS;

	if (connection_open(cli, &removal->connection, &err))
		return cli_fail(&err);
	for (; *names; names++) {
		if (remove_image(removal, *names, &err) == 0)
			continue;
		cli_fail(&err);
		if (!removal->force || err.code != ENOENT)
			status = EXIT_FAILURE;
	}
	return status;
}

int cmd_rmi(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		{ "force", no_argument, NULL, 'f' },
		{ "no-prune", no_argument, NULL, 'n' },
		{ 0 },
	};
	struct removal removal = { .connection = CONNECTION_CLOSED };
	int opt, status = 0;

	while ((opt = cli_getopt(cli, argc, argv, ":f", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'f')
			removal.force = true;
		else
			removal.no_prune = true;
	}
	if (optind == argc)
		return cli_usage(cli, "which image is to be removed?");
	status = remove_all(cli, &removal, argv + optind);
	connection_close(&removal.connection);
	return status;
}

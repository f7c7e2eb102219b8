// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale tag: gives an image one more name. As with docker, nothing is printed.
 */
#include <errno.h>
#include <stdlib.h>

#include "shale/connection.h"
#include "store/ref.h"

static int tag(const struct cli *cli, const char *source, const char *target,
	       struct shale_err *err)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct ref ref;

	if (ref_parse_new(target, &ref, err) || dockapi_path(&call, err, "/images/%s/tag", source) ||
	    dockapi_query(&call, "repo", ref.name, err) ||
	    dockapi_query(&call, "tag", ref.tag, err) || connection_open(cli, &connection, err))
		return -1;
	return connection_perform(&connection, &call, err);
}

int cmd_tag(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = { CLI_LONGS, { 0 } };
	struct shale_err err = { 0 };
	int status = 0;

	if (cli_getopt(cli, argc, argv, ":", longs, &status) != -1)
		return status;
	if (argc - optind != 2)
		return cli_usage(cli, "an image and the name to give it are needed");
	return tag(cli, argv[optind], argv[optind + 1], &err) ? cli_fail(&err) : EXIT_SUCCESS;
}

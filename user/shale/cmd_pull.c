// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale pull: says what docker pull says. On a terminal each layer's line is redrawn, elsewhere a line is
 * printed for each step a layer has taken.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/connection.h"
#include "shale/image_pull.h"
#include "shale/registry_opts.h"
#include "store/ref.h"

/* The name says nothing, and the tag is latest. */
static bool has_default_tag(const struct ref *ref, const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strcmp(ref->tag, "latest") && !strchr(slash ? slash : name, ':');
}

static int run_pull(const struct cli *cli, const struct shale_pull_opts *pull, bool quiet)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	struct shale_err err = { 0 };
	struct ref ref;

	if (ref_parse(pull->name, &ref, &err) < 0)
		return cli_fail(&err);
	if (ref.has_digest)
		ref.tag[0] = '\0';
	else if (!quiet && has_default_tag(&ref, pull->name))
		puts("Using default tag: latest");
	registry_prepare(&pull->registry);
	if (connection_open(cli, &connection, &err) ||
	    image_pull(&connection, pull, &ref, quiet ? NULL : stdout, &err))
		return cli_fail(&err);
	puts(ref_text(&ref).text);
	return EXIT_SUCCESS;
}

enum { OPT_PLATFORM = 1, OPT_DOWNLOAD_ONLY, OPT_SCHEMA1 };

int cmd_pull(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ "platform", required_argument, NULL, OPT_PLATFORM },
		{ "download-only", no_argument, NULL, OPT_DOWNLOAD_ONLY },
		{ "schema1", no_argument, NULL, OPT_SCHEMA1 },
		{ 0 },
	};
	struct shale_pull_opts pull = { 0 };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":q", longs, &status)) != -1) {
		switch (opt) {
		case 'q':
			quiet = true;
			break;
		case OPT_PLATFORM:
			pull.platform = optarg;
			break;
		case OPT_DOWNLOAD_ONLY:
			pull.is_download_only = true;
			break;
		case OPT_SCHEMA1:
			pull.registry.takes_schema1 = true;
			break;
		case CLI_DONE:
			return status;
		default:
			status = registry_option(cli, opt, optarg, &pull.registry);
			if (status)
				return status;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image to pull is needed");
	pull.name = argv[optind];
	return run_pull(cli, &pull, quiet);
}

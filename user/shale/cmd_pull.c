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

struct pulling {
	struct shale_pull_opts opts;
	bool quiet;
	bool all_tags;
};

/* The name says nothing, and the tag is latest. */
static bool has_default_tag(const struct ref *ref, const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strcmp(ref->tag, "latest") && !strchr(slash ? slash : name, ':');
}

static int run_pull(const struct cli *cli, struct pulling *pulling)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	const char *name = pulling->opts.name;
	struct shale_err err = { 0 };
	struct ref ref;

	if (ref_parse(name, &ref, &err) < 0)
		return cli_fail(&err);
	if (pulling->all_tags && (ref.has_digest || ref_has_tag(name)))
		return cli_usage(cli, "all tags are pulled of a name without one, not of '%s'", name);
	if (ref.has_digest || pulling->all_tags)
		ref.tag[0] = '\0';
	else if (!pulling->quiet && has_default_tag(&ref, name))
		puts("Using default tag: latest");
	registry_prepare(&pulling->opts.registry);
	if (connection_open(cli, &connection, &err) ||
	    image_pull(&connection, &pulling->opts, &ref, pulling->quiet ? NULL : stdout, &err))
		return cli_fail(&err);
	puts(pulling->all_tags ? ref.name : ref_text(&ref).text);
	return EXIT_SUCCESS;
}

enum { OPT_PLATFORM = 1, OPT_DOWNLOAD_ONLY, OPT_SCHEMA1 };

int cmd_pull(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "all-tags", no_argument, NULL, 'a' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "platform", required_argument, NULL, OPT_PLATFORM },
		{ "download-only", no_argument, NULL, OPT_DOWNLOAD_ONLY },
		{ "schema1", no_argument, NULL, OPT_SCHEMA1 },
		{ 0 },
	};
	struct pulling pulling = { .quiet = false };
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":aq", longs, &status)) != -1) {
		switch (opt) {
		case 'a':
			pulling.all_tags = true;
			break;
		case 'q':
			pulling.quiet = true;
			break;
		case OPT_PLATFORM:
			pulling.opts.platform = optarg;
			break;
		case OPT_DOWNLOAD_ONLY:
			pulling.opts.is_download_only = true;
			break;
		case OPT_SCHEMA1:
			pulling.opts.registry.takes_schema1 = true;
			break;
		case CLI_DONE:
			return status;
		default:
			status = registry_option(cli, opt, optarg, &pulling.opts.registry);
			if (status)
				return status;
		}
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image to pull is needed");
	pulling.opts.name = argv[optind];
	return run_pull(cli, &pulling);
}

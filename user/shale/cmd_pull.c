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
#include "shale/progress.h"
#include "shale/registry_opts.h"
#include "store/ref.h"

struct pulling {
	struct shale_pull_opts opts;
	bool quiet;
	bool all_tags;
	struct progress progress;
};

static int show(void *arg, const json_t *message, struct shale_err *err)
{
	struct pulling *pulling = arg;

	(void)err;
	if (!pulling->quiet)
		progress_show(&pulling->progress, message);
	return 0;
}

/* The name says nothing, and the tag is latest. */
static bool has_default_tag(const struct ref *ref, const char *name)
{
	const char *slash = strrchr(name, '/');

	return !strcmp(ref->tag, "latest") && !strchr(slash ? slash : name, ':');
}

/* NULL: all tags. */
static const char *tag_of(const struct pulling *pulling, const struct ref *ref, const struct digest_text *digest)
{
	if (pulling->all_tags)
		return NULL;
	return ref->has_digest ? digest->text : ref->tag;
}

static int call_pull(struct pulling *pulling, const struct ref *ref, struct connection *connection,
		     struct shale_err *err)
{
	const struct shale_pull_opts *pull = &pulling->opts;
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");
	struct digest_text digest = digest_text(&ref->digest);

	if (dockapi_path(&call, err, "/images/create") ||
	    dockapi_query(&call, "fromImage", ref->name, err) ||
	    dockapi_query(&call, "tag", tag_of(pulling, ref, &digest), err) ||
	    dockapi_query(&call, "platform", pull->platform, err) ||
	    dockapi_query(&call, "downloadOnly", pull->is_download_only ? "1" : NULL, err) ||
	    dockapi_query(&call, "schema1", pull->registry.takes_schema1 ? "1" : NULL, err) ||
	    registry_call(&pull->registry, connection, ref, &call, err))
		return -1;
	return connection_stream(connection, &call, show, pulling, err);
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
	if (ref.has_digest)
		ref.tag[0] = '\0';
	else if (!pulling->quiet && !pulling->all_tags && has_default_tag(&ref, name))
		puts("Using default tag: latest");
	progress_init(&pulling->progress, stdout);
	registry_prepare(&pulling->opts.registry);
	if (connection_open(cli, &connection, &err) || call_pull(pulling, &ref, &connection, &err))
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

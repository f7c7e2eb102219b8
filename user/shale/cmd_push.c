// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale push: says what docker push says, with lines that are redrawn on a terminal and one for each blob's
 * end elsewhere.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/connection.h"
#include "shale/progress.h"
#include "shale/registry_opts.h"
#include "store/ref.h"

struct push_view {
	struct progress progress;
	bool quiet;
};

static int show(void *arg, const json_t *message, struct shale_err *err)
{
	struct push_view *view = arg;

	(void)err;
	if (!view->quiet)
		progress_show(&view->progress, message);
	return 0;
}

static int call_push(const struct shale_push_opts *push, const struct ref *ref, bool all_tags,
		     struct connection *connection, struct push_view *view, struct shale_err *err)
{
	__cleanup_dockapi_call struct dockapi_call call = DOCKAPI_CALL("POST");

	if (dockapi_path(&call, err, "/images/%s/push", ref->name) ||
	    dockapi_query(&call, "tag", all_tags ? NULL : ref->tag, err) ||
	    registry_call(&push->registry, connection, ref, &call, err))
		return -1;
	return connection_stream(connection, &call, show, view, err);
}

static int run_push(const struct cli *cli, const struct shale_push_opts *push, bool all_tags,
		    bool quiet)
{
	__cleanup_connection struct connection connection = CONNECTION_CLOSED;
	struct push_view view = { .quiet = quiet };
	struct shale_err err = { 0 };
	struct ref ref;

	if (ref_parse(push->name, &ref, &err) < 0)
		return cli_fail(&err);
	if (ref.has_digest) {
		shale_err_set(&err, EINVAL, "'%s': a name with a digest cannot be pushed", push->name);
		return cli_fail(&err);
	}
	if (!quiet && !all_tags && !ref_has_tag(push->name))
		puts("Using default tag: latest");
	progress_init(&view.progress, stdout);
	registry_prepare(&push->registry);
	if (connection_open(cli, &connection, &err) ||
	    call_push(push, &ref, all_tags, &connection, &view, &err))
		return cli_fail(&err);
	if (quiet)
		puts(all_tags ? ref.name : ref_text(&ref).text);
	return EXIT_SUCCESS;
}

int cmd_push(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "all-tags", no_argument, NULL, 'a' },
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct shale_push_opts push = { 0 };
	bool all_tags = false;
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":aq", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'q' || opt == 'a') {
			*(opt == 'q' ? &quiet : &all_tags) = true;
			continue;
		}
		status = registry_option(cli, opt, optarg, &push.registry);
		if (status)
			return status;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image to push is needed");
	push.name = argv[optind];
	if (all_tags && ref_has_tag(push.name))
		return cli_usage(cli, "all tags are pushed of a name without one, not of '%s'", push.name);
	return run_push(cli, &push, all_tags, quiet);
}

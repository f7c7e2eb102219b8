// SPDX-License-Identifier: GPL-2.0-only
/*
 * shale push: says what docker push says, with lines that are redrawn on a terminal and one for each blob's
 * end elsewhere.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shale/interrupt.h"
#include "shale/progress.h"
#include "shale/registry_opts.h"
#include "store/ref.h"

struct push_view {
	struct progress progress;
	bool quiet;
};

static void print_push(const struct shale_event *event)
{
	const char *id = event->id ? event->id + strlen("sha256:") : "";

	if (event->kind == SHALE_EVENT_PREPARED)
		printf("%.12s: Preparing\n", id);
	else if (event->kind == SHALE_EVENT_PUSHED)
		printf("%.12s: Pushed\n", id);
	else if (event->kind == SHALE_EVENT_PUSH_EXISTS)
		printf("%.12s: Layer already exists\n", id);
	else if (event->kind == SHALE_EVENT_MOUNTED)
		printf("%.12s: Mounted from %s\n", id, event->name);
}

static int show(void *arg, const struct shale_event *event)
{
	struct push_view *view = arg;

	if (view->quiet)
		return interrupt_came();
	if (view->progress.is_tty)
		progress_show(&view->progress, event);
	else
		print_push(event);
	fflush(stdout);
	return interrupt_came();
}

static int run_push(const struct cli *cli, const struct shale_push_opts *push, bool quiet)
{
	struct push_view view = { .quiet = quiet };
	struct shale_opts opts = { .root = cli->root, .progress = show, .arg = &view };
	struct shale_pushed pushed = { 0 };
	struct shale_err err = { 0 };
	struct ref ref;

	if (ref_parse(push->name, &ref, &err) < 0)
		return cli_fail(&err);
	if (!quiet)
		printf("The push refers to repository [%s]\n", ref.name);
	progress_init(&view.progress, stdout);
	interrupt_catch();
	if (shale_push(&opts, push, &pushed, &err) < 0)
		return cli_fail(&err);
	if (quiet)
		puts(ref_text(&ref).text);
	else
		printf("%s: digest: %s size: %llu\n", *ref.tag ? ref.tag : ref.name, pushed.digest,
		       (unsigned long long)pushed.size);
	return EXIT_SUCCESS;
}

int cmd_push(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
		CLI_LONGS,
		REGISTRY_LONGS,
		{ "quiet", no_argument, NULL, 'q' },
		{ 0 },
	};
	struct shale_push_opts push = { 0 };
	bool quiet = false;
	int status = 0;
	int opt;

	while ((opt = cli_getopt(cli, argc, argv, ":q", longs, &status)) != -1) {
		if (opt == CLI_DONE)
			return status;
		if (opt == 'q') {
			quiet = true;
			continue;
		}
		status = registry_option(cli, opt, optarg, &push.registry);
		if (status)
			return status;
	}
	if (argc - optind != 1)
		return cli_usage(cli, "one image to push is needed");
	push.name = argv[optind];
	return run_push(cli, &push, quiet);
}
